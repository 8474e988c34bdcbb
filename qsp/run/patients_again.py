"""The patients of a run that was written, from its record: their draws and covariates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qsp import molecules, shipped
from qsp.config.patients import TYPICAL
from qsp.errors import ConfigError
from qsp.molecules import parameter_file
from qsp.parameter_record import ParameterRecord
from qsp.populations import (
    ParameterTable,
    Population,
    at_draws,
    nominal,
    read_cohort,
    read_cohort_file,
    sample,
)
from qsp.results.model_version import other_model
from qsp.results.record import RunRecord
from qsp.run.cohorts import check_cohort
from qsp.run.replays import again


def patients_of_run(record: RunRecord, ids: np.ndarray, *, where: str) -> Population:
    """Return patients of a run.

    Args:
        record: Record of the run.
        ids: Ids of patients of the run, increasing.
        where: Folder of the run, for error messages.

    Returns:
        These patients, and perhaps others.

    Raises:
        ConfigError: If the run is of another major version of the model, or its input has changed.
    """
    if (other := other_model(record)) is not None:
        raise other.refusal(where, "the run must", "run the trial again")
    if record.request is None:
        return _of_python(record, ids, where)
    prepared = again(record, where)
    if prepared.typical or not np.isin(ids, prepared.ids).all():
        rule, todo = "the patients must be sampled, and be in its config", "Run the trial again"
        raise ConfigError(where, rule, "others", todo)
    # Patients with doses of their own stay together.
    return (prepared if prepared.is_individual else prepared.of(ids)).cohort.people


def _of_python(record: RunRecord, ids: np.ndarray, where: str) -> Population:
    """Return patients of a run that Python code defined: its config has names and whole paths."""
    config = record.config
    table = _table(config, where)
    if _values(table.report()) != _values(record.parameters) or config["patients"] == TYPICAL:
        rule = "the files of molecule and population must be unchanged since the run"
        raise ConfigError(where, rule, "changed", "Restore them, or run the trial again")
    seed = int(config["seed"])
    if config.get("cohort"):
        cohort = read_cohort_file(Path(config["cohort"]), where=where)
        check_cohort(cohort, table, where=where)
        return cohort.population(table, ids, seed=seed, periods=1)
    if not config.get("draws"):
        return sample(table, ids, seed=seed, periods=1)
    listed = config["patients"]
    known = np.arange(listed) if isinstance(listed, int) else np.array(listed)
    rows = np.searchsorted(known, ids)
    draws = {
        name: np.broadcast_to(np.array(values), len(known))[rows]
        for name, values in config["draws"].items()
    }
    return at_draws(table, draws, ids=ids, periods=1)


def _values(rows: Iterable[ParameterRecord]) -> list[tuple[str, ...]]:
    """Return paths, values and spreads; not the names of the files."""
    return [(row.path, row.value, row.unit, row.spread) for row in rows]


def _table(config: Mapping[str, Any], where: str) -> ParameterTable:
    """Return the parameter table of a recorded config."""
    name = str(config["population"])
    path = shipped.find("populations", name) or Path(name)
    molecule = str(config["molecule"])
    own = ()
    if config.get("parameters"):
        own = (parameter_file(config["parameters"], f"{where}: parameters", status="user"),)
    drug = molecules.load(Path(molecule) if molecule.endswith(".toml") else molecule)
    return nominal(drug, read_cohort(path), own)
