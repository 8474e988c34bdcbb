"""Tables that reports read: response rates against trials, and published CRS by regimen.

`qsp validate --write` writes both from the published values and the simulated studies.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

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
from qsp.validation.row import Row
from qsp.validation.study import APPROVED, DATA, prepare
from qsp.validation.targets import EVENTS_COUNTED, Target, targets

RESPONSES = (
    *("mosunetuzumab", "mosunetuzumab_fl_response", "glofitamab_response"),
    *("epcoritamab_dlbcl_response", "epcoritamab_fl_response", "teclistamab_response"),
    *("elranatamab_response", "tarlatamab_response", "tebentafusp_response"),
)
"""Studies from which reports take whether the response agrees with a trial."""
GRADES: Mapping[str, int] = {"crs_any": 1, "crs_g2": 2, "crs_g3": 3}
"""Lowest grade of each statistic over all doses."""


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
    """Return the record of each study with such values, without simulating it."""
    names = dict.fromkeys((*RESPONSES, *(row.config for row in _rates())))
    return {
        name: run_record(prepare(name, patients=1, seed=1, populations=populations))
        for name in names
    }


def standing(rows: Sequence[Row], records: Mapping[str, RunRecord]) -> list[Standing]:
    """Return the simulated and published objective response rates.

    Args:
        rows: Rows of the validation.
        records: Record of each study, by name.
    """
    responses = [
        row
        for row in targets()
        if row.statistic == "orr" and row.config in RESPONSES and row.is_read
    ]
    # Held-out values are of other patients than those of the population.
    others = {(row.molecule, row.population) for row in responses if row.use == "holdout"}
    known_responses = {(row.config, row.population) for row in responses}
    found = []
    for row in rows:
        fact = row.fact
        if fact.what != "ORR" or (fact.study, fact.when) not in known_responses:
            continue
        if row.simulated is None:
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

    The first value of a molecule, population and grade is taken, those read in a source first.

    Args:
        records: Record of each study, by name.
    """
    found: dict[tuple[str, str, str, int], PublishedRate] = {}
    for row in sorted(_rates(), key=lambda row: not row.is_read):
        rate = _rate(row, records[row.config])
        found.setdefault((rate.molecule, rate.population, rate.doses, rate.grade), rate)
    return list(found.values())


def _rates() -> Iterator[Target]:
    """Yield the incidences over all doses of the patients that the populations represent."""
    for row in targets():
        is_fit = row.use == "fit" and row.judged != EVENTS_COUNTED
        if row.statistic in GRADES and not row.periods and is_fit:
            yield row


def _rate(row: Target, record: RunRecord) -> PublishedRate:
    arm = next(each for each in record.arms if each.name == row.arm)
    return PublishedRate(
        molecule=record.molecule,
        population=record.population,
        regimen=row.config if row.arm == APPROVED else f"{row.config}, {row.arm}",
        supportive=supportive_text(arm),
        doses=regimen_text(arm),
        grade=GRADES[row.statistic],
        percent=row.value,
        indication=row.population,
        certainty=row.certainty,
        source=row.source,
    )


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
