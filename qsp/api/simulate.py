"""Simulation of a trial: `qsp.simulate`."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from qsp.api.people import People
from qsp.api.quantities import Quantity
from qsp.api.results import Results
from qsp.api.trials import Arms, Trial
from qsp.engine.cache import jax_cache
from qsp.engine.progress import NoProgress, Progress
from qsp.errors import ConfigError, suggest
from qsp.process import fewer_collections
from qsp.run.prepared import BLOCK, Prepared, assemble
from qsp.run.progress_bar import NotebookProgress, ProgressBar, is_notebook
from qsp.run.runs import run, run_into
from qsp.system import absent, saveable
from qsp.uncertainty import members, with_uncertainty


def simulate(
    arms: Arms,
    people: People,
    *,
    days: float,
    visits: Sequence[Quantity] = (),
    save: Sequence[str] = (),
    method: Mapping[str, Any] | None = None,
    progress: Progress | bool = True,
    title: str = "",
    name: str = "trial",
    reference: str | None = None,
    utility: Mapping[str, float] | None = None,
    observations: Mapping[str, Any] | None = None,
    uncertainty: int | None = None,
) -> Results:
    """Simulate every patient in every arm.

    Args:
        arms: Regimens by name of the arm, such as ``{"step": step, "flat": flat}``.
        people: Patients.
        days: Length of the trial, from the first dose [day].
        visits: Times at which the tumor is measured, since the first dose: numbers [day] or text
            such as ``"6 week"``; the end of the trial by default.
        save: States and algebraic quantities whose time courses are added to the results, such as
            ``["t_cells.activated", "bridges"]``; the variables have their paths as names.
        method: Keys of ``[method]`` of a config, such as ``{"solver": "Kvaerno5", "rtol": 1e-7}``.
        progress: Whether a terminal or a notebook shows the progress, or an object that receives
            it.
        title: Title of reports.
        name: Name of the run.
        reference: Arm with which the others are compared; the first by default.
        utility: Weights of ``[utility]`` of a config, such as ``{"grade3": -3}``.
        observations: Keys of ``[observations]`` of a config: a file, and its quantities; see
            `Trial.of`.
        uncertainty: Number of parameter sets of the fit, up to 50, at which the patients are also
            simulated; ``.tree["uncertainty"]`` has the intervals, described in
            `qsp.uncertainty.with_uncertainty`.

    Returns:
        Results; ``.ds`` is the dataset described in `qsp.results.schema`, and
        ``.tree["parameters"]`` has the parameter values of the patients: of all up to 2,000, else
        of those with saved trajectories.

    Raises:
        qsp.QSPError: At the first error of the arguments, before anything is simulated; or if no
            patient could be simulated.

    Example:
        >>> run = qsp.simulate({"step": step, "flat": flat}, people, days=84, visits=[42, 84])
        >>> run.difference("step", "flat")
    """
    trial = Trial.of(
        arms,
        people,
        days=days,
        visits=visits,
        title=title,
        name=name,
        method=method,
        reference=reference,
        utility=utility,
        observations=observations,
    )
    return simulate_trial(trial, save=save, progress=progress, uncertainty=uncertainty)


def simulate_trial(
    trial: Trial,
    *,
    save: Sequence[str] = (),
    progress: Progress | bool = True,
    block: int = BLOCK,
    uncertainty: int | None = None,
) -> Results:
    """Simulate a trial; see `simulate`.

    Args:
        trial: The trial.
        save: States and algebraic quantities whose time courses are added to the results.
        progress: Whether a terminal or a notebook shows the progress, or an object that receives
            it.
        block: Number of patients in memory at a time. The results of more patients are in a
            temporary folder.
        uncertainty: Number of parameter sets of the fit; None for the shipped values only.
    """
    with fewer_collections(), jax_cache(), _shown(progress) as shown:
        prepared = prepare(trial, save)
        found = None if uncertainty is None else members(prepared, uncertainty)
        if found is not None:
            return Results(with_uncertainty(run(prepared, shown), found, progress=shown))
        if len(prepared.ids) <= block:
            return Results(run(prepared, shown))
        with _folder() as folder:
            results = run_into(folder / "run", prepared, progress=shown, block=block)
        return Results(results, temporary=folder)


def prepare(trial: Trial, save: Sequence[str] = ()) -> Prepared:
    """Return the run of a trial, with its equations and patients.

    Args:
        trial: The trial.
        save: States and algebraic quantities whose time courses are added to the results.

    Raises:
        ConfigError: If the doses do not fit the molecule, the population or the method, or a
            quantity is unknown.
    """
    save = (save,) if isinstance(save, str) else tuple(dict.fromkeys(save))
    for path in save:
        if path not in saveable():
            rule = f"{path} must be a state or an algebraic quantity of the model"
            todo = f"{suggest(path, saveable())} `qsp explain {path}` finds names".strip()
            raise ConfigError("save", rule, "unknown", todo)
    prepared = assemble(trial.config, trial.people.table)
    if save:
        _check_present(save, prepared)
        prepared = dataclasses.replace(
            prepared, system=dataclasses.replace(prepared.system, saved=save)
        )
    _ = prepared.some(BLOCK).cohort  # finds errors in parameters of arms; a run uses it again
    return prepared


def _check_present(save: Sequence[str], prepared: Prepared) -> None:
    """Refuse a quantity that the structure of the model does not have."""
    lacking = sorted(absent(prepared.system, prepared.table.nominal()).intersection(save))
    if lacking:
        rule, todo = f"{lacking[0]} must be a quantity of this structure", "See [method]"
        raise ConfigError("save", rule, "absent", todo)


@contextlib.contextmanager
def _shown(progress: Progress | bool) -> Iterator[Progress]:
    """The object of the caller, or a bar in a terminal or a notebook; else nothing is shown."""
    if not isinstance(progress, bool):
        yield progress
        return
    console = Console(stderr=True, force_jupyter=False)
    if progress and is_notebook():
        with NotebookProgress() as line:
            yield line
    elif progress and console.is_terminal:
        with ProgressBar(console) as bar:
            yield bar
    else:
        yield NoProgress()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that an error, an interruption or SIGTERM removes.

    It is removed at once, as a debugger or a notebook keeps the frames of an error alive.
    """
    folder = Path(tempfile.mkdtemp(prefix="qsp-"))
    try:
        with _exit_on_sigterm():
            yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Let SIGTERM raise `SystemExit`, in the main thread and unless the caller handles it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
