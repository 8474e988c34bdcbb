"""Fitted values in the files that ship them: parameter files of physiology, diseases, molecules."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from qsp.errors import ConfigError

_HEADER = re.compile(r"^\[([^\[\]]+)\]\s*$")


def with_values(text: str, values: Mapping[str, str], *, note: str, where: str) -> str:
    """Return the text of a parameter file with other values, of status `tuned`.

    The spread between patients and everything else of an entry stays.

    Args:
        text: Text of the file, with one entry a line.
        values: Value with unit by path.
        note: Note of the new values.
        where: Name of the file, for the error message.

    Raises:
        ConfigError: If the file has no entry for a path.
    """
    left, section, lines = dict(values), "", []
    for line in text.splitlines():
        header = _HEADER.match(line)
        section = header[1] if header else section
        key, equals, rest = line.partition("=")
        path = f"{section}.{key.strip()}"
        if equals and path in left:
            line = f"{key}={_entry(rest, left.pop(path), note)}"  # noqa: PLW2901
        lines.append(line)
    if left:
        rule = f"{', '.join(left)} must have an entry of one line"
        raise ConfigError(where, rule, "missing", "Add it to the file")
    return "\n".join(lines) + "\n"


def _entry(rest: str, value: str, note: str) -> str:
    entry = re.sub(r'value = "[^"]*"', f'value = "{value}"', rest, count=1)
    entry = re.sub(r', source = "[^"]*"', "", entry, count=1)
    entry = re.sub(r'status = "[^"]*"', 'status = "tuned"', entry, count=1)
    if re.search(r'note = "[^"]*"', entry):
        return re.sub(r'note = "[^"]*"', f'note = "{note}"', entry, count=1)
    return re.sub(r"\s*\}\s*$", f', note = "{note}" }}', entry, count=1)


def rounded(value: float, digits: int = 3) -> str:
    """Return a number with a few significant digits, without exponent where that is readable."""
    return f"{float(f'{value:.{digits}g}'):g}"


def replace_file(path: Path, text: str) -> None:
    """Replace a file as a whole."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
