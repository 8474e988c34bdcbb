"""Simulated studies: the regimens of the tables, in the population closest to their patients.

A study is a run of one molecule in one population. Its config is in `data/`, with one arm per
regimen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import xarray as xr

from qsp import run as runs
from qsp import shipped
from qsp.engine.progress import Progress
from qsp.errors import ConfigError
from qsp.molecules import read_toml
from qsp.validation.published import DATA

STUDIES = ("mosunetuzumab", "mosunetuzumab_fl", "blinatumomab", "tebentafusp")
"""Studies with published figures, in the order of the rows."""


@dataclasses.dataclass(frozen=True)
class Study:
    """Results of one study.

    Args:
        results: Results as described in `qsp.results`, with `best_response`.
        trajectories: Patients whose trajectories are stored (all, up to 2,000).
    """

    results: xr.Dataset
    trajectories: xr.Dataset


def prepare(study: str, *, patients: int, seed: int, populations: Path) -> runs.Prepared:
    """Read the config of a study and sample its population.

    Args:
        study: One of `STUDIES`, or the name of a shipped config, such as
            `approved/glofitamab`, with its own population.
        patients: Number of virtual patients.
        seed: Seed of the population.
        populations: Folder of the population files.

    Raises:
        ConfigError: If the population file is missing, or a number is out of range.
    """
    sizes = (f"patients={patients}", f"seed={seed}")
    if study not in STUDIES:
        return runs.prepare(runs.Request(shipped.folder("configs") / f"{study}.toml", sizes))
    config = DATA / f"{study}.toml"
    population = populations.resolve() / f"{read_toml(config)['population']}.toml"
    if not population.is_file():
        todo = "Run in the folder of the project, or give the folder of populations"
        rule = f"{population.name} must exist in the folder of populations"
        raise ConfigError(str(populations), rule, "missing", todo)
    return runs.prepare(runs.Request(config, (f"population={population}", *sizes)))


def dose_starts(prepared: runs.Prepared, arm: str) -> tuple[float, ...]:
    """Return the start times of the doses of the molecule in an arm [day]."""
    administrations = next(a.administrations for a in prepared.trial.arms if a.name == arm)
    return tuple(dose.time for dose in administrations if dose.period)


def conduct(
    prepared: runs.Prepared, times: Iterable[float], progress: Progress | None = None
) -> Study:
    """Simulate a study.

    Args:
        prepared: Study returned by `prepare`.
        times: Times at which trajectories are saved [day].
        progress: Receives an update after each chunk of patients.

    Raises:
        SolveError: If no patient, or fewer than 95 %, could be simulated.
    """
    save_times = tuple(sorted({0.0, *times}))
    trial = dataclasses.replace(prepared.trial, save_times=save_times)
    results = runs.run(dataclasses.replace(prepared, trial=trial), progress)
    runs.check_failures(results, allow=False)
    whole = results.to_dataset()
    separate = results.children.get("trajectories")
    return Study(whole, whole if separate is None else separate.to_dataset(inherit=False))
