"""Page of the response rules, from the docstrings and constants of `qsp.response`."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from html import escape
from types import ModuleType

from qsp import response
from qsp.report.references import bibliography
from scripts.book import html, text

MODULES = (
    "assessment",
    "outcomes",
    "events",
    "geometry",
    "lugano",
    "recist",
    "imwg",
    "m_protein",
    "blasts",
)
"""Modules of `qsp.response` in reading order; `category` and `rules` have names only."""
_TITLES = {
    "assessment": "From simulated lesions to measures",
    "outcomes": "From visits to times",
    "events": "Events between visits",
    "geometry": "Lesions on a scan",
    "lugano": "Lymphoma: Lugano",
    "recist": "Solid tumors: RECIST 1.1",
    "imwg": "Myeloma: IMWG",
    "m_protein": "M-protein",
    "blasts": "Leukemia: blasts",
}
_EQUATION = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)
_CONSTANT = re.compile(r"^(?P<meaning>.*) \[(?P<unit>[^\]]+)\]; (?P<source>.*)\.$")


def page() -> str:
    """Return the page in Markdown."""
    title, body = text.heading(inspect.getdoc(response) or "")
    found = ["# Response rules", "", title, "", body, ""]
    for name in MODULES:
        found += _section(importlib.import_module(f"{response.__name__}.{name}"), _TITLES[name])
    docs = [inspect.getdoc(importlib.import_module(f"{response.__name__}.{n}")) for n in MODULES]
    keys = sorted({k for doc in docs for k in text.KEY.findall(doc or "")} & set(bibliography()))
    links = [f"- [{key}](references.md#{key})" for key in keys]
    return "\n".join([*found, "## Sources", "", *links, ""])


def _section(module: ModuleType, title: str) -> list[str]:
    paragraphs = re.split(r"\n\n", inspect.getdoc(module) or "")
    found = [f"## {title}", ""]
    for paragraph in paragraphs:
        equation = _EQUATION.fullmatch(paragraph.strip())
        if equation:
            latex = " ".join(equation[1].split())
            found += [f'<div class="equation">{html.math(latex, display="block")}</div>', ""]
        else:
            found += [text.markdown(paragraph), ""]
    rows = [_row(name, value, doc) for name, value, doc in constants(module)]
    if rows:
        found += [html.table(("Constant", "Value", "Unit", "Meaning", "Source"), rows), ""]
    return found


def constants(module: ModuleType) -> Iterator[tuple[str, object, str]]:
    """Yield name, value and docstring of each public numerical constant of a module."""
    nodes = ast.parse(inspect.getsource(module)).body
    for node, after in zip(nodes, nodes[1:], strict=False):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        value = getattr(module, name)
        doc = getattr(getattr(after, "value", None), "value", None)
        numbers = value if isinstance(value, tuple) else (value,)
        if not name.startswith("_") and all(type(each) is float for each in numbers):
            yield name, value, " ".join(str(doc).split())


def described(doc: str) -> tuple[str, str, str]:
    """Return meaning, unit and source of a constant from its docstring.

    Raises:
        ValueError: If the docstring lacks one of them.
    """
    found = _CONSTANT.match(doc)
    if found is None:
        raise ValueError(f"a constant needs 'meaning [unit]; source.', but has {doc!r}")
    return found["meaning"], found["unit"], found["source"]


def _row(name: str, value: object, doc: str) -> tuple[str, ...]:
    meaning, unit, source = described(doc)
    numbers = value if isinstance(value, tuple) else (value,)
    shown = ", ".join(f"{each:.4g}" for each in numbers)
    source = source[:1].upper() + source[1:]
    return f"<code>{name}</code>", shown, escape(unit), escape(meaning), escape(source)
