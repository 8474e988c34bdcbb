"""Cytokines in blood: peaks by dose, when they come, and how far they rise over the baseline.

Peaks are the reductions of the engine, not the largest saved value. Concentrations are as measured:
after tocilizumab, IL-6 rises because its receptor is blocked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import Meaning, endpoint, require
from qsp.endpoints.patients import counts, quantile, solved, spread, weights
from qsp.endpoints.steps import Grouping, gather
from qsp.errors import ConfigError

Cytokine = Literal["il6", "ifn_gamma", "tnf_alpha", "il2", "il10", "cxcl10"]
CYTOKINES: tuple[Cytokine, ...] = ("il6", "ifn_gamma", "tnf_alpha", "il2", "il10", "cxcl10")
TITLES = {
    "il6": "IL-6",
    "ifn_gamma": "IFN-γ",
    "tnf_alpha": "TNF-α",
    "il2": "IL-2",
    "il10": "IL-10",
    "cxcl10": "CXCL10",
}
RANGE = (0.05, 0.5, 0.95)
_PEAKS = {f"{name}_peak": "pg/mL" for name in CYTOKINES}


def _joined(arrays: Sequence[xr.DataArray]) -> xr.DataArray:
    stacked = xr.concat(
        list(arrays), dim="cytokine", coords="minimal", compat="override", join="exact"
    )
    return stacked.assign_coords(cytokine=list(CYTOKINES))


def _patient_peaks(ds: xr.Dataset, by: Grouping) -> xr.DataArray:
    return gather(_joined([ds[f"{name}_peak"] for name in CYTOKINES]), ds, by)


@endpoint(
    Meaning(
        units="pg/mL",
        long_name="Cytokine peak",
        definition="Quantiles over patients of the largest concentration in blood during the dose "
        "period",
        needs=_PEAKS,
    )
)
def peaks(
    ds: xr.Dataset, *, by: Grouping = "label", quantiles: Sequence[float] = RANGE
) -> xr.Dataset:
    """Cytokine peaks: median and 5-95 % of the patients by default.

    Args:
        ds: Results.
        by: Group of dose periods; "any" takes the largest peak of a patient.
        quantiles: Between 0 and 1.

    Returns:
        Dataset: `value` (quantile, cytokine, arm[, label or dose_period]) [pg/mL], and the counts.
    """
    return spread(_patient_peaks(ds, by), ds, quantiles)


def baselines(ds: xr.Dataset) -> xr.DataArray:
    """Concentration of each cytokine before treatment.

    Taken, in this order, from the variable ``NAME_baseline``, from the trajectory at the first
    saved time, or, where trajectories are stored apart, from their median at that time.

    Args:
        ds: Results.

    Returns:
        (cytokine, arm, patient), or (cytokine, arm): Baseline [pg/mL].

    Raises:
        ConfigError: If none of the three is there.
    """
    return xr.concat(
        xr.broadcast(*[_baseline(ds, name) for name in CYTOKINES]),
        dim="cytokine",
        coords="minimal",
        compat="override",
        join="exact",
    ).assign_coords(cytokine=list(CYTOKINES))


def _baseline(ds: xr.Dataset, name: str) -> xr.DataArray:
    if f"{name}_baseline" in ds:
        require(ds, f"{name}_baseline", "pg/mL")
        return ds[f"{name}_baseline"]
    if name in ds:
        require(ds, name, "pg/mL")
        return ds[name].isel(time=0, drop=True)
    if f"{name}_quantiles" in ds:
        return (
            ds[f"{name}_quantiles"]
            .sel(quantile=0.5, method="nearest", drop=True)
            .isel(time=0, drop=True)
        )
    raise ConfigError("results", f"the baseline of {name} must be known", "missing")


@endpoint(
    Meaning(
        units="1",
        long_name="Fold change of the cytokine peak over baseline",
        definition="Quantiles over patients of the peak of the dose period divided by the "
        "concentration before treatment",
        needs=_PEAKS,
    )
)
def fold_changes(
    ds: xr.Dataset, *, by: Grouping = "label", quantiles: Sequence[float] = RANGE
) -> xr.Dataset:
    """Fold change of cytokine peaks: peak / baseline, per patient.

    Args:
        ds: Results.
        by: Group of dose periods.
        quantiles: Between 0 and 1.

    Returns:
        Dataset: `value` (quantile, cytokine, arm[, label or dose_period]) [1], and the counts.
    """
    return spread(_patient_peaks(ds, by) / baselines(ds), ds, quantiles)


@endpoint(
    Meaning(
        units="hour",
        long_name="Time of the IL-6 peak",
        definition="Time from the start of the dose period to the IL-6 peak",
        needs={"il6_peak_time": "day", "dose_time": "day"},
    )
)
def peak_times(
    ds: xr.Dataset, *, by: Grouping = "label", quantiles: Sequence[float] = RANGE
) -> xr.Dataset:
    """Time of the IL-6 peak after the start of its dose period.

    Args:
        ds: Results.
        by: "label" or "dose_period".
        quantiles: Between 0 and 1.

    Returns:
        Dataset: `value` (quantile, arm, label or dose_period) [hour], and the counts.
    """
    hours = (ds["il6_peak_time"] - ds["dose_time"]) * 24.0
    return spread(gather(hours, ds, by, "min"), ds, quantiles)


@endpoint(
    Meaning(
        units="1",
        long_name="Ratio of the largest cytokine peak to that of a reference arm",
        definition="Median over patients of the largest peak over all doses, divided by the same "
        "of the reference arm; and the quantiles of the ratio within a patient, who "
        "meets every arm",
        needs=_PEAKS,
    )
)
def peak_ratio(ds: xr.Dataset, *, reference: str, quantiles: Sequence[float] = RANGE) -> xr.Dataset:
    """Largest cytokine peak of each arm relative to a reference arm.

    Args:
        ds: Results.
        reference: Name of the reference arm.
        quantiles: Between 0 and 1, for the ratio within a patient.

    Returns:
        Dataset: `value` (cytokine, arm) [1], the ratio of the medians; `within_patient`
        (quantile, cytokine, arm) [1]; and the counts, of patients solved in both arms.

    Raises:
        ConfigError: If there is no such arm.
    """
    if reference not in ds["arm"].values:
        known = ", ".join(str(arm) for arm in ds["arm"].values)
        raise ConfigError(
            "endpoint", "the reference must be an arm", repr(reference), f"Arms: {known}"
        )
    largest = _patient_peaks(ds, "any").where(solved(ds))
    middle = quantile(largest, weights(ds), (0.5,), "patient").isel(quantile=0, drop=True)
    paired = spread(largest / largest.sel(arm=reference, drop=True), ds, quantiles)
    ratio = middle / middle.sel(arm=reference, drop=True)
    return paired.rename(value="within_patient").assign(value=ratio)


@endpoint(
    Meaning(
        units="1",
        long_name="Share of the cytokine source by tissue",
        definition="Mean over patients of the share of each tissue in the cytokine source of a "
        "dose period",
        needs={"cytokine_source": "Mcell*day"},
    )
)
def source_shares(ds: xr.Dataset, *, by: Grouping = "label") -> xr.Dataset:
    """Where the cytokines come from: ``source_tissue / sum(source)``, then the mean over patients.

    Args:
        ds: Results.
        by: Group of dose periods, whose sources are added.

    Returns:
        Dataset: `value` (tissue, arm[, label or dose_period]) [1], NaN without any release; and the
            counts, of patients with some release.
    """
    source = gather(ds["cytokine_source"].where(solved(ds)), ds, by, "sum")
    total = source.sum("tissue", skipna=False)
    share = (source / total).where(total > 0)
    value = share.weighted(weights(ds)).mean("patient")
    value.attrs = {}
    numbers = counts(total.where(total > 0), ds)
    return xr.Dataset({"value": value.where(np.isfinite(value)), **numbers})
