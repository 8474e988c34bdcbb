"""Frozen replay: what a run with rules gave is given again on schedule, and must do the same.

The replay knows no rules: every patient has the doses of the ledger as a regimen of his own. Where
it differs from the run by more than the solver may be off, the ledger does not say what was given.
"""

import dataclasses
import json
import tomllib
from typing import Any

import numpy as np
import xarray as xr

from qsp.errors import ConfigError, SolveError
from qsp.results import administered_of
from qsp.run import listing
from qsp.run.command import request_of
from qsp.run.prepared import BLOCK, Prepared, prepare
from qsp.simulation import simulate

MOST = 100.0
"""Largest difference, in relative tolerances of the solver: at its default of 1e-5 that is 0.1 %.
Errors of steps add up over a run, and run and replay stop at other times."""
LOOSEST = 0.01
"""Whatever the tolerance of the solver."""
MOST_GRADES = 1e-3
"""Share of dose periods whose grade may differ: a peak may lie within the tolerance of a threshold.
"""
COMPARED = ("il6_peak", "ifn_gamma_peak", "crs_severity_peak", "cmax", "auc", "tumor_volume_end")
OVER_TIME = ("drug_central", "il6", "crs_severity", "t_cells_blood", "tumor_volume")


@dataclasses.dataclass(frozen=True)
class Difference:
    """A variable of a run and of its replay.

    Args:
        name: Of the variable.
        median: Of the differences, relative to the largest value of the patient.
        largest: Of them.
    """

    name: str
    median: float
    largest: float


@dataclasses.dataclass(frozen=True)
class Replay:
    """What a replay showed.

    Args:
        differences: By variable.
        allowed: Largest relative difference.
        grades: Dose periods with another grade of CRS.
        periods: Dose periods in all.
        patients: Patients times arms.
    """

    differences: tuple[Difference, ...]
    allowed: float
    grades: int
    periods: int
    patients: int

    @property
    def agrees(self) -> bool:
        """Whether nothing differs by more than the solver may be off, and hardly a grade does."""
        close = all(each.largest <= self.allowed for each in self.differences)
        return close and self.grades <= MOST_GRADES * max(self.periods, 1)


def replay(results: xr.DataTree) -> Replay:
    """Give again what a run gave.

    Args:
        results: Of a run with rules; see `qsp.run.read`.

    Raises:
        ConfigError: If the run has no rules, or its config is not what it was.
        SolveError: If no patient could be simulated.
    """
    ds = results.to_dataset()
    if "administered_time" not in ds:
        todo = "Give an arm of the config rules, and run it"
        raise ConfigError("replay", "the run must have rules", "without", todo)
    prepared = _prepared(results)
    pairs = [_again(part, ds) for part in prepared.in_blocks(BLOCK)]
    names = [name for name in (*COMPARED, *OVER_TIME) if all(name in ds for ds in pairs[0])]
    differences = [_difference(name, pairs) for name in names]
    grades = [(_grades(one), _grades(again)) for one, again in pairs]
    return Replay(
        differences=tuple(differences),
        allowed=min(MOST * prepared.method.rtol, LOOSEST),
        grades=sum(int((one != again).sum()) for one, again in grades),
        periods=sum(int((one >= 0).sum()) for one, _ in grades),
        patients=len(prepared.ids) * len(prepared.trial.arms),
    )


def _grades(ds: xr.Dataset) -> np.ndarray:
    return ds["crs_grade"].astype(float).fillna(-1.0).values


def _prepared(results: xr.DataTree) -> Prepared:
    command = str(results.attrs["command"])
    prepared = prepare(request_of(command))
    # The record has the file first, then the changes of the command line, which `prepare` knows.
    same = {
        str(prepared.config.source.file): _tables(prepared.config.source.text)
        == _tables(str(results.attrs["config"])),
        "parameters": _parameters(prepared) == json.loads(results.attrs["parameters"]),
        "patients": np.array_equal(prepared.ids, results.to_dataset()["patient"].values),
    }
    changed = [name for name, is_same in same.items() if not is_same]
    if changed:
        rule, todo = "the input must be what it was at the run", f"Run it again: {command}"
        raise ConfigError(", ".join(changed), rule, "changed", todo)
    return prepared


def _tables(text: str) -> dict[str, Any]:
    """What a config says, whatever its comments and its layout."""
    return tomllib.loads(text)


def _parameters(prepared: Prepared) -> Any:
    return json.loads(json.dumps(listing.parameter_rows(prepared.table)))


def _again(part: Prepared, ds: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Patients of a run, and the same patients in the replay."""
    one = ds.sel(patient=part.ids).load()
    given = administered_of(one, part.trial.molecular_weight_kda)
    kept = np.isin(part.ids, part.trajectories)
    tree = simulate(
        part.trial,
        part.cohort,
        system=part.system,
        method=part.method,
        trajectories=part.ids[kept] if kept.all() else np.array([], int),
        whole=False,
        administered=given,
    )
    again = tree.to_dataset()
    if not np.any(again["outcome"].values == 0):
        raise SolveError("no patient could be simulated again")
    return one, again


def _difference(name: str, pairs: list[tuple[xr.Dataset, xr.Dataset]]) -> Difference:
    off = []
    for one, again in pairs:
        axes = tuple(range(2, one[name].ndim))
        a, b = one[name].values, again[name].values
        with np.errstate(all="ignore"):
            scale = np.nanmax(np.abs(a), axis=axes, keepdims=True) if axes else np.abs(a)
            relative = np.abs(a - b) / np.where(scale > 0.0, scale, 1.0)
            one_alone = np.isnan(a) != np.isnan(b)
            off.append(np.where(one_alone, np.inf, np.nan_to_num(relative, nan=0.0)).ravel())
    # A number in one of the two alone is as far off as can be; none in both is no difference.
    found = np.concatenate(off)
    return Difference(name, float(np.median(found)), float(found.max(initial=0.0)))
