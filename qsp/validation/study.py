"""Simulated studies: the regimens of the published values, in the population nearest to the trial.

A study is a file of `data/`: a complete config, or the arms that are compared with those of a
shipped config, in the same patients::

    approved   = "glofitamab"          # a config of configs/approved; all its arms are simulated
    population = "nhl_fl"              # optional: replaces that of the config

    [arms.flat]
    amount = "30 mg"                   # every dose of the molecule; or doses = [...]

    [arms.flat]
    without_steps = "14 day"           # leaves out earlier doses; others are earlier

    [follow_up]                        # optional: a longer trial, for response
    days     = 728
    visits   = ["42 day", "84 day"]
    continue = "28 day"                # optional: interval at which the last dose is repeated, or
                                       # [{ every = "14 day", times = 11 }, { every = "28 day" }]

An added arm has everything else from the first arm of the config: times and names of the doses,
premedication, calendar and rules.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from qsp import molecules, shipped
from qsp import run as runs
from qsp.config.load import checked
from qsp.config.messages import Source
from qsp.config.toml_text import toml_text
from qsp.engine.progress import Progress
from qsp.errors import ConfigError, suggest
from qsp.molecules import read_toml
from qsp.populations import nominal, read_cohort
from qsp.run.prepared import assemble
from qsp.units import parse
from qsp.validation import follow_up

DATA = Path(__file__).parent / "data"
APPROVED = "approved"
"""Arm of an approved regimen with the management of CRS of its trial."""
HOURS_PER_DAY = 24.0


@dataclasses.dataclass(frozen=True)
class Study:
    """Results of one study.

    Args:
        results: Results as described in `qsp.results`, with `best_response`.
        trajectories: Patients whose trajectories are stored (all, up to 2,000).
        parameters: Values of their parameters, the group `parameters` of the results; empty if
            these are not stored.
    """

    results: xr.Dataset
    trajectories: xr.Dataset
    parameters: xr.Dataset = dataclasses.field(default_factory=xr.Dataset)


@functools.cache
def studies() -> tuple[str, ...]:
    """Return the names of the studies."""
    return tuple(sorted(path.stem for path in DATA.glob("*.toml")))


def tables_of(study: str) -> dict[str, Any]:
    """Return the tables of the config of a study, with the arms of its file.

    Args:
        study: Name of the study.

    Raises:
        ConfigError: If there is no such study, or its file breaks a rule.
    """
    if study not in studies():
        todo = suggest(study, studies()) or f"Studies: {', '.join(studies())}"
        raise ConfigError(study, "the study must be a file of the package", "missing", todo)
    file = DATA / f"{study}.toml"
    own = read_toml(file)
    if "approved" not in own:
        return own | {"name": study}
    return _added(copy.deepcopy(_approved(file.name, own["approved"])), own, file.name) | {
        "name": study
    }


def molecule_of(study: str) -> str:
    """Return the molecule of a study."""
    return str(tables_of(study)["molecule"])


def arms_of(study: str) -> tuple[str, ...]:
    """Return the names of the arms of a study."""
    return tuple(tables_of(study)["arms"])


def _approved(where: str, name: str) -> dict[str, Any]:
    path = shipped.find("configs", f"approved/{name}")
    if path is None:
        todo = shipped.suggestion("configs", f"approved/{name}")
        raise ConfigError(where, "approved must be a config of configs/approved", repr(name), todo)
    return read_toml(path)


_KEYS = ("approved", "title", "population", "premedication", "arms", "follow_up")


def _added(base: dict[str, Any], own: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the tables of a config with the arms of a study."""
    for key in own:
        if key not in _KEYS:
            todo = suggest(key, _KEYS) or f"Keys: {', '.join(_KEYS)}"
            raise ConfigError(where, "each key must be a known one", repr(key), todo)
    for key in ("title", "population"):
        if key in own:
            base[key] = own[key]
    base["premedication"] = {**base.get("premedication", {}), **own.get("premedication", {})}
    first = next(iter(base["arms"].values()))
    for name, changes in own.get("arms", {}).items():
        if name in base["arms"]:
            todo = "Give the arm another name"
            raise ConfigError(where, f"arms.{name} must not be an arm of the config", "one", todo)
        base["arms"][name] = _arm(first, changes)
    return base if "follow_up" not in own else follow_up.followed(base, own["follow_up"], where)


