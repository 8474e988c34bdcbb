"""Scenarios: a patient and a list of doses. Many are solved together, by one compiled program.

::

    nhl = Subject.of("mosunetuzumab", "nhl")
    flat = Scenario(nhl.patient(), nhl.iv([0, 7], [60, 60]))
    course = solve({"flat": flat})["flat"]
    course.peak("il6", period=1), course.state.model.t_cells.total[:, BLOOD]

A program takes a quarter of a minute to compile and is specific to the system, the method and the
shapes below. So every batch of every test has the same shapes: `EVENTS` events, `PERIODS` dose
periods, one grid of times, and every kind of dose. All tests with one model structure share one
program.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import equinox as eqx
import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from qsp import model, molecules, system
from qsp.engine import snapshots
from qsp.engine.batch import Batch, simulate
from qsp.engine.method import Method
from qsp.engine.trajectory import Simulation
from qsp.model.cytokines import CYTOKINES
from qsp.model.tissues import BLOOD
from qsp.molecules import Molecule
from qsp.populations import ParameterTable, nominal, read_cohort, to_parameters
from qsp.system import DOSE_KINDS, System
from qsp.trial.schedule import Events

EVENTS = 16
PERIODS = 8
HOUR = 1.0 / 24.0
TIGHT = Method(rtol=1e-9)
"""Tolerance at which the error of the solver is negligible, to test the equations."""
WINDOW = 8
"""Snapshots that a segment can save. With the capacity of a run, snapshots of whole states would be
half of the program, which would take twice as long to compile."""

GRID = np.array(
    [
        *[hour / 24.0 for hour in (*range(0, 25, 2), 28, 32, 36, 42, 48, 60, 72, 96)],
        *[7, 14, 21, 28, 42, 56, 60, 63, 84],
    ]
)
"""Times of the snapshots [day]."""

POPULATIONS = Path(__file__).parents[1] / "populations"


@dataclasses.dataclass(frozen=True)
class Dose:
    """One administration: nmol of the molecule or mg of other drugs; time and duration in days."""

    kind: str
    time: float
    amount: float
    duration: float = 0.0
    period: int = 0


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One patient, their doses, and the length of the simulation [day]."""

    parameters: system.Parameters
    doses: tuple[Dose, ...] = ()
    days: float = 84.0
    thresholds: np.ndarray | None = None  # (dose_period, grade); nominal if None

    @property
    def begin(self) -> float:
        return min([0.0, *(dose.time for dose in self.doses)])


@dataclasses.dataclass(frozen=True)
class Subject:
    """A molecule in a population: its nominal patient, variants of that patient, doses in mg."""

    table: ParameterTable

    @classmethod
    def of(cls, molecule: str | Path, population: str | Path) -> Subject:
        path = POPULATIONS / f"{population}.toml" if isinstance(population, str) else population
        return cls(nominal(molecules.load(molecule), read_cohort(path)))

    @property
    def molecule(self) -> Molecule:
        return self.table.molecule

    def patient(self, changes: Mapping[str, float] | None = None) -> system.Parameters:
        """The nominal patient with changed values by path; derived values follow from them."""
        changed = {path: np.asarray(value, np.float64) for path, value in (changes or {}).items()}
        return to_parameters(self.table.complete(self.table.values | changed))

    def nmol(self, mg: float) -> float:
        return 1000.0 * mg / self.molecule.molecular_weight

    def iv(
        self, days: Sequence[float], mg: Sequence[float], hours: float | Sequence[float] = 4.0
    ) -> tuple[Dose, ...]:
        """Infusions, one dose period each."""
        return self._periods("drug_iv", days, mg, hours)

    def sc(self, days: Sequence[float], mg: Sequence[float]) -> tuple[Dose, ...]:
        """Injections, one dose period each."""
        return self._periods("drug_sc", days, mg, 0.0)

    def _periods(
        self,
        kind: str,
        days: Sequence[float],
        mg: Sequence[float],
        hours: float | Sequence[float],
    ) -> tuple[Dose, ...]:
        lengths = np.broadcast_to(hours, len(days)) * HOUR
        rows = zip(days, mg, lengths, strict=True)
        return tuple(
            Dose(kind, float(day), self.nmol(each), float(length), period + 1)
            for period, (day, each, length) in enumerate(rows)
        )


