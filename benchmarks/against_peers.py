"""Patients a second on one core at equal error: this package and what others simulate with.

    .venv/bin/pip install -e ".[bench]" -c constraints.txt
    .venv/bin/python benchmarks/against_peers.py [--patients 256] [--methods rock4,lsoda]

`rkc2`, `rock2` and `rock4` are the package as it computes by default, in machine code of its own;
`rock4_xla` is the same solver by XLA, which gradients and accelerators use.

Six doses of mosunetuzumab in 84 days with dexamethasone. All methods are given the same equations,
patients, doses and tolerances, and are compared with Tsit5 at a relative tolerance of 1e-10. For
each, the tolerance is loosened as far as the peak of IL-6 stays within 0.5 % in every patient: its
row has `"chosen": true`, and ratios are of such rows. Errors are the largest over patients.

All run on one core, and seconds are those the processor worked: others on the machine disturb
little. Compilation is apart. Peers integrate from one change of dosing to the next and show IL-6
every hour for three days after each dose; those that are compiled are given the program of
`scalar_model.py`. The package computes more than is compared: grades of CRS, their times, and what
else a run records.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib
import os
import statistics
import sys
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import jax
import peers_diffrax
import peers_package
from peers_case import Case, Grid, Outcome, Run, ScalarCase, Simulate, base_case, scalar_case
from rows import Row, emit, ratio, relative_error, row
from scalar_model import check

from qsp.engine.method import Method

BENCH = "against_peers"
RTOLS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
REFERENCE_RTOL = 1e-10
IL6_WITHIN = 0.005
SAME = 1e-6
FINE = Grid(dense=0.05 / 24.0, coarse=0.01)
"""Outputs where LSODA checks the reference, in the first `FEW` patients."""

FEW = 64
REPEATS = 5
PATIENCE_S = 60.0
"""A method that takes longer than this is not repeated."""

OWN = {
    "rkc2": Method("RKC2"),
    "rock2": Method("ROCK2"),
    "rock4": Method("ROCK4"),
    "rock4_xla": Method("ROCK4", backend="xla"),
}
VMAPPED = {"tsit5": "Tsit5", "kvaerno5": "Kvaerno5"}
COMPILED = {"lsoda": "peers_lsoda", "cvode": "peers_cvode", "casadi": "peers_casadi"}
WITHOUT_ADAPTER = {"nvqsp": "no adapter: no GPU was at hand to write and try one"}
METHODS = (*OWN, *VMAPPED, *COMPILED, *WITHOUT_ADAPTER)
MOST_PATIENTS = {"kvaerno5": 64}
"""Of a slow method; fewer would take as long, for patients are computed 64 at a time."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Entrant:
    """A method and its patients.

    Args:
        name: Of the method.
        patients: How many.
        needs: Distributions whose versions matter, beside jax and diffrax.
        note: What to know of its figures.
        prepared: The simulation at a relative tolerance.
    """

    name: str
    patients: int
    needs: Sequence[str]
    note: str
    prepared: Callable[[float], Simulate]


@dataclasses.dataclass(frozen=True)
class Tried:
    """A method at one tolerance.

    Args:
        entrant: The method.
        rtol: The tolerance.
        simulate: What is timed.
        compile_s: Seconds by the clock before it could be.
        runs: So far.
        errors: Of the first run.
    """

    entrant: Entrant
    rtol: float
    simulate: Simulate
    compile_s: float
    runs: tuple[Run, ...]
    errors: Mapping[str, float | None]

    @property
    def failures(self) -> int:
        """Patients in whom the method did not come to the end."""
        return int(self.runs[0].outcome.failed.sum())

    @property
    def is_chosen(self) -> bool:
        """Whether it is good enough: tolerances are tried from the loosest on."""
        error = self.errors["err_il6_peak"]
        return not self.failures and error is not None and error <= IL6_WITHIN

    def again(self) -> Tried:
        """Timed once more, unless that takes too long."""
        if self.runs[0].wall_s > PATIENCE_S:
            return self
        return dataclasses.replace(self, runs=(*self.runs, _quiet(self.simulate)))

    def row(self) -> Row:
        """Its figures."""
        cpu_s = statistics.median(run.cpu_s for run in self.runs)
        entrant = self.entrant
        return row(
            BENCH,
            entrant.name,
            device="cpu",
            status="ok",
            rtol=self.rtol,
            patients=entrant.patients,
            patients_per_s_per_core=round(entrant.patients / cpu_s, 2),
            compile_s=round(self.compile_s, 2),
            cpu_s=round(cpu_s, 3),
            wall_s=round(statistics.median(run.wall_s for run in self.runs), 3),
            repeats=len(self.runs),
            failures=self.failures,
            **self.errors,
            chosen=self.is_chosen,
            note=entrant.note,
            versions=_versions(entrant.needs),
        )


