"""Adaptive dosing: decisions by visit and by planned dose, doses administered, rescue drugs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import Meaning, endpoint
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.blocks import add_blocks, blocks
from qsp.endpoints.statistics.patients import solved, spread
from qsp.endpoints.statistics.rates import rate
from qsp.results.record import record_of

_REASON, _DRUG = "administered_reason", "administered_drug"


def has_rules(ds: xr.Dataset) -> bool:
    """Return whether any arm of the results has dosing rules."""
    return "decision" in ds


def flags(variable: xr.DataArray) -> dict[str, int]:
    """Return the codes of a variable by their meaning, with spaces instead of underscores."""
    meanings = str(variable.attrs["flag_meanings"]).split()
    values = np.atleast_1d(variable.attrs["flag_values"]).tolist()
    return {m.replace("_", " "): int(v) for m, v in zip(meanings, values, strict=True)}


@endpoint(
    Meaning(
        units="1",
        long_name="Patients by decision",
        definition="Number of patients with each decision at a visit",
        needs={"decision": "1", "outcome": "1"},
    )
)
def flow(ds: xr.Dataset) -> xr.DataArray:
    """Return the number of successfully simulated patients by arm, visit and decision.

    Args:
        ds: Results of arms with rules.

    Returns:
        (decision, arm, decision_visit): Number of patients [1]; `decision` is text.
    """
    codes = flags(ds["decision"])

    def counted(part: xr.Dataset) -> xr.Dataset:
        seen = part["decision"].where(solved(part))
        counts = [(seen == code).sum("patient") for code in codes.values()]
        return xr.Dataset({"flow": xr.concat(counts, dim="decision")})

    total = add_blocks(counted(part) for part in blocks(ds))
    return total["flow"].assign_coords(decision=list(codes))


def has_doses(ds: xr.Dataset) -> bool:
    """Return whether the results hold the planned dose of each decision."""
    return "decision_step" in ds


def planned_doses(ds: xr.Dataset) -> dict[str, list[str]]:
    """Dose period of each planned dose, by arm with rules."""
    arms = record_of(ds).arms
    return {arm.name: list(arm.planned_doses) for arm in arms if arm.planned_doses}


@endpoint(
    Meaning(
        units="1",
        long_name="Decisions by planned dose",
        definition="Number of visits with each decision about a planned dose, and number of "
        "patients with at least one such visit",
        needs={"decision": "1", "decision_step": "1", "outcome": "1"},
    )
)
def by_dose(ds: xr.Dataset) -> xr.Dataset:
    """Count the decisions about each planned dose, over successfully simulated patients.

    Args:
        ds: Results of arms with rules.

    Returns:
        `visits` and `patients` (decision, arm, planned_dose) [1], and `patients_any`
        (decision, arm) [1], patients with that decision about any dose; `planned_dose` counts
        from 1.
    """
    codes = flags(ds["decision"])
    most = max(map(len, planned_doses(ds).values()), default=0)
    total = add_blocks(_by_dose(part, list(codes.values()), most) for part in blocks(ds))
    return total.assign_coords(decision=list(codes), planned_dose=np.arange(1, most + 1))


def _by_dose(part: xr.Dataset, codes: list[int], most: int) -> xr.Dataset:
    """Count the decisions of a block of patients in one pass over their visits."""
    order = ("arm", "patient", "decision_visit")
    step, decision = (
        part[name].where(solved(part), -1).fillna(-1).transpose(*order).values.astype(int)
        for name in ("decision_step", "decision")
    )
    decided = (step > 0) & (decision >= 0)
    arm, patient, _ = np.nonzero(decided)
    place = (np.searchsorted(codes, decision[decided]), arm, step[decided] - 1)
    visits = np.zeros((len(codes), part.sizes["arm"], most), int)
    np.add.at(visits, place, 1)
    had = np.zeros((*visits.shape, part.sizes["patient"]), bool)
    had[(*place, patient)] = True
    dims = ("decision", "arm", "planned_dose")
    return xr.Dataset(
        {
            "visits": (dims, visits),
            "patients": (dims, had.sum(-1)),
            "patients_any": (dims[:2], had.any(2).sum(-1)),
        },
        coords={"arm": part["arm"]},
    )


@endpoint(
    Meaning(
        units="1",
        long_name="Patients with a rescue drug",
        definition="Proportion of the evaluable patients who received a supportive drug by a rule "
        "at least once",
        needs={_REASON: "1", _DRUG: "1", "outcome": "1"},
    )
)
def rescued(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Return the proportion of patients who received each rescue drug by a rule.

    Args:
        ds: Results of arms with rules.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (drug, arm) [1], with the variables of `rates.rate`; only drugs that at least one
        patient received.
    """
    kinds, why = flags(ds[_DRUG]), flags(ds[_REASON])["rescue"]
    drugs = [
        name
        for name, code in kinds.items()
        if any(bool(_by_rule(part, code, why).any()) for part in blocks(ds))
    ]

    def event(part: xr.Dataset) -> xr.DataArray:
        each = [_by_rule(part, kinds[name], why).any("administration") for name in drugs]
        return xr.concat(each, dim="drug").astype(float).assign_coords(drug=drugs)

    if not drugs:
        return xr.Dataset(coords={"drug": [], "arm": ds["arm"]})
    return rate(event, ds, trial_size=trial_size)


def _by_rule(ds: xr.Dataset, kind: int, why: int) -> xr.DataArray:
    return (ds[_DRUG] == kind) & (ds[_REASON] == why)


@endpoint(
    Meaning(
        units="1",
        long_name="Patients whose treatment was stopped by a rule",
        definition="Proportion of the evaluable patients with a decision to stop treatment",
        needs={"decision": "1", "outcome": "1"},
    )
)
def stopped(ds: xr.Dataset, *, trial_size: int = interval.TRIAL_SIZE) -> xr.Dataset:
    """Return the proportion of patients whose treatment was stopped by a rule.

    Args:
        ds: Results of arms with rules.
        trial_size: Number of patients in the trial of the prediction interval.

    Returns:
        Rates (arm) [1], with the variables of `rates.rate`.
    """
    code = flags(ds["decision"])["stopped"]
    return rate(
        lambda part: (part["decision"] == code).any("decision_visit").astype(float),
        ds,
        trial_size=trial_size,
    )


@endpoint(
    Meaning(
        units="1",
        long_name="Dose periods per patient",
        definition="Quantiles over patients of the number of dose periods administered",
        needs={"dose_time": "day", "outcome": "1"},
    )
)
def doses(ds: xr.Dataset, *, quantiles: Sequence[float] = (0.05, 0.5, 0.95)) -> xr.Dataset:
    """Return quantiles over patients of the number of dose periods administered.

    Args:
        ds: Results.
        quantiles: Levels between 0 and 1.

    Returns:
        Dataset: `value` (quantile, arm) [1], and the counts.
    """
    return spread(
        lambda part: part["dose_time"].notnull().sum("dose_period").astype(float), ds, quantiles
    )
