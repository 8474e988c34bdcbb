"""Table of the variance between patients that covariates explain."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from qsp.endpoints.covariates import ABSENT, CONSTANT, COVARIATES, INCOMPLETE, explained_variance
from qsp.endpoints.statistics.explained import PATIENTS_PER_COVARIATE
from qsp.plots.names import arm_titles
from qsp.report.cells import NONE, Column, Group, Table, between, percent

TITLES = {
    "tumor_volume_baseline": "Tumor volume",
    "soluble_target_baseline": "Soluble target",
    "effector_to_target_baseline": "T cells per tumor cell",
    "age": "Age",
    "body_weight": "Body weight",
}
SIGNALS = {"il6_peak": "IL-6 peak", "fever_peak": "Fever"}
_REASONS = {ABSENT: "not in the results", INCOMPLETE: "missing or zero", CONSTANT: "constant"}


def explained_table(ds: xr.Dataset) -> Table:
    """Return the share of the variance between patients that covariates explain, by arm.

    Args:
        ds: Results.

    Returns:
        R^2 in percent with its interval, and that of each covariate alone and added to the others;
        without rows if no arm has an R^2.
    """
    found = explained_variance(ds)
    shown = [
        name for name in COVARIATES if bool(found["alone"].sel(covariate=name).notnull().any())
    ]
    columns = (
        Column("Response"),
        Column("n"),
        Column("failed"),
        *(Column(title, "R² of all covariates [%]") for title in ("R²", "95 % MC", "adjusted")),
        *(Column(TITLES[name], "R² of one covariate alone [%]") for name in shown),
        *(Column(TITLES[name], "Added to R² of the others [%]") for name in shown),
        Column("Left out"),
    )
    present = found["signal"].values.tolist()
    groups = [
        Group(title, tuple(_row(found.sel(arm=arm, signal=name), shown) for name in present))
        for arm, title in arm_titles(ds).items()
    ]
    known = bool(found["value"].notnull().any())
    title = "Variance between patients that covariates explain"
    return Table(title, columns, tuple(groups) if known else (), _NOTE)


_NOTE = (
    "R² is the share of the variance between virtual patients that a linear regression on "
    "covariates known before treatment explains; the response is the largest IL-6 peak or fever of "
    "a patient over all doses, and all are logarithms. 0 %: the covariates of a patient say "
    "nothing about the response; 100 %: they determine it. The rest of the variance is in "
    "parameters that a clinic does not measure, such as the fitness of T cells and the capacity to "
    "release cytokines, and in relations that are not linear. Covariates are correlated, so that "
    "the shares of each alone do not add up to that of all. R² depends on the spread of the "
    "parameters in the population, which is partly assumed. Tumor: lymph nodes and lesions, or "
    "marrow in myeloma and leukemia. 95 % MC: Monte Carlo interval. No R² is given with fewer than "
    f"{PATIENTS_PER_COVARIATE} patients for each covariate."
)


def _row(found: xr.Dataset, shown: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of a response in an arm."""
    value, lower, upper, adjusted = (
        percent(float(found[name])) for name in ("value", "lower", "upper", "adjusted")
    )
    each = found.sel(covariate=list(shown))
    parts = [percent(share) for name in ("alone", "added") for share in each[name].values.tolist()]
    return (
        SIGNALS[str(found["signal"].values)],
        f"{int(found['evaluable']):,}",
        f"{int(found['failed']):,}",
        value,
        between(lower, upper),
        adjusted,
        *parts,
        _left_out(found["status"]),
    )


def _left_out(status: xr.DataArray) -> str:
    """Return the names of the covariates that are not used, with the reason."""
    codes = dict(zip(status["covariate"].values.tolist(), status.values.tolist(), strict=True))
    texts = [
        f"{TITLES[name]} ({_REASONS[code]})" for name, code in codes.items() if code in _REASONS
    ]
    return ", ".join(texts) or NONE
