"""The simulated side: the regimens of the tables, in the population nearest to their patients.

Each study is one run of one molecule in one population. Its config is beside the tables, with an
arm for each regimen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import xarray as xr

from qsp import run as runs
from qsp.engine.progress import Progress
from qsp.errors import ConfigError
from qsp.molecules import read_toml
from qsp.validation.published import DATA

STUDIES = ("mosunetuzumab", "mosunetuzumab_fl", "blinatumomab", "tebentafusp")
"""Studies with published figures, in the order of the rows."""


@dataclasses.dataclass(frozen=True)
class Study:
    """Results of the regimens of one study.

    Args:
        results: As in `qsp.results`, with `best_response`.
        trajectories: The patients whose trajectories are kept (all of up to 2,000).
    """

    results: xr.Dataset
    trajectories: xr.Dataset


def prepare(study: str, *, patients: int, seed: int, populations: Path) -> runs.Prepared:
    """Read and sample what a study needs.

    Args:
        study: One of `STUDIES`.
        patients: Number of virtual patients.
        seed: Of the population.
        populations: Folder of the population files.

    Raises:
        ConfigError: If the population is not there, or a number is out of range.
    """
    config = DATA / f"{study}.toml"
    population = populations.resolve() / f"{read_toml(config)['population']}.toml"
    if not population.is_file():
        todo = "Go to the folder of the project, or name the folder of populations"
        rule = f"the folder of populations must hold {population.name}"
        raise ConfigError(str(populations), rule, "without it", todo)
    changes = (f"population={population}", f"patients={patients}", f"seed={seed}")
    return runs.prepare(runs.Request(config, changes))


def dose_starts(prepared: runs.Prepared, arm: str) -> tuple[float, ...]:
    """Starts of the doses of the molecule in an arm [day]."""
    given = next(a.administrations for a in prepared.trial.arms if a.name == arm)
    return tuple(dose.time for dose in given if dose.period)


def conduct(
    prepared: runs.Prepared, times: Iterable[float], progress: Progress | None = None
) -> Study:
    """Simulate a study.

    Args:
        prepared: From `prepare`.
        times: At which trajectories are looked at [day].
        progress: Told of each chunk.

    Raises:
        SolveError: If no patient, or fewer than 95 %, could be simulated.
    """
    kept = tuple(sorted({0.0, *times}))
    trial = dataclasses.replace(prepared.trial, save_times=kept)
    results = runs.run(dataclasses.replace(prepared, trial=trial), progress)
    runs.check_failures(results, allow=False)
    whole = results.to_dataset()
    apart = results.children.get("trajectories")
    return Study(whole, whole if apart is None else apart.to_dataset(inherit=False))
