"""Simulate the observations of a run.

Patients of an arm share its doses: each observed patient is compared with the simulated patients of
the arm whose time courses are saved. Where patients have their own doses, as in a dose table of up
to `MOST_TRAJECTORIES` patients, each one is simulated again as up to `REPLICATES` virtual patients
with the same doses and covariates, or once if the config has its random effects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr

from qsp.endpoints.statistics.patients import quantile
from qsp.engine.cache import CacheDir
from qsp.engine_input import MOST_TRAJECTORIES, Cohort
from qsp.observations import OBSERVABLES, Observations
from qsp.observations.quantities import CRS, DRUG
from qsp.populations import CovariateTable
from qsp.results import OK, trajectories
from qsp.results.observed import Predictions, at_times, with_observations
from qsp.run.prepared import Prepared
from qsp.simulation import simulate
from qsp.system import BLOOD
from qsp.trial import Arm

REPLICATES = 100
"""Simulated trials, and virtual patients for each patient with doses of its own."""
MOST_SIMULATED = 10_000
"""Virtual patients of a dose table, over all arms: patients have fewer each if they are many."""
FEWEST = 20
"""Number of simulated patients below which no percentiles but the median are given."""
MOST_VALUES = 2_000_000
"""Values of `simulated`; with more observations there are fewer simulated trials."""
FIRST_ID = 2**31
"""Number of the first virtual patient of a dose table: its draws are those of no patient."""
AT_ONCE = 1000
"""Virtual patients whose time courses are in memory at a time."""
LEVELS = (0.05, 0.5, 0.95)


def compared(
    results: xr.DataTree, prepared: Prepared, *, cache_dir: CacheDir = "default"
) -> xr.DataTree:
    """Return results with the observations of the config and their simulations.

    Args:
        results: Results of the run; they are returned unchanged without observations.
        prepared: The run.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.
    """
    found = prepared.config.observed
    if found is None or not len(found):
        return results
    found = found.in_mass(prepared.trial.molecular_weight_kda)
    count = int(np.clip(MOST_VALUES // len(found), FEWEST, REPLICATES))
    predictions = Predictions(
        np.full((3, len(found)), np.nan), np.full((count, len(found)), np.nan)
    )
    own = [arm for arm in prepared.trial.arms if arm.is_individual]
    shared = _Simulated.of(results, prepared.cohort, prepared.ids)
    for arm in (arm for arm in prepared.trial.arms if not arm.is_individual):
        _fill_shared(predictions, found, shared, arm.name, prepared.config.seed)
    if own and len(prepared.ids) <= MOST_TRAJECTORIES:
        _fill_own(predictions, found, prepared, own, cache_dir)
    return with_observations(results, found, predictions)


@dataclasses.dataclass(frozen=True)
class _Simulated:
    """Simulated patients whose observations are computed.

    Args:
        ds: Results with time courses (arm, patient, time) of these patients.
        ids: (patient,): Their ids.
        blood: (arm, patient): Volume of blood [L].
        per_molar: Factor from nmol/L to ug/mL.
    """

    ds: xr.Dataset
    ids: np.ndarray
    blood: np.ndarray
    per_molar: float

    @classmethod
    def of(cls, results: xr.DataTree, cohort: Cohort, ids: np.ndarray) -> _Simulated:
        """Return the patients whose time courses are saved."""
        ds, stored = results.to_dataset(), trajectories(results)
        kept = np.ones(len(ids), bool)
        if stored is not None:
            kept = np.isin(ids, stored["patient_traj"].values)
            stored = stored.rename(patient_traj="patient")
            ds = ds[["outcome", "crs_grade", "dose_time", "prevalence_weight"]].isel(patient=kept)
            ds = ds.assign(stored.data_vars).assign_attrs(results.attrs)
        elif "time" not in ds.dims:
            kept = np.zeros(len(ids), bool)
            ds = ds.isel(patient=kept)
        blood = np.stack([p.model.tissues.volume[..., BLOOD] for p in cohort.parameters])
        factor = float(results.attrs["molecular_weight_kda"]) / 1000.0
        return cls(ds, ids[kept], np.asarray(blood)[:, kept], factor)

    def values(self, arm: str, quantity: str, times: np.ndarray) -> np.ndarray:
        """(patient, observation): Return a quantity at some times; NaN where it is not known."""
        place = self.ds["arm"].values.tolist().index(arm)
        is_solved = self.ds["outcome"].values[place] == OK
        variable = OBSERVABLES[quantity].variable
        if variable not in self.ds or not len(self.ids):
            return np.full((len(self.ids), len(times)), np.nan)
        own = self.ds.isel(arm=place)
        if quantity == CRS:
            found = _grades(own, times)
        else:
            course = own[variable].transpose("patient", "time").values
            found = at_times(course, own["time"].values, times)
        if quantity == DRUG:
            found = found * self.per_molar
        if quantity in ("t_cells", "b_cells"):  # Mcell/L is cell/uL
            found = found / self.blood[place][:, None]
        return np.where(is_solved[:, None], found, np.nan)


def _grades(own: xr.Dataset, times: np.ndarray) -> np.ndarray:
    """(patient, observation): Return the CRS grade of the dose period of each time."""
    starts = own["dose_time"].transpose("patient", "dose_period").values
    grades = own["crs_grade"].transpose("patient", "dose_period").values
    is_begun = starts[:, None, :] <= times[None, :, None] + 1e-9
    place = np.where(is_begun, np.arange(starts.shape[1]), -1).max(-1)
    found = np.take_along_axis(grades, np.maximum(place, 0), axis=1).astype(float)
    return np.where((place >= 0) & (found >= 0), found, np.nan)


def _parts(found: Observations, arm: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield quantities and the observations of an arm, some at a time."""
    for quantity in found.quantities:
        chosen = np.flatnonzero((found.arm == arm) & (found.quantity == quantity))
        for first in range(0, len(chosen), AT_ONCE):
            yield quantity, chosen[first : first + AT_ONCE]


