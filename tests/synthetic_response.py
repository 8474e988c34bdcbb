"""Synthetic results whose response follows the rule of the disease: lymphoma, myeloma, leukemia.

`responding` adds the variables of response, progression and survival to results. The measure of
each patient falls to a floor and regrows; the responses follow from it by the limits of the rule,
without confirmation. Some patients leave the trial, or miss a visit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from tests import synthetic

COMPLETE, PARTIAL, STABLE, PROGRESSIVE, VERY_GOOD, INCOMPLETE = 1, 2, 3, 4, 5, 6
DAYS = 546.0
VISITS = np.arange(0.0, DAYS + 1, 42.0)
_FLAGS = (
    "not_evaluable complete partial stable progressive very_good_partial_response "
    "complete_remission_incomplete_recovery"
)


@dataclass(frozen=True)
class Rule:
    """Limits of the change from baseline, by depth [1]: the deepest reached counts."""

    measure: str
    levels: tuple[tuple[int, float], ...]
    progression: float


LYMPHOMA = Rule("sum of products of diameters", ((PARTIAL, 0.5), (COMPLETE, 0.05)), 1.5)
SOLID = Rule("sum of diameters", ((PARTIAL, 0.7), (COMPLETE, 0.05)), 1.2)
MYELOMA = Rule("M-protein", ((PARTIAL, 0.5), (VERY_GOOD, 0.1), (COMPLETE, 0.01)), 1.25)
LEUKEMIA = Rule("blasts in marrow", ((INCOMPLETE, 0.08), (COMPLETE, 0.05)), 1.5)


def responding(
    rule: Rule = LYMPHOMA,
    *,
    arms: tuple[str, ...] = ("step_up", "flat"),
    patients: int = 40,
    seed: int = 1,
    hardest: bool = False,
) -> xr.Dataset:
    """Results of `synthetic.neutral` with the variables of response.

    Args:
        rule: Rule of response.
        arms: Arms, each with its own patients.
        patients: Number of patients.
        seed: Seed of the patients.
        hardest: Whether all tumors grow at once, so that no patient responds.
    """
    random = np.random.default_rng(seed)
    ds = synthetic.neutral(arms, patients, visits=VISITS.tolist()).assign_attrs(days=DAYS)
    shape = (len(arms), patients)
    kill = np.zeros(shape) if hardest else random.lognormal(np.log(0.03), 0.9, shape)
    regrow, floor = random.lognormal(np.log(0.006), 0.7, shape), 10 ** random.uniform(-4, 0, shape)
    death, leave = random.exponential(1500.0, shape), random.exponential(3000.0, shape)
    seen = (leave[..., None] > VISITS) & (random.uniform(size=(*shape, VISITS.size)) < 0.95)
    seen[..., 0] = True
    death = np.where(death < np.minimum(leave, DAYS), death, np.nan)
    return _with(ds, rule, np.where(seen, _courses(kill, regrow, floor), np.nan), death)


def _courses(kill: np.ndarray, regrow: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Measure relative to baseline (arm, patient, visit)."""
    kill, regrow, floor = (each[..., None] for each in (kill, regrow, floor))
    killed = (1 - floor) * np.exp(-kill * VISITS) if kill.any() else 1 - floor
    return killed + floor * np.exp(regrow * VISITS)


def _with(ds: xr.Dataset, rule: Rule, course: np.ndarray, death: np.ndarray) -> xr.Dataset:
    nadir = np.fmin.accumulate(course, axis=-1)
    nadir = np.maximum(np.concatenate([course[..., :1], nadir[..., :-1]], -1), 0.02)
    after = (VISITS > 0) & (np.nan_to_num(death, nan=np.inf)[..., None] > VISITS)
    after &= np.isfinite(course)
    progressed = after & (course >= rule.progression * nadir)
    progression = _first(progressed)
    counts = after & (np.nan_to_num(progression, nan=np.inf)[..., None] > VISITS)
    level = np.full(course.shape, STABLE)
    for code, limit in rule.levels:
        level = np.where(course <= limit, code, level)
    responded = counts & (level != STABLE)
    end = np.fmin(progression, death)
    event = np.isfinite(end)
    end = np.where(event, end, np.max(np.where(after, VISITS, 0.0), axis=-1))
    response, complete = _first(responded), _first(counts & (level == COMPLETE))
    best = np.where(counts.any(-1), STABLE, np.where(np.isfinite(progression), PROGRESSIVE, 0))
    for code, _ in rule.levels:
        best = np.where((counts & (level == code)).any(-1), code, best)
    at_visit = np.where(counts, level, 0)
    at_visit = np.where(after & (progression[..., None] == VISITS), PROGRESSIVE, at_visit)
    shown = after & (np.nan_to_num(progression, nan=np.inf)[..., None] >= VISITS)
    change = np.where(shown, 100 * (course - 1), np.nan)
    lowest = np.where(shown.any(-1), np.min(np.where(shown, change, np.inf), -1), np.nan)
    duration = np.where(np.isfinite(response), end - response, np.nan)
    measure = {"measure": rule.measure}
    flags = {"flag_values": np.arange(7, dtype=np.int8), "flag_meanings": _FLAGS}
    one, visit = ("arm", "patient"), ("arm", "patient", "visit")
    return ds.assign(
        best_response=(one, best.astype(np.int8), {"units": "1", **flags}),
        response_visit=(visit, at_visit.astype(np.int8), {"units": "1", **flags}),
        disease_change_visit=(visit, change, {"units": "%", **measure}),
        best_disease_change=(one, lowest, {"units": "%", **measure}),
        progression_free_time=(one, end, {"units": "day"}),
        progression_free_event=(one, event.astype(np.int8), {"units": "1"}),
        response_time=(one, response, {"units": "day"}),
        complete_response_time=(one, complete, {"units": "day"}),
        progression_time=(one, progression, {"units": "day"}),
        death_time=(one, death, {"units": "day"}),
        response_duration=(one, duration, {"units": "day"}),
        response_duration_event=(one, (event & np.isfinite(response)).astype(np.int8),
                                 {"units": "1"}),
    )  # fmt: skip


def _first(flag: np.ndarray) -> np.ndarray:
    """Time of the first visit with a flag (arm, patient) [day]; NaN without."""
    return np.where(flag.any(-1), VISITS[flag.argmax(-1)], np.nan)
