"""Share of the variance between patients that covariates known before treatment explain.

Virtual patients differ in parameters that a clinic does not measure, such as the fitness of T cells
and the potency of release, and in covariates that it does. A large unexplained share means that the
covariates of a patient hardly predict the CRS of this patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.endpoint import Meaning, endpoint, require
from qsp.endpoints.statistics.blocks import add_blocks, blocks
from qsp.endpoints.statistics.explained import Explained, explained
from qsp.endpoints.statistics.patients import COUNTS, counts, solved, weights
from qsp.endpoints.steps import gather
from qsp.weights import effective_size

COVARIATES: Mapping[str, str] = MappingProxyType(
    {
        "tumor_volume_baseline": "mL",
        "soluble_target_baseline": "nmol/L",
        "effector_to_target_baseline": "1",
        "age": "year",
        "body_weight": "kg",
    }
)
"""Covariates and their units; those that the results lack are left out."""
SIGNALS = ("il6_peak", "fever_peak")
"""Responses by patient: the largest value over all doses. Only IL-6 is in all results."""
STATUS = ("used", "not_in_results", "missing_or_zero", "constant")
"""Whether a covariate is in the regression, or why it is left out."""
USED, ABSENT, INCOMPLETE, CONSTANT = range(len(STATUS))
_NO_SPREAD = 1e-9
"""Standard deviation of a logarithm that is rounding error."""
_LABELS = {
    "value": "Share of the variance that the covariates explain, R^2",
    "adjusted": "R^2, adjusted for the number of covariates",
    "lower": "R^2, lower bound of the 95 % interval",
    "upper": "R^2, upper bound of the 95 % interval",
    "alone": "R^2 of this covariate alone",
    "added": "Increase of R^2 when this covariate is added to all others",
}

_FLAGS = {
    "units": "1",
    "long_name": "Whether the covariate is used",
    "flag_values": tuple(range(len(STATUS))),
    "flag_meanings": " ".join(STATUS),
}

Floats = NDArray[np.float64]


@endpoint(
    Meaning(
        units="1",
        long_name="Variance between patients that covariates explain",
        definition="R^2 of the linear regression of the logarithm of the largest IL-6 peak (or of "
        "the largest fever) of a patient over all doses on the logarithms of the covariates before "
        "treatment",
        needs={"il6_peak": "pg/mL", "outcome": "1"},
    )
)
def explained_variance(
    ds: xr.Dataset, *, covariates: Sequence[str] = tuple(COVARIATES)
) -> xr.Dataset:
    """Return the share of the variance between patients that covariates explain, for each arm.

    A covariate that is missing or not positive in a patient, or the same in all patients of an arm,
    is left out of the regression. Patients without a positive response are unassessed. Patients
    are weighted by prevalence.

    Args:
        ds: Results.
        covariates: Names from `COVARIATES`.

    Returns:
        Dataset: `value`, `adjusted`, `lower` and `upper` (signal, arm) [1], R^2 and its 95 %
        interval, which is Monte Carlo error alone; `alone` and `added` (signal, arm, covariate)
        [1]; `status` (signal, arm, covariate), an index into `STATUS`; and the counts (signal,
        arm). The values are NaN with fewer than ten patients for each covariate used.
    """
    present = [name for name in covariates if name in ds]
    for name in present:
        require(ds, name, COVARIATES[name])
    signals = [name for name in SIGNALS if name in ds]
    found = [_of_signal(ds, name, present, covariates) for name in signals]
    stacked = xr.concat(found, dim="signal", coords="minimal", compat="override", join="exact")
    return stacked.assign_coords(signal=signals)


def _of_signal(
    ds: xr.Dataset, signal: str, present: Sequence[str], covariates: Sequence[str]
) -> xr.Dataset:
    parts = blocks(ds)
    shift = _middle(_columns(parts[0], signal, present))
    summed = add_blocks(_sums(part, _columns(part, signal, present), shift) for part in parts)
    arms = [_of_arm(summed.isel(arm=n), present, covariates) for n in range(ds.sizes["arm"])]
    data = {name: _variable(name, [getattr(each, name) for each, _ in arms]) for name in _LABELS}
    data["status"] = xr.Variable(
        ("arm", "covariate"), np.array([each for _, each in arms], np.int8), dict(_FLAGS)
    )
    coords = {"arm": ds["arm"], "covariate": list(covariates)}
    return xr.Dataset(data, coords).assign({name: summed[name] for name in COUNTS})


def _variable(name: str, values: Sequence[float | Floats]) -> xr.Variable:
    """Return the shares of all arms, of each covariate or of all together."""
    dims = ("arm", "covariate") if name in ("alone", "added") else ("arm",)
    return xr.Variable(dims, np.array(values), {"units": "1", "long_name": _LABELS[name]})


def _columns(part: xr.Dataset, signal: str, present: Sequence[str]) -> xr.DataArray:
    """Return logarithms (arm, patient, column) of the response and of the covariates.

    They are NaN where a value is missing or not positive, and where the simulation failed.
    """
    ok = solved(part)
    values = [gather(part[signal], part, "any"), *(part[name] for name in present)]
    positive = [each.astype(float).where(ok & (each > 0)) for each in values]
    logs = [np.log(each.transpose("arm", "patient").values) for each in positive]
    stacked = np.stack(logs, axis=-1)
    coords = {"arm": ok["arm"], "patient": ok["patient"]}
    return xr.DataArray(stacked, coords, ("arm", "patient", "column"))


def _middle(columns: xr.DataArray) -> Floats:
    """Return a value (arm, column) near the mean, which is subtracted to keep digits."""
    values = columns.values
    known = np.isfinite(values)
    return np.where(known, values, 0.0).sum(1) / np.maximum(known.sum(1), 1)


def _sums(part: xr.Dataset, columns: xr.DataArray, shift: Floats) -> xr.Dataset:
    """Return sums over the patients of a block who have a response.

    Args:
        part: Results of these patients.
        columns (arm, patient, column): Logarithms.
        shift (arm, column): Value subtracted from each.

    Returns:
        Dataset: `weight`, `squares` (arm,), sums of the weights and of their squares; `known`
        (arm, column), patients with a value; `sum` (arm, column) and `products` (arm, column,
        other) of the logarithms; and the counts (arm,).
    """
    response = columns.isel(column=0, drop=True)
    assessed = response.notnull().values
    weight = np.where(assessed, weights(part).values, 0.0)
    known = np.isfinite(columns.values) & assessed[..., None]
    values = np.where(known, columns.values - shift[:, None, :], 0.0)
    weighted = weight[..., None] * values
    sums = {
        "weight": (("arm",), weight.sum(-1)),
        "squares": (("arm",), (weight**2).sum(-1)),
        "known": (("arm", "column"), known.sum(1)),
        "sum": (("arm", "column"), weighted.sum(1)),
        "products": (("arm", "column", "other"), np.swapaxes(weighted, 1, 2) @ values),
    }
    return xr.Dataset(sums, {"arm": part["arm"]}).assign(counts(response, solved(part)))


def _of_arm(
    summed: xr.Dataset, present: Sequence[str], covariates: Sequence[str]
) -> tuple[Explained, list[int]]:
    """Return the shares of one arm over all covariates, NaN if left out; and their status."""
    weight = max(float(summed["weight"]), np.finfo(float).tiny)
    mean = summed["sum"].values / weight
    covariance = summed["products"].values / weight - np.outer(mean, mean)
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    complete = summed["known"].values == int(summed["evaluable"])
    place = {name: 1 + n for n, name in enumerate(present)}
    status = [_status(name, place, complete, spread) for name in covariates]
    used = [n for n, each in enumerate(status) if each == USED]
    chosen = [0, *(place[covariates[n]] for n in used)]
    if spread[0] <= _NO_SPREAD:
        chosen = [0]  # a constant response has no variance to explain
    scale = np.where(spread > _NO_SPREAD, spread, 1.0)[chosen]
    correlation = covariance[np.ix_(chosen, chosen)] / np.outer(scale, scale)
    squares = max(float(summed["squares"]), np.finfo(float).tiny)
    effective = effective_size(float(summed["weight"]), squares)
    found = explained(correlation, effective)
    return found._replace(
        alone=_spread_out(found.alone, used, len(covariates)),
        added=_spread_out(found.added, used, len(covariates)),
    ), status


def _status(
    name: str, place: Mapping[str, int], complete: NDArray[np.bool_], spread: Floats
) -> int:
    if name not in place:
        return ABSENT
    if not complete[place[name]]:
        return INCOMPLETE
    return USED if spread[place[name]] > _NO_SPREAD else CONSTANT


def _spread_out(values: Floats, used: Sequence[int], count: int) -> Floats:
    """Return the values of the covariates used among all covariates, NaN for the others."""
    found = np.full(count, np.nan)
    if len(values):
        found[list(used)] = values
    return found
