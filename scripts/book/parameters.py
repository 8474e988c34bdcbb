"""Tables of parameters with their values in all files."""

from __future__ import annotations

from collections.abc import Iterable

from qsp.explain import equations as eq
from qsp.explain.values import Files
from qsp.populations.paths import fields, parameter_path
from scripts.book import html, text
from scripts.book.links import label_link


def parameter_table(paths: Iterable[str], files: Files) -> str:
    """Return the table of some parameters, by the paths of their fields."""
    symbols = {s.path: s.latex for kind in eq.paths() for s in eq.declared_symbols(kind)}
    rows = []
    for path in paths:
        axes = fields().get(path, ())
        first = ".".join([path, *(text.FIRST[axis] for axis in axes)])
        about = parameter_path(first, where="book")
        used = [label_link(each.label) for each in eq.using(path)]
        rows.append(
            html.Parameter(
                symbol=symbols.get(path, ""),
                path=path,
                axes=axes,
                unit=about.unit,
                meaning=about.meaning.rsplit(", ", len(axes))[0] if axes else about.meaning,
                equations=", ".join(dict.fromkeys(used)),
                entries=tuple(files.of(path)),
            )
        )
    return html.parameters(rows)
