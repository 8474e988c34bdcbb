"""Rates of CRS of a simulated study: probabilities over the random thresholds, of each arm.

Those of arms without rules are integrals over the thresholds (`event_probability`); those of arms
with rescue are computed by `rescue`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.calibration.event_probability import Exposure, Probability, Thresholds, probabilities
from qsp.calibration.grade_probability import GradeProbability
from qsp.trial import Arm
from qsp.validation.study import Study

PERCENT = 100.0
RESCUE_GAP = 1.0
"""Error of rates under rescue without sampled grades [points]: differences from sampled rules."""


@dataclasses.dataclass(frozen=True)
class Rates:
    """Probabilities of CRS in a study.

    Args:
        labels: Labels of the dose periods, by arm.
        any_grade: Probability of CRS of any grade, by arm.
        grade_2: Probability of CRS of grade 2 or higher, by arm.
        grade_3: Probability of CRS of grade 3 or higher, by arm with rescue.
        burden: Tumor volume of each patient before treatment (patient,).
        gaps: Error of the rates of arms with rescue [points], by arm.
    """

    labels: Mapping[str, tuple[str, ...]]
    any_grade: Mapping[str, Probability]
    grade_2: Mapping[str, Probability]
    burden: NDArray[np.float64]
    gaps: Mapping[str, float] = dataclasses.field(default_factory=dict)
    grade_3: Mapping[str, Probability] = dataclasses.field(default_factory=dict)

    def under_rescue(self, found: Mapping[str, GradeProbability]) -> Rates:
        """Return the rates with those of some arms under rescue, by arm."""
        any_grade, grade_2, grade_3 = (
            {
                arm: Probability(each.by_dose[n], each.over_all[n], each.by_node[n])
                for arm, each in found.items()
            }
            for n in range(3)
        )
        return dataclasses.replace(
            self,
            any_grade={**self.any_grade, **any_grade},
            grade_2={**self.grade_2, **grade_2},
            grade_3=grade_3,
            gaps={**self.gaps, **dict.fromkeys(found, RESCUE_GAP)},
        )

    def over_all(self, arm: str, *, grade_2: bool = False, grade_3: bool = False) -> float:
        """Return the rate over all doses of an arm [%]."""
        found = self.grade_3 if grade_3 else self.grade_2 if grade_2 else self.any_grade
        return PERCENT * float(found[arm].any_dose.mean())

    def has(self, arm: str, labels: Sequence[str]) -> bool:
        """Whether all doses with these labels were simulated."""
        return set(labels) <= set(self.labels[arm])

    def after(self, arm: str, labels: Sequence[str]) -> float:
        """Return the rate after any of the doses with one of the labels [%]."""
        found = self.any_grade[arm]
        chosen = np.zeros(found.by_dose.shape[-1], bool)
        chosen[: len(self.labels[arm])] = np.isin(self.labels[arm], list(labels))
        return PERCENT * float(found.after_any(chosen).mean())

    def odds_by_burden(self, arm: str, *, first_dose: bool = False) -> float:
        """Return the odds ratio of CRS after any or the first dose, upper over lower third."""
        p = self.any_grade[arm].by_dose[:, 0] if first_dose else self.any_grade[arm].any_dose
        low, high = np.quantile(self.burden, (1 / 3, 2 / 3))
        upper, lower = p[self.burden >= high].mean(), p[self.burden <= low].mean()
        half = 0.5 / max(1, int((self.burden <= low).sum()))  # half a patient, as in the table
        return float(((upper + half) / (1 - upper + half)) / ((lower + half) / (1 - lower + half)))


def rates_of(study: Study, arms: Iterable[Arm], thresholds: Thresholds) -> Rates:
    """Return the probabilities of CRS of a study.

    Args:
        study: Results with `fever_peak` and `leak_peak`, and trajectories of `fever` and `leak`.
        arms: Arms of the study.
        thresholds: Distribution of the thresholds.
    """
    labels, any_grade, grade_2 = {}, {}, {}
    for arm in arms:
        x = _exposure(study, arm)
        labels[arm.name] = arm.labels
        any_grade[arm.name], grade_2[arm.name] = probabilities(x, thresholds)
    burden = study.results["tumor_volume_baseline"].isel(arm=0).values
    return Rates(labels, any_grade, grade_2, burden)


def _exposure(study: Study, arm: Arm) -> Exposure:
    """Fever and leak (patient, dose_period) of an arm."""
    own = study.results.sel(arm=arm.name)
    count = len(arm.labels)
    starts = [
        min(dose.time for dose in arm.administrations if dose.period == period)
        for period in range(1, count + 1)
    ]
    found = {}
    for name in ("fever", "leak"):
        peaks = own[f"{name}_peak"].transpose("patient", "dose_period").values[:, :count]
        course = study.trajectories[name].sel(arm=arm.name).transpose("patient", "time")
        rises = [
            _largest_rise(course, start, end, peak)
            for start, end, peak in zip(starts, [*starts[1:], math.inf], peaks.T, strict=True)
        ]
        found[name] = [np.stack(each, axis=1) for each in zip(*rises, strict=True)]
    (trough, fever), (_, leak) = found["fever"], found["leak"]
    return Exposure(fever_peak=fever, fever_trough=trough, leak_peak=leak)


def _largest_rise(
    course: xr.DataArray, start: float, end: float, peak: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end (patient,) of the largest rise between a dose and the next.

    Args:
        course: Values (patient, time).
        start: Time of the dose [day].
        end: Time of the next dose [day].
        peak: Highest value of the period, between the times of `course` too (patient,).
    """
    tolerance = 1e-3
    time = course["time"].values
    own = course.values[:, (time >= start - tolerance) & (time < end - tolerance)]
    lowest = np.minimum.accumulate(own, axis=1)
    at = (own - lowest).argmax(axis=1)[:, None]
    trough, top = (np.take_along_axis(each, at, axis=1)[:, 0] for each in (lowest, own))
    # The course has few times: the exact peak is that of the largest rise if both are at one time.
    return trough, np.where(own.max(axis=1) <= top, peak, top)
