"""The case that all methods are given: one arm, cut where dosing changes, and what is compared."""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scalar_model import ScalarModel, scalar_model

from qsp.engine.integrate import REFERENCE_RTOL
from qsp.run import Request, prepare
from qsp.simulation import Cohort
from qsp.system import DOSE_KINDS, Parameters, System
from qsp.trial import EventTable, Trial, event_table

CONFIG = Path(__file__).resolve().parent.parent / "configs/mosunetuzumab_step_up_vs_flat.toml"
ARM = "step_up"
KINDS = ("drug_iv", "dexamethasone", "tocilizumab")
"""Drugs in the program; tocilizumab is, though this arm does not give it."""

SAME_TIME = 1e-9
"""Changes of dosing closer than this [day] are at one time."""

DENSE_DAYS = 3.0
"""Outputs are dense for so long after each dose of the molecule: the peaks of IL-6 are there."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where a tool is asked for IL-6 [day]."""

    dense: float = 1.0 / 24.0
    coarse: float = 0.5


@dataclasses.dataclass(frozen=True)
class Segment:
    """Between two changes of dosing.

    Args:
        times: Outputs, with both ends [day].
        bolus: (patient, state): Added at its start.
        infusion: (patient, kind): Rates during it.
    """

    times: np.ndarray
    bolus: np.ndarray
    infusion: np.ndarray


@dataclasses.dataclass(frozen=True)
class Case:
    """Patients and one arm of a trial, as the package takes them."""

    trial: Trial
    cohort: Cohort
    system: System

    @property
    def parameters(self) -> Parameters:
        """With a leading patient axis."""
        return self.cohort.parameters[0]


@dataclasses.dataclass(frozen=True)
class ScalarCase:
    """The same in scalars, as other tools take it."""

    model: ScalarModel
    segments: tuple[Segment, ...]

    @property
    def patients(self) -> int:
        """How many."""
        return len(self.model.initial)

    @property
    def times(self) -> np.ndarray:
        """All outputs; the end of a stretch and the start of the next are both there."""
        return np.concatenate([segment.times for segment in self.segments])

    def of(self, patients: int) -> ScalarCase:
        """The same for the first patients only."""
        segments = (
            Segment(s.times, s.bolus[:patients], s.infusion[:patients]) for s in self.segments
        )
        return ScalarCase(self.model.of(patients), tuple(segments))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What is compared, each (patient,)."""

    il6_peak: np.ndarray
    auc: np.ndarray
    tumor: np.ndarray
    failed: np.ndarray

    def of(self, patients: int) -> Outcome:
        """The same for the first patients only."""
        fields = dataclasses.fields(self)
        return Outcome(**{field.name: getattr(self, field.name)[:patients] for field in fields})


@dataclasses.dataclass(frozen=True)
class Run:
    """One simulation of all patients: what came out, and seconds."""

    outcome: Outcome
    cpu_s: float
    wall_s: float
    compile_s: float = 0.0


Simulate = Callable[[], Run]
"""A case at one tolerance; every call simulates it again."""


def timed(simulate: Callable[[], Outcome]) -> Run:
    """Run it; seconds of the processor are those of all threads."""
    wall, cpu = clock.perf_counter(), clock.process_time()
    result = simulate()
    return Run(result, clock.process_time() - cpu, clock.perf_counter() - wall)


def base_case(patients: int) -> Case:
    """The arm that is compared, in the first patients of the population.

    Raises:
        ValueError: If some of them are not possible: the package leaves them out, others do not.
    """
    prepared = prepare(Request(CONFIG, [f"patients={patients}"]))
    [n] = [n for n, arm in enumerate(prepared.trial.arms) if arm.name == ARM]
    trial = dataclasses.replace(prepared.trial, arms=(prepared.trial.arms[n],))
    everybody = prepared.cohort
    cohort = Cohort(everybody.people, (everybody.parameters[n],), everybody.plausible[n : n + 1])
    if not cohort.plausible.all():
        raise ValueError("the patients that are compared must all be possible")
    return Case(trial, cohort, prepared.system)


def scalar_case(
    case: Case, model: ScalarModel | None = None, grid: Grid | None = None
) -> ScalarCase:
    """A case in scalars, by a model that was made for it before or by a new one."""
    model = model or scalar_model(case.system, case.parameters, KINDS)
    return ScalarCase(model, _segments(case, model, grid or Grid()))


def tolerances(rtol: float) -> tuple[float, float]:
    """Relative and absolute: states are in units of what is negligible at `REFERENCE_RTOL`."""
    return rtol, rtol / REFERENCE_RTOL


def outcome(case: ScalarCase, il6: np.ndarray, end: np.ndarray, succeeded: np.ndarray) -> Outcome:
    """What is compared, from what a tool returns.

    Args:
        case: The case.
        il6: (patient, time): IL-6 at `case.times`, as the tool scales it.
        end: (patient, state): The last states, as the tool scales them.
        succeeded: (patient,): Whether the tool came to the end.
    """
    model, highest = case.model, peak(case.times, il6)
    return Outcome(
        il6_peak=highest * model.scale[:, model.il6],
        auc=end[:, -1] * model.scale[:, -1],
        tumor=model.tumor_volume(end),
        failed=~succeeded | ~np.isfinite(end).all(axis=1) | ~np.isfinite(highest),
    )


def peak(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(patient,): Top of the parabola through the highest value and its neighbors."""
    distinct = np.concatenate([[True], np.diff(times) > SAME_TIME])
    times, values = times[distinct], values[:, distinct]
    rows = np.arange(len(values))
    middle = np.clip(np.argmax(values, axis=1), 1, len(times) - 2)
    t = times[middle + np.array([[-1], [0], [1]])]
    y = values[rows, middle + np.array([[-1], [0], [1]])]
    before, after = t[1] - t[0], t[2] - t[1]
    down, up = (y[1] - y[0]) / before, (y[2] - y[1]) / after
    bend = (up - down) / (before + after)
    slope = (down * after + up * before) / (before + after)
    curved = bend < 0.0
    offset = np.clip(-slope / (2.0 * np.where(curved, bend, -1.0)), -before, after)
    top = y[1] + np.where(curved, offset * (slope + offset * bend), 0.0)
    return np.maximum(top, values.max(axis=1))


