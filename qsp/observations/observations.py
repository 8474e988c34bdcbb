"""Observations of patients, in the units of the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Observations:
    """Observations in the order of the file.

    Args:
        file: Name of the file.
        line: (observation,): Line in the file.
        patient: (observation,): Id of the patient.
        arm: (observation,): Name of the arm; "" where the file names none.
        time: (observation,): Time since the first dose of the molecule [day].
        quantity: (observation,): Name of the quantity, a key of `qsp.observations.OBSERVABLES`.
        unit: (observation,): Unit of `value` and `lloq`.
        value: (observation,): Value; NaN if it is below the limit of quantification.
        lloq: (observation,): Lower limit of quantification; NaN if there is none.
        is_blq: (observation,): Whether the value is below the limit of quantification.
        missing: Number of rows without a value (MDV 1, or no DV), which are not among these.
        notes: Sentences that the user should know.
    """

    file: str
    line: np.ndarray
    patient: np.ndarray
    arm: np.ndarray
    time: np.ndarray
    quantity: np.ndarray
    unit: np.ndarray
    value: np.ndarray
    lloq: np.ndarray
    is_blq: np.ndarray
    missing: int = 0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.line)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the observed quantities, in the order of their first rows."""
        return tuple(dict.fromkeys(self.quantity.tolist()))

    def at(self, chosen: np.ndarray) -> Observations:
        """Return some of the observations.

        Args:
            chosen: Indices, or (observation,) whether an observation is chosen.
        """
        arrays = {name: getattr(self, name)[chosen] for name in _ARRAYS}
        return dataclasses.replace(self, **arrays)

    def in_arm(self, arm: str) -> Observations:
        """Return the observations with the arm that all are in."""
        return dataclasses.replace(self, arm=np.full(len(self), arm, object))

    def with_notes(self, notes: Sequence[str]) -> Observations:
        """Return the observations with further notes."""
        return dataclasses.replace(self, notes=(*self.notes, *notes))

    def in_mass(self, molecular_weight_kda: float) -> Observations:
        """Return the observations with molar concentrations of the drug [nmol/L] in ug/mL.

        Args:
            molecular_weight_kda: Molecular weight of the molecule [kDa].
        """
        factor = np.where(self.unit == "nmol/L", molecular_weight_kda / 1000.0, 1.0)
        unit = np.where(self.unit == "nmol/L", "ug/mL", self.unit).astype(object)
        return dataclasses.replace(
            self, value=self.value * factor, lloq=self.lloq * factor, unit=unit
        )


_ARRAYS = ("line", "patient", "arm", "time", "quantity", "unit", "value", "lloq", "is_blq")
