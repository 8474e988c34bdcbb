"""Equations of the model, read from the docstrings of its functions.

A docstring states the equations of its function in a section ``Equations:``, in LaTeX and with a
label of its own. Below them it explains the symbols that are no declared quantity::

    Equations:
        Eq. D1: $$CL = CL_{ss} + (CL_{base} - CL_{ss}) ...$$
        $t$ [day]: time since the first dose.

All other symbols are those of declared quantities (`qsp.units.quantity`), with their unit and
meaning: of the classes in the signature of the function, then of `qsp.model.State`, then of the
classes that its module imports. A subscript may end with indices: j for the kind of target cell,
k or l for the tissue, i for the cytokine, g for the grade, q for the lesion, or the name of one
element.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from qsp import interventions, model, system
from qsp.explain.latex import Key, default_symbol, key, plain, symbols
from qsp.model.axes import Axes
from qsp.model.cytokines import CYTOKINES
from qsp.model.synapse import Bridges, Complexes
from qsp.model.t_cells import Adapted
from qsp.populations.paths import ELEMENTS, short

MECHANISMS = (
    "disposition",
    "binding",
    "synapse",
    "engagement",
    "t_cells",
    "traffic",
    "targets",
    "lesions",
    "lesion_measures",
    "tumors",
    "lesion_map",
    "release",
    "interleukin1",
    "cytokines",
    "axes",
    "temperature",
    "effects",
    "numerics",
    "tolerance",
)
"""Modules of `qsp.model` with equations, in reading order; the package itself comes first."""


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A symbol of an equation.

    Args:
        latex: Symbol without indices.
        unit: Unit of its values.
        meaning: Meaning in one line.
        path: Path of the parameter or state, such as ``synapse.alpha``; empty for other quantities.
    """

    latex: str
    unit: str
    meaning: str
    path: str = ""


@dataclasses.dataclass(frozen=True)
class Equation:
    """A labeled equation.

    Args:
        label: Label, such as ``D1``.
        latex: The equation in LaTeX.
        function: Name of the function in its module, such as ``Relaxed.rates``.
        module: Full name of the module.
        symbols: Symbols of the equation, in the order of their first use.
        state: Path of the state whose derivative the equation gives; empty for other equations.
    """

    label: str
    latex: str
    function: str
    module: str
    symbols: tuple[Symbol, ...]
    state: str = ""


_LABEL = re.compile(r"Eq\. ([A-Z]\d+): \$\$(.*?)\$\$")
_LOCAL = re.compile(
    r"(?<!\$)\$([^$]+)\$ \[([^\]]+)\]: (.*?)(?=\s+\$[^$]+\$ \[|\s+Eq\. \w+: \$\$|$)"
)
_ODE = re.compile(r"\\frac\{d(.+?)\}\{dt\} =")
_PATH = re.compile(r"`([\w.]+)`")

_CYTOKINES = dict(zip(("IFN", "TNF", "IL2", "IL6", "IL10", "CXCL10"), CYTOKINES, strict=True))
"""Name of a cytokine by its subscript."""

Scope = Mapping[Key, Symbol]


def modules() -> tuple[str, ...]:
    """Return the full names of all modules with equations, in reading order."""
    drugs = (f"{interventions.__name__}.{name}" for name in interventions.INTERVENTIONS)
    in_model = (f"{model.__name__}.{name}" for name in MECHANISMS)
    return (model.__name__, *in_model, *drugs, interventions.__name__)


@functools.cache
def collect() -> tuple[Equation, ...]:
    """Return all equations in reading order.

    Raises:
        ValueError: If a symbol of an equation has no meaning, or two.
    """
    return tuple(
        equation
        for name in modules()
        for function, where in functions(importlib.import_module(name))
        for equation in _of_function(function, where)
    )


def using(path: str) -> list[Equation]:
    """Return the equations with a parameter or state, by its path or the path of an element."""
    return [
        equation
        for equation in collect()
        if any(_is_of(path, symbol) for symbol in equation.symbols)
    ]


