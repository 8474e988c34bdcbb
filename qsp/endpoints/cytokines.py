"""Cytokines in blood: peaks by dose, time of the peak, and fold change over baseline.

Peaks are tracked by the engine at every solver step; they are not the largest saved value. IL-6 is
the measured concentration, which increases under tocilizumab because its receptor is blocked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from qsp.endpoints.endpoint import Meaning, endpoint, require
from qsp.endpoints.statistics.blocks import add_blocks, blocks
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
    """Compute one cytokine at a time, to limit memory, and concatenate the results."""
    all_cytokines = xr.concat(
        [measure(name) for name in of],
        dim="cytokine",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="exact",
    )
    ordered = all_cytokines.transpose("quantile", "cytokine", ..., missing_dims="ignore")
    return ordered.assign_coords(cytokine=list(of))


def _patient_peaks(part: xr.Dataset, name: Cytokine, by: Grouping) -> xr.DataArray:
    return gather(part[f"{name}_peak"], part, by)


@endpoint(
    Meaning(
        units="pg/mL",
        long_name="Peak cytokine concentration",
        definition="Quantiles over patients of the maximum concentration in blood during the dose "
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
    """Return cytokine peaks: by default the median and the 5th and 95th percentiles.

    Args:
        ds: Results.
        by: Grouping of dose periods; "any" takes the largest peak of a patient.
        quantiles: Levels between 0 and 1.
        of: Cytokines; all by default.

    Returns:
        Dataset: `value` (quantile, cytokine, arm[, label or dose_period]) [pg/mL], and the counts.
    """
    whole = grouped(ds, by)
    return _each(
        of, lambda name: spread(lambda part: _patient_peaks(part, name, by), whole, quantiles)
    )


def _baseline(ds: xr.Dataset, name: Cytokine) -> xr.DataArray:
    """Return the concentration of a cytokine before treatment: (arm, patient) or (arm,) [pg/mL].

    The baseline is, in this order, the variable ``NAME_baseline``, the trajectory at the first
    saved time, or, if only quantiles over time are stored, the median at that time.
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
        long_name="Fold change of the cytokine peak from baseline",
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
    """Return the fold change of cytokine peaks from baseline: peak / baseline, per patient.

    Args:
        ds: Results.
        by: Grouping of dose periods.
        quantiles: Levels between 0 and 1.
        of: Cytokines; all by default.

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
        long_name="Time to the IL-6 peak",
        definition="Time from the start of the dose period to the IL-6 peak",
        needs={"il6_peak_time": "day", "dose_time": "day"},
    )
)
def peak_times(
    ds: xr.Dataset, *, by: Grouping = "label", quantiles: Sequence[float] = RANGE
) -> xr.Dataset:
    """Return the time from the start of the dose period to the IL-6 peak.

    Args:
        ds: Results.
        by: "label" or "dose_period".
        quantiles: Levels between 0 and 1.

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
        definition="Median over patients of the largest peak over all doses, divided by the median "
        "in the reference arm; and quantiles of the within-patient ratio, because every patient is "
        "simulated in every arm",
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
    """Return the largest cytokine peak of each arm relative to a reference arm.

    Args:
        ds: Results.
        reference: Name of the reference arm.
        quantiles: Levels between 0 and 1, for the within-patient ratio.
        of: Cytokines; all by default.

    Returns:
        Dataset: `value` (cytokine, arm) [1], the ratio of the medians; `within_patient`
        (quantile, cytokine, arm) [1]; and the counts of patients simulated successfully in both
        arms.

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
        long_name="Fraction of cytokine release by tissue",
        definition="Mean over patients of the fraction of the cytokine release of a dose period "
        "that comes from each tissue",
        needs={"cytokine_source": "Mcell*day"},
    )
)
def source_shares(ds: xr.Dataset, *, by: Grouping = "label") -> xr.Dataset:
    """Return the mean over patients of ``release_tissue / sum(release)``.

    Args:
        ds: Results.
        by: Grouping of dose periods, over which the release is summed.

    Returns:
        Dataset: `value` (tissue, arm[, label or dose_period]) [1], NaN if no patient has any
        release; and the counts of patients with some release.
    """
    whole = grouped(ds, by)
    summed = add_blocks(_sum_of_shares(part, by) for part in blocks(whole))
    value = summed["weighted"] / summed["weight"].where(summed["weight"] != 0)
    value.attrs = {}
    numbers = summed.drop_vars(["weighted", "weight"]).data_vars
    return xr.Dataset({"value": value.where(np.isfinite(value)), **numbers})


def _sum_of_shares(part: xr.Dataset, by: Grouping) -> xr.Dataset:
    """Weighted sum of the fractions of patients with release, their total weight, the counts."""
    ok = solved(part)
    source = gather(part["cytokine_source"].where(ok), part, by, "sum")
    total = source.sum("tissue", skipna=False)
    share = (source / total).where(total > 0).weighted(weights(part))
    numbers = counts(total.where(total > 0), ok)
    weight = share.sum_of_weights("patient").fillna(0.0)
    return xr.Dataset({"weighted": share.sum("patient"), "weight": weight, **numbers})
