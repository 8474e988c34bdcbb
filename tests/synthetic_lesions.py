"""Synthetic results of a run with lesions: random lesions and responses, with units."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsp.response.category import MEANINGS

LESIONS = 3
_CODED = {
    "long_name": "Best response",
    "units": "1",
    "flag_values": np.arange(len(MEANINGS), dtype=np.int8),
    "flag_meanings": " ".join(MEANINGS),
}


def with_lesions(ds: xr.Dataset, seed: int = 2) -> xr.Dataset:
    """Copy of results with the variables of lesions and of response by the rule of the disease.

    Categories and times are random but agree with each other: responders have a time and duration
    of response, and progression is at a visit.
    """
    random = np.random.default_rng(seed)
    shape = ds.sizes["arm"], ds.sizes["patient"]
    ok = ds["outcome"].values == 0
    best = random.choice(len(MEANINGS), shape)
    response = np.isin(best, [1, 2, 5, 6])
    visits = ds["visit"].values[ds["visit"].values > 0]
    start, end = visits[0], random.choice(visits, shape)
    event = (random.random(shape) < 0.6).astype(np.int8)
    per_lesion = (*shape, ds.sizes["visit"], LESIONS)

    def time(values, where=True):
        return np.where(ok & where, values, np.nan)

    def codes(values, where=True):
        return np.where(ok & where, values, -1).astype(np.int8)

    values = {
        "best_response": (codes(best), "1"),
        "best_response_unconfirmed": (codes(best), "1"),
        "best_disease_change": (time(random.uniform(-100, 60, shape), best > 0), "%"),
        "progression_free_time": (time(end), "day"),
        "progression_free_event": (codes(event), "1"),
        "response_time": (time(start, response), "day"),
        "complete_response_time": (time(start, best == 1), "day"),
        "progression_time": (time(end, event == 1), "day"),
        "death_time": (time(np.nan), "day"),
        "response_duration": (time(end - start, response), "day"),
        "response_duration_event": (codes(event, response), "1"),
        "complete_response_duration": (time(end - start, best == 1), "day"),
        "complete_response_duration_event": (codes(event, best == 1), "1"),
        "lesion_viable_visit": (random.lognormal(1.0, 1.0, per_lesion), "mL"),
        "lesion_loss_share_visit": (random.random(per_lesion), "1"),
    }
    dims = ("arm", "patient", "visit", "lesion")
    made = {}
    for name, (data, units) in values.items():
        attrs = {"units": units, "long_name": name.replace("_", " ").capitalize()}
        encoding = {"_FillValue": np.int8(-1)} if data.dtype == np.int8 else {}
        made[name] = xr.Variable(dims[: data.ndim], data, attrs, encoding)
    for name in ("best_response", "best_response_unconfirmed"):
        made[name].attrs = dict(_CODED)
    lesions = [f"lesion_{n}" for n in range(1, LESIONS + 1)]
    return ds.assign(made).assign_coords(lesion=lesions)
