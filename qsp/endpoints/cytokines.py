"""Cytokines in blood: peaks by dose, when they come, and how far they rise over the baseline.

Peaks are the reductions of the engine, not the largest saved value. Concentrations are as measured:
after tocilizumab, IL-6 rises because its receptor is blocked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import Meaning, endpoint, require
from qsp.endpoints.statistics.blocks import added, blocks
from qsp.endpoints.statistics.patients import counts, solved, spread, weights
from qsp.endpoints.steps import Grouping, gather, grouped
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


def _each(of: Sequence[Cytokine], measure: Callable[[Cytokine], xr.Dataset]) -> xr.Dataset:
    """One cytokine after the other, so that the values of one are in memory at a time."""
    joined = xr.concat(
        [measure(name) for name in of],
        dim="cytokine",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="exact",
    )
    ordered = joined.transpose("quantile", "cytokine", ..., missing_dims="ignore")
    return ordered.assign_coords(cytokine=list(of))


def _patient_peaks(part: xr.Dataset, name: Cytokine, by: Grouping) -> xr.DataArray:
    return gather(part[f"{name}_peak"], part, by)


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
    ds: xr.Dataset,
    *,
    by: Grouping = "label",
    quantiles: Sequence[float] = RANGE,
    of: Sequence[Cytokine] = CYTOKINES,
) -> xr.Dataset:
    """Cytokine peaks: median and 5-95 % of the patients by default.

    Args:
        ds: Results.
        by: Group of dose periods; "any" takes the largest peak of a patient.
        quantiles: Between 0 and 1.
        of: Cytokines, all by default.

    Returns:
        Dataset: `value` (quantile, cytokine, arm[, label or dose_period]) [pg/mL], and the counts.
    """
    whole = grouped(ds, by)
    return _each(
        of, lambda name: spread(lambda part: _patient_peaks(part, name, by), whole, quantiles)
    )


def _baseline(ds: xr.Dataset, name: Cytokine) -> xr.DataArray:
    """Concentration of a cytokine before treatment: (arm, patient), or (arm,) [pg/mL].

    Taken, in this order, from the variable ``NAME_baseline``, from the trajectory at the first
    saved time, or, where trajectories are stored apart, from their median at that time.
    """
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
    ds: xr.Dataset,
    *,
    by: Grouping = "label",
    quantiles: Sequence[float] = RANGE,
    of: Sequence[Cytokine] = CYTOKINES,
) -> xr.Dataset:
    """Fold change of cytokine peaks: peak / baseline, per patient.

    Args:
        ds: Results.
        by: Group of dose periods.
        quantiles: Between 0 and 1.
        of: Cytokines, all by default.

    Returns:
        Dataset: `value` (quantile, cytokine, arm[, label or dose_period]) [1], and the counts.
    """
    whole = grouped(ds, by)

    def folds(part: xr.Dataset, name: Cytokine) -> xr.DataArray:
        return _patient_peaks(part, name, by) / _baseline(part, name)

    return _each(of, lambda name: spread(lambda part: folds(part, name), whole, quantiles))


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

    def hours(part: xr.Dataset) -> xr.DataArray:
        after = (part["il6_peak_time"] - part["dose_time"]) * 24.0
        return gather(after, part, by, "min")

    return spread(hours, grouped(ds, by), quantiles)


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
def peak_ratio(
    ds: xr.Dataset,
    *,
    reference: str,
    quantiles: Sequence[float] = RANGE,
    of: Sequence[Cytokine] = CYTOKINES,
) -> xr.Dataset:
    """Largest cytokine peak of each arm relative to a reference arm.

    Args:
        ds: Results.
        reference: Name of the reference arm.
        quantiles: Between 0 and 1, for the ratio within a patient.
        of: Cytokines, all by default.

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
    return _each(of, lambda name: _ratio(ds, name, reference, quantiles))


def _ratio(
    ds: xr.Dataset, name: Cytokine, reference: str, quantiles: Sequence[float]
) -> xr.Dataset:
    def largest(part: xr.Dataset) -> xr.DataArray:
        return _patient_peaks(part, name, "any").where(solved(part))

    def paired(part: xr.Dataset) -> xr.DataArray:
        own = largest(part)
        return own / own.sel(arm=reference, drop=True)

    middle = spread(largest, ds, (0.5,))["value"].isel(quantile=0, drop=True)
    ratio = middle / middle.sel(arm=reference, drop=True)
    return spread(paired, ds, quantiles).rename(value="within_patient").assign(value=ratio)


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
    whole = grouped(ds, by)
    summed = added(_shares(part, by) for part in blocks(whole))
    value = summed["weighted"] / summed["weight"].where(summed["weight"] != 0)
    value.attrs = {}
    numbers = summed.drop_vars(["weighted", "weight"]).data_vars
    return xr.Dataset({"value": value.where(np.isfinite(value)), **numbers})


def _shares(part: xr.Dataset, by: Grouping) -> xr.Dataset:
    """Weighted sum of the shares of the patients with some release, their weight, the counts."""
    ok = solved(part)
    source = gather(part["cytokine_source"].where(ok), part, by, "sum")
    total = source.sum("tissue", skipna=False)
    share = (source / total).where(total > 0).weighted(weights(part))
    numbers = counts(total.where(total > 0), ok)
    weight = share.sum_of_weights("patient").fillna(0.0)
    return xr.Dataset({"weighted": share.sum("patient"), "weight": weight, **numbers})
