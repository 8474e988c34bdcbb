"""Addresses of parameters: ``path = value``, one number each.

Those of the model follow from its declarations: the path of the field, then its elements
(``traffic.k_exit.lymphoid``, ``targets.baseline.normal.blood``). Some values are given in a form
nearer to what is measured and become parameters in `qsp.population.derived`; these inputs are
declared here.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping

from qsp import system
from qsp.errors import ConfigError, suggest
from qsp.model.cytokines import CYTOKINES
from qsp.model.tissues import KINDS, TISSUES
from qsp.units import declarations

ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "tissue": TISSUES,
    "kind": KINDS,
    "cytokine": CYTOKINES,
    "grade": ("grade_1", "grade_2", "grade_3", "grade_4"),
}
"""Names of the elements of each axis."""


@dataclasses.dataclass(frozen=True)
class ParameterPath:
    """One number: its path, canonical unit and meaning."""

    path: str
    unit: str
    meaning: str


def short(path: str) -> str:
    """Path of a declared field as files write it: without the leading ``model.``."""
    return path.removeprefix("model.")


@functools.cache
def fields() -> Mapping[str, tuple[str, ...]]:
    """Axes of every declared parameter, by path."""
    return {short(item.path): item.dims for item in declarations(system.Parameters)}


@functools.cache
def declared() -> Mapping[str, ParameterPath]:
    """Every number of the parameters of the system, by path."""
    found = {}
    for item in declarations(system.Parameters):
        for names in itertools.product(*(ELEMENTS[axis] for axis in item.dims)):
            path = ".".join([short(item.path), *names])
            meaning = ", ".join([item.meaning, *names])
            found[path] = ParameterPath(path, item.unit, meaning)
    return found


_TUMOR = (
    ParameterPath("tumor.cells", "Mcell", "Tumor cells, all clones"),
    ParameterPath("tumor.antigen_low", "1", "Share of the antigen-low clone"),
    ParameterPath("tumor.antigen_low_copies", "1", "Copies of the clone, relative to the tumor"),
    ParameterPath(
        "tumor.antigen_low_kill", "1", "Rate of killing of the clone, relative to the tumor"
    ),
)


def _of_antigen(antigen: str) -> Iterator[ParameterPath]:
    at = f"antigens.{antigen}"
    for kind in KINDS:
        yield ParameterPath(f"{at}.copies.{kind}", "molecule/cell", f"{antigen} per cell, {kind}")
    for tissue in TISSUES:
        yield ParameterPath(f"{at}.soluble.{tissue}", "nmol/L", f"Soluble {antigen}, {tissue}")
    yield ParameterPath(f"{at}.k_soluble", "1/day", f"Turnover of soluble {antigen}")


@functools.cache
def inputs() -> Mapping[str, ParameterPath]:
    """Inputs that become parameters, other than those of antigens, by path."""
    areas = [ParameterPath(f"cells.area.{kind}", "um^2/cell", f"Surface, {kind}") for kind in KINDS]
    return {address.path: address for address in (*_TUMOR, *areas)}


def address(path: str, *, where: str) -> ParameterPath:
    """The number a path stands for.

    Args:
        path: Such as ``disposition.V1``.
        where: File, for the message.

    Raises:
        ConfigError: If there is no such number.
    """
    antigen = antigen_of(path)
    known = {**declared(), **inputs()}
    if antigen:
        known |= {item.path: item for item in _of_antigen(antigen)}
    if path in known:
        return known[path]
    axes = fields().get(path, ())
    if axes:
        names = ".".join(ELEMENTS[axis][0] for axis in axes)
        todo = f"Give its elements, such as {path}.{names}"
    else:
        todo = f"{suggest(path, known)} A report lists all paths".strip()
    raise ConfigError(where, f"{path} must be the path of a number", "unknown", todo)


def antigen_of(path: str) -> str:
    """Antigen of a path ``antigens.NAME...``; empty for other paths."""
    parts = path.split(".")
    return parts[1] if parts[0] == "antigens" and len(parts) > 2 else ""
