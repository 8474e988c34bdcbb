"""Residuals of a simulated study: differences from published values, each over its error.

Rates of CRS are probabilities over the random thresholds: of arms without rules
(`event_probability`), and of the approved regimen under the rescue of its trial (`rescue`).
Published rates are compared with those under rescue where there are any; arms are compared with
each other without rules. The error of a rate has the binomial error of the trial, that of the
patients of the fit, and a discrepancy of the model; values that were not read in a source count
less. Rows marked as holdout are never used, nor are rates after doses that are not all simulated.
Residuals are robust (`Residual.robust`): a value that the model cannot reach does not move the
others.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from qsp.calibration.rates import PERCENT, Rates
from qsp.validation.acceptance_facts import JUDGED_IL6
from qsp.validation.events import pooled
from qsp.validation.measure import FUNCTIONS
from qsp.validation.study import APPROVED, Study
from qsp.validation.targets import EVENTS_COUNTED, Target

DISCREPANCY = 5.0
"""Discrepancy of the model in rates of CRS [points]; assumed."""
RECALLED = 1.5
"""Factor of the error of a value that was not read in a source; assumed."""
SEVERE_DISCREPANCY = 1.0
"""Discrepancy of the model in rates of CRS of grade 3 or higher [points]; assumed."""
UNKNOWN_N = 100
"""Number of patients of a rate whose number is not published; assumed."""
LOG_ERRORS: Mapping[str, float] = {
    "il6_median_peak": 0.5,
    "il6_median": 0.5,
    "il6_median_detectable": 0.5,
    "il6_mean": 0.5,
    "onset_median": 0.3,
    "duration_median": 0.5,
}
"""Error of the logarithm of a value, by statistic; assumed."""
T_CELLS = 0.12
"""Error of T cells relative to baseline [1]; assumed."""
IL6_BASELINE = 3.0
"""IL-6 before treatment [pg/mL]; published values below it count as it."""
EARLY = 12.0
"""Latest hour of digitized IL-6 under blinatumomab that is used; later samples are few."""
FLAT_OVER_STEPS = (2.0, 2.6)
"""Range of the ratio of CRS of grade >= 2, flat over step-up dosing, of `STEPPED`; assumed.

