"""Export of results to CSV: one long table per set of dimensions, and a file with the units.

Column names follow NONMEM conventions where they exist (ID, TIME, AMT, WT, BSA, CP) and have at
most 20 characters; missing values are ".". ARM is text and ARMN its number, for programs that read
only numbers.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import numpy as np
import xarray as xr

from qsp.endpoints import COLUMNS, Row
from qsp.endpoints.observed import has_observations
from qsp.errors import ConfigError, suggest
from qsp.report import export_observed
from qsp.results.disk import writing

MISSING = "."
# Files and the dimensions of their rows, after the arm.
TABLES = {
    "patients.csv": ("patient",),
    "periods.csv": ("patient", "dose_period"),
    "tissues.csv": ("patient", "dose_period", "tissue"),
    "visits.csv": ("patient", "visit"),
    "lesions.csv": ("patient", "visit", "lesion"),
    "trajectories.csv": ("patient", "time"),
    "bands.csv": ("quantile", "time"),
}
FILES = (*TABLES, export_observed.FILE)
"""All files, with that of the observations."""
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
    "tumor_volume_visit": "TUMOR",
    "tumor_volume": "TUMOR",
    "tumor_volume_baseline": "TUMOR_BASELINE",
    "tumor_volume_end": "TUMOR_END",
    "lesion_volume_visit": "LESION_VOLUME",
    "lesion_viable_visit": "LESION_VIABLE",
    "lesion_loss_share_visit": "LESION_LOSS_SHARE",
    "lesion_exhaustion_visit": "LESION_EXHAUSTION",
    "loss_share_visit": "LOSS_SHARE",
    "exhaustion_visit": "EXHAUSTION",
    "new_lesion_hazard_visit": "NEW_LESION_HAZARD",
    "m_protein_visit": "M_PROTEIN",
    "m_protein_elimination": "M_PROTEIN_LOSS",
}
_COORDINATES = {
    "ARM": ("", "Arm"),
    "ARMN": ("1", "Number of the arm, from 1"),
    "ID": ("1", "Patient; the same patient has the same number in every arm"),
    "TIME": ("day", "Time since the first dose"),
    "PERIOD": ("1", "Ordinal of the dose period"),
    "TISSUE": ("", "Tissue"),
    "LESION": ("", "Lesion"),
    "QUANTILE": ("1", "Quantile over patients"),
}


def export_csv(
    ds: xr.Dataset,
    folder: Path,
    *,
    trajectories: xr.Dataset | None = None,
    tables: Collection[str] = FILES,
) -> tuple[Path, ...]:
    """Write results as long tables.

    Args:
        ds: Results.
        folder: Folder to write to; created if missing.
        trajectories: Trajectories of individual patients, if stored separately.
        tables: Names of the files to write; files without variables are skipped.

    Returns:
        Files written: one per set of dimensions, one of the observations if there are any, and
        `units.csv` with the unit and description of every column.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written, meanings = [], []
    for name, dims in TABLES.items():
        if name not in tables:
            continue
        source = _source(ds, dims, trajectories)
        variables = _variables(source, dims)
        if variables:
            keys = ("ARM", "ARMN", *(column_name(dim) for dim in dims))
            header = [*keys, *(column_name(variable) for variable in variables)]
            _write_lines(folder / name, header, _lines(source, dims, variables))
            written.append(folder / name)
            meanings += _meanings(name, source, keys, variables)
    if export_observed.FILE in tables and has_observations(ds):
        written.append(folder / export_observed.FILE)
        cells = ([_text(cell, MISSING) for cell in row] for row in export_observed.rows(ds))
        _write(written[-1], list(export_observed.COLUMNS), cells)
        meanings += export_observed.meanings()
    _write(folder / "units.csv", ["FILE", "COLUMN", "VARIABLE", "UNITS", "LONG_NAME"], meanings)
    return (*written, folder / "units.csv")


