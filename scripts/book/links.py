"""Pages of parameters, states and equations, and links to them."""

from __future__ import annotations

import re
from html import escape

from qsp import interventions, model
from qsp.explain import equations as eq
from qsp.report.references import bibliography
from scripts.book.text import KEY

_AXES = eq.MECHANISMS.index("axes")
MECHANISMS = ("tissues", *eq.MECHANISMS[:_AXES], "severity", *eq.MECHANISMS[_AXES:])
"""Pages of the model: the modules with equations, and two with parameters alone."""
PAGE_OF_STATE = {
    "drug": "disposition",
    "bridges": "synapse",
    "adaptation": "t_cells",
    "margination": "traffic",
}
"""Page of the states whose first name is no mechanism."""


def page_of(path: str) -> str:
    """Return the page (without suffix) that has the table with a parameter or state."""
    first, _, rest = path.partition(".")
    if first == "supportive":
        return rest.partition(".")[0]
    return PAGE_OF_STATE.get(first, first if first in MECHANISMS else "inputs")


def page_of_label(label: str) -> str:
    """Return the page (without suffix) of an equation."""
    module = next(each.module for each in eq.collect() if each.label == label)
    if module == interventions.__name__:
        return "supportive"
    return "index" if module == model.__name__ else module.rpartition(".")[2]


def label_link(label: str) -> str:
    """Return a link in HTML to an equation, from any page of the model."""
    return f'<a href="{page_of_label(label)}.html#eq-{label.lower()}">Eq. {label}</a>'


def code(path: str, *, anchor: bool = False) -> str:
    """Return a path as code that may break after its dots and underscores."""
    shown = re.sub(r"([._])", r"\1<wbr>", path)
    return f'<code id="{path}">{shown}</code>' if anchor else f"<code>{shown}</code>"


def path_link(path: str) -> str:
    """Return a link in HTML to the table with a parameter or state; empty without a path."""
    return f'<a href="{page_of(path)}.html#{path}">{code(path)}</a>' if path else ""


def definition_links(symbol: eq.Symbol, module: str) -> str:
    """Return links to the equations that define a declared quantity, those of a module first."""
    equations = eq.defining(symbol.latex)
    own = [each for each in equations if each.module == module]
    return ", ".join(label_link(each.label) for each in own or equations)


def source_links(source: str) -> str:
    """Return a source in HTML with links for the keys of references."""
    known = bibliography()
    return KEY.sub(
        lambda m: f'<a href="references.html#{m[0]}">{m[0]}</a>' if m[0] in known else m[0],
        escape(source),
    )
