"""Interface between the engine and the equations that it integrates, and the types of both.

The engine knows a system only through `AbstractSystem`: a state with a derivative, doses by kind,
quantities to reduce, and signals that are compared with thresholds. It knows no biology.
"""

from typing import Any, Protocol, TypeAlias

import numpy as np
from jax import Array

PyTree: TypeAlias = Any
"""Tree of arrays of a type that only the system knows, such as its state, parameters or snapshot.
Its arrays have no batch axis; batch axes come from `jax.vmap` or `batch_last`."""
Leaf: TypeAlias = Array | np.ndarray
"""Array on a device, or on the host before it is transferred."""


class ObservedSystem(Protocol):
    """Quantities of a system that are reduced while the solver steps."""

    def peaks(self, x: PyTree, p: PyTree) -> PyTree:
        """Return quantities whose maximum is taken anywhere inside a step."""
        ...

    def areas(self, x: PyTree, p: PyTree) -> PyTree:
        """Return quantities that are integrated over time."""
        ...

    def ends(self, x: PyTree, p: PyTree) -> tuple[PyTree, PyTree]:
        """Return quantities for the ends of steps: for the maximum, and for the integral."""
        ...

    def signals(self, peaks: PyTree) -> Array:
        """Return the quantity (grade,) that is compared with the threshold of each grade."""
        ...


class MeasuredSystem(Protocol):
    """Quantities of a system that dosing rules use."""

    def measured(
        self, snapshot: PyTree, first: PyTree, levels: Array, error: Array, p: PyTree
    ) -> Array:
        """Return the measurements of a visit.

        Args:
            snapshot: Snapshot at the visit.
            first: Snapshot at the start of the simulation.
            levels: (grade,): Thresholds of the running event, else of the dose period.
            error: (measured,): Factor of the error of each measurement.
            p: Parameters.

        Returns:
            (measured,): Values, in the order of `qsp.trial.rules.OBSERVABLES`.
        """
        ...


class AbstractSystem(ObservedSystem, MeasuredSystem, Protocol):
    """A system of equations; `qsp.system.System` is the one of this package."""

    def initial(self, p: PyTree) -> PyTree:
        """Return the state before the first dose."""
        ...

    def negligible(self, x: PyTree, p: PyTree) -> PyTree:
        """Return the absolute tolerance of each state, for a relative tolerance of 1e-5."""
        ...

    def rates(self, time: Array, x: PyTree, p: PyTree, infusion: Array) -> PyTree:
        """Return the derivative [1/day]; `infusion` (kind,) holds the rates of infusions."""
        ...

    def bolus(self, x: PyTree, p: PyTree, amount: Array) -> PyTree:
        """Return the state after boluses of `amount` (kind,)."""
        ...

    def snapshot(self, x: PyTree, p: PyTree) -> PyTree:
        """Return the quantities that are saved at the times of the first grid, and by period."""
        ...

    def course(self, x: PyTree, p: PyTree) -> PyTree:
        """Return the quantities that are saved at the times of other grids.

        Each step copies those of a long grid, so that they should be few.
        """
        ...
