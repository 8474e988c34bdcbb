"""Lines of the table of requirements, in its order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from qsp.endpoints import steps
from qsp.validation import events
from qsp.validation.acceptance import EVERY, MAIN, Figure, Line, Row, Runs, below, fold
from qsp.validation.acceptance_facts import (
    high_grades,
    il6,
    il6_order,
    misses,
    onset,
    pooled_events,
    skin,
    t_cells,
)
from qsp.validation.acceptance_limits import first_tumor, potency
from qsp.validation.acceptance_recorded import invariants, speed
from qsp.validation.acceptance_response import RESPONSE_ROWS
from qsp.validation.selected import part
from qsp.validation.study import APPROVED
from qsp.validation.targets import target

STEROID: Mapping[str, tuple[str, str]] = {"tebentafusp": ("with_steroid", "approved")}
"""Arms with and without a steroid where they are not `approved` and `without_steroid`."""


def flat_over_steps(runs: Runs) -> Line:
    """Flat over step-up, grade >= 2."""
    figures = []
    for molecule in ("mosunetuzumab", "glofitamab", "teclistamab", "elranatamab"):
        ds = runs.results(MAIN[molecule])
        found = events.ratio_of_rates(ds, "flat", "approved", at_least=2)
        text = f"{found.value:.2f} ({found.lower:.2f} to {found.upper:.2f})"
        least = found.value >= 1.5 and found.lower > 1.2
        figures.append(Figure(molecule, text, least, least and found.value <= 3.0))
    return Line(
        "flat over step-up, grade >= 2",
        tuple(figures),
        "1.5 in 3 of 4, lower end above 1.2",
        "all, none above 3",
        needed=3,
    )


_COUNTERFACTUALS = {
    "epcoritamab FL two steps": "epcoritamab_fl_two_steps_crs_any",
    "epcoritamab FL three steps": "epcoritamab_fl_crs_any",
    "talquetamab weekly FD1": "talquetamab_weekly_crs_period_FD1",
    "talquetamab every other week FD1": "talquetamab_every_other_week_crs_period_FD1",
    "teclistamab tocilizumab ahead": "teclistamab_tocilizumab_ahead_crs_any",
}
_PAIRS = {
    "epcoritamab FL": ("epcoritamab_fl_two_steps_crs_any", "epcoritamab_fl_crs_any"),
    "talquetamab": (
        "talquetamab_weekly_crs_period_FD1",
        "talquetamab_every_other_week_crs_period_FD1",
    ),
    "teclistamab": ("teclistamab_crs_any", "teclistamab_tocilizumab_ahead_crs_any"),
}


def counterfactuals(runs: Runs) -> Line:
    """Counterfactuals with a rate that was read: CRS of any grade."""
    figures = []
    for name, key in _COUNTERFACTUALS.items():
        figures.append(_near(name, runs.value(key), target(key).value, 12.0, 8.0))
    for name, (first, second) in _PAIRS.items():
        found = runs.value(first) - runs.value(second)
        known = target(first).value - target(second).value
        figures.append(_near(f"{name} difference", found, known, 8.0, 5.0))
    return Line(
        "counterfactuals, CRS any grade (published)",
        tuple(figures),
        "within 12 points; differences 8",
        "8; 5",
    )


def _near(name: str, found: float, known: float, least: float, aim: float) -> Figure:
    miss = abs(found - known)
    return Figure(name, f"{found:.1f} ({known:.3g})", *below(miss, least, aim))


def order_only(runs: Runs) -> Line:
    """Order only."""
    elranatamab = runs.results("elranatamab")
    single, steps_ = (
        {g: _rate(elranatamab, arm, g) for g in (1, 2)} for arm in ("single_44", "approved")
    )
    late, late_low = (_late(elranatamab, arm) for arm in ("approved", "steps_4_20"))
    flat = "blinatumomab_BLIN_NHL_60_FLAT_il6_median_detectable_FD1_6h"
    stepped = "blinatumomab_BLIN_NHL_5_15_60_il6_median_detectable_SUD1_6h"
    high, small = runs.value(flat), runs.value(stepped)
    folds = [fold(high, target(flat).value), fold(small, target(stepped).value)]
    figures = [
        _ordered("elranatamab 44 mg, any grade and >= 2", single, steps_),
        Figure(
            "elranatamab 4/20 late CRS",
            f"{late_low:.1f} > {late:.1f}",
            late_low > late,
            late_low > late,
        ),
        Figure(
            "blinatumomab IL-6 flat 60", f"{high:.3g} > {small:.3g}", high > small, high > small
        ),
        Figure(
            "blinatumomab IL-6 within 3-fold",
            f"x {folds[0]:.2f}, x {folds[1]:.2f}",
            *[all(1 / 3 <= fold <= 3 for fold in folds)] * 2,
        ),
    ]
    for molecule in ("glofitamab", "tebentafusp"):
        ds = runs.results(MAIN[molecule])
        flat_rate, step_rate = (_rate(ds, arm, 2) for arm in ("flat", "approved"))
        is_right = flat_rate > step_rate
        text = f"{flat_rate:.1f} > {step_rate:.1f}"
        figures.append(Figure(f"{molecule} flat, grade >= 2", text, is_right, is_right))
    return Line("order only", tuple(figures), "5 of 6", "all", needed=5)


def _ordered(name: str, more: Mapping[int, float], less: Mapping[int, float]) -> Figure:
    is_right = all(more[grade] > less[grade] for grade in more)
    text = ", ".join(f"{more[grade]:.1f} > {less[grade]:.1f}" for grade in more)
    return Figure(name, text, is_right, is_right)


def _rate(ds: xr.Dataset, arm: str, grade: int) -> float:
    """Return the share of patients of an arm with CRS of at least a grade [%]."""
    return 100.0 * float(np.nanmean(events.event_of(ds.sel(arm=[arm]), grade)))


def _late(ds: xr.Dataset, arm: str) -> float:
    """Return the share of patients with CRS at a full dose [%]."""
    labels = [step.label for step in steps(ds.sel(arm=[arm])) if step.label.startswith("FD")]
    return 100.0 * float(np.nanmean(events.event_of(part(ds, arm, labels), 1)))


def burden(runs: Runs) -> Line:
    """Odds ratio of CRS, upper against lower third of tumor burden."""
    figures = []
    for molecule, study in EVERY.items():
        ds = part(runs.results(study), APPROVED)
        value, lower, upper = events.burden_odds_ratio(ds)
        judged = molecule in ("glofitamab", "elranatamab")
        least = 1.7 <= value <= 5.0 if judged else value < 6.0
        aim = 2.0 <= value <= 4.0 if judged else value < 4.0
        figures.append(
            Figure(molecule, f"{value:.2f} ({lower:.2f} to {upper:.2f})", least, least and aim)
        )
    return Line(
        "odds ratio of CRS, upper over lower third of burden",
        tuple(figures),
        "glofitamab, elranatamab 1.7 to 5; others below 6",
        "2 to 4; below 4",
    )


def steroid(runs: Runs) -> Line:
    """A steroid lowers CRS of any dose and grade >= 2."""
    figures = []
    for molecule, study in EVERY.items():
        ds = runs.results(study)
        treated, free = STEROID.get(molecule, ("approved", "without_steroid"))
        rates = [(_rate(ds, treated, grade), _rate(ds, free, grade)) for grade in (1, 2)]
        doses = list(_by_dose(ds, treated, free))
        worst = max(with_ - without for with_, without in doses)
        least = all(with_ < without for with_, without in rates) and worst <= 2.0
        aim = least and all(with_ < without for with_, without in doses if without >= 10.0)
        pairs = ", ".join(f"{with_:.0f}/{without:.0f}" for with_, without in rates)
        figures.append(Figure(molecule, f"{pairs} (dose {worst:+.1f})", least, aim))
    return Line(
        "a steroid lowers CRS: with/without, any grade, >= 2 (largest rise at a dose)",
        tuple(figures),
        "every molecule; no dose higher by > 2 points",
        "at every dose with CRS >= 10 %",
    )


def _by_dose(ds: xr.Dataset, *arms: str) -> Iterator[tuple[float, ...]]:
    """Yield the rate of CRS of any grade of the arms at each dose [%]."""
    for step in steps(ds.sel(arm=[arms[0]])):
        found = [events.event_of(part(ds, arm, (step.label,)), 1) for arm in arms]
        yield tuple(100.0 * float(np.nanmean(each)) for each in found)


ROWS: tuple[Row, ...] = (
    flat_over_steps,
    counterfactuals,
    order_only,
    burden,
    onset,
    steroid,
    pooled_events,
    high_grades,
    misses,
    t_cells,
    il6,
    il6_order,
    skin,
    *RESPONSE_ROWS,
    potency,
    first_tumor,
    speed,
    invariants,
)
"""Lines of the table, in its order."""
