"""HTML of the book of the model: equations as MathML, and tables."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Sequence
from html import escape

from latex2mathml.converter import convert

from qsp.explain.latex import upright
from qsp.explain.values import covariate_texts
from qsp.molecules.parameter_file import Entry
from qsp.units import parse
from scripts.book.links import code, label_link, source_links


@functools.cache
def math(latex: str, *, display: str = "inline") -> str:
    """Return LaTeX as MathML, which browsers show without a script."""
    if not latex:
        return ""
    upright_d = '<mi mathvariant="normal">d</mi>'  # browsers show a single letter in italics
    return convert(upright(latex), display=display).replace("<mi>&#x00064;</mi>", upright_d)


def equation(label: str, latex: str) -> str:
    """Return an equation with its label, which links to itself."""
    anchor = f"eq-{label.lower()}"
    shown = math(latex, display="block")
    return (
        f'<div class="equation" id="{anchor}">{shown}'
        f'<a class="label" href="#{anchor}">Eq. {label}</a></div>\n'
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are HTML."""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter with all of its values.

    Args:
        symbol: Symbol in LaTeX; empty for an input that is in no equation.
        path: Path of the field.
        axes: Names of its axes.
        unit: Unit of the equations.
        meaning: Meaning in one line.
        equations: Links to the equations that use it, in HTML.
        entries: Values of all files.
    """

    symbol: str
    path: str
    axes: tuple[str, ...]
    unit: str
    meaning: str
    equations: str
    entries: tuple[Entry, ...]


_HEADS = ("Element", "File", "Value", "Spread", "Status", "Source", "Note")


def parameters(rows: Iterable[Parameter]) -> str:
    """Return a table of parameters: a line for each one, then a line for each of its values."""
    body = []
    for each in rows:
        axes = f" ({', '.join(each.axes)})" if each.axes else ""
        name = f"{code(each.path, anchor=True)}{axes}"
        title = " · ".join(
            part
            for part in (
                math(each.symbol),
                name,
                f"{escape(each.meaning)} [{escape(each.unit)}]",
                each.equations,
            )
            if part
        )
        body.append(
            f'<tr class="parameter"><td colspan="{len(_HEADS)}"><div>{title}</div></td></tr>'
        )
        body += [_value(each, entry) for entry in each.entries]
        if not each.entries:
            none = (
                'in no file: <a href="inputs.html#derivation">derived from other values</a>, or '
                "the value of an absent process"
            )
            body.append(f'<tr><td colspan="{len(_HEADS)}">{none}</td></tr>')
    head = "".join(f"<th>{title}</th>" for title in _HEADS)
    rows_text = "\n".join(body)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows_text}\n</tbody>\n</table>\n"


def _value(of: Parameter, entry: Entry) -> str:
    element = entry.path[len(of.path) + 1 :]
    number = parse(entry.value, of.unit, where=entry.where)
    canonical = f"{number:.4g} {'' if of.unit == '1' else of.unit}".strip()
    same = parse(
        entry.value.split()[0] + f" {'' if of.unit == '1' else of.unit}", of.unit, where=""
    )
    value = entry.value if same == number else f"{entry.value} ({canonical})"
    spread = [
        f"{key} {getattr(entry, key)}".replace(" ", "\u00a0")
        for key in ("cv", "sd", "low", "high")
        if getattr(entry, key)
    ]
    spread += [entry.distribution.replace("_", "-")] if entry.distribution else []
    spread += list(covariate_texts(entry))
    source = source_links(entry.source)
    texts = (element, entry.file, value, ", ".join(spread), entry.status)
    cells = "".join(f"<td>{cell}</td>" for cell in (*map(escape, texts), source))
    where = escape(f"{entry.file} {entry.path}")
    return f'<tr data-entry="{where}">{cells}<td class="note">{escape(entry.note)}</td></tr>'


def named(heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a table whose rows have a name, "FILE PATH"; their cells are HTML."""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "\n".join(
        f'<tr data-entry="{escape(name)}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"


def linked(meaning: str) -> str:
    """Return the meaning of a symbol in HTML, with links to the equations that it names."""
    meaning = re.sub(r",? `[\w.]+`", "", meaning).rstrip(".")
    shown = escape(meaning[:1].upper() + meaning[1:])
    return re.sub(r"Eq\. ([A-Z]\d+)", lambda m: label_link(m[1]), shown)
