"""Patients per second on one core at equal error: this package and other ODE solvers.

    .venv/bin/pip install -e ".[bench]" -c constraints.txt
    .venv/bin/python benchmarks/against_peers.py [--patients 256] [--methods rock4,lsoda]

`rkc2`, `rock2` and `rock4` are this package with its native backend, the default on CPUs;
`rock4_xla` is the same solver by XLA, as for gradients and on accelerators.

The case is six doses of mosunetuzumab in 84 days with dexamethasone. All methods solve the same
equations for the same patients, doses and tolerances. The reference is Tsit5 at a relative
tolerance of 1e-10. Each method runs at the loosest tolerance that keeps the error of the IL-6 peak
below 0.5 % in every patient: its row has `"chosen": true`, and ratios compare these rows. Errors
are the largest over patients.

All methods run on one core, and times are CPU seconds, which other processes affect little.
Compilation is excluded. The other solvers integrate from one dosing event to the next and return
IL-6 every hour for three days after each dose; compiled ones use the program of `scalar_model.py`.
This package computes more than is compared: grades of CRS, their times, and everything else that a
run records.
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
REFERENCE_AGREEMENT = 1e-6
FINE = Grid(dense=0.05 / 24.0, coarse=0.01)
"""Output times at which LSODA checks the reference, in the first `CHECKED` patients."""

CHECKED = 64
REPEATS = 5
MAX_REPEATED_S = 60.0
"""Longest run that is repeated [s]."""

OWN = {
    "rkc2": Method("RKC2"),
    "rock2": Method("ROCK2"),
    "rock4": Method("ROCK4"),
    "rock4_xla": Method("ROCK4", backend="xla"),
}
VMAPPED = {"tsit5": "Tsit5", "kvaerno5": "Kvaerno5"}
COMPILED = {"lsoda": "peers_lsoda", "cvode": "peers_cvode", "casadi": "peers_casadi"}
WITHOUT_ADAPTER = {"nvqsp": "no adapter: no GPU was available to write and test one"}
METHODS = (*OWN, *VMAPPED, *COMPILED, *WITHOUT_ADAPTER)
MAX_PATIENTS = {"kvaerno5": 64}
"""Patients for a slow method: one chunk, because fewer would take as long."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Entrant:
    """A method and its patients.

    Args:
        name: Name of the method.
        patients: Number of patients.
        packages: Distributions whose versions are recorded, in addition to jax and diffrax.
        note: Note on its figures.
        prepare: Prepares the simulation at a relative tolerance.
    """

    name: str
    patients: int
    packages: Sequence[str]
    note: str
    prepare: Callable[[float], Simulate]


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A method at one tolerance.

    Args:
        entrant: The method.
        rtol: Relative tolerance.
        simulate: Function that is timed.
        compile_s: Wall-clock seconds of preparation.
        runs: Timed runs so far.
        errors: Errors of the first run.
    """

    entrant: Entrant
    rtol: float
    simulate: Simulate
    compile_s: float
    runs: tuple[Run, ...]
    errors: Mapping[str, float | None]

    @property
    def failures(self) -> int:
        """Number of patients in whom the method failed."""
        return int(self.runs[0].outcome.failed.sum())

    @property
    def is_chosen(self) -> bool:
        """Whether the error is within the limit; the loosest such tolerance is tried last."""
        error = self.errors["err_il6_peak"]
        return not self.failures and error is not None and error <= IL6_WITHIN

    def repeat(self) -> Attempt:
        """Time one more run, unless it takes too long."""
        if self.runs[0].wall_s > MAX_REPEATED_S:
            return self
        return dataclasses.replace(self, runs=(*self.runs, _quiet(self.simulate)))

    def row(self) -> Row:
        """Return the row of this method and tolerance."""
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
            versions=_versions(entrant.packages),
        )


def main() -> None:
    """Time all methods and print their rows and ratios."""
    arguments = _arguments()
    jax.config.update("jax_platforms", "cpu")
    with _one_core():
        case = base_case(arguments.patients)
        scalars = scalar_case(case)
        emit(_check_program(case, scalars))
        reference = peers_package.prepare(case, REFERENCE_RTOL, Method("Tsit5"))().outcome
        chosen = []
        with _record_failure("reference", "lsoda"):
            _check_reference("lsoda", case, scalars, reference)
        for name in arguments.methods:
            with _record_failure(BENCH, name):
                attempts = list(_try_tolerances(_entrant(name, case, scalars), reference))
                chosen += [attempt for attempt in attempts if attempt.is_chosen]
        # Methods take turns, so that a varying load of the machine affects all of them alike.
        for _ in range(REPEATS - 1):
            chosen = [attempt.repeat() for attempt in chosen]
    rows = [attempt.row() for attempt in chosen]
    for line in (*rows, *_ratios(rows)):
        emit(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=256)
    parser.add_argument("--methods", type=lambda text: text.split(","), default=METHODS)
    arguments = parser.parse_args()
    unknown = [name for name in arguments.methods if name not in METHODS]
    if unknown:
        parser.error(f"unknown method {unknown[0]!r}. Choose from {', '.join(METHODS)}")
    return arguments


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Pin all threads of this process to one core, if the system supports it."""
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
            with contextlib.suppress(ProcessLookupError):  # the thread has ended
                os.sched_setaffinity(thread, before.get(thread, allowed))


