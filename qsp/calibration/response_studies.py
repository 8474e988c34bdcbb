"""Studies of tumor response in a fit.

Every study is simulated in the same patients at every evaluation, without rules, for one to two
years. The response of these patients is assessed several times, each with other errors of
measurement, new lesions and deaths, so that rates change smoothly with the parameters.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from qsp.calibration.crs_studies import TunedStudy
from qsp.calibration.parameters import RESPONSE, Parameter
from qsp.calibration.rates import PERCENT
from qsp.calibration.residuals import (
    DISCREPANCY,
    RECALLED,
    UNKNOWN_N,
    Residual,
    rate_error,
    reports,
)
from qsp.endpoints import response
from qsp.endpoints.disease import antigen_loss, best_change_shares, very_good_share
from qsp.endpoints.survival import DAYS_PER_MONTH
from qsp.results.lesion_response import with_lesion_response
from qsp.run.response import assessed
from qsp.validation.measured_response import RESPONSE_FUNCTIONS, SURVIVAL, share_at
from qsp.validation.study import HOURS_PER_DAY, Study, of_arms, prepare
from qsp.validation.targets import Target, targets

STUDIES = (
    *("mosunetuzumab_fl_response", "epcoritamab_fl_response", "glofitamab_response"),
    *("epcoritamab_dlbcl_response", "tarlatamab_response", "teclistamab_response"),
    *("elranatamab_response", "talquetamab_response", "blinatumomab_all_response"),
    "tebentafusp_response",
)
"""Studies with published response that may be used."""
REPLICATES = 4
"""Assessments of the same patients."""
DURATIONS = ("dor_median", "dor_rate")
"""Statistics of the patients with a response."""
HALF = 50.0
RANGE_ERROR = 3.0
"""Error of a share outside of its required range [points]; assumed."""
PARTIAL: Mapping[str, tuple[float, float]] = dict.fromkeys(("DLBCL", "FL", "SCLC"), (45.0, 75.0))
"""Required share of patients with a best change between -90 and -25 %, by disease [%].

Not in uveal melanoma, where it would contradict the published response.
"""
GROWTH: Mapping[str, tuple[float, float]] = {"DLBCL": (12.0, 23.0), "SCLC": (12.0, 23.0)}
"""Required share of patients whose disease grows at each visit, by disease [%]."""
DEEP: Mapping[str, tuple[float, float]] = {"DLBCL": (12.0, 27.0)}
"""Required share of patients with a best change of -90 % or less, by disease [%]."""
VERY_GOOD = (82.0, 93.0)
"""Required share of responders with a very good partial response or better in myeloma [%]."""
FLAT = "flat"
"""Arm with full doses from day 1, as many as in the approved arm."""
STEP_COST: Mapping[str, float] = {"glofitamab": 1.0, "epcoritamab": 6.0}
"""Largest loss of response by step-up dosing in DLBCL, by molecule [points].

