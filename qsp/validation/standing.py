"""Tables that reports read: response rates against trials, and published CRS by regimen.

`qsp validate --write` writes both from the published values and the simulated studies.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from qsp import run as runs
from qsp import shipped
from qsp.report.standing import (
    RATES,
    STANDING,
    PublishedRate,
    Standing,
    parameter_hash,
    regimen_text,
    supportive_text,
)
from qsp.results.record import RunRecord
from qsp.run.record import run_record
from qsp.validation.approved import ANY, ARM, approved
from qsp.validation.facts import STUDY_OF_INDICATION
from qsp.validation.published import DATA, Published, read
from qsp.validation.row import Row
from qsp.validation.study import STUDIES, prepare

OTHER_PATIENTS = "shown: different population"
"""Criterion of published values whose patients the simulated population does not represent."""


def write(rows: Sequence[Row], populations: Path | None = None, folder: Path = DATA) -> list[Path]:
    """Write both tables.

    Args:
        rows: Rows of the validation, with the simulated response rates.
        populations: Folder of the population files; by default the shipped ones.
        folder: Folder to write to; by default that of the published values.

    Returns:
        The two files.
    """
    records = study_records(populations or shipped.folder("populations"))
    tables = {STANDING: standing(rows, records), RATES: published(records)}
    for name, kind in ((STANDING, Standing), (RATES, PublishedRate)):
        _write(folder / name, kind, tables[name])
    return [folder / name for name in tables]


def study_records(populations: Path) -> dict[str, RunRecord]:
    """Return the record of each study, without simulating it."""
    studies = {name: prepare(name, patients=1, seed=1, populations=populations) for name in STUDIES}
    return {name: run_record(each) for name, each in studies.items()}


def standing(rows: Sequence[Row], records: Mapping[str, RunRecord]) -> list[Standing]:
    """Return the simulated and published objective response rates.

    Args:
        rows: Rows of the validation.
        records: Record of each study, by name.
    """
    others = {
        (row["molecule"], row["indication"])
        for row in read("efficacy")
        if row.judged() == OTHER_PATIENTS
    }
    found = []
    for row in rows:
        fact = row.fact
        if fact.what != "ORR" or row.simulated is None:
            continue
        record, simulated, known = records[fact.study], row.simulated.value, fact.published.value
        found.append(
            Standing(
                molecule=fact.molecule,
                population=record.population,
                indication=fact.when,
                same_patients=(fact.molecule, fact.when) not in others,
                simulated=round(simulated, 2),
                published=known,
                miss=round(simulated - known, 2),
                parameters=parameter_hash(record),
                source=fact.source,
            )
        )
    return sorted(found, key=lambda row: (row.molecule, row.population, row.indication))


def published(records: Mapping[str, RunRecord]) -> list[PublishedRate]:
    """Return the published incidences of CRS over all doses, with the doses of their regimens.

    Args:
        records: Record of each study, by name.
    """
    found = [*_by_study(records)]
    known = {(row.molecule, row.population, row.grade) for row in found}
    return found + [
        row for row in _by_config() if (row.molecule, row.population, row.grade) not in known
    ]


def _by_study(records: Mapping[str, RunRecord]) -> Iterator[PublishedRate]:
    for row in read("crs_rates"):
        is_total = row["dose_period"] == "overall" and row["grade_max"] == "5"
        if is_total and row.judged() != OTHER_PATIENTS and not math.isnan(row.number("percent")):
            yield _rate(row, records[STUDY_OF_INDICATION.get(row["indication"], row["molecule"])])


def _rate(row: Published, record: RunRecord) -> PublishedRate:
    return PublishedRate(
        **_regimen(record, row["regimen_id"]),
        regimen=row["regimen_id"],
        grade=int(row["grade_min"]),
        percent=row.number("percent"),
        indication=row["indication"],
        certainty=row["certainty"],
        source=row["source"],
    )


def _by_config() -> Iterator[PublishedRate]:
    """Yield the incidence of any grade under the approved regimens of the other molecules."""
    with (DATA / "approved_crs.csv").open(encoding="utf-8", newline="") as file:
        cells = [row for row in csv.DictReader(file) if row["dose"] == ANY]
    configs = {each.config for each in approved() if ANY in each.rates}
    for row in cells:
        if row["config"] in configs:
            path = shipped.folder("configs") / "approved" / f"{row['config']}.toml"
            record = run_record(runs.prepare(runs.Request(path, ("patients=1",))))
            yield PublishedRate(
                **_regimen(record, ARM),
                regimen=row["config"],
                grade=1,
                percent=float(row["percent"]),
                indication="approved indication",
                certainty=row["certainty"],
                source=row["source"],
            )


def _regimen(record: RunRecord, name: str) -> dict[str, Any]:
    arm = next(each for each in record.arms if each.name == name)
    return {
        "molecule": record.molecule,
        "population": record.population,
        "supportive": supportive_text(arm),
        "doses": regimen_text(arm),
    }


def _write(path: Path, kind: type, rows: Sequence[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(kind)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _cell(value) for name, value in asdict(row).items()})


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else value