def _fill_shared(
    predictions: Predictions, found: Observations, simulated: _Simulated, arm: str, seed: int
) -> None:
    """Fill in the observations of an arm whose patients share its doses.

    In each simulated trial, one simulated patient is in place of an observed one at all times.
    """
    place = simulated.ds["arm"].values.tolist().index(arm)
    weight = np.asarray(simulated.ds["prevalence_weight"].values, float)
    weight = np.where(simulated.ds["outcome"].values[place] == OK, np.nan_to_num(weight), 0.0)
    if not weight.sum() > 0:
        return
    patients, position = np.unique(found.patient, return_inverse=True)
    random = np.random.default_rng((seed, place))
    size = (len(predictions.replicates), len(patients))
    chosen = random.choice(len(weight), size=size, p=weight / weight.sum())
    for quantity, at in _parts(found, arm):
        values = simulated.values(arm, quantity, found.time[at])
        predictions.replicates[:, at] = values[chosen[:, position[at]], np.arange(len(at))]
        predictions.band[:, at] = _band(values, weight)


def _band(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(3, observation): Return percentiles; of few patients, the median only."""
    dims = ("patient", "observation")
    if not np.isfinite(values).any():
        return np.full((3, values.shape[1]), np.nan)
    found = quantile(
        xr.DataArray(values, dims=dims), xr.DataArray(weight, dims="patient"), LEVELS, "patient"
    ).values
    known = np.isfinite(values).sum(0)
    return np.where((known >= FEWEST) | (np.arange(3)[:, None] == 1), found, np.nan)


def _fill_own(
    predictions: Predictions,
    found: Observations,
    prepared: Prepared,
    arms: list[Arm],
    cache_dir: CacheDir,
) -> None:
    """Fill in the observations of arms whose patients have doses of their own."""
    ids = prepared.ids
    position = np.searchsorted(ids, found.patient).clip(max=len(ids) - 1)
    is_known = ids[position] == found.patient
    total = int(np.clip(MOST_SIMULATED // (len(ids) * len(arms)), 1, len(predictions.replicates)))
    if prepared.draws is not None:
        total = 1  # the config has the random effects of its patients: all repeats would be alike
    at_once = max(1, AT_ONCE // len(ids))
    for first in range(0, total, at_once):
        rows = slice(first, min(first + at_once, total))
        simulated = _simulated_again(prepared, rows, cache_dir)
        for arm in arms:
            for quantity, at in _parts(found, arm.name):
                values = simulated.values(arm.name, quantity, found.time[at])
                by_row = values.reshape(rows.stop - rows.start, len(ids), len(at))
                own = by_row[:, position[at], np.arange(len(at))]
                predictions.replicates[rows, at] = np.where(is_known[at], own, np.nan)
    for arm in arms:
        for _, at in _parts(found, arm.name):
            values = predictions.replicates[:total, at]
            predictions.band[:, at] = _band(values, np.ones(total))


def _simulated_again(prepared: Prepared, rows: slice, cache_dir: CacheDir) -> _Simulated:
    """Simulate every patient as some virtual patients, ordered by replicate, then by patient."""
    count, patients = rows.stop - rows.start, len(prepared.ids)
    ids = FIRST_ID + np.arange(rows.start * patients, rows.stop * patients)

    def repeated(arm: Arm) -> Arm:
        if not arm.is_individual:
            return arm
        return dataclasses.replace(arm, regimens=arm.regimens * count, patients=tuple(ids.tolist()))

    trial = prepared.trial
    arms = tuple(repeated(arm) for arm in trial.arms)
    again = dataclasses.replace(
        prepared,
        ids=ids,
        # The saved times of the run, so that the program of the run is used again.
        trial=dataclasses.replace(trial, arms=arms, patients=len(ids)),
        covariates=prepared.covariates and _repeated(prepared.covariates, prepared.ids, ids),
        trajectories=ids,
    )
    results = simulate(
        again.trial,
        again.cohort,
        system=again.system,
        method=again.method,
        trajectories=ids,
        whole=False,
        cache_dir=cache_dir,
    )
    return _Simulated.of(results, again.cohort, ids)


def _repeated(table: CovariateTable, before: np.ndarray, after: np.ndarray) -> CovariateTable:
    """Return the covariates of the patients for each of their virtual patients."""
    columns = table.values_for(before)
    values: Callable[[np.ndarray], np.ndarray] = lambda column: np.tile(
        column, len(after) // len(before)
    )
    return CovariateTable(after, {name: values(own) for name, own in columns.items()}, table.file)
