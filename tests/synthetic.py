"""Synthetic results with the variables and the record of a run.

`neutral` has one constant per variable (no CRS, no response, no failure); a test sets the values
that it is about. `lively` has four arms and random patients, for figures and reports. `with_record`
changes the record.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from qsp.model import MODEL_VERSION
from qsp.results.record import ATTRIBUTE, ArmRecord, RequestRecord, RunRecord, record_of

TISSUES = ("blood", "lymphoid", "tumor", "skin")
CYTOKINES = ("il6", "ifn_gamma", "tnf_alpha", "il2", "il10", "cxcl10")
# variable: (unit, value)
_TIME = {
    "drug_central": ("nmol/L", 1.0),
    "il6": ("pg/mL", 3.0),
    "ifn_gamma": ("pg/mL", 5.0),
    "tnf_alpha": ("pg/mL", 4.0),
    "il2": ("pg/mL", 1.0),
    "il10": ("pg/mL", 3.0),
    "cxcl10": ("pg/mL", 150.0),
    "crs_severity": ("1", 0.06),
    "fever": ("1", 0.05),
    "leak": ("1", 0.02),
    "t_cells_blood": ("Mcell", 4000.0),
    "b_cells_blood": ("Mcell", 500.0),
    "tumor_volume": ("mL", 50.0),
}
_PERIOD = {
    "il6_peak": ("pg/mL", 30.0),
    "il6_peak_time": ("day", 0.5),
    "ifn_gamma_peak": ("pg/mL", 50.0),
    "tnf_alpha_peak": ("pg/mL", 40.0),
    "il2_peak": ("pg/mL", 10.0),
    "il10_peak": ("pg/mL", 30.0),
    "cxcl10_peak": ("pg/mL", 1500.0),
    "cmax": ("nmol/L", 2.0),
    "ctrough": ("nmol/L", 0.5),
    "auc": ("nmol*day/L", 7.0),
    "occupancy_max": ("1", 0.5),
    "crs_severity_peak": ("1", 0.1),
    "fever_peak": ("1", 0.09),
    "leak_peak": ("1", 0.04),
    "crs_grade": ("1", 0),
    "crs_onset": ("day", np.nan),
    "crs_duration": ("day", np.nan),
    "crs_censored": ("1", 0),
}
_PATIENT = {
    "body_weight": ("kg", 75.0),
    "body_surface": ("m^2", 1.9),
    "age": ("year", 60.0),
    "sex": ("1", 0),
    "prevalence_weight": ("1", 1.0),
}
_ATTRS = {
    "config": '[trial]\nname = "synthetic"\n',
    "config_name": "synthetic",
    "molecule": "mosunetuzumab",
    "population": "nhl",
    "response_criteria": "lugano",
    "seed": 7,
    "qsp_version": "0.1.0",
    "model_version": MODEL_VERSION,
    "jax_version": "0.10.2",
    "git_commit": "0123abc",
    "wall_s": 12.5,
    "compile_s": 3.1,
    "chunk_size": 64,
    "backend": "native",
    "solver": "tsit5",
    "rtol": 1e-5,
    "command": "qsp run configs/synthetic.toml",
    "molecular_weight_kda": 146.0,
    "n_failed": 0,
}


def neutral(
    arms: Sequence[str] = ("a",),
    patients: int = 4,
    labels: Sequence[str] = ("SUD1", "FD1"),
    visits: Sequence[float] = (0.0, 42.0, 84.0),
    times: Sequence[float] = (0.0, 1.0, 2.0),
) -> xr.Dataset:
    """Results without events: doses of 1, 2 ... mg, a week apart, one for each label."""
    coords = {
        "arm": list(arms),
        "patient": np.arange(patients),
        "time": np.asarray(times, float),
        "tissue": list(TISSUES),
        "dose_period": np.arange(1, len(labels) + 1),
        "visit": np.asarray(visits, float),
    }
    size = {name: len(values) for name, values in coords.items()}
    attrs = _ATTRS | {"days": float(max(*times, *visits)), ATTRIBUTE: _record(arms).to_json()}
    ds = xr.Dataset(coords=coords, attrs=attrs)

    def add(names: dict, *dims: str) -> None:
        for name, (unit, value) in names.items():
            kind = np.int8 if isinstance(value, int) else float
            data = np.full([size[dim] for dim in dims], value, dtype=kind)
            ds[name] = (
                dims,
                data,
                {"units": unit, "long_name": name.replace("_", " ").capitalize()},
            )

    add(_TIME, "arm", "patient", "time")
    add(_PERIOD, "arm", "patient", "dose_period")
    add({"cytokine_source": ("Mcell*day", 1.0), "trimers_peak": ("molecule", 10.0)},
        "arm", "patient", "dose_period", "tissue")  # fmt: skip
    add({"tumor_volume_visit": ("mL", 50.0)}, "arm", "patient", "visit")
    add({"tumor_volume_baseline": ("mL", 50.0), "tumor_volume_end": ("mL", 50.0)}, "arm", "patient")
    add({"best_response": ("1", 3), "outcome": ("1", 0)}, "arm", "patient")
    add(_PATIENT, "patient")
    ordinals = np.arange(len(labels))
    add({"dose_time": ("day", 0.0), "dose_amount": ("mg", 0.0)}, "arm", "patient", "dose_period")
    ds["dose_time"].values[:] = 7.0 * ordinals
    ds["dose_amount"].values[:] = ordinals + 1.0
    shape = [size[dim] for dim in ("arm", "patient", "dose_period")]
    names = np.broadcast_to(np.array(labels, dtype=object), shape).copy()
    ds["dose_label"] = (
        ("arm", "patient", "dose_period"),
        names,
        {"long_name": "Label", "units": "1"},
    )
    ds["crs_grade"].encoding = {"_FillValue": np.int8(-1)}
    ds["best_response"].attrs |= {
        "flag_values": np.arange(5, dtype=np.int8),
        "flag_meanings": "not_evaluable complete_response partial_response stable_disease "
        "progressive_disease",
    }
    ds["outcome"].attrs |= {
        "flag_values": np.arange(3, dtype=np.int8),
        "flag_meanings": "ok implausible_parameters solver_failed",
    }
    return ds


def _record(arms: Sequence[str]) -> RunRecord:
    return RunRecord(
        **{name: _ATTRS[name] for name in ("qsp_version", "model_version", "git_commit", "seed")},
        name="synthetic",
        request=RequestRecord("configs/synthetic.toml"),
        molecule="mosunetuzumab",
        molecular_weight_kda=146.0,
        arms=tuple(ArmRecord(arm) for arm in arms),
    )


def with_record(
    ds: xr.Dataset, *, arms: Mapping[str, Mapping[str, Any]] | None = None, **changes: Any
) -> xr.Dataset:
    """Copy of a Dataset with changes to its record.

    Args:
        ds: Results.
        arms: Changed fields of arms, by name.
        changes: Other changed fields of the record.
    """
    record = record_of(ds)
    fields = arms or {}
    changed = [dataclasses.replace(arm, **fields.get(arm.name, {})) for arm in record.arms]
    record = dataclasses.replace(record, arms=tuple(changed), **changes)
    return ds.assign_attrs({ATTRIBUTE: record.to_json()})


def typical(ds: xr.Dataset) -> xr.Dataset:
    """Copy of a Dataset of one patient, as a run of the typical patient."""
    return with_record(ds, request=RequestRecord("configs/synthetic.toml", typical=True))


def put(ds: xr.Dataset, **values: object) -> xr.Dataset:
    """Copy of a Dataset with the values of some variables replaced, broadcast to their shape."""
    ds = ds.copy(deep=True)
    for name, new in values.items():
        ds[name].values[...] = new
    return ds


def fail(ds: xr.Dataset, arm: int, patient: int, code: int = 2) -> xr.Dataset:
    """Copy of a Dataset in which the simulation of one patient failed, as a run leaves it."""
    ds = ds.copy(deep=True)
    for variable in ds.data_vars.values():
        if "patient" in variable.dims and "arm" in variable.dims and variable.dtype.kind == "f":
            variable.values[arm, patient] = np.nan
    ds["crs_grade"].values[arm, patient] = -1
    ds["best_response"].values[arm, patient] = -1
    ds["outcome"].values[arm, patient] = code
    return ds


# === a lively trial
# =======================================================================================

ARMS = ("step_up", "flat", "step_up_no_premedication", "flat_no_premedication")
_AMOUNTS = {"step_up": (1, 2, 60, 60, 30, 30), "flat": (60, 60, 60, 60, 30, 30)}
_LABELS = {
    "step_up": ("SUD1", "SUD2", "FD1", "FD2", "FD3", "FD4"),
    "flat": ("FD1", "FD2", "FD3", "FD4", "FD5", "FD6"),
}
_DOSE_TIMES = np.array([0.0, 7.0, 14.0, 21.0, 42.0, 63.0])


def lively(patients: int = 120, seed: int = 1, arms: Sequence[str] = ARMS) -> xr.Dataset:
    """Four arms with random patients that look like a trial; three of them failed."""
    random = np.random.default_rng(seed)
    fine = [start + np.arange(0, 3, 1 / 12) for start in _DOSE_TIMES]
    hours = np.unique(np.concatenate([np.arange(0, 84.01, 0.5), *fine]))
    visits = np.array([0.0, 21.0, 42.0, 63.0, 84.0])
    ds = neutral(arms, patients, ("",) * 6, visits, hours)
    sensitivity = random.lognormal(0.0, 0.9, patients)
    shrink = random.normal(0.035, 0.035, patients)
    baseline = random.lognormal(np.log(50.0), 0.9, patients)
    for place, arm in enumerate(arms):
        kind = "flat" if arm.startswith("flat") else "step_up"
        premedicated = 1.0 if arm.endswith("no_premedication") else 0.45
        ds["dose_label"].values[place] = np.array(_LABELS[kind], dtype=object)
        ds["dose_time"].values[place] = _DOSE_TIMES
        amounts = np.array(_AMOUNTS[kind], float)
        ds["dose_amount"].values[place] = amounts
        _drug(ds, place, amounts, random.lognormal(0.0, 0.3, patients))
        release = _release(kind) * premedicated * sensitivity[:, None]
        _cytokines(ds, place, release, random)
        _crs(ds, place, release, random)
        _tumor(ds, place, baseline, shrink * random.uniform(0.8, 1.2, patients))
    ds["prevalence_weight"].values[:] = 1.0
    for place, patient in ((0, 3), (len(arms) // 3, 3), (len(arms) - 1, min(17, patients - 2))):
        ds = fail(ds, place, patient, code=1 if patient == 3 else 2)
    return ds.assign_attrs(n_failed=3, days=84.0, config_name="mosunetuzumab_step_up_vs_flat")


def _release(kind: str) -> np.ndarray:
    return np.array(
        [1.0, 0.4, 1.5, 0.1, 0.05, 0.03] if kind == "step_up" else [4.0, 0.2, 0.1, 0.05, 0.03, 0.02]
    )


def _drug(ds: xr.Dataset, place: int, amounts: np.ndarray, clearance: np.ndarray) -> None:
    times = ds["time"].values
    molar = np.zeros((clearance.size, times.size))
    for amount, start in zip(amounts, _DOSE_TIMES, strict=True):
        since = np.clip(times - start, 0.0, None)
        rise = np.clip(since / 0.17, 0.0, 1.0)
        molar += amount / 146.0 * 1e3 / 5.5 * rise * np.exp(-0.09 * clearance[:, None] * since)
    ds["drug_central"].values[place] = molar
    edges = np.append(_DOSE_TIMES, times[-1] + 1)
    for k in range(_DOSE_TIMES.size):
        window = molar[:, (times >= edges[k]) & (times < edges[k + 1])]
        ds["cmax"].values[place, :, k] = window.max(axis=1)
        ds["ctrough"].values[place, :, k] = window[:, -1]
        ds["auc"].values[place, :, k] = window.mean(axis=1) * (edges[k + 1] - edges[k])
    ds["occupancy_max"].values[place] = ds["cmax"].values[place] / (70 + ds["cmax"].values[place])


def _cytokines(
    ds: xr.Dataset, place: int, release: np.ndarray, random: np.random.Generator
) -> None:
    times = ds["time"].values
    scale = {"il6": 80, "ifn_gamma": 60, "tnf_alpha": 15, "il2": 12, "il10": 50, "cxcl10": 900}
    for name in CYTOKINES:
        spread = random.lognormal(0.0, 0.8, release.shape)
        rest = _TIME[name][1]
        course = np.full((release.shape[0], times.size), rest)
        for k, start in enumerate(_DOSE_TIMES):
            since = np.clip(times - start, 0.0, None) / 0.35
            course += scale[name] * (release * spread)[:, k, None] * since * np.exp(1 - since)
        ds[name].values[place] = course
        ds[f"{name}_peak"].values[place] = rest + scale[name] * release * spread
    ds["il6_peak_time"].values[place] = _DOSE_TIMES + 0.35


def _crs(ds: xr.Dataset, place: int, release: np.ndarray, random: np.random.Generator) -> None:
    fever = 0.25 * release**0.5 * random.lognormal(0.0, 0.35, release.shape)
    leak = 0.6 * fever
    above = [fever > 0.33, *(leak > limit for limit in (0.27, 0.34, 0.4))]
    grade = sum(each.astype(np.int8) for each in above)
    set_point = np.linspace(0.0, 0.1, len(fever))[:, None]
    ds["crs_severity_peak"].values[place] = fever + set_point
    ds["fever_peak"].values[place] = fever
    ds["leak_peak"].values[place] = leak
    ds["crs_grade"].values[place] = grade
    ds["crs_onset"].values[place] = np.where(
        grade > 0, random.lognormal(np.log(0.5), 0.5, grade.shape), np.nan
    )
    ds["crs_duration"].values[place] = np.where(
        grade > 0, random.lognormal(np.log(1.5), 0.5, grade.shape), np.nan
    )


def _tumor(ds: xr.Dataset, place: int, baseline: np.ndarray, shrink: np.ndarray) -> None:
    for name in ("tumor_volume", "tumor_volume_visit"):
        at = ds["time"].values if name == "tumor_volume" else ds["visit"].values
        rate = np.where(shrink > 0, 2.5, 0.5) * shrink
        resistant = np.where(shrink < 0.05, 0.1, 1e-4)[:, None]
        course = (1 - resistant) * np.exp(-rate[:, None] * at) + resistant * np.exp(0.012 * at)
        ds[name].values[place] = baseline[:, None] * course
    ds["tumor_volume_baseline"].values[place] = baseline
    ds["tumor_volume_end"].values[place] = ds["tumor_volume_visit"].values[place, :, -1]
