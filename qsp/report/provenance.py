"""Origin of the parameter values of a run, and the ten that matter most for its CRS.

Parameters are ranked by the absolute rank correlation (Spearman), over the patients of the
reference arm, of the value of the patient with the highest fever of the patient. Only parameters
that vary between patients can be ranked; a fixed value may matter as much.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.statistics.patients import solved
from qsp.parameter_record import ParameterRecord
from qsp.report.cells import Column, Group, Table

MOST = 10
LEAST_PATIENTS = 20
"""Patients below which parameters are not ranked."""
NAMES = {
    "published": "published",
    "assumed": "assumed",
    "tuned": "tuned to data",
    "user": "given by the user",
    "derived": "derived from others",
}


@dataclass(frozen=True)
class Ranked:
    """A parameter with its rank correlation with the highest fever.

    Args:
        record: Value and origin of the parameter.
        correlation: Spearman's correlation over patients [1].
    """

    record: ParameterRecord
    correlation: float


@dataclass(frozen=True)
class Provenance:
    """Origin of the parameter values.

    Args:
        counts: Number of values by status.
        ranked: Parameters with the largest correlations, in descending order of their size.
        chance: Size that the correlation of an unrelated parameter exceeds in 5 % of runs [1];
            NaN if parameters are not ranked.
        patients: Number of patients of the correlations.
        varying: Number of parameters with a correlation.
        signal: Name of the signal of CRS whose highest value is correlated.
    """

    counts: dict[str, int]
    ranked: tuple[Ranked, ...]
    chance: float
    patients: int
    varying: int = 0
    signal: str = "fever"

    @property
    def sentence(self) -> str:
        """Share of the values by status, in one line."""
        total = sum(self.counts.values())
        if not total:
            return "The origin of the parameter values is not recorded."
        each = [
            f"{count} {NAMES[status]} ({100 * count / total:.0f} %)"
            for status, count in self.counts.items()
        ]
        return f"Of {total} parameter values, {', '.join(each)}."

    @property
    def gap(self) -> str:
        """Share of the most important parameters that are not published."""
        if not self.ranked:
            return "Which parameters matter most was not determined in this run."
        open_ones = [row for row in self.ranked if row.record.status in ("assumed", "tuned")]
        return (
            f"Of the {len(self.ranked)} varying parameters that matter most for CRS in this run, "
            f"{len(open_ones)} are assumed or tuned to data."
        )


def provenance(
    ds: xr.Dataset, arm: str, records: Sequence[ParameterRecord], sampled: xr.Dataset | None
) -> Provenance:
    """Return the origin of the values of a run.

    Args:
        ds: Results with `fever_peak`; those of the first model have `crs_severity_peak`.
        arm: Name of the arm in which parameters are ranked.
        records: Value, status and source of each parameter.
        sampled: Values by patient, the group `parameters` of the results; None if not stored.
    """
    found = Counter(record.status for record in records)
    counts = {status: found[status] for status in NAMES if found[status]}
    variable, signal = _signal(ds)
    highest, chosen = _highest(ds.sel(arm=arm), variable, sampled)
    if sampled is None or chosen.sum() < LEAST_PATIENTS:
        return Provenance(counts, (), math.nan, int(chosen.sum()))
    correlations = _correlations(sampled, arm, highest, chosen)
    known = [Ranked(row, correlations[row.path]) for row in records if row.path in correlations]
    known.sort(key=lambda row: -abs(row.correlation))
    chance = 1.96 / math.sqrt(int(chosen.sum()) - 1)
    return Provenance(counts, tuple(known[:MOST]), chance, int(chosen.sum()), len(known), signal)


def _signal(ds: xr.Dataset) -> tuple[str, str]:
    """Return the variable and the name of the signal that decides whether there is CRS."""
    first_model = "fever_peak" not in ds
    return ("crs_severity_peak", "severity index") if first_model else ("fever_peak", "fever")


def _highest(
    arm: xr.Dataset, variable: str, sampled: xr.Dataset | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the highest value of a variable in an arm, and which patients have one."""
    own = arm[[variable, "outcome", "patient"]]
    if sampled is not None and "patient_traj" in sampled.dims:
        own = own.sel(patient=sampled["patient_traj"].values)
    highest = own[variable].max("dose_period").values
    return highest, np.isfinite(highest) & solved(own).values


def _correlations(
    sampled: xr.Dataset, arm: str, highest: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> dict[str, float]:
    names, columns = [], []
    for name, values in sampled.data_vars.items():
        own = values.sel(arm=arm) if "arm" in values.dims else values
        if own.ndim == 1 and np.ptp(own.values[chosen]) > 0:
            names.append(str(name))
            columns.append(_ranks(own.values[chosen]))
    if not columns:
        return {}
    target, table = _centered(_ranks(highest[chosen])), np.array(columns)
    table = table - table.mean(axis=1, keepdims=True)
    size = np.sqrt((table**2).sum(axis=1) * (target**2).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = table @ target / size
    return {name: float(r) for name, r in zip(names, rho, strict=True) if np.isfinite(r)}


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ranks of values; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]


def _centered(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values - values.mean()


def ranking_table(found: Provenance, arm: str) -> Table:
    """Return the table of the parameters that matter most.

    Args:
        found: Origin of the values.
        arm: Title of the reference arm.
    """
    rows = [
        (
            row.record.meaning or row.record.path,
            f"{row.correlation:+.2f}",
            NAMES.get(row.record.status, row.record.status),
            row.record.path,
            row.record.source,
        )
        for row in found.ranked
    ]
    titles = ("Parameter", "Correlation", "Origin", "Path", "Source")
    note = (
        f"Rank correlation (Spearman) of the value with the highest {found.signal}, over "
        f"{found.patients:,} patients with {arm}. An unrelated parameter exceeds "
        f"{found.chance:.2f} in size with a probability of 5 %, so that of the {found.varying:,} "
        f"parameters that vary about {round(0.05 * found.varying):,} would exceed it by chance. "
        "Values that do not vary between patients cannot be "
        "ranked in this way and may matter as much."
    )
    columns = tuple(Column(title) for title in titles)
    return Table(
        "Parameters that matter most for CRS in this run", columns, (Group("", tuple(rows)),), note
    )
