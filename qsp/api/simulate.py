"""Simulation of a trial: `qsp.simulate`."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qsp.api.people import People
from qsp.api.quantities import Quantity
from qsp.api.results import Results
from qsp.api.trials import Arms, Trial
from qsp.engine.progress import NoProgress, Progress
from qsp.errors import ConfigError, suggest
from qsp.process import fewer_collections
from qsp.run.prepared import BLOCK, Prepared, assemble
from qsp.run.runs import run, run_into
from qsp.system import saveable


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
    trial = Trial.of(arms, people, days=days, visits=visits, title=title, name=name, method=method)
    return simulate_trial(trial, save=save, progress=progress)


def simulate_trial(
    trial: Trial, *, save: Sequence[str] = (), progress: Progress | bool = True
) -> Results:
    """Simulate a trial; see `simulate`."""
    with fewer_collections(), _shown(progress) as shown:
        prepared = prepare(trial, save)
        if len(prepared.ids) <= BLOCK:
            return Results(run(prepared, shown))
        folder = tempfile.TemporaryDirectory(prefix="qsp-")
        out = Path(folder.name) / "run"
        return Results(run_into(out, prepared, progress=shown), temporary=folder)


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
        prepared = dataclasses.replace(
            prepared, system=dataclasses.replace(prepared.system, saved=save)
        )
    _ = prepared.some(BLOCK).cohort  # finds errors in parameters of arms; a run uses it again
    return prepared


@contextlib.contextmanager
def _shown(progress: Progress | bool) -> Iterator[Progress]:
    """A progress bar on the standard error, a line in a notebook, or the object of the caller."""
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield NoProgress()
    else:
        from rich.console import Console

        from qsp.run.progress_bar import NotebookProgress, ProgressBar, is_notebook

        with NotebookProgress() if is_notebook() else ProgressBar(Console(stderr=True)) as shown:
            yield shown