def _segments(case: Case, model: ScalarModel, grid: Grid) -> tuple[Segment, ...]:
    trial, people = case.trial, case.cohort.people.covariates
    events = event_table(trial, people["body_weight"], people["body_surface"])
    starts = _common(events.time[0], events.kind[0] >= 0)
    durations = _common(events.duration[0], events.kind[0] >= 0)
    kinds = _common(events.kind[0], events.kind[0] >= 0)
    ends = _distinct(np.concatenate([[trial.start, trial.days], starts, starts + durations]))
    ends = ends[(ends >= trial.start) & (ends <= trial.days)]
    is_molecule = np.isin(kinds, [DOSE_KINDS.index("drug_iv"), DOSE_KINDS.index("drug_sc")])
    if np.any(is_molecule & (durations == 0.0)):
        raise ValueError("a bolus of the molecule is no sum: the peers are compared by infusions")
    doses = starts[is_molecule]
    wanted = _outputs(doses, trial.days, grid)
    cuts = []
    for begin, end in zip(ends[:-1], ends[1:], strict=True):
        inside = wanted[(wanted > begin + SAME_TIME) & (wanted < end - SAME_TIME)]
        now = np.abs(starts - begin) < SAME_TIME
        running = (starts < begin + SAME_TIME) & (begin + SAME_TIME < starts + durations)
        cuts.append(
            Segment(
                times=np.concatenate([[begin], inside, [end]]),
                bolus=_given(events, events.amount, model, now & (durations == 0.0))
                @ model.unit
                / model.scale,
                infusion=_given(events, events.rate, model, running),
            )
        )
    return tuple(cuts)


def _common(values: np.ndarray, real: np.ndarray) -> np.ndarray:
    """What is the same for every patient: all are dosed at the same times."""
    if not (np.all(values == values[0]) and np.all(real == real[0])):
        raise ValueError("the peers are compared where every patient is dosed at the same times")
    return values[0][real[0]]


def _given(
    events: EventTable, values: np.ndarray, model: ScalarModel, which: np.ndarray
) -> np.ndarray:
    """(patient, kind): Sum of the events that count."""
    of = events.kind[0][:, : len(which)]
    return np.stack(
        [
            np.where(which & (of == kind), values[0][:, : len(which)], 0.0).sum(axis=1)
            for kind in model.kinds
        ],
        axis=1,
    )


def _outputs(doses: np.ndarray, days: float, grid: Grid) -> np.ndarray:
    after = np.arange(0.0, DENSE_DAYS + grid.dense, grid.dense)
    return _distinct(
        np.concatenate([(doses[:, None] + after).ravel(), np.arange(0.0, days, grid.coarse)])
    )


def _distinct(times: np.ndarray) -> np.ndarray:
    times = np.sort(times)
    return times[np.concatenate([[True], np.diff(times) > SAME_TIME])]