class Record(eqx.Module):
    """One time: the snapshot of a run, the whole state, and secreting cells by tissue."""

    shown: Any
    state: Any
    secreting: Any


class Recording(System):
    """The default system, with the whole state in its snapshots, as one vector."""

    def snapshot(self, x: system.State, p: system.Parameters) -> Any:
        return ravel_pytree(self.record(x, p))[0]

    def record(self, x: system.State, p: system.Parameters) -> Record:
        return Record(System.snapshot(self, x, p), x, self.ends(x, p)[1].secreting)

    def records(self, vectors: np.ndarray, p: system.Parameters) -> Record:
        """Snapshots (time, ...) as records with a leading time axis."""
        shapes = jax.eval_shape(lambda p: self.record(self.initial(p), p), p)
        leaves, form = jax.tree.flatten(shapes)
        parts = np.split(vectors, np.cumsum([leaf.size for leaf in leaves])[:-1], axis=1)
        shaped = [
            part.reshape(len(vectors), *leaf.shape)
            for part, leaf in zip(parts, leaves, strict=True)
        ]
        return jax.tree.unflatten(form, shaped)


@dataclasses.dataclass(frozen=True)
class Course:
    """Solution of a scenario: records over `times`, reductions per period, the last state."""

    scenario: Scenario
    times: np.ndarray
    record: Record
    reductions: Any  # `Reductions`, leading axis: dose period, from the first
    final: system.State
    failed: bool

    @property
    def shown(self) -> system.Snapshot:
        return self.record.shown

    @property
    def state(self) -> system.State:
        return self.record.state

    def cytokine(self, name: str) -> np.ndarray:
        """Cytokine over `times` [pg/mL]."""
        return np.asarray(self.shown.cytokines)[:, CYTOKINES.index(name)]

    def peak(self, name: str, period: int = 1) -> float:
        """Peak of a cytokine in a dose period [pg/mL]."""
        return float(self.reductions.peak.cytokines[period - 1, CYTOKINES.index(name)])

    def peak_hours(self, name: str, period: int = 1) -> float:
        """Time of the peak after the start of its dose period [hour]."""
        at = self.reductions.peak_time.cytokines[period - 1, CYTOKINES.index(name)]
        return float(at - self.starts[period - 1]) / HOUR

    def largest(self, name: str) -> float:
        """Largest peak of a cytokine over the dose periods [pg/mL]."""
        return max(self.peak(name, period) for period in range(1, len(self.starts) + 1))

    @property
    def starts(self) -> list[float]:
        """Starts of the dose periods [day]."""
        periods = {dose.period: dose.time for dose in reversed(self.scenario.doses) if dose.period}
        return [periods[period] for period in sorted(periods)]

    def at(self, values: Any, day: float) -> Any:
        """Values (time, ...) at one time of the grid."""
        index = int(np.argmin(np.abs(self.times - day)))
        assert abs(self.times[index] - day) < 1e-9, f"day {day} is not on the grid"
        return np.asarray(values)[index]

    def between(self, values: Any, first: float, last: float) -> np.ndarray:
        """Values over the part of the grid in [first, last]."""
        inside = (self.times >= first - 1e-9) & (self.times <= last + 1e-9)
        return np.asarray(values)[inside]

    @property
    def volume(self) -> np.ndarray:
        """Tumor volume over `times`, relative to baseline."""
        volume = np.asarray(self.shown.tumor_volume)
        return volume / volume[0]

    @property
    def t_cells(self) -> np.ndarray:
        """T cells in blood over `times`, relative to baseline."""
        cells = np.asarray(self.shown.t_cells_blood)
        return cells / self.scenario.parameters.model.t_cells.baseline[BLOOD]

    @property
    def b_cells(self) -> np.ndarray:
        """B cells in blood over `times`, relative to baseline."""
        cells = np.asarray(self.shown.b_cells_blood)
        return cells / cells[0]


