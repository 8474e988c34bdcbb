"""Facts of a report other than endpoints: run, numerics, failed simulations, patients, doses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from qsp.endpoints import response
from qsp.endpoints.statistics.patients import is_weighted, solved, weights
from qsp.plots.doses import readable
from qsp.plots.names import arm_titles, one_patient
from qsp.report.cells import (
    NONE,
    RANGE_NOTE,
    RANGE_TITLE,
    Column,
    Group,
    Table,
    percent,
    significant,
)
from qsp.response.rules import RULES
from qsp.results.record import record_of
from qsp.weights import quantiles

UNKNOWN = "not recorded"
# Largest number of failed patients listed by number.
MOST_LISTED = 20


@dataclass(frozen=True)
class Supplement:
    """Content of a report that the results do not hold.

    Args:
        dose_table: One mapping per administration, all with the same keys; the key "arm" groups
            them. Days are protocol days.
        parameters: One mapping per parameter: path, value, unit, source, status.
        limits: Limits of validity, a sentence or two each.
        command: Command that reproduces the run.
        references: Full references, in addition to those of the methods.
        sampled: Parameter values by patient, the group `parameters` of the results; None if they
            are not stored.
        uncertainty: The group `uncertainty` of the results; None if they have none.
        date: Date of the report; "" if none.
    """

    dose_table: Sequence[Mapping[str, object]]
    parameters: Sequence[Mapping[str, object]]
    limits: Sequence[str]
    command: str
    references: Sequence[str] = ()
    sampled: xr.Dataset | None = None
    uncertainty: xr.Dataset | None = None
    date: str = ""


def about(ds: xr.Dataset, supplement: Supplement) -> str:
    """Return date, author, versions, molecule and number of patients in a line."""
    attrs = ds.attrs
    size = "1 patient" if ds.sizes["patient"] == 1 else f"{ds.sizes['patient']:,} patients"
    author = record_of(ds).config.get("author")
    parts = [
        supplement.date,
        str(author) if author else "",
        f"qsp {attrs.get('qsp_version', UNKNOWN)}",
        f"model {attrs.get('model_version', UNKNOWN)}",
        str(attrs.get("molecule", UNKNOWN)),
        f"population {attrs.get('population', UNKNOWN)}",
        size,
    ]
    return " · ".join(part for part in parts if part)


def run_facts(ds: xr.Dataset) -> list[tuple[str, str]]:
    """Return the facts of the simulated trial, as pairs of a name and a text."""
    attrs, sizes = ds.attrs, ds.sizes
    patient = one_patient(ds)
    patients = f"{sizes['patient']:,} in each of {sizes['arm']} arms"
    patients += " (the same patients in every arm)" if sizes["arm"] > 1 else ""
    patients = f"{patient}, the same in every arm" if patient and sizes["arm"] > 1 else patients
    patients = patient if patient and sizes["arm"] == 1 else patients
    weighted = "weighted by prevalence" if is_weighted(ds) else "equal"
    return [
        ("Molecule", str(attrs.get("molecule", UNKNOWN))),
        ("Population", str(attrs.get("population", UNKNOWN))),
        ("Virtual patients", patients),
        *([] if patient else [("Patient weights", weighted)]),
        ("Duration", _with_unit(attrs.get("days"), "days")),
        *([] if patient else [("Doses", _dosing(ds))]),
        ("Response criteria", _response_criteria(ds)),
    ]


def _dosing(ds: xr.Dataset) -> str:
    """Return whether doses depend on events: the estimand of every rate."""
    arms = record_of(ds).arms
    by_rules = sum(bool(arm.rules) for arm in arms)
    if not by_rules:
        return "as scheduled in every patient, also after CRS or progression; no patient drops out"
    if by_rules == len(arms):
        return "by the rules of the trial"
    return f"by the rules of the trial in {by_rules} of {len(arms)} arms, else as scheduled"


def _response_criteria(ds: xr.Dataset) -> str:
    name = str(ds.attrs.get("response_criteria"))
    if name not in (RULES if response.has_lesions(ds) else response.CRITERIA):
        return UNKNOWN
    title = response.rule_of(ds).title
    return f"{title} (surrogate)" if response.surrogate_of(ds) else title


def numerics(ds: xr.Dataset) -> list[tuple[str, str]]:
    """Return the numerical settings of the run, as pairs of a name and a text."""
    attrs = ds.attrs
    return [
        ("Solver", str(attrs.get("solver", UNKNOWN))),
        ("Relative tolerance", _with_unit(attrs.get("rtol"), "")),
        ("Precision", str(attrs.get("precision", "float64"))),
        ("Backend", str(attrs.get("backend", UNKNOWN))),
        ("Seed", str(attrs.get("seed", UNKNOWN))),
        ("Simulations per chunk", str(attrs.get("chunk_size", UNKNOWN))),
        ("Total time", _with_unit(attrs.get("wall_s"), "s", digits=3)),
        ("of which compilation", _with_unit(attrs.get("compile_s"), "s", digits=3)),
        ("qsp version", str(attrs.get("qsp_version", UNKNOWN))),
        ("Model version", str(attrs.get("model_version", UNKNOWN))),
        ("JAX version", str(attrs.get("jax_version", UNKNOWN))),
        ("Git commit", str(attrs.get("git_commit", UNKNOWN))),
    ]


def _with_unit(value: object, unit: str, digits: int = 6) -> str:
    if not isinstance(value, int | float | np.number):
        return UNKNOWN
    return f"{float(value):.{digits}g} {unit}".strip()


def failure_table(ds: xr.Dataset) -> Table:
    """Return the table of outcomes of the simulations by arm, with the failed patients."""
    outcome = ds["outcome"].fillna(-1).astype(int)
    names = str(ds["outcome"].attrs.get("flag_meanings", "")).split()
    codes = [int(code) for code in np.atleast_1d(ds["outcome"].attrs.get("flag_values", []))]
    rows = []
    for arm, title in arm_titles(ds).items():
        own, ok = outcome.sel(arm=arm), solved(ds).sel(arm=arm)
        failed = [str(patient) for patient in ds["patient"].values[~ok.values]]
        more = len(failed) - MOST_LISTED
        listed = ", ".join(failed[:MOST_LISTED]) + (f" and {more:,} more" if more > 0 else "")
        counts = [f"{int((own == code).sum()):,}" for code in codes]
        share = percent(len(failed) / max(own.size, 1))
        rows.append((title, *counts, share, listed or NONE))
    titles = [name.replace("_", " ") for name in names]
    columns = [Column(title) for title in ("Arm", *titles, "failed [%]", "failed patients (ID)")]
    note = (
        "Patients whose simulation failed remain in the results. They are excluded from rates and "
        "quantiles, and each table gives their number."
    )
    return Table("Outcome of the simulations", tuple(columns), (Group("", tuple(rows)),), note)


def patient_table(ds: xr.Dataset) -> Table:
    """Return the table of baseline characteristics: median, 5th and 95th percentile."""
    rows, weight = [], weights(ds).values
    for name, title in _COVARIATES.items():
        if name in ds:
            values = ds[name].isel(arm=0, drop=True) if "arm" in ds[name].dims else ds[name]
            low, middle, high = (
                significant(v) for v in quantiles(values.values, weight, levels=_LEVELS)
            )
            unit = str(ds[name].attrs.get("units", ""))
            rows.append((title, f"{middle} ({low}–{high})", _UNITS.get(unit, unit)))
    if "sex" in ds and np.isfinite(ds["sex"].values.astype(float)).all():
        share = float(np.average(ds["sex"] == 1, weights=weight))
        single = ("Sex", "female" if share else "male", "")
        rows.append(single if one_patient(ds) else ("Female", percent(share), "%"))
    columns = (Column("Characteristic"), Column(RANGE_TITLE), Column("Unit"))
    note = f"{RANGE_NOTE}{' Weighted by prevalence.' if is_weighted(ds) else ''}"
    return Table("Baseline characteristics", columns, (Group("", tuple(rows)),), note)


_COVARIATES = {
    "age": "Age",
    "body_weight": "Body weight",
    "body_surface": "Body surface area",
    "tumor_volume_baseline": "Tumor volume",
}
_UNITS = {"year": "years", "m^2": "m²"}
_LEVELS = np.array([0.05, 0.5, 0.95])


def dose_rows(
    rows: Sequence[Mapping[str, object]], written: Mapping[tuple[str, str], str]
) -> list[dict[str, object]]:
    """Return the rows of a dose table with amounts in readable units.

    Args:
        rows: One mapping per administration, with keys such as arm, period and amount.
        written: Amounts prescribed per body size or per day, by arm (as named in the rows) and
            period.

    Returns:
        The rows; small amounts are in µg.
    """
    found = []
    for row in rows:
        key = (str(row.get("arm", "")), str(row.get("period", "")))
        amount = written.get(key) or readable(str(row.get("amount", "")))
        found.append({**row, **({"amount": amount} if "amount" in row else {})})
    return found


def mapping_table(title: str, rows: Sequence[Mapping[str, object]], *, by: str = "") -> Table:
    """Return a table whose columns are the keys of mappings.

    Args:
        title: Title of the table.
        rows: One mapping per row; missing keys are empty cells.
        by: Key whose values group the rows instead of being a column.

    Returns:
        The table, in the order of the rows.
    """
    keys = [key for key in dict.fromkeys(key for row in rows for key in row) if key != by]
    grouped: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        cells = tuple(_cell(row.get(key, "")) for key in keys)
        grouped.setdefault(str(row.get(by, "")), []).append(cells)
    groups = tuple(Group(name, tuple(cells)) for name, cells in grouped.items())
    return Table(title, tuple(Column(key.replace("_", " ")) for key in keys), groups)


def _cell(value: object) -> str:
    if value is None:
        return ""
    number = isinstance(value, float | np.floating)
    return f"{float(value):.6g}" if number else str(value)  # type: ignore[arg-type]
