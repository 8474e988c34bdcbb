"""Tumor response of a run: of lesions by the rule of the disease, or by the tumor volume."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsp.endpoints import add_best_response
from qsp.results.lesion_response import Assessed, with_lesion_response
from qsp.results.lesions import ML_PER_L
from qsp.run.prepared import Prepared

K_DEATH, OTHER_MARROW = "tumor.k_death", "tumor.other_marrow"
"""Paths of the hazard of death without progression, and of the other cells of the marrow."""


def with_response(ds: xr.Dataset, prepared: Prepared) -> xr.Dataset:
    """Return results with the tumor response of every patient.

    Args:
        ds: Results of the run.
        prepared: The run.

    Returns:
        With lesions, the variables of `qsp.results.lesion_response`; otherwise `best_response`.
    """
    if not prepared.has_lesions:
        return add_best_response(ds)
    return with_lesion_response(ds, prepared.criteria, assessed(prepared))


def assessed(prepared: Prepared) -> Assessed:
    """Return the quantities of the patients of a run that its assessment needs.

    Patients with chosen draws and the typical patient have no random numbers.
    """
    density = np.stack([p.model.targets.density for p in prepared.cohort.parameters])
    is_sampled = not prepared.typical and prepared.draws is None
    return Assessed(
        k_death=_values(prepared, K_DEATH, 0.0),
        other_marrow=_values(prepared, OTHER_MARROW, np.nan) / density * ML_PER_L,
        seed=prepared.config.seed if is_sampled else None,
    )


def _values(prepared: Prepared, path: str, absent: float) -> np.ndarray:
    """Return an input (arm, patient) of the assessment, which the equations do not use."""
    people, arms = prepared.cohort.people, prepared.trial.arms
    values = []
    for arm in arms:
        own = people
        if path in arm.parameters:
            change, where = {path: arm.parameters[path]}, f"arms.{arm.name}.parameters"
            own = people.changed(change, where=where)
        values.append(np.broadcast_to(own.sampled.get(path, absent), len(people)))
    return np.stack(values)
