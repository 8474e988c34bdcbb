"""A run as a labeled dataset: the arrays of the engine with names, dimensions and units.

Variables by dimension (each has `units` and `long_name`):

* ``(arm, patient, time)``: `drug_central il6 ifn_gamma tnf_alpha il2 il10 cxcl10 il1 crs_severity
  t_cells_blood b_cells_blood tumor_volume`, `fever leak`,
  for the patients with stored trajectories
* ``(arm, patient, time, ...)``: further states and algebraic quantities by path, on request
* ``(arm, patient, dose_period)``: a peak and its time for each cytokine, `cmax ctrough auc
  occupancy_max`, `crs_grade crs_onset crs_duration crs_censored`, `crs_severity_peak
  fever_peak leak_peak` (leak with two axes only), `dose_label dose_time dose_amount
  rash_index`
* ``(arm, patient, dose_period, tissue)``: `cytokine_source trimers_peak`
* ``(arm, patient, visit)``: `tumor_volume_visit`; with lesions `loss_share_visit
  exhaustion_visit`, and `new_lesion_hazard_visit` or `m_protein_visit`, where the disease has them
* ``(arm, patient, visit, lesion)``: with lesions `lesion_volume_visit lesion_viable_visit
  lesion_loss_share_visit lesion_exhaustion_visit`
* ``(arm, patient, lesion)``: with lesions `lesion_volume_baseline`
* ``(arm, patient)``: `outcome`, tumor volume at the start and the end, the level of each
  cytokine before treatment (`il6_baseline` ...), `soluble_target_baseline
  effector_to_target_baseline`; with lesions `m_protein_baseline`, and in
  myeloma `m_protein_elimination`
* ``(patient)``: covariates and `prevalence_weight`

`best_response`, and with lesions the variables of `qsp.results.lesion_response`, follow from these.

The group `parameters` has the parameter values of each patient by path, such as
``t_cells.k_act``, in canonical units: of all patients of a run of up to 2,000, else of those with
stored trajectories, whose dimension is then `patient_traj`. A parameter that `arms.X.parameters` of
no arm changes is the same in all arms and has the dimension ``(patient)``; one that an arm changes
has ``(arm, patient)``. Runs in shards (`qsp.cluster`) have no such group: the parameters of a
patient follow from the seed and the patient number.

`dose_period` counts the periods of an arm from 1, and `dose_label` has their names, which may
differ between arms and patients. To select by name, take `run.by_label` in Python, such as
``run.by_label.il6_peak.sel(arm="step", label="FD1")``, or `qsp.endpoints` with ``by="label"``.

Runs with observations of patients have variables over ``(observation)``, which
`qsp.results.observed` describes.

With `lesions_alone_after` in `[method]`, dose periods and time courses end at that time, and later
visits have the tumor and its lesions.

A patient whose simulation failed stays in the results, with NaN and the reason as `outcome`. Times
are days since the first dose. Concentrations of the molecule are in nmol/L; their attributes
`mass_units` and `mass_per_molar` give the mass unit and the conversion factor.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from qsp.engine.trajectory import SimulationResult
from qsp.model.cytokines import CYTOKINES
from qsp.model.tissues import TISSUES
from qsp.populations.paths import ELEMENTS
from qsp.results.before_treatment import TARGET_BASELINE
from qsp.results.lesions import ML_PER_L, lesion_variables
from qsp.trial.events import PeriodTable
from qsp.units import Description
from qsp.weights import are_equal
from qsp.weights import quantiles as weighted_quantiles

OUTCOMES = ("ok", "implausible_parameters", "solver_failed", "not_run")
OK, IMPLAUSIBLE, FAILED, NOT_RUN = range(4)
GRADE_FILL = -1
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CYTOKINE_NAMES = {
    "ifn_gamma": "Interferon gamma",
    "tnf_alpha": "Tumor necrosis factor alpha",
    "il2": "Interleukin 2",
    "il6": "Interleukin 6",
    "il10": "Interleukin 10",
    "cxcl10": "CXCL10",
}
AXES = {
    "fever": "Fever: rise of its index over the set point",
    "leak": "Leak of the endothelium",
}
"""Signals of the grades of CRS; `leak` with two axes only."""
KEPT = "patient_traj"
PERIOD = ("arm", "patient", "dose_period")


@dataclasses.dataclass(frozen=True)
class Labels:
    """Coordinates and covariates that label the arrays of a run.

    Args:
        arms: Names of the arms.
        patients: (patient,): Ids.
        time: (time,): Times of trajectories [day]; empty if no trajectories are stored.
        kept: (patient,): Whether the trajectories of the patient are stored.
        visits: (visit,): Times of tumor assessment [day].
        periods: Dose periods.
        covariates: (patient,) each.
        prevalence_weight: (patient,): Weight of each patient in the population.
        implausible: (arm, patient): Whether the parameters are physiologically impossible.
        cytokine_baseline: (arm, patient, cytokine): Level before treatment [pg/mL].
        target_baseline: (arm, patient) each: Variables of `TARGET_BASELINE`.
        saved: Further states and algebraic quantities of the trajectories, in their order.
    """

    arms: tuple[str, ...]
    patients: np.ndarray
    time: np.ndarray
    kept: np.ndarray
    visits: np.ndarray
    periods: PeriodTable
    covariates: Mapping[str, np.ndarray]
    prevalence_weight: np.ndarray
    implausible: np.ndarray
    cytokine_baseline: np.ndarray
    target_baseline: Mapping[str, np.ndarray]
    saved: tuple[Description, ...] = ()


def outcomes(result: SimulationResult, labels: Labels) -> np.ndarray:
    """Return the outcome of each simulation (arm, patient): `OK`, `IMPLAUSIBLE` or `FAILED`."""
    failed = np.where(np.asarray(result.failed), FAILED, OK)
    return np.where(labels.implausible, IMPLAUSIBLE, failed).astype(np.int8)


def to_dataset(
    result: SimulationResult,
    trajectories: Any,
    labels: Labels,
    attributes: Mapping[str, Any],
) -> xr.DataTree:
    """Label the arrays of a run.

    Args:
        result: Reductions with leading axes (arm, patient); its first snapshots are at the visits.
        trajectories: Snapshots (arm, stored patient, time), or None if none are stored.
        labels: Coordinates of the axes.
        attributes: Attributes of the results, such as the seed and the solver.

    Returns:
        The dataset; if trajectories of only some patients are stored, they are in the group
        `trajectories`.
    """
    outcome = outcomes(result, labels)
    present = labels.periods.present & (outcome == OK)[..., None]
    data = _period_variables(result, labels, present)
    data |= _patient_variables(result, labels, outcome)
    coords = _coordinates(labels)
    if "lesion_volume_visit" in data:
        coords["lesion"] = _elements("lesion", data["lesion_volume_visit"].sizes["lesion"])
    ds = xr.Dataset(data, coords, dict(attributes))
    if trajectories is None:
        return xr.DataTree(ds)
    stored = _trajectory_variables(trajectories, labels, outcome)
    if labels.kept.all():
        return xr.DataTree(ds.assign(stored.data_vars))
    # xarray requires a group to share the `patient` coordinate of the root.
    group = xr.DataTree(stored.rename(patient=KEPT))
    quantiles = bands(stored, labels.prevalence_weight[labels.kept])
    return xr.DataTree(ds.assign(quantiles), children={"trajectories": group})


def bands(stored: xr.Dataset, weight: np.ndarray) -> dict[str, xr.DataArray]:
    """Return quantiles over the patients with stored trajectories.

    Args:
        stored: Trajectories (arm, patient, time); NaN where the simulation failed.
        weight: (patient,): Prevalence weights; NaN in patients that were not run.

    Returns:
        `NAME_quantiles` (quantile, arm, time) for each variable.
    """
    count = stored.sizes["patient"]
    known = weight[np.isfinite(weight)]
    if not known.size or are_equal(known):
        quantiles = stored.quantile(QUANTILES, dim="patient", keep_attrs=True)
    else:
        quantiles = xr.apply_ufunc(
            weighted_quantiles,
            stored,
            xr.DataArray(weight, dims="patient"),
            input_core_dims=[["patient"], ["patient"]],
            output_core_dims=[["quantile"]],
            kwargs={"levels": np.array(QUANTILES)},
            keep_attrs=True,
        ).assign_coords(quantile=list(QUANTILES))
    return {
        f"{name}_quantiles": values.transpose("quantile", "arm", "time", ...).assign_attrs(
            long_name=f"{values.attrs['long_name']}: quantiles over {count} patients"
        )
        for name, values in quantiles.data_vars.items()
    }


def _variable(dims: tuple[str, ...], values: Any, units: str, long_name: str) -> xr.Variable:
    return xr.Variable(dims, values, {"units": units, "long_name": long_name})


def _elements(axis: str, count: int) -> xr.Variable:
    """Names of the first elements of an axis of the model."""
    return _variable((axis,), np.array(ELEMENTS[axis][:count]), "1", axis.capitalize())


def _coordinates(labels: Labels) -> dict[str, xr.Variable]:
    periods = np.arange(1, labels.periods.label.shape[-1] + 1)
    return {
        "arm": _variable(("arm",), np.array(labels.arms), "1", "Arm"),
        "patient": _variable(("patient",), labels.patients, "1", "Patient id"),
        "dose_period": _variable(("dose_period",), periods, "1", "Ordinal of the dose period"),
        "tissue": _variable(("tissue",), np.array(TISSUES), "1", "Tissue"),
        "visit": _variable(("visit",), labels.visits, "day", "Visit, since the first dose"),
    }


def _period_variables(
    result: SimulationResult, labels: Labels, present: np.ndarray
) -> dict[str, xr.Variable]:
    """Return reductions by dose period; NaN if a period is absent or the simulation failed."""
    rows = result.periods
    r = _after_first_dose(rows.reductions)
    cross, start = r.crossing, labels.periods.time

    def masked(values: np.ndarray) -> np.ndarray:
        mask = present.reshape(present.shape + (1,) * (values.ndim - present.ndim))
        return np.where(mask, values, np.nan)

    def var(values: np.ndarray, units: str, name: str, *more: str) -> xr.Variable:
        return _variable((*PERIOD, *more), masked(values), units, name)

    data: dict[str, xr.Variable] = {}
    for index, cytokine in enumerate(CYTOKINES):
        name = CYTOKINE_NAMES[cytokine]
        peak, when = r.peak.cytokines[..., index], r.peak_time.cytokines[..., index]
        data[f"{cytokine}_peak"] = var(peak, "pg/mL", f"{name}: peak")
        data[f"{cytokine}_peak_time"] = var(
            when, "day", f"{name}: time of the peak since the first dose"
        )
    for name, meaning in AXES.items():
        peak = getattr(r.peak, name)
        if peak is not None:
            data[f"{name}_peak"] = var(peak, "1", f"{meaning}: peak")
    event = cross.grade > 0
    duration = _event_duration(result)
    grade = np.where(present, cross.grade, GRADE_FILL).astype(np.int8)
    running = np.asarray(result.running)[..., None] == np.arange(1, event.shape[-1] + 1)
    censored = np.where(present, event & running, GRADE_FILL).astype(np.int8)
    data |= {
        "cmax": var(r.peak.drug, "nmol/L", "Drug in plasma: maximum"),
        "cmax_time": var(r.peak_time.drug, "day", "Drug in plasma: time of the maximum"),
        "ctrough": var(
            _after_first_dose(rows.last).drug_central,
            "nmol/L",
            "Drug in plasma at the end of the period; of the trial for the last one",
        ),
        "auc": var(r.area.drug, "nmol*day/L", "Drug in plasma: area under the curve"),
        "occupancy_max": var(
            r.extreme.occupancy, "1", "Target receptors in blood holding drug: maximum"
        ),
        "rash_index": var(
            r.extreme.rash, "Mcell/day", "Killing of normal target cells in the skin: maximum"
        ),
        "crs_severity_peak": var(r.peak.severity, "1", "CRS severity, index of fever: peak"),
        "crs_grade": _variable(
            PERIOD, grade, "1", "Worst ASTCT grade of CRS that started in the period"
        ),
        "crs_onset": var(
            np.where(event, cross.onset - start, np.nan),
            "day",
            "Onset of CRS after the start of the period",
        ),
        "crs_duration": var(
            np.where(event, duration, np.nan), "day", "Days with CRS that started in the period"
        ),
        "crs_censored": _variable(
            PERIOD,
            censored,
            "1",
            "Whether CRS that started in the period lasts beyond the end of the trial (1) or not",
        ),
        "cytokine_source": var(
            r.flow_area.secreting,
            "Mcell*day",
            "Secreting cells seen from blood, integrated",
            "tissue",
        ),
        "trimers_peak": var(
            r.extreme.trimers, "molecule/synapse", "Trimers per synapse: peak", "tissue"
        ),
    }
    for name in ("crs_grade", "crs_censored"):
        data[name].encoding["_FillValue"] = np.int8(GRADE_FILL)
    data |= {
        "dose_label": _variable(PERIOD, labels.periods.label, "1", "Name of the dose period"),
        "dose_time": _variable(
            PERIOD, start, "day", "Start of the dose period since the first dose"
        ),
        "dose_amount": _variable(PERIOD, labels.periods.amount, "mg", "Drug given in the period"),
    }
    return data


def _after_first_dose(tree: Any) -> Any:
    """Return the rows of the dose periods, without row 0, the time before the first one."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:, :, 1:], tree)


