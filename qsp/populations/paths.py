"""Paths of parameters in files: one number each.

Paths follow from the declarations of the model: the path of a field, then the names of its elements
(``traffic.k_exit.lymphoid``, ``targets.baseline.normal.blood``). Some inputs are closer to
measurements, such as copies per cell; they are declared here, and `qsp.populations.derived`
computes parameters from them.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping

from qsp import system
from qsp.errors import ConfigError, suggest
from qsp.model.cytokines import CYTOKINES
from qsp.model.tissues import KINDS, LESIONS, TISSUES
from qsp.populations.covariates import UNITS
from qsp.units import declarations

ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "tissue": TISSUES,
    "kind": KINDS,
    "lesion": LESIONS,
    "cytokine": CYTOKINES,
    "grade": ("grade_1", "grade_2", "grade_3", "grade_4"),
}
"""Names of the elements of each axis."""


@dataclasses.dataclass(frozen=True)
class ParameterPath:
    """Path, canonical unit and meaning of one number."""

    path: str
    unit: str
    meaning: str


def short(path: str) -> str:
    """Path of a declared field in files: without the leading ``model.``."""
    return path.removeprefix("model.")


@functools.cache
def fields() -> Mapping[str, tuple[str, ...]]:
    """Axes of every declared parameter, by path."""
    return {short(item.path): item.dims for item in declarations(system.Parameters)}


@functools.cache
def declared() -> Mapping[str, ParameterPath]:
    """All parameters of the system, one number each, by path."""
    found = {}
    for item in declarations(system.Parameters):
        for names in itertools.product(*(ELEMENTS[axis] for axis in item.dims)):
            path = ".".join([short(item.path), *names])
            meaning = ", ".join([item.meaning, *names])
            found[path] = ParameterPath(path, item.unit, meaning)
    return found


_TUMOR = (
    ParameterPath("tumor.cells", "Mcell", "Tumor cells before treatment, all clones"),
    ParameterPath("tumor.reference_cells", "Mcell", "Tumor cells of a tumor of the reference size"),
    ParameterPath(
        "tumor.size_exponent",
        "1",
        "Exponent of T cells of the tumor, and of their exchange, in the size of the tumor",
    ),
    ParameterPath(
        "tumor.t_cells", "Mcell", "T cells before treatment of a tumor of the reference size"
    ),
    ParameterPath(
        "tumor.k_exit", "1/day", "Rate of exit of T cells into a tumor of the reference size"
    ),
    ParameterPath("tumor.antigen_low", "1", "Share of the antigen-low clone in the tumor cells"),
    ParameterPath(
        "tumor.antigen_low_copies",
        "1",
        "Target copies per cell of the antigen-low clone, relative to malignant cells",
    ),
    ParameterPath(
        "tumor.antigen_low_kill",
        "1",
        "Maximum killing rate of the antigen-low clone, relative to malignant cells",
    ),
)

_ASSESSMENT = (
    ParameterPath("tumor.k_death", "1/day", "Hazard of death without progression"),
    ParameterPath("tumor.other_marrow", "Mcell", "Other cells of the marrow than malignant ones"),
)

_KILLING = (
    ParameterPath("tumor.kill_rate", "1/day", "Median of the maximum killing rate of lesions"),
    ParameterPath(
        "tumor.kill_sd",
        "1",
        "Standard deviation of the logarithm of the killing rate, over the lesions of all patients",
    ),
    ParameterPath(
        "tumor.kill_within", "1", "Share of the variance of the killing rate within patients"
    ),
    ParameterPath("tumor.kill_limit", "1/day", "Upper limit of the killing rate of a lesion"),
    ParameterPath("tumor.kill_patient", "1", "Standard normal deviation of a patient in killing"),
    *(
        ParameterPath(
            f"tumor.kill_lesion.{lesion}", "1", f"Standard normal deviation in killing, {lesion}"
        )
        for lesion in LESIONS
    ),
    *(
        ParameterPath(
            f"tumor.kill_factor.{lesion}", "1", f"Killing rate relative to other lesions, {lesion}"
        )
        for lesion in LESIONS
    ),
)

_CAPACITY = (
    ParameterPath("severity.rho", "1", "Exponent of production in the capacity for IL-6"),
    ParameterPath(
        "severity.p_IL6_reference", "pg/mL/day", "Production of IL-6 at which the capacity is 1"
    ),
)


def _of_antigen(antigen: str) -> Iterator[ParameterPath]:
    prefix = f"antigens.{antigen}"
    for kind in KINDS:
        meaning = f"{antigen} molecules per target cell, {kind}"
        yield ParameterPath(f"{prefix}.copies.{kind}", "molecule/cell", meaning)
    for tissue in TISSUES:
        yield ParameterPath(f"{prefix}.soluble.{tissue}", "nmol/L", f"Soluble {antigen}, {tissue}")
    yield ParameterPath(f"{prefix}.k_soluble", "1/day", f"Turnover rate of soluble {antigen}")


@functools.cache
def inputs() -> Mapping[str, ParameterPath]:
    """Inputs from which parameters are derived, other than those of antigens, by path."""
    areas = [
        ParameterPath(f"cells.area.{kind}", "um^2/cell", f"Surface area of a target cell, {kind}")
        for kind in KINDS
    ]
    return {item.path: item for item in (*_TUMOR, *_KILLING, *_ASSESSMENT, *_CAPACITY, *areas)}


def parameter_path(path: str, *, where: str) -> ParameterPath:
    """Unit and meaning of a path.

    Args:
        path: Path, such as ``disposition.V1``.
        where: File, for the error message.

    Raises:
        ConfigError: If the path is unknown.
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
        raise ConfigError(where, f"{path} must be the path of one number", "an array", todo)
    ends = [name for name in known if name.endswith(f".{path}")]
    near = f"Did you mean {' or '.join(map(repr, ends))}?" if ends else suggest(path, known)
    todo = f"{near} `qsp explain parameters` lists all paths".strip()
    if path.removeprefix("covariates.") in (*UNITS, "sex"):
        todo = "It is a covariate: give it by patient in a file, with `qsp run --covariates`"
    raise ConfigError(where, f"{path} must be the path of a parameter", "unknown", todo)


def antigen_of(path: str) -> str:
    """Antigen of a path ``antigens.NAME...``; empty for other paths."""
    parts = path.split(".")
    return parts[1] if parts[0] == "antigens" and len(parts) > 2 else ""
