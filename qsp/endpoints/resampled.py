"""Estimates of every arm in bootstrap resamples of the patients.

All arms have the same resamples, so that differences between arms stay paired by patient. Patients
whose simulation failed in any arm are left out of all.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.patient_values import CRS, MISSING, RESPONSE, Column, Quantity, patient_values
from qsp.endpoints.steps import gather, with_steps
from qsp.endpoints.utility import weights_of

IL6 = Quantity("il6_peak", "median IL-6 peak", "IL-6 peak", units="pg/mL")
UTILITY = Quantity("utility", "utility", "utility", lower_is_better=False)
QUANTITIES = (*CRS, RESPONSE, IL6, UTILITY)
"""Estimated quantities: rates, a median over patients, and the utility of `[utility]`."""

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Estimates:
    """Estimates of the arms.

    Args:
        whole: Estimates in all patients (arm, quantity).
        resampled: Estimates in resamples of them (resample, arm, quantity).
        failed: Patients of each arm whose simulation failed (arm,).
    """

    whole: Floats
    resampled: Floats
    failed: NDArray[np.int64]
    has_patients: bool = True
    """Whether the simulation of any patient succeeded in all arms."""


def resamples(patients: int, number: int, seed: int) -> Floats:
    """Return how often each patient is in each bootstrap resample (resample, patient).

    Args:
        patients: Number of patients.
        number: Number of resamples.
        seed: Seed.
    """
    random = np.random.default_rng(seed)
    drawn = random.integers(patients, size=(number, patients))
    return np.stack([np.bincount(row, minlength=patients) for row in drawn]).astype(float)


def estimates(ds: xr.Dataset, counts: Floats) -> Estimates:
    """Return the estimates of every arm in all patients, and in resamples of them.

    Args:
        ds: Results with `best_response`. A quantity that they lack is NaN.
        counts: How often each patient is in each resample (resample, patient).
    """
    found = patient_values(ds)
    peaks = _il6_peaks(ds)
    failed = np.array([int((~arm.solved).sum()) for arm in found.values()])
    common = np.all([arm.solved for arm in found.values()], axis=0)
    counts = np.concatenate([np.ones((1, counts.shape[1])), counts]) * common
    utility = weights_of(ds)
    rows = []
    for n, arm in enumerate(found.values()):
        weight = counts * arm.weight
        any_grade, two, three, response = (
            _rate(arm.values.get(Column(each)), weight) for each in (*CRS, RESPONSE)
        )
        total = utility.response * response + utility.grade2 * two + utility.grade3 * three
        rows.append([any_grade, two, three, response, _median(peaks[n], weight), total])
    whole = np.moveaxis(np.array(rows), 2, 0)
    return Estimates(whole[0], whole[1:], failed, bool(common.any()))


def _il6_peaks(ds: xr.Dataset) -> Floats:
    """Highest IL-6 of each patient over all doses (arm, patient) [pg/mL]."""
    ds = with_steps(ds)
    if "il6_peak" not in ds:
        return np.full((ds.sizes["arm"], ds.sizes["patient"]), np.nan)
    return gather(ds["il6_peak"], ds, "any").transpose("arm", "patient").values


def _rate(values: NDArray | None, weight: Floats) -> Floats:
    """Weighted rates (resample,) of an event, over the patients with a value."""
    if values is None:
        return np.full(len(weight), np.nan)
    known = (values != MISSING).astype(float)
    with np.errstate(invalid="ignore"):
        return (weight @ (values * known)) / (weight @ known)


def _median(values: Floats, weight: Floats) -> Floats:
    """Weighted medians (resample,) over the patients with a value."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(weight), np.nan)
    order = np.argsort(values[known], kind="stable")
    reached = np.cumsum(weight[:, known][:, order], axis=1)
    middle = np.argmax(reached >= 0.5 * reached[:, -1:], axis=1)
    found = values[known][order][middle]
    return np.where(reached[:, -1] > 0.0, found, np.nan)
