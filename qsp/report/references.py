"""Full references for the keys cited as sources of parameters."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

_ENTRY = re.compile(r"@(\w+)\{([^,\s]+),(.*?)\n\}", re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s*=\s*[{\"](.*?)[}\"],?\s*$", re.MULTILINE)
_KEY = re.compile(r"[A-Z][A-Za-z]+\d{4}[a-z]?\b")


@functools.cache
def bibliography() -> Mapping[str, Mapping[str, str]]:
    """Return the fields of every entry of the package's `references.bib`, by key."""
    text = files("qsp").joinpath("references.bib").read_text(encoding="utf-8")
    return {key: dict(_FIELD.findall(body)) for _, key, body in _ENTRY.findall(text)}


def resolve(sources: Iterable[str]) -> list[str]:
    """Return the full references of the keys cited in sources.

    Args:
        sources: Sources of parameters, such as "Bender2024" or "Bender2024; Li2022".

    Returns:
        One reference per key, sorted, each beginning with its key. A key that is not in the
        package, such as one in the user's own file, has a note instead.
    """
    keys = {key for source in sources for key in _KEY.findall(str(source))}
    return [f"{key}: {_reference(key)}" for key in sorted(keys)]


def _reference(key: str) -> str:
    fields = bibliography().get(key)
    if fields is None:
        return "not among the references of the package; see the file that cites it."
    authors = fields.get("author", fields.get("organization", "")).replace(" and others", " et al.")
    parts = [authors.replace(" and ", "; "), fields.get("title", ""), _place(fields)]
    link = f"https://doi.org/{fields['doi']}" if "doi" in fields else fields.get("url", "")
    text = ". ".join(part.rstrip(".") for part in [*parts, link] if part)
    return _plain(text) + ("" if link else ".")


def _place(fields: Mapping[str, str]) -> str:
    """Return journal, year, volume and pages, omitting missing fields."""
    journal = fields.get("journal") or fields.get("howpublished") or fields.get("note", "")
    numbers = fields.get("volume", "") + (f":{fields['pages']}" if "pages" in fields else "")
    year = fields.get("year", "")
    return " ".join(part for part in (journal, f"{year};{numbers}" if numbers else year) if part)


def _plain(text: str) -> str:
    return re.sub(r"[{}]", "", text).replace("--", "-")
