"""Chosen virtual patients in a file: `cohort.nc` in the folder that `qsp populate` writes.

The file holds the standard normal draws of each patient, from which the physiology follows to the
bit, and the description of the parameters that they belong to. Random effects of doses, missed
visits and errors of measurement are not in it: they follow from the seed of a run and the id.

Dimensions: `patient` (id), `draw` (name). Variables: `draws` (patient, draw); `source_id`
(patient), the number of the candidate or of the patient of the run; `individual` (patient,
covariate), covariates that were given instead of sampled, NaN for the others.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qsp.errors import ConfigError
from qsp.populations.draws import check_ids, normals
from qsp.populations.parameter_digest import digest
from qsp.populations.parameter_table import ParameterTable
from qsp.populations.patients import Population
from qsp.populations.sampling import dose_names, sampled_names

FILE = "cohort.nc"
SCHEMA = "qsp cohort 1"
"""Format of the file, in its attribute `schema`."""
_TEXTS = ("qsp_version", "model_version", "disease", "population", "molecule")
_COMPRESSED = {"zlib": True, "complevel": 1, "shuffle": True}


@dataclasses.dataclass(frozen=True, eq=False)
class CohortFile:
    """Chosen virtual patients of a population, treated with one molecule.

    Args:
        ids (patient,): Ids of the patients, increasing.
        source_ids (patient,): Numbers of the candidates, or ids of the patients of a run.
        draws: Standard normal draws (patient,) by name, with correlations.
        individual: Covariates (patient,) by name that were given instead of sampled.
        parameters: Description of the parameters, from `qsp.populations.parameter_digest`.
        attributes: Provenance: versions, `disease`, `population`, `molecule`, seed and others.
        name: Folder, for messages.
    """

    ids: np.ndarray
    source_ids: np.ndarray
    draws: Mapping[str, np.ndarray]
    individual: Mapping[str, np.ndarray]
    parameters: Mapping[str, str]
    attributes: Mapping[str, Any]
    name: str

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        """Whether the patients are the same; their provenance may differ."""
        if not isinstance(other, CohortFile):
            return NotImplemented
        mine, others = self._arrays, other._arrays
        return (
            self.parameters == other.parameters
            and mine.keys() == others.keys()
            and all(np.array_equal(mine[key], others[key], equal_nan=True) for key in mine)
        )

    def __hash__(self) -> int:
        return hash(self.ids.tobytes())

    @property
    def _arrays(self) -> dict[str, np.ndarray]:
        """Everything that determines the patients, by name."""
        given = {f"individual.{name}": values for name, values in self.individual.items()}
        return {"ids": self.ids, **self.draws, **given}

    @property
    def digest(self) -> str:
        """SHA-256 of the description of the parameters."""
        return digest(self.parameters)

    def at(self, rows: np.ndarray) -> CohortFile:
        """Return the patients at these rows: indices (chosen,), or booleans (patient,)."""
        return dataclasses.replace(
            self,
            ids=self.ids[rows],
            source_ids=self.source_ids[rows],
            draws={name: values[rows] for name, values in self.draws.items()},
            individual={name: values[rows] for name, values in self.individual.items()},
        )

    def population(
        self, table: ParameterTable, ids: np.ndarray, *, seed: int, periods: int
    ) -> Population:
        """Return some of the patients.

        Args:
            table: Parameter table whose description is that of the file.
            ids: Ids of patients of the file, increasing.
            seed: Seed of the run, for the random effects of doses.
            periods: Number of dose periods.

        Raises:
            ConfigError: If the file lacks one of the patients.
        """
        missing = np.setdiff1d(ids, self.ids)
        if len(missing):
            rule, todo = (
                "the cohort must have all patients",
                "Write the cohort again with qsp populate, or name the other one",
            )
            raise ConfigError("cohort", rule, f"no patient {missing[0]}", todo)
        part = self.at(np.searchsorted(self.ids, ids))
        return Population.at(
            table,
            ids,
            part.draws,
            individual=part.individual,
            xi_dose=normals(seed, ids, dose_names(periods)),
        )


def draws_of(people: Population) -> dict[str, np.ndarray]:
    """Return the draws (patient,) from which patients follow, without random effects of doses."""
    # Patients with chosen draws have none of a mixture.
    names = sampled_names(people.table)
    return {name: people.draws[name] for name in names if name in people.draws}


def write_cohort(cohort: CohortFile, folder: Path) -> Path:
    """Write a cohort into a folder that exists; return the file.

    Args:
        cohort: The patients.
        folder: The folder, which appears whole later (`qsp.run.folder.written`).
    """
    data = {
        "draws": _variable(
            ("patient", "draw"), np.stack([*cohort.draws.values()], -1), "Standard normal draw"
        ),
        "source_id": _variable(
            ("patient",), cohort.source_ids, "Number of the candidate, or id in the run"
        ),
    }
    coords = {
        "patient": _variable(("patient",), cohort.ids, "Patient id"),
        "draw": _variable(("draw",), np.array([*cohort.draws]), "Name of the draw"),
    }
    if cohort.individual:
        given = np.stack([*cohort.individual.values()], -1)
        dims, name = ("patient", "covariate"), "Covariate that was given instead of sampled"
        data["individual"] = _variable(dims, given, f"{name}; NaN if sampled")
        coords["covariate"] = _variable(("covariate",), np.array([*cohort.individual]), name)
    attributes = {
        "schema": SCHEMA,
        **cohort.attributes,
        "parameters_sha256": cohort.digest,
        "parameters": json.dumps(cohort.parameters),
    }
    encoding = {name: _COMPRESSED for name, each in data.items() if each.values.dtype.kind == "f"}
    ds = xr.Dataset(data, coords, attributes)
    ds.to_netcdf(folder / FILE, engine="netcdf4", encoding=encoding)
    return folder / FILE


def _variable(dims: tuple[str, ...], values: np.ndarray, long_name: str) -> xr.Variable:
    return xr.Variable(dims, values, {"units": "1", "long_name": long_name})


def read_cohort_file(folder: Path, *, where: str = "cohort") -> CohortFile:
    """Read a cohort.

    Args:
        folder: Folder that `qsp populate` or `qsp weigh --resample` wrote.
        where: Key or argument, for error messages.

    Raises:
        ConfigError: If there is no such folder, or the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        rule = f"the value must be a folder with {FILE}, relative to the config"
        got = "a folder without one" if folder.is_dir() else f"missing ({folder})"
        raise ConfigError(where, rule, got, "Write it with qsp populate, or check the path")
    try:
        with xr.open_dataset(path, engine="netcdf4") as ds:
            return _cohort(ds.load(), str(folder))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        rule = f"the value must be a folder with a whole {FILE}"
        got = f"damaged or of another format: {str(error).splitlines()[0]}"
        raise ConfigError(where, rule, got, "Write it again with qsp populate") from None


