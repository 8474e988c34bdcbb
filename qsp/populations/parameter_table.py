"""Parameter table of a molecule in a cohort: values, variability between patients, and sources."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qsp import system
from qsp.molecules import Correlation, Entry, Molecule, ParameterFile
from qsp.parameter_record import ParameterRecord
from qsp.populations.cohort import Cohort
from qsp.populations.covariates import CovariateLaw, CovariateModel
from qsp.populations.derived import Values, array, complete, derive
from qsp.populations.distributions import AbstractDistribution, Fixed
from qsp.populations.paths import ELEMENTS, declared, short

if typing.TYPE_CHECKING:
    from qsp.populations.mixtures import MixtureLaw


@dataclasses.dataclass(frozen=True)
class ParameterRow:
    """One value of the files in canonical units, with its variability and its entry.

    Args:
        path: Path of the parameter.
        unit: Canonical unit.
        meaning: Meaning.
        law: Distribution between patients, before the scale of the entry.
        covariates: Covariate models.
        entry: Entry of the file.
    """

    path: str
    unit: str
    meaning: str
    law: AbstractDistribution
    covariates: tuple[CovariateModel, ...]
    entry: Entry

    @property
    def value(self) -> float:
        """Value of the file times its scale, the median between patients."""
        return self.law.value * self.entry.scale

    @property
    def has_draw(self) -> bool:
        """Whether patients have a draw for it.

        A value that the user fixed in all patients keeps its draw, so that the values that are
        correlated with it stay the same.
        """
        return not isinstance(self.law, Fixed) or bool(self.entry.cv or self.entry.sd)


@dataclasses.dataclass(frozen=True)
class ParameterTable:
    """Values of the files for a molecule in a cohort, from `nominal`.

    Args:
        molecule: The molecule.
        cohort: The cohort.
        rows: Values by path, in the order of the files.
        covariates: Distribution of the covariates.
        correlations: Correlations between values or covariates that vary.
        mixtures: Mixtures of kinds of patient.
        overrides: Files of the user, which are included in `rows`.
    """

    molecule: Molecule
    cohort: Cohort
    rows: Mapping[str, ParameterRow]
    covariates: CovariateLaw
    correlations: tuple[Correlation, ...]
    mixtures: tuple[MixtureLaw, ...]
    overrides: tuple[ParameterFile, ...] = ()

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Values of the files by path, without derived parameters."""
        return {path: np.asarray(row.value) for path, row in self.rows.items()}

    def complete(self, values: Values) -> dict[str, np.ndarray]:
        """Every parameter of the system from values of these rows, by `derived.complete`.

        Args:
            values: Values by path.
        """
        m = self.molecule
        where = f"{m.name} in {self.cohort.name}"
        return complete(values, target=m.target, clearance=m.clearance, where=where)

    def nominal(self) -> system.Parameters:
        """Parameters at the values of the files, without covariate effects."""
        return to_parameters(self.complete(self.values))

    def report(self) -> tuple[ParameterRecord, ...]:
        """Lines of the table in a report: values of the files, then derived values."""
        m = self.molecule
        found = derive(self.values, target=m.target, clearance=m.clearance)
        return (
            *(_report(row) for row in self.rows.values()),
            *(
                _derived(path, found[path])
                for path in declared()
                if path in found and path not in self.rows
            ),
        )


def _report(row: ParameterRow) -> ParameterRecord:
    entry = row.entry
    effects = [f"{model.covariate} model" for model in row.covariates]
    return ParameterRecord(
        path=row.path,
        value=entry.value if entry.scale == 1.0 else f"{entry.scale:.6g} x {entry.value}",
        unit=row.unit,
        meaning=row.meaning,
        spread="; ".join([text for text in (row.law.description, *effects) if text]),
        status=entry.status,
        source=entry.source,
        note=entry.note,
        file=entry.file,
    )


def _derived(path: str, value: np.ndarray) -> ParameterRecord:
    known = declared()[path]
    text = f"{float(value):.6g}" + ("" if known.unit == "1" else f" {known.unit}")
    return ParameterRecord(path, text, known.unit, known.meaning, "", "derived", "", "", "")


def to_parameters(values: Values) -> system.Parameters:
    """Parameters of the system from their values by path.

    Args:
        values: All parameters by path, each () or (patient,).

    Returns:
        Leaves are float64 with the declared axes of their field, after a patient axis if any value
        has one. A leaf with a value that is a JAX array, traced or not, is a JAX array.
    """
    shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()))
    with jax.enable_x64(True):  # without effect on NumPy
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


def _leaf(path: str, axes: Sequence[str], values: Values, shape: tuple[int, ...]) -> Any:
    if not axes:
        value = array(values[path])
        if isinstance(value, jax.Array):
            return jnp.broadcast_to(value, shape)
        return np.array(np.broadcast_to(value, shape))
    elements = [_leaf(f"{path}.{name}", axes[1:], values, shape) for name in ELEMENTS[axes[0]]]
    stack = jnp.stack if any(isinstance(each, jax.Array) for each in elements) else np.stack
    return stack(elements, axis=len(shape))
