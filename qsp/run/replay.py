"""Frozen replay: what a run with rules gave is given again on schedule, and must do the same.

The replay knows no rules: every patient has the doses of the ledger as a regimen of his own. Where
it differs from the run by more than the solver may be off, the ledger does not say what was given.
"""

import dataclasses

import numpy as np
import xarray as xr

from qsp.errors import ConfigError, SolveError
from qsp.results import given_of
from qsp.run.command import request_of
from qsp.run.prepare import BLOCK, Prepared, prepare
from qsp.simulation import simulate

MOST = 100.0
"""Largest difference, in relative tolerances of the solver: at its default of 1e-5 that is 0.1 %.
Errors of steps add up over a run, and run and replay stop at other times."""
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
        """Whether all differences are within what the solver may be off."""
        return all(each.largest <= self.allowed for each in self.differences)


def replay(results: xr.DataTree) -> Replay:
    """Give again what a run gave.

    Args:
        results: Of a run with rules; see `qsp.run.read`.

    Raises:
        ConfigError: If the run has no rules, or its config is not what it was.
        SolveError: If no patient could be simulated.
    """
    ds = results.to_dataset()
    if "given_time" not in ds:
        todo = "Give an arm of the config rules, and run it"
        raise ConfigError("replay", "the run must have rules", "without", todo)
    prepared = _prepared(results)
    pairs = [_again(part, ds) for part in prepared.in_blocks(BLOCK)]
    names = [name for name in (*COMPARED, *OVER_TIME) if name in pairs[0][0]]
    differences = [_difference(name, pairs) for name in names]
    grades = [(_grades(one), _grades(again)) for one, again in pairs]
    return Replay(
        differences=tuple(differences),
        allowed=MOST * prepared.method.rtol,
        grades=sum(int((one != again).sum()) for one, again in grades),
        periods=sum(int((one >= 0).sum()) for one, _ in grades),
        patients=len(prepared.ids) * len(prepared.trial.arms),
    )


def _grades(ds: xr.Dataset) -> np.ndarray:
    return ds["crs_grade"].astype(float).fillna(-1.0).values


def _prepared(results: xr.DataTree) -> Prepared:
    command = str(results.attrs["command"])
    prepared = prepare(request_of(command))
    if prepared.config.source.effective_text != results.attrs["config"]:
        rule, todo = "the config must be what it was at the run", f"Run it again: {command}"
        raise ConfigError(str(prepared.config.source.file), rule, "changed", todo)
    return prepared


def _again(part: Prepared, ds: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Patients of a run, and the same patients in the replay."""
    one = ds.sel(patient=part.ids).load()
    given = given_of(one, part.trial.molecular_weight_kda)
    kept = np.isin(part.ids, part.trajectories)
    tree = simulate(
        part.trial,
        part.cohort,
        system=part.system,
        method=part.method,
        trajectories=part.ids[kept] if kept.all() else np.array([], int),
        whole=False,
        given=given,
    )
    again = tree.to_dataset()
    if not np.any(again["outcome"].values == 0):
        raise SolveError("no patient could be simulated again")
    return one, again


def _difference(name: str, pairs: list[tuple[xr.Dataset, xr.Dataset]]) -> Difference:
    off = []
    for one, again in pairs:
        if name not in again:
            continue
        axes = tuple(range(2, one[name].ndim))
        a, b = one[name].values, again[name].values
        with np.errstate(all="ignore"):
            scale = np.nanmax(np.abs(a), axis=axes, keepdims=True) if axes else np.abs(a)
            off.append((np.abs(a - b) / np.where(scale > 0.0, scale, 1.0)).ravel())
    found = np.concatenate(off) if off else np.zeros(1)
    found = found[np.isfinite(found)]
    return Difference(name, float(np.median(found)), float(found.max(initial=0.0)))
