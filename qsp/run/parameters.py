"""Parameter values of the patients of a run, for the group `parameters` of its results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from qsp.results import KEPT
from qsp.run.prepared import Prepared


def with_parameters(results: xr.DataTree, prepared: Prepared) -> xr.DataTree:
    """Return results with the group `parameters`, described in `qsp.results.schema`.

    Args:
        results: Results of the run.
        prepared: The run.
    """
    values = parameters(prepared)
    children: Mapping[str, xr.DataTree] = dict(results.children)
    if values is not None:
        children = {**children, "parameters": xr.DataTree(values)}
    return xr.DataTree(results.to_dataset(), children=children)


def parameters(prepared: Prepared) -> xr.Dataset | None:
    """Return the parameter values of the patients whose parameters are stored.

    Args:
        prepared: The run.

    Returns:
        One variable (patient,) by path in canonical units, or (arm, patient) if an arm changes the
        parameter. The dimension of the patients is `patient` if the run stores the parameters of
        all its patients, else `patient_traj`. None if there is no such patient.
    """
    people, arms = prepared.cohort.people, prepared.trial.arms
    chosen = np.isin(people.ids, prepared.described)
    if not chosen.any():
        return None
    dim = "patient" if chosen.all() else KEPT
    by_arm = [people.changed(arm.parameters, where=f"arms.{arm.name}.parameters") for arm in arms]
    data = {}
    for path, row in people.table.rows.items():
        own = [each.table.rows[path] != row for each in by_arm]
        columns = [each.sampled[path][chosen] for each in (by_arm if any(own) else [people])]
        dims, values = (("arm", dim), np.stack(columns)) if any(own) else ((dim,), columns[0])
        data[path] = xr.Variable(dims, values, {"units": row.unit, "long_name": row.meaning})
    return xr.Dataset(data, {dim: people.ids[chosen], "arm": [arm.name for arm in arms]})