def _arm(first: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    arm = {**copy.deepcopy(dict(first)), **changes}
    amount = arm.pop("amount", None)
    if amount is not None:
        arm["doses"] = [{**dose, "amount": amount} for dose in arm["doses"]]
    omitted = arm.pop("without_steps", None)
    if omitted is not None:
        arm["doses"] = follow_up.without_steps(arm["doses"], parse(omitted, "day", where="arm"))
    return arm


def prepare(
    study: str, *, patients: int, seed: int, populations: Path | None = None
) -> runs.Prepared:
    """Read the config of a study and sample its population.

    Args:
        study: One of `studies`, or the name of a shipped config, such as `approved/glofitamab`,
            with its own population.
        patients: Number of virtual patients.
        seed: Seed of the population.
        populations: Folder of the population files; by default the shipped ones.

    Raises:
        ConfigError: If the population file is missing, or a number is out of range.
    """
    if study not in studies() and shipped.find("configs", study):
        sizes = (f"patients={patients}", f"seed={seed}")
        return runs.prepare(runs.Request(shipped.folder("configs") / f"{study}.toml", sizes))
    folder = (populations or shipped.folder("populations")).resolve()
    tables = tables_of(study)
    name = str(tables["population"]).rpartition("populations/")[2].removesuffix(".toml")
    population = folder / f"{name}.toml"
    if not population.is_file():
        todo = "Run in the folder of the project, or give the folder of populations"
        rule = f"{population.name} must exist in the folder of populations"
        raise ConfigError(str(folder), rule, "missing", todo)
    tables |= {"population": str(population), "patients": patients, "seed": seed}
    config = checked(tables, Source(DATA / f"{study}.toml", toml_text(tables)))
    molecule = molecules.load(config.molecule_file or config.molecule)
    table = nominal(molecule, read_cohort(config.population_file), config.parameter_files)
    return assemble(config, table)


def of_arms(prepared: runs.Prepared, names: Container[str]) -> runs.Prepared:
    """Return a run of some of the arms, in their order.

    Args:
        prepared: Study or other run.
        names: Names of the arms to keep.
    """
    arms = tuple(arm for arm in prepared.trial.arms if arm.name in names)
    return dataclasses.replace(prepared, trial=dataclasses.replace(prepared.trial, arms=arms))


def dose_starts(prepared: runs.Prepared, arm: str) -> tuple[float, ...]:
    """Return the start times of the doses of the molecule in an arm [day]."""
    administrations = next(a.administrations for a in prepared.trial.arms if a.name == arm)
    return tuple(dose.time for dose in administrations if dose.period)


def start_of(prepared: runs.Prepared, arm: str, label: str) -> float:
    """Return the planned start of a dose period [day].

    Raises:
        ConfigError: If the arm has no such dose period.
    """
    chosen = next((each for each in prepared.trial.arms if each.name == arm), None)
    labels = () if chosen is None else chosen.labels
    if chosen is None or label not in labels:
        todo = suggest(label, labels) or f"Dose periods: {', '.join(labels)}"
        rule = f"{arm} must be an arm with the dose period {label}"
        raise ConfigError(prepared.config.name, rule, None, todo)
    period = labels.index(label) + 1
    return min(dose.time for dose in chosen.administrations if dose.period == period)


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
    groups = {name: group.to_dataset(inherit=False) for name, group in results.children.items()}
    return Study(whole, groups.get("trajectories", whole), groups.get("parameters", xr.Dataset()))