def solve(
    scenarios: Mapping[str, Scenario], *, structure: Any = None, method: Method = TIGHT
) -> dict[str, Course]:
    """Solve every scenario.

    Args:
        scenarios: Scenarios by name.
        structure: Structure of the model; by default that of the default model.
        method: Solver and tolerance.
    """
    recording = Recording(structure or model.ModelStructure())
    sims = with_idle(stack([*scenarios.values()]))
    with mock.patch.object(snapshots, "SAVE_WINDOW", WINDOW):
        result, _ = simulate(Batch(sims, (GRID,)), recording, method, kinds=len(DOSE_KINDS))
    return {
        name: _course(scenario, jax.tree.map(lambda leaf, i=i: leaf[i], result), recording)
        for i, (name, scenario) in enumerate(scenarios.items())
    }


def _course(scenario: Scenario, result: Any, recording: Recording) -> Course:
    inside = (scenario.begin <= GRID) & (scenario.days >= GRID)
    return Course(
        scenario=scenario,
        times=GRID[inside],
        record=recording.records(result.saved[0][inside], scenario.parameters),
        reductions=jax.tree.map(lambda leaf: leaf[1:], result.periods.reductions),
        final=result.final,
        failed=bool(result.failed),
    )


def stack(scenarios: Sequence[Scenario]) -> Simulation:
    """Scenarios as simulations of the engine."""
    leaves = [jax.tree.map(np.asarray, scenario.parameters) for scenario in scenarios]
    return Simulation(
        parameters=jax.tree.map(lambda *each: np.stack(each), *leaves),
        events=events([scenario.doses for scenario in scenarios]),
        thresholds=np.stack([_thresholds(scenario) for scenario in scenarios]),
        begin=np.array([scenario.begin for scenario in scenarios]),
        end=np.array([float(scenario.days) for scenario in scenarios]),
    )


def with_idle(sims: Simulation) -> Simulation:
    """Simulations and an idle one without zero parameters, so that programs omit no mechanism."""
    one = jax.tree.map(lambda leaf: leaf[:1], sims)
    full = jax.tree.map(lambda leaf: np.where(leaf == 0.0, 1.0, leaf), one.parameters)
    idle = dataclasses.replace(one, parameters=full, end=one.begin)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), sims, idle)


def _thresholds(scenario: Scenario) -> np.ndarray:
    if scenario.thresholds is not None:
        return scenario.thresholds
    nominal_levels = np.asarray(scenario.parameters.model.severity.level)
    return np.broadcast_to(nominal_levels, (PERIODS, len(nominal_levels)))


def events(lists: Iterable[Sequence[Dose]]) -> Events:
    """Padded event tables, sorted by time."""
    tables = [_events(sorted(doses, key=lambda dose: dose.time)) for doses in lists]
    return jax.tree.map(lambda *each: np.stack(each), *tables)


def _events(doses: Sequence[Dose]) -> Events:
    assert len(doses) <= EVENTS, f"{len(doses)} doses, but tables hold {EVENTS}"
    pad = EVENTS - len(doses)

    def column(values: Iterable[float], fill: float, kind: type) -> np.ndarray:
        return np.array([*values, *[fill] * pad], kind)

    return Events(
        time=column((d.time for d in doses), np.inf, np.float64),
        kind=column((DOSE_KINDS.index(d.kind) for d in doses), -1, np.int32),
        amount=column((d.amount for d in doses), 0.0, np.float64),
        rate=column((d.amount / d.duration if d.duration else 0.0 for d in doses), 0.0, np.float64),
        duration=column((d.duration for d in doses), 0.0, np.float64),
        period=column((d.period for d in doses), 0, np.int32),
    )


@functools.cache
def mosunetuzumab() -> Subject:
    """Mosunetuzumab in lymphoma, nominal patient with B cells."""
    return Subject.of("mosunetuzumab", "nhl")