def chosen_tables(names: str | None, *, trajectories: bool) -> tuple[str, ...]:
    """Return the files of the tables named in a comma-separated list.

    Args:
        names: Names, such as "patients,periods"; None for all tables.
        trajectories: Whether `None` includes the trajectories of individual patients.

    Raises:
        ConfigError: If a table does not exist.
    """
    known = [file.removesuffix(".csv") for file in FILES]
    if names is None:
        return tuple(file for file in FILES if trajectories or file != "trajectories.csv")
    chosen = [name.strip().removesuffix(".csv") for name in names.split(",")]
    for name in chosen:
        if name not in known:
            todo = f"{suggest(name, known)} Tables: {', '.join(known)}".strip()
            raise ConfigError("--tables", "each name must be the name of a table", repr(name), todo)
    return tuple(f"{name}.csv" for name in chosen)


def column_name(variable: str) -> str:
    """Return the column of a variable: its NONMEM name if there is one, or its name in capitals."""
    stem, bands, _ = variable.partition("_quantiles")
    return _NAMES.get(stem if bands else variable, stem.upper())


def write_summary(rows: Sequence[Row], path: Path) -> Path:
    """Write the rows of `qsp.endpoints.summary` as CSV; missing numbers are empty.

    Args:
        rows: Rows of the summary.
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
    """Return the variables over these dimensions; variables without arm repeat in each arm."""
    wanted = [{"arm", *dims}, *([{"patient"}] if dims == ("patient",) else [])]
    return [str(name) for name in ds.data_vars if set(ds[name].dims) in wanted]


def _lines(ds: xr.Dataset, dims: tuple[str, ...], variables: list[str]) -> Iterator[str]:
    """Yield the lines by arm and first dimension, with the values of one arm in memory at a time.

    Dose periods that a patient does not have are skipped.
    """
    places = itertools.product(*(map(_cell, ds[dim].values) for dim in dims[1:]))
    tails = ["".join(f",{cell}" for cell in place) for place in places]
    for number, arm in enumerate(ds["arm"].values):
        here = ds[[*variables, "arm"]].isel(arm=number)
        columns = [_rows(here[name], dims) for name in variables]
        present = _present(ds.isel(arm=number), dims)
        for row, first in enumerate(ds[dims[0]].values):
            head = f"{_cell(arm)},{number + 1},{_cell(first)}"
            cells = zip(*(_cells(column[row]) for column in columns), strict=True)
            exists = itertools.repeat(True) if present is None else present[row].tolist()
            for tail, values, has_line in zip(tails, cells, exists, strict=False):
                if has_line:
                    yield f"{head}{tail},{','.join(values)}\n"


def _rows(values: xr.DataArray, dims: tuple[str, ...]) -> np.ndarray:
    """(first dimension, product of the others): Values of an arm."""
    return values.transpose(*dims).values.reshape(values.sizes[dims[0]], -1)


def _present(ds: xr.Dataset, dims: tuple[str, ...]) -> np.ndarray | None:
    """(first dimension, product of the others): Whether a dose period exists; None without any."""
    if "dose_period" not in dims or "dose_label" not in ds:
        return None
    labels = ds["dose_label"].expand_dims(
        {d: ds[d] for d in dims if d not in ds["dose_label"].dims}
    )
    return _rows(labels, dims) != ""


def _cells(column: np.ndarray) -> list[str]:
    """Return the values of a column as cells of a CSV file."""
    if not np.issubdtype(column.dtype, np.floating):
        return [_cell(value) for value in column.tolist()]
    cells = [f"{value:.7g}" for value in column.tolist()]
    for place in np.flatnonzero(~np.isfinite(column)):
        cells[place] = MISSING
    return cells


def _cell(value: object) -> str:
    text = _text(value, MISSING)
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if set(text) & set(',"\n\r') else text


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
    with _whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_lines(path: Path, header: list[str], lines: Iterable[str]) -> None:
    with _whole(path) as file:
        file.write(",".join(header) + "\n")
        file.writelines(lines)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """Write a file that appears whole, or not at all if the disk is full."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with writing(path.parent), partial.open("w", newline="", encoding="utf-8") as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