def _event_duration(result: SimulationResult) -> np.ndarray:
    """Return days above the first threshold of events that start in each period, until they end."""
    rows = result.periods
    own = _after_first_dose(rows.reductions.crossing.own_time).copy()
    owner, later = np.asarray(rows.earlier_owner), np.asarray(rows.reductions.crossing.earlier_time)
    for period in range(own.shape[-1]):
        own[..., period] += np.where(owner == period + 1, later, 0.0).sum(-1)
    return own


def _patient_variables(
    result: SimulationResult, labels: Labels, outcome: np.ndarray
) -> dict[str, xr.Variable]:
    ok = outcome == OK

    def volume(liters: np.ndarray) -> np.ndarray:
        mask = ok.reshape(ok.shape + (1,) * (liters.ndim - 2))
        return np.where(mask, liters * ML_PER_L, np.nan)

    code = _variable(("arm", "patient"), outcome, "1", "Outcome of the simulation of the patient")
    code.attrs |= {
        "flag_values": np.arange(len(OUTCOMES), dtype=np.int8),
        "flag_meanings": " ".join(OUTCOMES),
    }
    visits = result.saved[0].tumor_volume
    both = ("arm", "patient")
    before = np.asarray(result.periods.last.tumor_volume)[:, :, 0]
    data = {
        "outcome": code,
        "steps": _variable(both, np.asarray(result.steps), "1", "Steps of the solver"),
        "tumor_volume_baseline": _variable(
            both, volume(before), "mL", "Tumor volume at the first dose"
        ),
        "tumor_volume_end": _variable(
            both, volume(result.end.tumor_volume), "mL", "Tumor volume at the end"
        ),
        "tumor_volume_visit": _variable(
            (*both, "visit"), volume(visits), "mL", "Tumor volume at visits"
        ),
        "prevalence_weight": _variable(
            ("patient",), labels.prevalence_weight, "1", "Weight of the patient in the population"
        ),
    }
    data |= lesion_variables(result, outcome == OK)
    for index, cytokine in enumerate(CYTOKINES):
        data[f"{cytokine}_baseline"] = _variable(
            both,
            labels.cytokine_baseline[..., index],
            "pg/mL",
            f"{CYTOKINE_NAMES[cytokine]} before treatment",
        )
    for name, values in labels.target_baseline.items():
        data[name] = _variable(both, values, *TARGET_BASELINE[name])
    units = {"body_weight": "kg", "body_surface": "m^2", "age": "year", "sex": "1"}
    for name, values in labels.covariates.items():
        long_name = name.replace("_", " ").capitalize()
        data[name] = _variable(("patient",), values, units.get(name, "1"), long_name)
        if name == "sex":
            data[name].attrs |= {
                "flag_values": np.array([0, 1], np.int8),
                "flag_meanings": "male female",
            }
    return data


