"""The case that all methods solve: one arm in segments between dosing events, and its outcome."""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scalar_model import ScalarModel, scalar_model

from qsp.engine.segments import REFERENCE_RTOL
from qsp.engine_input import Cohort
from qsp.run import Request, prepare
from qsp.system import DOSE_KINDS, Parameters, System
from qsp.trial import Events, Trial, event_table

CONFIG = Path(__file__).resolve().parent.parent / "configs/mosunetuzumab_step_up_vs_flat.toml"
ARM = "step_up"
KINDS = ("drug_iv", "dexamethasone", "tocilizumab")
"""Kinds of dose in the program; tocilizumab is included, although this arm has no dose of it."""

SAME_TIME = 1e-9
"""Distance below which dosing events count as simultaneous [day]."""

DENSE_DAYS = 3.0
"""Period of dense output after each dose of the molecule, which contains the IL-6 peak [day]."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """Output intervals after a dose and otherwise [day]."""

    dense: float = 1.0 / 24.0
    coarse: float = 0.5


@dataclasses.dataclass(frozen=True)
class Segment:
    """Segment between two dosing events.

    Args:
        times: Output times, including both ends [day].
        bolus: (patient, state): Amounts added at the start.
        infusion: (patient, kind): Infusion rates during the segment.
    """

    times: np.ndarray
    bolus: np.ndarray
    infusion: np.ndarray


@dataclasses.dataclass(frozen=True)
class Case:
    """Patients and one arm of a trial, as objects of this package."""

    trial: Trial
    cohort: Cohort
    system: System

    @property
    def parameters(self) -> Parameters:
        """Parameters with a leading patient axis."""
        return self.cohort.parameters[0]


@dataclasses.dataclass(frozen=True)
class ScalarCase:
    """The same case in scalars, for other solvers."""

    model: ScalarModel
    segments: tuple[Segment, ...]

    @property
    def patients(self) -> int:
        """Number of patients."""
        return len(self.model.initial)

    @property
    def times(self) -> np.ndarray:
        """All output times; the end of a segment and the start of the next are both included."""
        return np.concatenate([segment.times for segment in self.segments])

    def of(self, patients: int) -> ScalarCase:
        """Return the first patients only."""
        segments = (
            Segment(s.times, s.bolus[:patients], s.infusion[:patients]) for s in self.segments
        )
        return ScalarCase(self.model.of(patients), tuple(segments))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Outcome that is compared, each array of shape (patient,)."""

    il6_peak: np.ndarray
    auc: np.ndarray
    tumor: np.ndarray
    failed: np.ndarray

    def of(self, patients: int) -> Outcome:
        """Return the first patients only."""
        fields = dataclasses.fields(self)
        return Outcome(**{field.name: getattr(self, field.name)[:patients] for field in fields})


@dataclasses.dataclass(frozen=True)
class Run:
    """One simulation of all patients: outcome and seconds."""

    outcome: Outcome
    cpu_s: float
    wall_s: float
    compile_s: float = 0.0


Simulate = Callable[[], Run]
"""A case at one tolerance; every call simulates it again."""


def timed(simulate: Callable[[], Outcome]) -> Run:
    """Time a simulation by CPU seconds of all threads and by wall clock."""
    wall, cpu = clock.perf_counter(), clock.process_time()
    result = simulate()
    return Run(result, clock.process_time() - cpu, clock.perf_counter() - wall)


def base_case(patients: int) -> Case:
    """Return the arm that is compared, in the first patients of the population.

    Raises:
        ValueError: If a patient is implausible; only this package leaves such patients out.
    """
    prepared = prepare(Request(CONFIG, [f"patients={patients}"]))
    [n] = [n for n, arm in enumerate(prepared.trial.arms) if arm.name == ARM]
    trial = dataclasses.replace(prepared.trial, arms=(prepared.trial.arms[n],))
    cohort = prepared.cohort
    cohort = Cohort(cohort.people, (cohort.parameters[n],), cohort.plausible[n : n + 1])
    if not cohort.plausible.all():
        raise ValueError("all patients of the comparison must be plausible")
    return Case(trial, cohort, prepared.system)


def scalar_case(
    case: Case, model: ScalarModel | None = None, grid: Grid | None = None
) -> ScalarCase:
    """Return a case in scalars, with a scalar model made before or a new one."""
    model = model or scalar_model(case.system, case.parameters, KINDS)
    return ScalarCase(model, _segments(case, model, grid or Grid()))


def tolerances(rtol: float) -> tuple[float, float]:
    """Relative and absolute tolerance; states are in units of their negligible amount."""
    return rtol, rtol / REFERENCE_RTOL


def outcome(case: ScalarCase, il6: np.ndarray, end: np.ndarray, succeeded: np.ndarray) -> Outcome:
    """Return the outcome from the results of a solver.

    Args:
        case: The case.
        il6: (patient, time): Scaled IL-6 at `case.times`.
        end: (patient, state): Scaled final states.
        succeeded: (patient,): Whether the solver succeeded.
    """
    model, highest = case.model, peak(case.times, il6)
    return Outcome(
        il6_peak=highest * model.scale[:, model.il6],
        auc=end[:, -1] * model.scale[:, -1],
        tumor=model.tumor_volume(end),
        failed=~succeeded | ~np.isfinite(end).all(axis=1) | ~np.isfinite(highest),
    )


def peak(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(patient,): Vertex of the parabola through the highest value and its neighbors."""
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
        raise ValueError("the molecule must be infused: its bolus is not additive in the states")
    doses = starts[is_molecule]
    outputs = _outputs(doses, trial.days, grid)
    segments = []
    for begin, end in zip(ends[:-1], ends[1:], strict=True):
        inside = outputs[(outputs > begin + SAME_TIME) & (outputs < end - SAME_TIME)]
        now = np.abs(starts - begin) < SAME_TIME
        running = (starts < begin + SAME_TIME) & (begin + SAME_TIME < starts + durations)
        segments.append(
            Segment(
                times=np.concatenate([[begin], inside, [end]]),
                bolus=_sum_by_kind(events, events.amount, model, now & (durations == 0.0))
                @ model.unit
                / model.scale,
                infusion=_sum_by_kind(events, events.rate, model, running),
            )
        )
    return tuple(segments)


def _common(values: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return the values of one patient after checking that all have the same."""
    if not (np.all(values == values[0]) and np.all(real == real[0])):
        raise ValueError("every patient must be dosed at the same times")
    return values[0][real[0]]


def _sum_by_kind(
    events: Events, values: np.ndarray, model: ScalarModel, which: np.ndarray
) -> np.ndarray:
    """(patient, kind): Sum over the selected events."""
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