def _cohort(ds: xr.Dataset, name: str) -> CohortFile:
    """Return the content of a file.

    Raises:
        ValueError: If it breaks a rule.
        KeyError: If something is missing.
    """
    attributes = {str(key): value for key, value in ds.attrs.items()}
    if attributes.pop("schema") != SCHEMA:
        raise ValueError(f"schema is not {SCHEMA!r}")
    parameters = json.loads(attributes.pop("parameters"))
    if digest(parameters) != attributes.pop("parameters_sha256"):
        raise ValueError("the parameters do not have their digest")
    missing = [key for key in _TEXTS if not isinstance(attributes.get(key), str)]
    if missing:
        raise ValueError(f"without {missing[0]}")
    ids = check_ids(ds["patient"].values)
    if (np.diff(ids) <= 0).any():
        raise ValueError("ids are not in increasing order")
    table = ds["draws"].transpose("draw", "patient").values.astype(float)
    if np.isnan(table).any():  # the draw of a sex without the other one is infinite
        raise ValueError("a draw is missing")
    given = {}
    if "individual" in ds:
        columns = ds["individual"].transpose("covariate", "patient")
        given = dict(zip(map(str, ds["covariate"].values), columns.values, strict=True))
    return CohortFile(
        ids=ids,
        source_ids=ds["source_id"].values.astype(np.int64),
        draws=dict(zip(map(str, ds["draw"].values), np.ascontiguousarray(table), strict=True)),
        individual=given,
        parameters=parameters,
        attributes=attributes,
        name=name,
    )