def main() -> None:
    """Measure and print."""
    asked = _arguments()
    jax.config.update("jax_platforms", "cpu")
    with _one_core():
        case = base_case(asked.patients)
        scalars = scalar_case(case)
        emit(_program(case, scalars))
        reference = peers_package.prepared(case, REFERENCE_RTOL, Method("Tsit5"))().outcome
        chosen = []
        with _absent_if_it_fails("reference", "lsoda"):
            _check_reference("lsoda", case, scalars, reference)
        for name in asked.methods:
            with _absent_if_it_fails(BENCH, name):
                tried = list(_tried(_entrant(name, case, scalars), reference))
                chosen += [one for one in tried if one.is_chosen]
        # In turns: a neighbor who slows the machine for a while slows all methods alike.
        for _ in range(REPEATS - 1):
            chosen = [one.again() for one in chosen]
    rows = [one.row() for one in chosen]
    for line in (*rows, *_ratios(rows)):
        emit(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=256)
    parser.add_argument("--methods", type=lambda text: text.split(","), default=METHODS)
    asked = parser.parse_args()
    unknown = [name for name in asked.methods if name not in METHODS]
    if unknown:
        parser.error(f"unknown method {unknown[0]!r}. Choose from {', '.join(METHODS)}")
    return asked


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """All threads of this process on one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = {thread: os.sched_getaffinity(thread) for thread in _threads()}
    allowed = os.sched_getaffinity(0)
    for thread in before:
        os.sched_setaffinity(thread, {max(allowed)})
    try:
        yield
    finally:
        for thread in _threads():
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.sched_setaffinity(thread, before.get(thread, allowed))


def _threads() -> list[int]:
    return [int(task.name) for task in Path("/proc/self/task").iterdir()]


@contextlib.contextmanager
def _absent_if_it_fails(bench: str, name: str) -> Iterator[None]:
    """A row that says why, if a method cannot be had."""
    try:
        yield
    except Exception as problem:
        reason = f"{type(problem).__name__}: {problem}"
        emit(row(bench, name, device="cpu", status="absent", reason=reason))


def _program(case: Case, scalars: ScalarCase) -> Row:
    """What the compiled peers are given, after it was compared with the package."""
    model = scalars.model
    return row(
        "scalar_model",
        "program",
        patients=scalars.patients,
        states=model.size,
        states_of_package=model.all_states,
        operations=model.rates.count(),
        divisions=model.rates.count("div"),
        functions=model.rates.count("exp", "log", "sqrt", "pow", "log1p", "expm1", "tanh"),
        computed_once=model.constants.shape[1],
        difference=float(f"{check(model, case.system, case.parameters):.2g}"),
    )


def _check_reference(name: str, case: Case, scalars: ScalarCase, reference: Outcome) -> None:
    """A peer on a fine grid has to find the reference; the grid of all peers is judged by it."""
    peer = importlib.import_module(COMPILED[name])
    grids = {"reference": scalar_case(case, scalars.model, FINE), "grid": scalars}
    for bench, whole in grids.items():
        few = whole.of(FEW)
        errors = _errors(peer.prepared(few, REFERENCE_RTOL)().outcome, reference.of(FEW))
        line = row(
            bench,
            name,
            device="cpu",
            rtol=REFERENCE_RTOL,
            patients=few.patients,
            **errors,
            versions=_versions(peer.NEEDS),
        )
        if bench == "reference":
            line["agrees"] = all(error is not None and error <= SAME for error in errors.values())
        emit(line)


def _entrant(name: str, case: Case, scalars: ScalarCase) -> Entrant:
    if name in WITHOUT_ADAPTER:
        raise NotImplementedError(WITHOUT_ADAPTER[name])
    few = scalars.of(min(scalars.patients, MOST_PATIENTS.get(name, scalars.patients)))
    if name in OWN:
        peer = peers_package
        prepared = functools.partial(peer.prepared, case, method=OWN[name])
    elif name in VMAPPED:
        peer = peers_diffrax
        prepared = functools.partial(peer.prepared, case, few, solver=VMAPPED[name])
    else:
        peer = importlib.import_module(COMPILED[name])
        prepared = functools.partial(peer.prepared, few)
    note = peer.note(OWN[name]) if name in OWN else peer.note()
    return Entrant(name, few.patients, peer.NEEDS, note, prepared)


def _tried(entrant: Entrant, reference: Outcome) -> Iterator[Tried]:
    """One run at each tolerance, down to the first that is good enough; others are printed."""
    for rtol in RTOLS:
        began = clock.perf_counter()
        simulate = _quiet(entrant.prepared, rtol)
        compile_s = clock.perf_counter() - began
        run = _quiet(simulate)
        errors = _errors(run.outcome, reference.of(entrant.patients))
        tried = Tried(entrant, rtol, simulate, compile_s + run.compile_s, (run,), errors)
        yield tried
        if tried.is_chosen:
            return
        emit(tried.row())


def _quiet(work: Callable[..., T], *given: Any) -> T:
    """Do something with what it prints out of the way of the rows."""
    with contextlib.redirect_stdout(sys.stderr):
        return work(*given)


def _errors(found: Outcome, reference: Outcome) -> dict[str, float | None]:
    return {
        "err_il6_peak": relative_error(found.il6_peak, reference.il6_peak),
        "err_auc": relative_error(found.auc, reference.auc),
        "err_tumor": relative_error(found.tumor, reference.tumor),
    }


def _versions(needs: Sequence[str]) -> dict[str, str]:
    return {name: version(name) for name in needs}


def _ratios(rows: Sequence[Row]) -> Iterator[Row]:
    """The package's own methods over all others."""
    chosen = {line["method"]: line for line in rows}
    for own in (chosen[name] for name in OWN if name in chosen):
        for name in (*VMAPPED, *COMPILED):
            if name in chosen:
                yield ratio(own, chosen[name], "patients_per_s_per_core")


if __name__ == "__main__":
    main()