The management of CRS, which these arms lack, lowers the ratio by up to a fifth.
"""
STEPPED = ("mosunetuzumab", "glofitamab", "teclistamab", "elranatamab")
"""Molecules whose steps must lower CRS of grade >= 2."""
ANY_FLAT = (1.1, 2.7)
"""Range of this ratio for other molecules: above 3 nowhere without a fact; assumed."""
FLAT_ERROR = math.log(1.2)
"""Error of the logarithm of the ratio outside its range; assumed."""
SHORTEST = 0.9
"""Shortest median duration of the CRS events of a study [day]; assumed."""
SHORTEST_ERROR = math.log(1.1)
"""Error of the logarithm of a shorter one; assumed."""
BY_DOSE = 2.0
"""Error of the largest rise of CRS by a steroid at a dose [points]; assumed."""
MOST_ODDS, LEAST_ODDS = 4.0, 2.0
"""Range of the odds ratio of CRS by burden where no value is published; assumed."""
BURDEN_ERROR = 0.15
"""Error of the logarithm of a published odds ratio of CRS by burden; assumed."""
NOT_JUDGED = 2.5
"""Factor of the error of values that `qsp validate --table` does not judge; assumed."""
JUDGED = (
    *JUDGED_IL6,
    "blinatumomab_BLIN_NHL_60_FLAT_il6_median_detectable_FD1_6h",
    "glofitamab_t_cells_relative_SUD1_6h",
    "glofitamab_t_cells_relative_SUD1_19.9h",
    "glofitamab_t_cells_relative_SUD1_167.8h",
    "talquetamab_weekly_onset_median",
    "tarlatamab_onset_median",
)
"""Rows of cytokines, T cells and times that the table judges; it judges all rates and ratios."""
ROBUST = 2.0
"""Residual from which the cost grows with the residual instead of its square; assumed."""


@dataclasses.dataclass(frozen=True)
class Residual:
    """One difference.

    Args:
        name: Row of the table of published values, or a comparison of arms.
        simulated: Simulated value.
        published: Published or required value.
        value: Difference over the error.
        error: Error of the difference, or of the ratio of logarithms; None of a comparison of arms.
        is_ratio: Whether the logarithms are compared.
    """

    name: str
    simulated: float
    published: float
    value: float
    error: float | None = None
    is_ratio: bool = False

    @classmethod
    def difference(cls, name: str, found: float, known: float, error: float) -> Residual:
        """Return the residual of a difference."""
        return cls(name, found, known, (found - known) / error, error)

    def against(self, known: float) -> Residual | None:
        """Return the residual with another value in place of the published one.

        None of a comparison of arms, which has no published value.
        """
        if self.error is None:
            return None
        if self.is_ratio:
            return _ratio(self.name, self.simulated, known, self.error)
        return self.difference(self.name, self.simulated, known, self.error)

    @property
    def robust(self) -> float:
        """Signed root of the pseudo-Huber cost, 2 c^2 (sqrt(1 + (r/c)^2) - 1), c = `ROBUST`."""
        cost = 2.0 * ROBUST**2 * (math.hypot(1.0, self.value / ROBUST) - 1.0)
        return math.copysign(math.sqrt(cost), self.value)


def residuals(
    study: Study,
    rates: Rates,
    rows: Iterable[Target],
    molecule: str,
    rescued: Rates | None = None,
) -> Iterator[Residual]:
    """Yield the residuals of a study.

    Args:
        study: Results.
        rates: Probabilities of CRS without rules.
        rows: Published values of the study.
        molecule: Molecule of the study.
        rescued: The same, with those of the approved regimen under rescue; None for no rescue.
    """
    published = rates if rescued is None else rescued
    rows = tuple(rows)
    pooled = {(row.statistic, arm) for row in rows if len(row.arms) > 1 for arm in row.arms}
    for row in rows:
        part_of_pool = len(row.arms) == 1 and (row.statistic, row.arm) in pooled
        if _is_used(row) and not part_of_pool and all(arm in rates.labels for arm in row.arms):
            known = (
                _rate(row, published, reports(row, filter(_is_used, rows)))
                or _logarithm(row, study)
                or _cells(row, study)
            )
            if known is not None:
                yield known
    yield from _comparisons(rates, molecule)
    if APPROVED in rates.labels:
        yield _shortest(study)


def _shortest(study: Study) -> Residual:
    """Residual of the median duration of the events of the approved regimen."""
    found = pooled(study.results.sel(arm=[APPROVED])).duration
    name = "median duration of events"
    if not math.isfinite(found):  # no event has ended
        return Residual(name, found, SHORTEST, 0.0)
    return _comparison(name, found, max(found, SHORTEST), SHORTEST_ERROR)


def reports(row: Target, rows: Iterable[Target]) -> int:
    """Return the number of published values of the same quantity of the same arm.

    They are reports of one trial, and count together as much as one: the error of each is larger by
    the root of their number.
    """

    def quantity(each: Target) -> tuple[object, ...]:
        hours = None if math.isnan(each.hours) else each.hours
        return (each.config, each.arms, each.statistic, each.periods, hours)

    return sum(quantity(each) == quantity(row) for each in rows)


def rate_error(rate: float, patients: float) -> float:
    """Return the binomial error of a rate in a number of patients [points].

    That of a mean probability over the patients of a fit is smaller.

    Args:
        rate: Rate [%]; one below 1 or above 99 has the error of these.
        patients: Number of patients.
    """
    share = min(max(rate / PERCENT, 0.01), 0.99)
    return PERCENT * math.sqrt(share * (1.0 - share) / patients)


def _is_used(row: Target) -> bool:
    """Whether a value is fitted: not a holdout, and not a second comparison of the same data."""
    return row.use == "fit" and not any(arm.endswith("_STEROID") for arm in row.arms)


def _rate(row: Target, rates: Rates, number: int) -> Residual | None:
    kinds: Mapping[str, Callable[[], float]] = {
        "crs_any": lambda: rates.over_all(row.arm),
        "crs_g2": lambda: rates.over_all(row.arm, grade_2=True),
        "crs_period": lambda: rates.after(row.arm, row.periods),
        "burden_odds_ratio": lambda: rates.odds_by_burden(row.arm, first_dose=True),
    }
    if row.arm in rates.grade_3 and row.is_read and row.judged != EVENTS_COUNTED:
        kinds = {**kinds, "crs_g3": lambda: rates.over_all(row.arm, grade_3=True)}
    if row.statistic not in kinds:
        return None
    if row.statistic == "crs_period" and not rates.has(row.arm, row.periods):
        return None
    found = kinds[row.statistic]()
    if row.statistic == "burden_odds_ratio":
        return _ratio(row.id, found, row.value, BURDEN_ERROR)
    binomial = rate_error(row.value, row.n or UNKNOWN_N)
    is_severe = row.statistic == "crs_g3"
    model = SEVERE_DISCREPANCY if is_severe else DISCREPANCY
    error = math.hypot(binomial, model, rate_error(row.value, len(rates.burden)))
    if row.arm in rates.gaps and not is_severe:
        error = math.hypot(error, rates.gaps[row.arm])
    error *= math.sqrt(number) * (1.0 if row.is_read else RECALLED)
    return Residual.difference(row.id, found, row.value, error)


def _logarithm(row: Target, study: Study) -> Residual | None:
    if row.statistic not in LOG_ERRORS:
        return None
    if row.statistic == "il6_median_detectable" and row.hours > EARLY:
        return None
    found, known = FUNCTIONS[row.function](study, row).value, row.value
    if row.statistic.startswith("il6"):
        found, known = max(found, IL6_BASELINE), max(known, IL6_BASELINE)
    error = LOG_ERRORS[row.statistic] * (1.0 if row.is_read else RECALLED) * _not_judged(row)
    return _ratio(row.id, found, known, error)


def _cells(row: Target, study: Study) -> Residual | None:
    if row.statistic != "t_cells_relative":
        return None
    found = FUNCTIONS[row.function](study, row).value
    error = T_CELLS * max(1.0, row.value) * _not_judged(row)
    return Residual.difference(row.id, found, row.value, error)


def _not_judged(row: Target) -> float:
    return 1.0 if row.id in JUDGED else NOT_JUDGED


def _comparisons(rates: Rates, molecule: str) -> Iterator[Residual]:
    """Comparisons of arms of the same patients."""
    arms = rates.labels
    if "flat" in arms:
        flat, steps = (rates.over_all(arm, grade_2=True) for arm in ("flat", "approved"))
        found = flat / max(steps, 0.1)
        low, high = FLAT_OVER_STEPS if molecule in STEPPED else ANY_FLAT
        yield _comparison("flat over step-up", found, min(max(found, low), high), FLAT_ERROR)
    if "without_steroid" in arms and "approved" in arms:
        for name, grade_2, size in (("any grade", False, 3.0), ("grade 2", True, 2.0)):
            with_, without = (
                rates.over_all(arm, grade_2=grade_2) for arm in ("approved", "without_steroid")
            )
            excess = max(0.0, with_ - without + size)
            yield Residual(f"steroid, {name}", with_ - without, -size, excess / size)
        first, second = (rates.any_grade[arm].by_dose for arm in ("approved", "without_steroid"))
        count = min(len(arms["approved"]), len(arms["without_steroid"]))
        rise = PERCENT * float(np.max(np.nanmean((first - second)[:, :count], axis=0)))
        yield Residual("steroid, largest rise at a dose", rise, 0.0, max(0.0, rise) / BY_DOSE)
    if "single_44" in arms:
        for name, grade_2 in (("any grade", False), ("grade 2", True)):
            more, less = (rates.over_all(arm, grade_2=grade_2) for arm in ("single_44", "approved"))
            yield Residual(f"44 over 12/32 mg, {name}", more - less, 3.0, _short(more - less, 3.0))
    if "steps_4_20" in arms:
        more, less = (
            rates.after(arm, [label for label in arms[arm] if label.startswith("FD")])
            for arm in ("steps_4_20", "approved")
        )
        yield Residual("4/20 over 12/32 mg, late", more - less, 3.0, _short(more - less, 3.0))
    if "approved" in arms:
        odds = rates.odds_by_burden("approved")
        inside = min(max(odds, LEAST_ODDS / 2.0), MOST_ODDS)
        yield _comparison("odds by burden", odds, inside, 0.3)


def _short(found: float, least: float) -> float:
    """Residual of a difference that should be at least a number of points."""
    return max(0.0, least - found) / least


def _comparison(name: str, found: float, known: float, error: float) -> Residual:
    """Residual of a logarithm that has no published value."""
    return dataclasses.replace(_ratio(name, found, known, error), error=None)


def _ratio(name: str, found: float, known: float, error: float) -> Residual:
    """Residual of a logarithm; a value that cannot be computed counts as 30-fold too small."""
    log = math.log(found / known) if found > 0.0 and math.isfinite(found) else math.log(1 / 30)
    return Residual(name, found, known, log / error, error, is_ratio=True)
