"""Frozen replay: repeat the administered doses of an adaptive run on a fixed schedule.

The replay uses no rules: the regimen of each patient is the recorded doses. If it differs from the
run by more than the error of the solver, the recorded doses are not those that were simulated.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from qsp.errors import ConfigError, SolveError
from qsp.results import administered_of
from qsp.results.model_version import other_model
from qsp.results.record import RequestRecord, RunRecord, record_of
from qsp.run.prepared import BLOCK, Prepared, prepare
from qsp.run.record import command, request_of, run_record
from qsp.simulation import simulate

MOST = 100.0
"""Largest difference, in relative tolerances of the solver: at its default of 1e-5 that is 0.1 %.
Errors of steps add up over a run, and run and replay stop at different times."""
LOOSEST = 0.01
"""Largest difference at any tolerance of the solver."""
MOST_GRADES = 1e-3
"""Share of dose periods whose grade may differ: a peak may lie within the tolerance of a threshold.
"""
MOST_NAMED = 3
"""Changes of the input that a message names."""
COMPARED = ("il6_peak", "ifn_gamma_peak", "crs_severity_peak", "cmax", "auc", "tumor_volume_end")
OVER_TIME = ("drug_central", "il6", "crs_severity", "t_cells_blood", "tumor_volume")
NOT_INPUT = ("qsp_version", "git_commit", "request", "method", "notes", "limits", "schema")
"""Fields of the record that may differ between run and replay; the config has the method too."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """Difference of a variable between a run and its replay.

    Args:
        name: Name of the variable.
        median: Median difference, relative to the largest value of the patient [1].
        largest: Largest such difference [1].
    """

    name: str
    median: float
    largest: float


@dataclasses.dataclass(frozen=True)
class Replay:
    """Comparison of a run with its replay.

    Args:
        differences: Difference of each variable.
        allowed: Largest relative difference that is accepted [1].
        grades: Number of dose periods with another grade of CRS.
        periods: Number of dose periods.
        patients: Number of patients times number of arms.
    """

    differences: tuple[Difference, ...]
    allowed: float
    grades: int
    periods: int
    patients: int

    @property
    def agrees(self) -> bool:
        """Whether differences are within the error of the solver, and almost all grades agree."""
        close = all(each.largest <= self.allowed for each in self.differences)
        return close and self.grades <= MOST_GRADES * max(self.periods, 1)


def replay(results: xr.DataTree) -> Replay:
    """Simulate the recorded doses of an adaptive run again and compare the results.

    The input is read again from the recorded request, and must be unchanged.

    Args:
        results: Results of a run with rules; see `qsp.run.read`.

    Raises:
        ConfigError: If the run is of another major version of the model, has no rules, was written
            by an earlier version, or if its input has changed.
        SolveError: If no patient could be simulated.
    """
    _check_model(record_of(results))
    ds = results.to_dataset()
    if "administered_time" not in ds:
        todo = "Give an arm of the config rules, and run it"
        raise ConfigError("replay", "the run must have rules", "without rules", todo)
    prepared = again(record_of(results), "replay")
    if not np.array_equal(prepared.ids, ds["patient"].values):
        raise _changed(record_of(results), ["ids of the patients"])
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


def again(record: RunRecord, where: str) -> Prepared:
    """Prepare the recorded request of a run again.

    Args:
        record: Record of the run.
        where: Command, for error messages.

    Raises:
        ConfigError: If the run has no request, or its input has changed.
    """
    prepared = prepare(request_of(_request(record, where)))
    if changed := changes(record, run_record(prepared)):
        raise _changed(record, changed)
    return prepared


def _changed(record: RunRecord, changed: Sequence[str]) -> ConfigError:
    """Return the error of a run whose input has changed."""
    request = record.request
    more = len(changed) - MOST_NAMED
    got = "; ".join(changed[:MOST_NAMED]) + (f"; and {more} more changes" if more > 0 else "")
    rule = "the input must be unchanged since the run"
    todo = f"Restore it, or run the trial again{_again_by(record)}"
    return ConfigError("" if request is None else request.config, rule, f"changed: {got}", todo)


def _check_model(record: RunRecord) -> None:
    """Refuse a run of another major version of the model, whose values no replay can repeat."""
    if (other := other_model(record)) is not None:
        raise other.refusal("replay", "the run must", f"run the trial again{_again_by(record)}")


def _again_by(record: RunRecord) -> str:
    return "" if record.request is None else f": {command(record.request)}"


def _request(record: RunRecord, where: str) -> RequestRecord:
    if not record.model_version:
        got = f"of qsp {record.qsp_version}" if record.qsp_version else "without a record"
        rule = "the results must record their resolved input, as those of this version do"
        raise ConfigError(where, rule, got, f"Run the trial again{_again_by(record)}")
    if record.request is None:
        rule, todo = "the run must come from a config", "Write the trial as a config, and run it"
        raise ConfigError(where, rule, "a trial without a config", todo)
    return record.request


def changes(recorded: RunRecord, current: RunRecord) -> list[str]:
    """Return the differences in the input of two runs, such as "config.seed: 2 -> 3".

    Args:
        recorded: Record of a run.
        current: Record of the same request, read again.
    """
    before, after = (
        {name: value for name, value in dataclasses.asdict(record).items() if name not in NOT_INPUT}
        for record in (recorded, current)
    )
    return list(_differences(before, after, ""))


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    """Paths of the values that differ, with both values."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{path}.{key}" if path else str(key)
            yield from _differences(before.get(key), after.get(key), inner)
    elif _is_list(before) and _is_list(after) and len(before) == len(after):
        for n, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{path}.{n}")
    elif _is_list(before) and _is_list(after):
        yield f"{path}: {len(before)} -> {len(after)} items"
    elif before != after:
        yield f"{path}: {before!r} -> {after!r}"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _again(part: Prepared, ds: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Results of some patients of a run, and of the same patients in the replay."""
    one = ds.sel(patient=part.ids).load()
    administered = administered_of(one, part.trial.molecular_weight_kda)
    is_stored = np.isin(part.ids, part.trajectories)
    tree = simulate(
        part.trial,
        part.cohort,
        system=part.system,
        method=part.method,
        trajectories=part.ids[is_stored] if is_stored.all() else np.array([], int),
        whole=False,
        administered=administered,
    )
    again = tree.to_dataset()
    if not np.any(again["outcome"].values == 0):
        raise SolveError("no patient could be simulated again")
    return one, again


def _difference(name: str, pairs: list[tuple[xr.Dataset, xr.Dataset]]) -> Difference:
    """Differences over all patients. A value that only one of the two has differs infinitely."""
    relative = []
    for one, again in pairs:
        axes = tuple(range(2, one[name].ndim))
        a, b = one[name].values, again[name].values
        with np.errstate(all="ignore"):
            scale = np.nanmax(np.abs(a), axis=axes, keepdims=True) if axes else np.abs(a)
            error = np.abs(a - b) / np.where(scale > 0.0, scale, 1.0)
        in_one_only = np.isnan(a) != np.isnan(b)
        relative.append(np.where(in_one_only, np.inf, np.nan_to_num(error, nan=0.0)).ravel())
    joined = np.concatenate(relative)
    return Difference(name, float(np.median(joined)), float(joined.max(initial=0.0)))
