"""Parameters that the user's parameter files make zero, or make other than zero.

A native program leaves out the terms of parameters that are zero in the whole population, so that
such a change needs a program of its own; see `qsp.engine.backends`. Other values are its inputs.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from qsp.errors import PopulationError
from qsp.populations import ParameterTable, nominal, typical
from qsp.run.prepared import Prepared
from qsp.trial import most_periods


class ZeroChange(NamedTuple):
    """A parameter of the model of which the parameter files make elements zero, or not zero.

    Args:
        path: Path, such as `targets.baseline`.
        becomes_zero: Whether an element becomes zero; if not, one is no longer zero.
    """

    path: str
    becomes_zero: bool


def changed_zeros(prepared: Prepared) -> tuple[ZeroChange, ...]:
    """Return the parameters that are zero only with, or only without, the user's files.

    Args:
        prepared: The run.

    Returns:
        The parameters in the order of the model; none for a run without parameter files, and for a
        molecule whose values are incomplete without them.
    """
    table = prepared.table
    if not table.overrides:
        return ()
    try:
        shipped = nominal(table.molecule, table.cohort)
    except PopulationError:
        return ()
    periods = most_periods(prepared.trial)
    before, after = _zeros(shipped, periods), _zeros(table, periods)
    return tuple(
        ZeroChange(path, bool((zero & ~before[path]).any()))
        for path, zero in after.items()
        if not np.array_equal(zero, before[path])
    )


def _zeros(table: ParameterTable, periods: int) -> dict[str, np.ndarray]:
    """Return which elements are zero in the typical patient, by path of the parameter."""
    leaves = jax.tree.leaves_with_path(typical(table, periods=periods).parameters)
    paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    return {
        path.removeprefix("model."): np.asarray(leaf) == 0
        for path, (_, leaf) in zip(paths, leaves, strict=True)
    }
