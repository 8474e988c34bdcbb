"""Published values that belong to a run, and whether its tumor response agrees with a trial.

Both are read from tables of the package, which `qsp validate --write` writes from the published
values and the simulated studies. A value belongs to an arm if molecule, population, supportive
drugs and doses are those of the publication.
"""

from __future__ import annotations

import csv
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.resources import files

from qsp.results.record import ArmRecord, RunRecord

LIMIT = 12.0
"""Largest difference of the objective response rate from the published one [points]."""
STANDING, RATES = "standing.csv", "published_arms.csv"
CERTAINTY = {"label": "label", "paper": "paper", "own-knowledge": "recalled, not verified"}
LEAST_DOSES = 3
"""Doses that must agree at least; a regimen of fewer doses must agree as a whole."""


@dataclass(frozen=True)
class Standing:
    """Agreement of the objective response rate (ORR) with a published one.

    Args:
        molecule: Name of the molecule.
        population: Population of the simulated study.
        indication: Indication of the publication.
        same_patients: Whether the population represents the patients of the publication.
        simulated: Simulated ORR [%].
        published: Published ORR [%].
        miss: Simulated minus published [points].
        parameters: Hash of the parameter values, from `parameter_hash`.
        source: Source of the published ORR.
    """

    molecule: str
    population: str
    indication: str
    same_patients: bool
    simulated: float
    published: float
    miss: float
    parameters: str
    source: str

    @property
    def agrees(self) -> bool:
        """Whether the ORR of the same patients is within `LIMIT`."""
        return self.same_patients and abs(self.miss) <= LIMIT


@dataclass(frozen=True)
class PublishedRate:
    """Published incidence of CRS over all doses of a regimen.

    Args:
        molecule: Name of the molecule.
        population: Population that represents the patients.
        regimen: Name of the regimen.
        supportive: Names of the planned supportive drugs, separated by spaces.
        doses: Doses of the molecule, from `regimen_text`.
        grade: Lowest grade counted.
        percent: Incidence [%].
        indication: Patients of the publication.
        certainty: "label", "paper" or "own-knowledge".
        source: Source.
    """

    molecule: str
    population: str
    regimen: str
    supportive: str
    doses: str
    grade: int
    percent: float
    indication: str
    certainty: str
    source: str


def parameter_hash(record: RunRecord) -> str:
    """Return a hash of the model version and of all parameter values with their variability."""
    lines = sorted(f"{row.path}\t{row.value}\t{row.spread}" for row in record.parameters)
    text = "\n".join([record.model_version, *lines])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def regimen_text(arm: ArmRecord) -> str:
    """Return the doses of the molecule in a line; "" if patients of the arm have different ones."""
    if len(arm.regimens) != 1:
        return ""
    doses = [dose for dose in arm.regimens[0].doses if dose.is_molecule]
    return "; ".join(f"day {d.day}, {d.hour:.3g} h: {d.amount} {d.route}" for d in doses)


def supportive_text(arm: ArmRecord) -> str:
    """Return the names of the planned supportive drugs of an arm, separated by spaces."""
    drugs = {d.drug for regimen in arm.regimens for d in regimen.doses if not d.is_molecule}
    return " ".join(sorted(drugs))


def response_standing(record: RunRecord) -> Standing | None:
    """Return the agreement of the response of a run with a publication; None if there is none.

    Args:
        record: Record of the run.

    Returns:
        The row of the molecule and the population with the parameter values of the run; the
        closest to the published rate if there are several.
    """
    if any(arm.parameters for arm in record.arms):
        return None  # an arm has other values than the study
    own = parameter_hash(record)
    rows = [row for row in standings() if (row.molecule, row.population) == _subject(record)]
    rows = [row for row in rows if row.parameters == own]
    return min(rows, key=lambda row: (not row.same_patients, abs(row.miss)), default=None)


def shows_response(record: RunRecord) -> bool:
    """Return whether the response of a run agrees with a publication."""
    found = response_standing(record)
    return found is not None and found.agrees


def response_sentence(record: RunRecord) -> str:
    """Return why the response of a run is not shown; "" if it agrees with a publication."""
    found = response_standing(record)
    if found is not None and found.agrees:
        return ""
    begin = "Tumor response is not shown here, because"
    missing = f"{begin} no comparison of the objective response rate with a trial is stored"
    if any((row.molecule, row.population) == _subject(record) for row in standings()):
        if found is None:
            return f"{missing} at the parameter values of this run."
        if not found.same_patients:
            return f"{missing} for the patients of this population."
        rate = "the simulated objective response rate"
        miss = f"{found.miss:+.0f} points from the published one ({found.indication})"
        return f"{begin} {rate} is {miss}."
    return f"{missing} for this molecule in this population."


def published_rates(record: RunRecord, arm: str) -> dict[int, PublishedRate]:
    """Return the published incidence of CRS of an arm, by lowest grade.

    Patients of the trials received tocilizumab and steroids for CRS, which lower the grade of CRS
    more than its incidence: an arm without rules has no published rate of grade 2 or higher.

    Args:
        record: Record of the run.
        arm: Name of the arm.
    """
    own = next((each for each in record.arms if each.name == arm), None)
    if own is None or own.parameters:
        return {}
    doses, drugs = regimen_text(own), supportive_text(own)
    rows = [row for row in rates() if (row.molecule, row.population) == _subject(record)]
    rows = [row for row in rows if row.supportive == drugs and same_doses(row.doses, doses)]
    return {row.grade: row for row in reversed(rows) if row.grade == 1 or own.rules}


def same_doses(one: str, other: str) -> bool:
    """Return whether two regimens agree up to the last dose of the shorter one."""
    first, second = (text.split("; ") for text in (one, other))
    shared = min(len(first), len(second))
    if not one or not other or (shared < LEAST_DOSES and len(first) != len(second)):
        return False
    return first[:shared] == second[:shared]


def _subject(record: RunRecord) -> tuple[str, str]:
    return record.molecule, record.population


@functools.cache
def standings() -> tuple[Standing, ...]:
    """Return the rows of the table of response rates."""
    rows = _read(STANDING, Standing)
    numbers = ("simulated", "published", "miss")
    return tuple(
        Standing(
            **{
                **row,
                **{name: float(row[name]) for name in numbers},
                "same_patients": row["same_patients"] == "yes",
            }
        )
        for row in rows
    )


@functools.cache
def rates() -> tuple[PublishedRate, ...]:
    """Return the rows of the table of published incidences of CRS."""
    return tuple(
        PublishedRate(**{**row, "grade": int(row["grade"]), "percent": float(row["percent"])})
        for row in _read(RATES, PublishedRate)
    )


def _read(name: str, kind: type) -> Sequence[dict]:
    file = files("qsp").joinpath("validation", "data", name)
    columns = [field.name for field in fields(kind)]
    lines = file.read_text(encoding="utf-8").splitlines()
    return [{column: row[column] for column in columns} for row in csv.DictReader(lines)]