def _is_of(path: str, symbol: Symbol) -> bool:
    """Whether a path is that of a symbol or of one of its elements.

    The state ``severity`` does not include the parameter ``severity.k_leak``, and
    ``c_{0,CXCL10}`` is the baseline of no other cytokine.
    """
    rest = path.removeprefix(symbol.path)
    elements = {name for names in ELEMENTS.values() for name in names}
    if not symbol.path or not path.startswith(symbol.path):
        return False
    found = {*rest.split(".")} - {""}
    named = {_CYTOKINES[part] for part in key(symbol.latex).subscript if part in _CYTOKINES}
    return found <= elements and (not named or not found or bool(named & found))


def equation_lines(path: str) -> list[str]:
    """Return the equations that use a parameter or state as plain text, after its symbol."""
    found = using(path)
    if not found:
        return []
    used = (symbol for each in found for symbol in each.symbols if _is_of(path, symbol))
    symbols = ", ".join(dict.fromkeys(plain(s.latex) for s in used))
    return [
        f"  equations, with the symbol {symbols}:",
        *(f"    Eq. {each.label}, {each.function}: {plain(each.latex)}" for each in found),
    ]


def definition_lines(path: str) -> list[str]:
    """Return the equations that define an algebraic quantity as plain text, after its symbol."""
    *parents, name = path.split(".")
    kind: type = model.Algebraic
    for parent in parents:
        kind = typing.get_type_hints(kind)[parent]
    declared = (each for each in dataclasses.fields(kind) if "unit" in each.metadata)
    names = (each.name for each in declared)
    latex = {n: s.latex for n, s in zip(names, declared_symbols(kind), strict=True)}[name]
    if path.startswith("gap.receptors."):  # the class of the receptors in a tissue volume
        latex = latex.replace("R_", "r_")
    return [
        f"  defined, with the symbol {plain(latex)}, by:",
        *(f"    Eq. {e.label}, {e.function}: {plain(e.latex)}" for e in defining(latex)),
    ]


def defining(latex: str) -> tuple[Equation, ...]:
    """Return the equations with a quantity on the left, by its symbol without indices."""
    return _definitions().get(key(latex), ())


@functools.cache
def _definitions() -> Mapping[Key, tuple[Equation, ...]]:
    found: dict[Key, list[Equation]] = {}
    for equation in collect():
        if equation.state or equation.module.endswith((".effects", ".numerics", ".tolerance")):
            continue
        lefts = (part.partition("=")[0].strip() for part in equation.latex.split(r"\quad"))
        for left in lefts:
            try:
                names = [*key(left).without_indices()]
            except ValueError:  # a condition, or the derivative of a state
                continue
            for each in names:
                found.setdefault(each, []).append(equation)
    return {each: tuple(dict.fromkeys(equations)) for each, equations in found.items()}


def functions(module: ModuleType) -> Iterator[tuple[Callable[..., Any], str]]:
    """Yield the public functions of a module and its concrete methods, with their names."""
    for name, item in vars(module).items():
        if getattr(item, "__module__", None) != module.__name__ or name.startswith("_"):
            continue
        if inspect.isfunction(item):
            yield item, name
        elif inspect.isclass(item):
            methods = {
                each: inspect.unwrap(getattr(m, "method", m)) for each, m in vars(item).items()
            }
            for method, inner in methods.items():
                is_public = not method.startswith("_") or method == "__call__"
                is_abstract = getattr(inner, "__isabstractmethod__", False)
                if is_public and inspect.isfunction(inner) and not is_abstract:
                    yield inner, f"{name}.{method}"


