"""Results as long tables in CSV files, one per set of dimensions, with the units in a file beside.

Names follow NONMEM where it has one (ID, TIME, AMT, WT, BSA, CP) and are at most 20 characters;
missing values are ".". ARM is text, ARMN its number, so that a program that reads only numbers can
drop the text.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import xarray as xr

from qsp.endpoints import COLUMNS, Row

MISSING = "."
# File and the dimensions of its rows, after the arm.
TABLES = {
    "patients.csv": ("patient",),
    "periods.csv": ("patient", "dose_period"),
    "tissues.csv": ("patient", "dose_period", "tissue"),
    "visits.csv": ("patient", "visit"),
    "trajectories.csv": ("patient", "time"),
    "bands.csv": ("quantile", "time"),
}
_NAMES = {
    "patient": "ID",
    "patient_traj": "ID",
    "time": "TIME",
    "visit": "TIME",
    "dose_period": "PERIOD",
    "dose_label": "LABEL",
    "dose_time": "DOSETIME",
    "dose_amount": "AMT",
    "drug_central": "CP",
    "body_weight": "WT",
    "body_surface": "BSA",
    "prevalence_weight": "WEIGHT",
    "crs_probability_logistic": "CRS_P_LOGISTIC",
    "crs_probability_hazard": "CRS_P_HAZARD",
    "tumor_volume_visit": "TUMOR",
    "tumor_volume": "TUMOR",
    "tumor_volume_baseline": "TUMOR_BASELINE",
    "tumor_volume_end": "TUMOR_END",
}
_COORDINATES = {
    "ARM": ("", "Arm"),
    "ARMN": ("1", "Number of the arm, from 1"),
    "ID": ("1", "Patient; the same patient has the same number in every arm"),
    "TIME": ("day", "Time since the first dose"),
    "PERIOD": ("1", "Ordinal of the dose period"),
    "TISSUE": ("", "Tissue"),
    "QUANTILE": ("1", "Quantile over patients"),
}


def export_csv(
    ds: xr.Dataset, folder: Path, *, trajectories: xr.Dataset | None = None
) -> tuple[Path, ...]:
    """Write a results Dataset as long tables.

    Args:
        ds: Results.
        folder: Folder to write to; made where it is missing.
        trajectories: Single patients over time, where they are stored apart.

    Returns:
        Files written: one per set of dimensions that the Dataset has, and `units.csv` with the unit
        and meaning of every column.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written, meanings = [], []
    for name, dims in TABLES.items():
        source = _source(ds, dims, trajectories)
        variables = _variables(source, dims)
        if variables:
            keys = ("ARM", "ARMN", *(column_name(dim) for dim in dims))
            header = [*keys, *(column_name(variable) for variable in variables)]
            _write(folder / name, header, _records(source, dims, variables))
            written.append(folder / name)
            meanings += _meanings(name, source, keys, variables)
    _write(folder / "units.csv", ["FILE", "COLUMN", "VARIABLE", "UNITS", "LONG_NAME"], meanings)
    return (*written, folder / "units.csv")


def column_name(variable: str) -> str:
    """Column of a variable: the NONMEM name where there is one, else the name in capitals."""
    stem, bands, _ = variable.partition("_quantiles")
    return _NAMES.get(stem if bands else variable, stem.upper())


def write_summary(rows: Sequence[Row], path: Path) -> Path:
    """Write the rows of `qsp.endpoints.summary` as CSV; numbers that do not exist are empty.

    Args:
        rows: Rows.
        path: File to write.

    Returns:
        The file.
    """
    _write(
        path, list(COLUMNS), ([_text(cell, "") for cell in asdict(row).values()] for row in rows)
    )
    return path


def _source(ds: xr.Dataset, dims: tuple[str, ...], trajectories: xr.Dataset | None) -> xr.Dataset:
    if "time" not in dims or "patient" not in dims or trajectories is None:
        return ds
    return trajectories.rename(
        {"patient_traj": "patient"} if "patient_traj" in trajectories.dims else {}
    )


def _variables(ds: xr.Dataset, dims: tuple[str, ...]) -> list[str]:
    """Variables over the arm and these dimensions; those of a patient repeat in each arm."""
    wanted = [{"arm", *dims}, *([{"patient"}] if dims == ("patient",) else [])]
    return [str(name) for name in ds.data_vars if set(ds[name].dims) in wanted]


def _records(ds: xr.Dataset, dims: tuple[str, ...], variables: list[str]) -> Iterator[list[str]]:
    """Rows by arm and first dimension: one slice is in memory at a time."""
    rest = dims[1:]
    labels = [ds[dim].values for dim in rest]
    for place, arm in enumerate(ds["arm"].values):
        for row, first in enumerate(ds[dims[0]].values):
            columns = []
            for name in variables:
                own = ds[name].isel({dims[0]: row})
                own = own.isel(arm=place) if "arm" in own.dims else own
                columns.append(own.transpose(*rest).values.ravel())
            keys = itertools.product(*labels)
            for key, values in zip(keys, zip(*columns, strict=True), strict=True):
                cells = (_text(cell, MISSING) for cell in (first, *key, *values))
                yield [str(arm), str(place + 1), *cells]


def _meanings(
    file: str, ds: xr.Dataset, keys: Sequence[str], variables: list[str]
) -> Iterator[list[str]]:
    for key in keys:
        yield [file, key, "", *_COORDINATES[key]]
    for name in variables:
        attrs = ds[name].attrs
        yield [file, column_name(name), name, attrs.get("units", ""), attrs.get("long_name", "")]


def _text(cell: object, missing: str) -> str:
    if isinstance(cell, float | np.floating):
        return f"{float(cell):.7g}" if np.isfinite(cell) else missing
    return str(cell) if str(cell) else missing


def _write(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