A requirement of the model: the first steps of glofitamab kill. In other diseases the tumor hardly
grows during the steps, and the loss is small at all values.
"""
STEP_COST_ERROR = 0.5
"""Error of a larger loss [points]; assumed."""
LONGEST = 1.2
"""Time over the published median duration of response at which at most `KEPT` go on; assumed."""
KEPT = 48.0
"""Largest share of responses that go on at this time [%]; assumed, below half."""
KEPT_ERROR = 3.0
"""Error of a larger share [points]; assumed."""
AGGRESSIVE = "DLBCL"
LOSS = (25.0, 45.0)
"""Required share of progressing responders who have lost CD20 [%]."""


@dataclasses.dataclass(frozen=True)
class ResponseStudy(TunedStudy):
    """A study of response in fixed patients, evaluated at changed parameter values."""

    def residuals(self, z: np.ndarray) -> list[Residual]:
        """Return the residuals at whitened parameters, in the order of `parameters`."""
        _, study = self.simulated(z)
        ds = study.results
        pooled = self.assessed(ds)
        study = Study(pooled, pooled)
        found = [
            _residual(study, row, self._patients(row), reports(row, self.rows), len(ds["patient"]))
            for row in self.rows
        ]
        longest = (_longest(study, row) for row in self.rows if _has_longest(row))
        return [*found, *longest, *self._ranges(pooled)]

    def assessed(self, ds: xr.Dataset) -> xr.Dataset:
        """Return the results of the patients with `REPLICATES` assessments, one after another."""
        rule, patients = self.prepared.criteria, assessed(self.prepared)
        found = [
            with_lesion_response(ds, rule, dataclasses.replace(patients, seed=seed))
            for seed in range(REPLICATES)
        ]
        return xr.concat(found, "patient", data_vars="minimal", coords="minimal")

    def _patients(self, row: Target) -> float:
        """Return the patients of a row: the responders among those of a duration of response."""
        treated = row.n or UNKNOWN_N
        if row.statistic not in DURATIONS:
            return treated
        rates = [each.value for each in self.rows if (each.statistic, each.arm) == ("orr", row.arm)]
        return treated * max(rates, default=HALF) / PERCENT

    def _ranges(self, ds: xr.Dataset) -> Iterator[Residual]:
        """Yield residuals of shares that must be within a range."""
        rule, disease = self.prepared.criteria, self.prepared.table.cohort.disease
        own = ds.isel(arm=[0])
        shares = best_change_shares(own)["value"].isel(arm=0) * PERCENT
        if disease in PARTIAL:
            share = float(shares.sel(change="-90 to -25 %"))
            yield _within("best change -90 to -25 %", share, PARTIAL[disease])
        if disease in GROWTH:
            yield _within("growth", float(shares.isel(change=-1)), GROWTH[disease])
        if disease in DEEP:
            yield _within("best change -90 % or less", float(shares.isel(change=0)), DEEP[disease])
        if rule == "imwg":
            share = PERCENT * float(very_good_share(own)["value"][0])
            yield _within("VGPR or better, of responders", share, VERY_GOOD)
        if disease == AGGRESSIVE:
            share = PERCENT * float(antigen_loss(own)["value"][0])
            yield _within("loss of antigen at progression", share, LOSS)
            yield _step_cost(ds, STEP_COST[self.prepared.table.molecule.name])


def response_studies(
    parameters: Sequence[Parameter], *, patients: int, seed: int, names: Sequence[str] = STUDIES
) -> Iterator[ResponseStudy]:
    """Prepare the studies of response.

    Args:
        parameters: Parameters of the fit.
        patients: Number of patients of each study.
        seed: Seed of the patients.
        names: Names of the studies.
    """
    for name in names:
        prepared = prepare(name, patients=patients, seed=seed)
        molecule, disease = prepared.table.molecule.name, prepared.table.cohort.disease
        rows = tuple(row for row in targets() if row.config == name and row.use == "fit")
        own = tuple(p for p in parameters if p.applies(molecule, disease, RESPONSE))
        flat = {FLAT} if disease == AGGRESSIVE else set[str]()
        kept = of_arms(prepared, {row.arm for row in rows} | flat)
        yield ResponseStudy(name, kept, own, rows)


def _has_longest(row: Target) -> bool:
    return row.statistic == "dor_median" and row.is_read


def _longest(study: Study, row: Target) -> Residual:
    """Return the residual of a median duration of response that is too long."""
    days = LONGEST * row.value * DAYS_PER_MONTH
    found = share_at(study, row, SURVIVAL[row.statistic], days)
    return _within(f"{row.id}, not too long", found, (-math.inf, KEPT), KEPT_ERROR)


def _residual(study: Study, row: Target, patients: float, number: int, own: int) -> Residual:
    """Return the residual of a row; of a median, that of the share at its published value.

    Args:
        study: Results.
        row: Published value.
        patients: Number of its patients.
        number: Number of published values of the same quantity.
        own: Number of patients of the fit.
    """
    if row.unit == "month":
        days = row.value * DAYS_PER_MONTH
        found, known = share_at(study, row, SURVIVAL[row.statistic], days), HALF
    elif row.statistic in SURVIVAL:
        days = row.hours / HOURS_PER_DAY
        found, known = share_at(study, row, SURVIVAL[row.statistic], days), row.value
    else:
        found, known = RESPONSE_FUNCTIONS[row.function](study, row).value, row.value
    binomial = rate_error(known, patients)
    error = math.hypot(binomial, rate_error(known, own), DISCREPANCY) * math.sqrt(number)
    error *= 1.0 if row.is_read else RECALLED
    return Residual.difference(row.id, found, known, error)


def _step_cost(ds: xr.Dataset, largest: float) -> Residual:
    """Return the residual of the response that the first arm loses by its steps."""
    rates = PERCENT * response.objective_response(ds)["value"]
    flat, approved = float(rates.sel(arm=FLAT)), float(rates.isel(arm=0))
    limits = (-math.inf, largest)
    return _within("ORR, flat minus step-up", flat - approved, limits, STEP_COST_ERROR)


def _within(
    name: str, found: float, limits: tuple[float, float], error: float = RANGE_ERROR
) -> Residual:
    """Return the residual of a value outside of a range; one that is not known has none."""
    value = found if math.isfinite(found) else max(limits[0], 0.0)
    nearest = min(max(value, limits[0]), limits[1])
    return Residual(name, found, nearest, (value - nearest) / error)