def stated(function: Callable[..., Any]) -> tuple[dict[str, str], list[Symbol]]:
    """Return the labeled equations of a docstring, and the symbols it explains."""
    doc = inspect.getdoc(function) or ""
    section = re.search(r"^Equations:\n((?:    .*\n?)+)", doc, re.MULTILINE)
    text = " ".join(section[1].split()) if section else ""
    local = [Symbol(latex, unit, meaning) for latex, unit, meaning in _LOCAL.findall(text)]
    return dict(_LABEL.findall(text)), [
        dataclasses.replace(s, path=found[1]) if (found := _PATH.search(s.meaning)) else s
        for s in local
    ]


def _of_function(function: Callable[..., Any], name: str) -> Iterator[Equation]:
    labeled, local = stated(function)
    if not labeled:
        return
    module = importlib.import_module(function.__module__)
    scopes = [{key(symbol.latex): symbol for symbol in local}, *_scopes(function, module)]
    for label, latex in labeled.items():
        used = dict.fromkeys(_find(token, scopes, label) for token in symbols(latex))
        ode = _ODE.match(latex)
        state = _find(key(ode[1]), scopes, label).path if ode else ""
        yield Equation(label, latex, name, module.__name__, tuple(used), state)


def _find(token: Key, scopes: list[Scope], label: str) -> Symbol:
    """Return the symbol with the most of its subscript, then of the nearest scope."""
    for shortened in token.without_indices():
        for scope in scopes:
            if shortened in scope:
                found = scope[shortened]
                if not found.unit:
                    raise ValueError(f"Eq. {label}: symbol {token} has two meanings")
                return found
    raise ValueError(f"Eq. {label}: symbol {token} has no meaning")


def _scopes(function: Callable[..., Any], module: ModuleType) -> list[Scope]:
    """Return the symbols of the signature, of the state, and of the names in the module."""
    hints = typing.get_type_hints(function).values()
    signature = dict.fromkeys(kind for hint in hints for kind in _classes(hint))
    known = {kind: None for item in vars(module).values() for kind in _classes(item)}
    return [_symbols(signature), _symbols({model.State: None}), _symbols(known)]


def _classes(hint: Any) -> Iterator[type]:
    if inspect.isclass(hint) and dataclasses.is_dataclass(hint):
        yield hint
    for inner in typing.get_args(hint):
        yield from _classes(inner)


def _symbols(kinds: Mapping[type, None]) -> Scope:
    """Return the declared symbols of classes; a symbol of two quantities gets an empty unit."""
    found: dict[Key, Symbol] = {}
    for kind in kinds:
        for symbol in declared_symbols(kind):
            where = key(symbol.latex)
            other = found.get(where, symbol)
            found[where] = symbol if other == symbol else Symbol(symbol.latex, "", "")
    return found


@functools.cache
def declared_symbols(kind: type) -> tuple[Symbol, ...]:
    """Return the symbols of the quantities that a class declares, without nested classes."""
    prefix = paths().get(kind)
    return tuple(
        Symbol(
            latex=field.metadata["symbol"] or default_symbol(field.name),
            unit=field.metadata["unit"],
            meaning=field.metadata["meaning"],
            path="" if prefix is None else f"{prefix}.{field.name}".lstrip("."),
        )
        for field in dataclasses.fields(kind)
        if "unit" in field.metadata
    )


@functools.cache
def paths() -> Mapping[type, str]:
    """Return the path of each class within the parameters or the state of the system."""
    found: dict[type, str] = {
        Bridges: "bridges",
        Complexes: "bridges",
        Adapted: "adaptation",
        Axes: "axes",
    }

    def walk(kind: type, path: str) -> None:
        found.setdefault(kind, short(f"{path}.").rstrip("."))
        hints = typing.get_type_hints(kind)
        for field in dataclasses.fields(kind):
            inner = hints[field.name]
            if "unit" not in field.metadata and dataclasses.is_dataclass(inner):
                walk(typing.cast(type, inner), f"{path}.{field.name}".lstrip("."))

    walk(system.Parameters, "")
    walk(system.State, "")
    return found
