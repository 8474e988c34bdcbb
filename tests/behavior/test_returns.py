"""Faults of the first model return if the process that cures each of them is switched off.

Step-up and flat dosing of four molecules without management of CRS, in the same patients. All arms
of a molecule are one run with one compiled program; an arm switches a process off by a parameter.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import qsp
from qsp.validation.events import burden_odds_ratio, event_of, pooled

pytestmark = pytest.mark.slow
PATIENTS = 160
DAYS = 28
SC = ("teclistamab", "elranatamab")
MOLECULES = ("mosunetuzumab", "glofitamab", *SC)

NO_ADAPTATION = {"t_cells.k_adapt": "0 1/day"}
ABSOLUTE_IL6 = {"severity.rho": "0"}
FAST_EXCHANGE = {
    "disposition.k_exchange.lymphoid": "1.45 1/hour",
    "disposition.k_exchange.tumor": "0.68 1/hour",
}
NO_TOLERANCE = {"cytokines.f_tolerant": "0"}
NO_SET_POINT = {"severity.k_set_point": "0 1/day"}
SAME_T_CELLS = {"tumor.size_exponent": "0"}
FAST_STEROID = {"supportive.dexamethasone.ke0": "1 1/hour"}

BOTH = {
    "": {},
    "no adaptation": NO_ADAPTATION,
    "absolute IL-6": ABSOLUTE_IL6,
    "absolute IL-6, no cooperativity": {**ABSOLUTE_IL6, "cytokines.hill_myeloid": "1"},
    "fast exchange": FAST_EXCHANGE,
    "no tolerance": NO_TOLERANCE,
}
"""Processes that are switched off in the step-up and in the flat arm."""
STEPS_ONLY = {
    "no set point": NO_SET_POINT,
    "same T cells": SAME_T_CELLS,
    "fast steroid": FAST_STEROID,
}
"""Processes that are switched off in the step-up arm only."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """An approved regimen: population, steps and target dose, days of the doses, steroid."""

    population: str
    amounts: tuple[str, ...]
    days: tuple[int, ...]
    steroid: str
    over: str = "4 h"

    def arm(self, *, flat=False, steroid=True, **options):
        """Regimen with the steps, or with the target dose from day 1."""
        amounts = (self.amounts[-1],) * len(self.days) if flat else self.amounts
        doses = [
            qsp.iv(amount, day=day, over=self.over, period=f"D{n}")
            if self.over
            else qsp.sc(amount, day=day, period=f"D{n}")
            for n, (amount, day) in enumerate(zip(amounts, self.days, strict=True), 1)
        ]
        drugs = (
            qsp.dexamethasone(
                self.steroid, route="iv", lead="1 h", periods=[f"D{n}" for n in (1, 2, 3)]
            )
            if steroid
            else ()
        )
        return qsp.regimen(*doses, before=drugs, **options)


PLANS = {
    "mosunetuzumab": Plan("nhl", ("1 mg", "2 mg", "60 mg", "60 mg"), (1, 8, 15, 22), "20 mg"),
    "glofitamab": Plan("nhl_dlbcl_obinutuzumab", ("2.5 mg", "10 mg", "30 mg"), (1, 8, 15), "20 mg"),
    "teclistamab": Plan(
        "myeloma", ("0.06 mg/kg", "0.3 mg/kg", "1.5 mg/kg", "1.5 mg/kg"), (1, 4, 7, 14), "16 mg", ""
    ),
    "elranatamab": Plan(
        "myeloma", ("12 mg", "32 mg", "76 mg", "76 mg"), (1, 4, 8, 15), "20 mg", ""
    ),
}


def simulated(molecule):
    plan = PLANS[molecule]
    people = qsp.population(plan.population).sample(
        PATIENTS, molecule=qsp.molecule(molecule), seed=1
    )
    arms = {"without steroid": plan.arm(steroid=False)}
    for name, changes in {**BOTH, **STEPS_ONLY}.items():
        arms[f"steps, {name}"] = plan.arm(parameters=changes)
    for name, changes in BOTH.items():
        arms[f"flat, {name}"] = plan.arm(flat=True, parameters=changes)
    arms = {name.rstrip(" ,"): arm for name, arm in arms.items()}
    return qsp.simulate(arms, people, days=DAYS, progress=False).ds


@pytest.fixture(scope="module")
def runs(double_precision):
    return {molecule: simulated(molecule) for molecule in MOLECULES}


def arm(ds, kind, change=""):
    return ds.sel(arm=[f"{kind}, {change}".rstrip(" ,")])


def rate(ds, grade):
    """Share of patients of an arm with CRS of at least a grade."""
    return float(np.mean(event_of(ds, grade)))


def excess(ds, change=""):
    """Rate of grade 2 or higher under flat over that under step-up dosing, minus 1."""
    return rate(arm(ds, "flat", change), 2) / rate(arm(ds, "steps", change), 2) - 1.0


def leak(ds, kind, change=""):
    """Logarithm of the highest leak of each patient (patient,)."""
    return np.log(arm(ds, kind, change)["leak_peak"].max("dose_period").values[0])


def separation(ds, change=""):
    """Median rise of leak by flat dosing in a patient, in standard deviations between patients.

    Unlike the ratio of rates it does not depend on the height of the thresholds.
    """
    flat, steps = leak(ds, "flat", change), leak(ds, "steps", change)
    return float(np.median(flat - steps) / np.std(steps))


def odds_ratio(ds, change=""):
    """Odds ratio of CRS, upper over lower third of tumor burden, under step-up dosing."""
    return burden_odds_ratio(arm(ds, "steps", change)).value


def first_onset(ds, change=""):
    """Median onset after the first step [h]."""
    return 24.0 * float(np.nanmedian(arm(ds, "steps", change)["crs_onset"].isel(dose_period=0)))


@pytest.mark.parametrize("molecule", MOLECULES)
def test_step_up_dosing_spares_crs_of_grade_2(molecule, runs):
    """Grade 2 or higher: flat over step-up dosing exceeds 1.2."""
    found = excess(runs[molecule])
    assert found > 0.2, f"excess {found:.2f}"


WITH_TOLERANCE = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="tolerance of myeloid cells is a small part of what the steps of glofitamab spare: the "
    "excess is 0.61, and 0.57 without it",
)
SAME_T_CELLS = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="T cells that scale with the burden are a small part of its effect under mosunetuzumab: "
    "the odds ratio is 2.09, and 1.80 with the same number of T cells",
)


@pytest.mark.parametrize(
    ("molecule", "most"),
    [
        ("mosunetuzumab", 1.0),
        ("glofitamab", 0.6),
        ("teclistamab", 0.6),
        ("elranatamab", 0.6),
    ],
)
def test_without_adaptation_of_t_cells_step_up_dosing_spares_little(molecule, most, runs):
    """Grade 2 or higher: less than a share of the excess under flat dosing remains.

    Mosunetuzumab, of low affinity, is the one whose steps the first model could rank.
    """
    found = [excess(runs[molecule], change) for change in ("", "no adaptation")]
    assert found[1] < most * found[0], f"excess {found}"


@pytest.mark.parametrize("molecule", MOLECULES)
def test_without_relative_il6_and_cooperativity_step_up_dosing_spares_less(molecule, runs):
    """Grade 2 or higher: less than 90 % of the excess under flat dosing remains."""
    found = [excess(runs[molecule], change) for change in ("", "absolute IL-6, no cooperativity")]
    assert found[1] < 0.9 * found[0], f"excess {found}"


@pytest.mark.parametrize("molecule", ["mosunetuzumab", "glofitamab"])
def test_spread_of_il6_between_patients_conceals_the_dose_if_il6_is_absolute(molecule, runs):
    """In lymphoma; in myeloma the separation stays the same."""
    found = [separation(runs[molecule], change) for change in ("", "absolute IL-6")]
    assert found[1] < 0.8 * found[0], f"separation {found}"


@pytest.mark.parametrize("molecule", ["glofitamab", "elranatamab"])
def test_fast_exchange_with_tissues_conceals_the_dose(molecule, runs):
    """Not for teclistamab, where fast exchange increases the separation, and mosunetuzumab."""
    found = [separation(runs[molecule], change) for change in ("", "fast exchange")]
    assert found[1] < 0.9 * found[0], f"separation {found}"


@pytest.mark.parametrize("molecule", SC)
def test_fast_exchange_with_tissues_hastens_events_after_a_subcutaneous_dose(molecule, runs):
    hours = [first_onset(runs[molecule], change) for change in ("", "fast exchange")]
    assert hours[1] < 0.75 * hours[0], f"onset {hours}"


@pytest.mark.parametrize(
    "molecule",
    [
        pytest.param(name, marks=WITH_TOLERANCE if name == "glofitamab" else ())
        for name in MOLECULES
    ],
)
def test_without_tolerance_of_myeloid_cells_step_up_dosing_spares_less(molecule, runs):
    found = [excess(runs[molecule], change) for change in ("", "no tolerance")]
    assert found[1] < 0.9 * found[0], f"excess {found}"


@pytest.mark.parametrize("molecule", MOLECULES)
def test_few_events_are_long_or_without_il6(molecule, runs):
    """At most 5 % last over a week, and at most 5 % are in periods with IL-6 < 2 x baseline."""
    found = pooled(arm(runs[molecule], "steps"))
    assert found.number >= 50
    assert found.long <= 0.05
    assert found.low_il6 <= 0.05


@pytest.mark.parametrize("molecule", ["glofitamab", *SC])
def test_without_set_point_events_last_for_weeks(molecule, runs):
    """Over 5 % of events last over a week, because cytokines that stay high keep fever up."""
    assert pooled(arm(runs[molecule], "steps", "no set point")).long > 0.05


@pytest.mark.parametrize("molecule", SC)
def test_no_event_starts_in_the_hour_after_a_subcutaneous_dose(molecule, runs):
    kept = [name for name in runs[molecule]["arm"].values if name in ("steps", "flat")]
    onset = 24.0 * runs[molecule]["crs_onset"].sel(arm=kept)
    assert int(onset.notnull().sum()) > 100
    assert float(onset.min()) > 1.0


@pytest.mark.parametrize(
    ("molecule", "fold"),
    [pytest.param("mosunetuzumab", 1.2, marks=SAME_T_CELLS), ("glofitamab", 1.5)],
)
def test_burden_matters_less_unless_t_cells_of_a_lymphoma_scale_with_its_size(molecule, fold, runs):
    with_size, without = (odds_ratio(runs[molecule], change) for change in ("", "same T cells"))
    assert with_size > 1.5
    assert without < with_size / fold, f"odds ratios {with_size:.2f}, {without:.2f}"


@pytest.mark.parametrize("molecule", MOLECULES)
def test_a_steroid_lowers_crs_over_all_doses(molecule, runs):
    """Any grade, and grade 2 or higher."""
    ds = runs[molecule]
    for grade in (1, 2):
        treated, free = rate(arm(ds, "steps"), grade), rate(arm(ds, "without steroid"), grade)
        assert treated < free, f"grade {grade}: {treated:.2f}, without steroid {free:.2f}"


@pytest.mark.parametrize("molecule", SC)
def test_a_steroid_that_leaves_its_site_fast_is_gone_before_events_after_sc_dosing(molecule, runs):
    """CRS of any grade: less than half of the effect remains."""
    ds = runs[molecule]
    free = rate(arm(ds, "without steroid"), 1)
    effect = [free - rate(arm(ds, "steps", change), 1) for change in ("", "fast steroid")]
    assert effect[1] < 0.5 * effect[0], f"effect {effect}"
