"""Pages of the book of the model, generated from the code and the parameter files.

`pages` returns the Markdown of each page by its path below ``docs``. Equations, symbols, units and
meanings come from docstrings and declarations (`qsp.explain.equations`), values from the parameter
files, so that the book cannot differ from the code.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from types import ModuleType

from qsp import interventions, model, system
from qsp.explain import equations as eq
from qsp.explain.values import Files, shipped
from qsp.model.synapse import Bridges, Complexes
from qsp.model.t_cells import Adapted
from qsp.populations.paths import fields, short
from qsp.report.references import bibliography
from qsp.units import Description, declarations
from scripts.book import html, inputs, probability, response, supportive, text, twins
from scripts.book.links import MECHANISMS, code, definition_links, label_link, page_of, path_link
from scripts.book.parameters import parameter_table

ROOT = Path(__file__).resolve().parents[2]
DRUGS = tuple(interventions.INTERVENTIONS)
_INDEX = {"jak_inhibitor": "JAK", "anti_tnf": "antiTNF", "kinase_inhibitor": "kinase"}
"""Indices of supportive drugs in symbols, where they are not their names."""


def pages() -> dict[str, str]:
    """Return the Markdown of every generated page of the model, by path below ``docs``."""
    files = shipped(ROOT / "populations")
    found = {"model/index.md": _index(), "model/inputs.md": inputs.page(files)}
    for name in MECHANISMS:
        module = importlib.import_module(f"{model.__name__}.{name}")
        found[f"model/{name}.md"] = _mechanism(module, name, name, files)
    for name in DRUGS:
        module = importlib.import_module(f"{interventions.__name__}.{name}")
        found[f"model/{name}.md"] = _mechanism(module, name, f"supportive.{name}", files)
    found["model/supportive.md"] = _mechanism(interventions, "supportive", "", files)
    found["model/probability.md"] = probability.page()
    found["model/twins.md"] = twins.page()
    found["model/response.md"] = response.page()
    found["model/references.md"] = _references()
    return found


def states() -> Iterator[tuple[Description, str]]:
    """Yield the declaration of each state, with its symbol."""
    symbols = {s.path: s.latex for kind in eq.paths() for s in eq.declared_symbols(kind)}
    for item in declarations(system.State):
        item = Description(short(item.path), item.unit, item.meaning, item.dims, item.source)
        yield item, symbols[item.path]
    for kind in (Bridges, Complexes, Adapted):
        for item in declarations(kind):
            path = f"{eq.paths()[kind]}.{item.path}"
            yield Description(path, item.unit, item.meaning, item.dims, ""), symbols[path]


# === pages
# ===============================================================================================


def _index() -> str:
    title, body = text.heading(inspect.getdoc(model) or "")
    rows = [_state_row(item, _of_drug(item.path, symbol)) for item, symbol in states()]
    return "\n".join(
        [
            "# The model",
            "",
            title,
            "",
            body,
            "",
            "## How to read the equations",
            "",
            text.READING,
            "",
            "## Mechanisms",
            "",
            *(f"- [{_title(name)}]({name}.md)" for name in (*MECHANISMS, "supportive", *DRUGS)),
            "- [Probability of CRS](probability.md)",
            "- [Digital twins](twins.md)",
            "- [Response rules](response.md)",
            "- [Inputs from which parameters are derived](inputs.md)",
            "- [References](references.md)",
            "",
            "## All states and their differential equations",
            "",
            "A page of equations omits the name of its supportive drug from these symbols.",
            "",
            html.table(("Symbol", "State", "Axes", "Unit", "Meaning", "Equation"), rows),
            "",
            *_equations(model),
        ]
    )


def _mechanism(module: ModuleType, name: str, group: str, files: Files) -> str:
    doc = inspect.getdoc(module) or ""
    title, body = text.heading(text.without(doc, text.SEPARATE))
    found = [f"# {_title(name)}", "", title, "", body, "", *_equations(module)]
    found += [supportive.doses()] if module is interventions else []
    own = [(item, symbol) for item, symbol in states() if page_of(item.path) == name]
    if own:
        rows = [_state_row(*each) for each in own]
        heads = ("Symbol", "State", "Axes", "Unit", "Meaning", "Equation")
        found += ["## States", "", html.table(heads, rows), ""]
    paths = [path for path in fields() if group and path.startswith(f"{group}.")]
    if paths:
        found += ["## Parameters", "", parameter_table(paths, files), ""]
    docs = [doc, *(inspect.getdoc(each) or "" for each in _documented(module))]
    found += _listed("Assumptions", text.assumptions(docs))
    notes = [
        f"`{entry.path}` ({entry.file}): {text.escape(entry.note)}"
        for path in paths
        for entry in files.of(path)
        if text.KEY.search(entry.note) and entry.status != "published"
    ]
    found += _listed("Differences from publications", [*text.differences(doc), *notes])
    cited = [*docs, *(f"{e.source} {e.note}" for path in paths for e in files.of(path))]
    keys = sorted({key for each in cited for key in text.KEY.findall(each)} & set(bibliography()))
    sources = [f"[{key}](references.md#{key})" for key in keys]
    found += _listed("Sources", sources or ["None: equations and values are assumed."])
    return "\n".join(found)


def _references() -> str:
    lines = ["# References", ""]
    for key, entry in sorted(bibliography().items()):
        words = [entry.get(name, "") for name in ("author", "organization", "title", "journal")]
        parts = [*words, entry.get("year", ""), entry.get("doi", "")]
        reference = ". ".join(part.strip("{}") for part in parts if part)
        lines += [f'<p id="{key}"><strong>{key}</strong> {escape(reference)}</p>', ""]
    return "\n".join(lines)


def _title(name: str) -> str:
    if name == "supportive":
        return "Supportive drugs"
    return {
        "t_cells": "T cells",
        "interleukin1": "IL-1",
        "axes": "Fever and leak",
        "anti_tnf": "Anti-TNF",
        "jak_inhibitor": "JAK inhibitor",
    }.get(name, name.replace("_", " ").capitalize())


# === parts of a page
# ===============================================================================================


def _equations(module: ModuleType) -> list[str]:
    """Return the equations of each function, with a table of their symbols."""
    by_function: dict[str, list[eq.Equation]] = {}
    for equation in eq.collect():
        if equation.module == module.__name__:
            by_function.setdefault(equation.function, []).append(equation)
    functions = {name: function for function, name in eq.functions(module)}
    found = ["## Equations", ""] if by_function else []
    for name, group in by_function.items():
        title, body = text.heading(inspect.getdoc(functions[name]) or "")
        found += [f"### `{name}`", "", title, "", body, ""]
        found += [html.equation(each.label, each.latex) for each in group]
        symbols = dict.fromkeys(symbol for each in group for symbol in each.symbols)
        local = eq.stated(functions[name])[1]  # they name their equation in words
        rows = [_symbol_row(each, local, module.__name__) for each in symbols]
        found += ["", html.table(("Symbol", "Meaning", "Unit", "Path or equation"), rows), ""]
    return found


def _symbol_row(symbol: eq.Symbol, local: Sequence[eq.Symbol], module: str) -> tuple[str, ...]:
    declared = not symbol.path and symbol not in local
    origin = definition_links(symbol, module) if declared else path_link(symbol.path)
    return html.math(symbol.latex), html.linked(symbol.meaning), escape(symbol.unit), origin


def _state_row(item: Description, symbol: str) -> tuple[str, ...]:
    ode = next(each for each in eq.collect() if each.state == item.path)
    link = label_link(ode.label)
    axes = ", ".join(item.dims)
    name = code(item.path, anchor=True)
    return html.math(symbol), name, axes, escape(item.unit), escape(item.meaning), link


def _of_drug(path: str, symbol: str) -> str:
    """Return the symbol of a state of a supportive drug with the name of the drug as an index."""
    group, _, rest = path.partition(".")
    if group != "supportive":
        return symbol
    drug = _INDEX.get(name := rest.partition(".")[0], name)
    return re.sub(r"_\{?(\w+)\}?$", rf"_{{\1,{drug}}}", symbol)


def _documented(module: ModuleType) -> Iterator[object]:
    """Yield the classes of a module and its functions and methods with equations."""
    for name, item in vars(module).items():
        own = getattr(item, "__module__", None) == module.__name__
        if own and inspect.isclass(item) and not name.startswith("_"):
            yield item
    yield from (function for function, _ in eq.functions(module))


def _listed(title: str, items: Iterable[str]) -> list[str]:
    items = list(dict.fromkeys(items))
    return [f"## {title}", "", *(f"- {item}" for item in items), ""] if items else []