def _threads() -> list[int]:
    return [int(task.name) for task in Path("/proc/self/task").iterdir()]


@contextlib.contextmanager
def _record_failure(bench: str, name: str) -> Iterator[None]:
    """Print a row with the reason if a method is missing or fails."""
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        emit(row(bench, name, device="cpu", status="absent", reason=reason))


def _check_program(case: Case, scalars: ScalarCase) -> Row:
    """Compare the program for compiled solvers with this package and return its row."""
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
    """Compare the reference with another solver, on a fine grid and on the grid of all solvers."""
    peer = importlib.import_module(COMPILED[name])
    grids = {"reference": scalar_case(case, scalars.model, FINE), "grid": scalars}
    for bench, full in grids.items():
        few = full.of(CHECKED)
        errors = _errors(peer.prepare(few, REFERENCE_RTOL)().outcome, reference.of(CHECKED))
        line = row(
            bench,
            name,
            device="cpu",
            rtol=REFERENCE_RTOL,
            patients=few.patients,
            **errors,
            versions=_versions(peer.PACKAGES),
        )
        if bench == "reference":
            line["agrees"] = all(
                error is not None and error <= REFERENCE_AGREEMENT for error in errors.values()
            )
        emit(line)


def _entrant(name: str, case: Case, scalars: ScalarCase) -> Entrant:
    if name in WITHOUT_ADAPTER:
        raise NotImplementedError(WITHOUT_ADAPTER[name])
    few = scalars.of(min(scalars.patients, MAX_PATIENTS.get(name, scalars.patients)))
    if name in OWN:
        peer = peers_package
        prepare = functools.partial(peer.prepare, case, method=OWN[name])
    elif name in VMAPPED:
        peer = peers_diffrax
        prepare = functools.partial(peer.prepare, case, few, solver=VMAPPED[name])
    else:
        peer = importlib.import_module(COMPILED[name])
        prepare = functools.partial(peer.prepare, few)
    note = peer.note(OWN[name]) if name in OWN else peer.note()
    return Entrant(name, few.patients, peer.PACKAGES, note, prepare)


def _try_tolerances(entrant: Entrant, reference: Outcome) -> Iterator[Attempt]:
    """Run once at each tolerance until one is accurate enough; print the rows of the others."""
    for rtol in RTOLS:
        began = clock.perf_counter()
        simulate = _quiet(entrant.prepare, rtol)
        compile_s = clock.perf_counter() - began
        run = _quiet(simulate)
        errors = _errors(run.outcome, reference.of(entrant.patients))
        attempt = Attempt(entrant, rtol, simulate, compile_s + run.compile_s, (run,), errors)
        yield attempt
        if attempt.is_chosen:
            return
        emit(attempt.row())


def _quiet(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function with its output redirected to stderr, away from the rows."""
    with contextlib.redirect_stdout(sys.stderr):
        return function(*arguments)


def _errors(found: Outcome, reference: Outcome) -> dict[str, float | None]:
    return {
        "err_il6_peak": relative_error(found.il6_peak, reference.il6_peak),
        "err_auc": relative_error(found.auc, reference.auc),
        "err_tumor": relative_error(found.tumor, reference.tumor),
    }


def _versions(packages: Sequence[str]) -> dict[str, str]:
    return {name: version(name) for name in packages}


def _ratios(rows: Sequence[Row]) -> Iterator[Row]:
    """Ratios of the methods of this package to all others."""
    chosen = {line["method"]: line for line in rows}
    for own in (chosen[name] for name in OWN if name in chosen):
        for name in (*VMAPPED, *COMPILED):
            if name in chosen:
                yield ratio(own, chosen[name], "patients_per_s_per_core")


if __name__ == "__main__":
    main()