def _trajectory_variables(snapshots: Any, labels: Labels, outcome: np.ndarray) -> xr.Dataset:
    """Return the stored trajectories."""
    dims = ("arm", "patient", "time")
    ok = (outcome == OK)[:, labels.kept, None]
    named = {
        "drug_central": (snapshots.drug_central, "nmol/L", "Drug in plasma"),
        "il1": (snapshots.il1, "pg/mL", "Interleukin 1 in blood, by its balance (assumed)"),
        "crs_severity": (snapshots.crs_severity, "1", "CRS severity, index of fever"),
        "t_cells_blood": (snapshots.t_cells_blood, "Mcell", "T cells in blood"),
        "b_cells_blood": (snapshots.b_cells_blood, "Mcell", "Normal target cells in blood"),
        "tumor_volume": (snapshots.tumor_volume * ML_PER_L, "mL", "Tumor volume"),
    }
    for name, meaning in AXES.items():
        if getattr(snapshots, name) is not None:
            named[name] = (getattr(snapshots, name), "1", meaning)
    for index, cytokine in enumerate(CYTOKINES):
        named[cytokine] = (
            snapshots.cytokines[..., index],
            "pg/mL",
            f"{CYTOKINE_NAMES[cytokine]} in blood",
        )
    data = {
        key: _variable(dims, np.where(ok, values, np.nan), units, name)
        for key, (values, units, name) in named.items()
    }
    time = _variable(("time",), labels.time, "day", "Time since the first dose")
    coords = _coordinates(labels)
    patients = coords["patient"][labels.kept]
    axes = {"time": time, "patient": patients, "arm": coords["arm"]}
    for item, values in zip(labels.saved, getattr(snapshots, "saved", ()), strict=True):
        solved = ok.reshape((*ok.shape, *[1] * len(item.dims)))
        data[item.path] = _variable(
            (*dims, *item.dims), np.where(solved, values, np.nan), item.unit, item.meaning
        )
        for axis in item.dims:
            axes[axis] = _elements(axis, data[item.path].sizes[axis])
    return xr.Dataset(data, axes)
