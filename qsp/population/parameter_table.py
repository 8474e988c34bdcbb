"""The table of parameters of a molecule in a cohort: values, provenance, and how they vary."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence

import numpy as np

from qsp import system
from qsp.molecules import Correlation, Entry, Molecule
from qsp.population.cohort import Cohort
from qsp.population.covariates import CovariateLaw, CovariateModel
from qsp.population.derived import Values, complete, derive
from qsp.population.distributions import AbstractDistribution
from qsp.population.paths import ELEMENTS, declared, short

if typing.TYPE_CHECKING:
    from qsp.population.mixtures import MixtureLaw


@dataclasses.dataclass(frozen=True)
class Row:
    """One given value: canonical, how it varies, and what its file says about it."""

    path: str
    unit: str
    meaning: str
    law: AbstractDistribution
    covariates: tuple[CovariateModel, ...]
    entry: Entry

    @property
    def value(self) -> float:
        """The value as given; the median between patients."""
        return self.law.value


@dataclasses.dataclass(frozen=True)
class ReportRow:
    """One line of the table in a report.

    Args:
        path: Of the parameter.
        value: As the file writes it, or computed [unit].
        unit: Canonical unit.
        meaning: In words.
        spread: Between patients, in words.
        status: ``published``, ``assumed``, ``tuned``, ``user`` or ``derived``.
        source: Key in references.bib.
        note: Why.
        file: Where it stands.
    """

    path: str
    value: str
    unit: str
    meaning: str
    spread: str
    status: str
    source: str
    note: str
    file: str


@dataclasses.dataclass(frozen=True)
class ParameterTable:
    """Every value that files give for a molecule in a cohort.

    Args:
        molecule: The molecule.
        cohort: The cohort.
        rows: By path, in the order of the files.
        covariates: How covariates are distributed.
        correlations: Between rows or covariates that vary.
        mixtures: Kinds of patient.
    """

    molecule: Molecule
    cohort: Cohort
    rows: Mapping[str, Row]
    covariates: CovariateLaw
    correlations: tuple[Correlation, ...]
    mixtures: tuple[MixtureLaw, ...]

    @property
    def given(self) -> dict[str, np.ndarray]:
        """Values by path as given, without what follows from them."""
        return {path: np.asarray(row.value) for path, row in self.rows.items()}

    def complete(self, values: Values) -> dict[str, np.ndarray]:
        """Every parameter of the system from values of these rows; `qsp.population.derived`."""
        m = self.molecule
        where = f"{m.name} in {self.cohort.name}"
        return complete(values, target=m.target, clearance=m.clearance, where=where)

    def nominal(self) -> system.Parameters:
        """The patient at the values as given, whatever his covariates."""
        return to_parameters(self.complete(self.given))

    def report(self) -> tuple[ReportRow, ...]:
        """The table for people: given values, then those that follow from them."""
        m = self.molecule
        found = derive(self.given, target=m.target, clearance=m.clearance)
        return (
            *(_report(row) for row in self.rows.values()),
            *(
                _derived(path, found[path])
                for path in declared()
                if path in found and path not in self.rows
            ),
        )


def _report(row: Row) -> ReportRow:
    entry = row.entry
    effects = [f"{model.covariate} model" for model in row.covariates]
    return ReportRow(
        path=row.path,
        value=entry.value,
        unit=row.unit,
        meaning=row.meaning,
        spread="; ".join([word for word in (row.law.words,) if word] + effects),
        status=entry.status,
        source=entry.source,
        note=entry.note,
        file=entry.file,
    )


def _derived(path: str, value: np.ndarray) -> ReportRow:
    at = declared()[path]
    text = f"{float(value):.6g}" + ("" if at.unit == "1" else f" {at.unit}")
    return ReportRow(path, text, at.unit, at.meaning, "", "derived", "", "", "")


def to_parameters(values: Values) -> system.Parameters:
    """Parameters of the system from every number by path.

    Args:
        values: Each () for one patient, or () or (patient,) for many.

    Returns:
        Leaves of float64: the axes the field declares, after a patient axis if there is one.
    """
    shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()))
    return _module(system.Parameters, "", values, shape)


def _module(kind: type, prefix: str, values: Values, shape: tuple[int, ...]) -> typing.Any:
    hints, leaves = typing.get_type_hints(kind), {}
    for field in dataclasses.fields(kind):
        path = f"{prefix}{field.name}"
        if "unit" in field.metadata:
            leaves[field.name] = _leaf(short(path), field.metadata["dims"], values, shape)
        else:
            leaves[field.name] = _module(hints[field.name], f"{path}.", values, shape)
    return kind(**leaves)


def _leaf(path: str, axes: Sequence[str], values: Values, shape: tuple[int, ...]) -> np.ndarray:
    if not axes:
        return np.array(np.broadcast_to(values[path], shape), np.float64)
    elements = [_leaf(f"{path}.{name}", axes[1:], values, shape) for name in ELEMENTS[axes[0]]]
    return np.stack(elements, axis=len(shape))
