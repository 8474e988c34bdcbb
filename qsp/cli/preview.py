"""Dosing schedule and size of a run, printed without simulating."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from qsp.cli.output import Listing, Output
from qsp.cli.text_table import TextTable, print_indented, print_table
from qsp.observations import OBSERVABLES, Observations
from qsp.results.record import HOURS_PER_DAY
from qsp.results.trial_record import arm_record
from qsp.run import listing
from qsp.run.estimate import compile_seconds, estimate
from qsp.run.prepared import Prepared
from qsp.run.reacting import reaction_lines
from qsp.run.zeros import changed_zeros
from qsp.stages import Name, Stage, unmeasured
from qsp.trial import Arm, Trial, protocol_day

COLUMNS = (
    *("arm", "patients", "time_day", "protocol_day", "hour", "period", "drug", "route"),
    *("amount_mg", "per", "cap_mg", "duration_hour"),
)
"""Values of the record of an administration."""


def print_plan(prepared: Prepared, console: Console, output: Output | None = None) -> None:
    """Print each regimen with its patients, dose periods and rules, and the expected run time.

    Args:
        prepared: The run.
        console: Console for people.
        output: Form of the table of doses; text by default.
    """
    output = output or Output()
    notes, trial = output.console(console), prepared.trial
    for arm in trial.arms:
        if output.format == "text":
            _print_arm(arm, trial, console)
        else:
            _print_rules(arm, notes)
    output.show(Listing((), lambda: list(_records(trial)), COLUMNS), console)
    if prepared.config.observed is not None:
        print_table(_observations(prepared.config.observed), notes)
    print_notes(prepared, notes)
    patients, arms = len(prepared.ids), len(trial.arms)
    patient_text = "1 patient" if patients == 1 else f"{patients} patients"
    arm_text = "1 arm" if arms == 1 else f"{arms} arms"
    molecule = prepared.config.molecule_file or prepared.table.molecule.name
    notes.print(
        f"{patient_text} x {arm_text} x {trial.days:g} days, {molecule} in "
        f"{prepared.table.cohort.name}: {estimate(prepared).text}. {prepared.config.source.file} "
        "is valid.",
        markup=False,
        soft_wrap=True,
    )


def _observations(found: Observations) -> TextTable:
    """Return a row for each observed quantity, in which an error in a unit can be seen."""
    columns = ("quantity", "n", "patients", "below LLOQ", "values", "time")
    rows = []
    for name in found.quantities:
        own, observable = found.at(found.quantity == name), OBSERVABLES[name]
        first, last = (protocol_day(float(time)) for time in (own.time.min(), own.time.max()))
        numbers = (len(own), len(np.unique(own.patient)), int(own.is_blq.sum()))
        cells = (*map(str, numbers), _values(own), f"{first} to {last}")
        rows.append((observable.title, *cells))
    return TextTable(f"Observations, from {found.file}", columns, rows)


def _values(own: Observations) -> str:
    """Return the lowest and the highest value above the limit, with their unit."""
    values = own.value[~own.is_blq]
    if not len(values):
        return "–"
    unit = "" if own.unit[0] == "1" else f" {own.unit[0]}"
    return f"{values.min():.3g} to {values.max():.3g}{unit}"


def _records(trial: Trial) -> Iterator[dict[str, Any]]:
    """Yield a record for each planned administration of each regimen, arm by arm."""
    for arm in trial.arms:
        for regimen in arm_record(arm, trial, most=None).regimens:
            patients = " ".join(map(str, regimen.patients)) or None
            for dose in regimen.doses:
                values = (
                    *(arm.name, patients, dose.time, dose.day, dose.hour),
                    *(dose.period, dose.drug, dose.route),
                    *(dose.amount_mg, dose.per, dose.cap_mg, dose.duration * HOURS_PER_DAY),
                )
                yield dict(zip(COLUMNS, values, strict=True))


def print_notes(prepared: Prepared, console: Console) -> None:
    """Print the notes of a config, such as a number of patients that a file of covariates sets."""
    for note in prepared.notes:
        console.print(f"Note: {note}", markup=False, soft_wrap=True)


def announced(prepared: Prepared, console: Console) -> Stage:
    """Return a `Stage` that announces a compilation, with the user's parameters that need it.

    Args:
        prepared: The run.
        console: Console for the note.
    """

    @functools.cache  # a run may compile two programs, with and without trajectories
    def explain() -> None:
        changes = [
            f"{path} {'becomes' if becomes_zero else 'is no longer'} 0"
            for path, becomes_zero in changed_zeros(prepared)
        ]
        cause = (
            f"Note: with your parameters, {', '.join(changes)}. A program leaves out terms that "
            "are 0, so that another one is compiled"
        )
        seconds = f"about {compile_seconds(prepared.trial):.0f} s, once."
        text = f"{cause if changes else 'Compiling'}: {seconds}"
        console.print(text, markup=False, soft_wrap=True)

    def stage(name: Name) -> AbstractContextManager[None]:
        if name == "tracing":
            explain()
        return unmeasured(name)

    return stage


def _print_arm(arm: Arm, trial: Trial, console: Console) -> None:
    record = arm_record(arm, trial)
    for regimen in record.regimens:
        rows = listing.regimen_rows(record, regimen)
        columns = [column for column in rows[0] if column != "arm"]
        cells = [[row[column] for column in columns] for row in rows]
        print_table(TextTable(listing.regimen_title(record, regimen), columns, cells), console)
        periods = listing.periods(regimen) or "none"
        print_indented(Text(f"Dose periods: {periods}"), console)
        console.print()
    left_out = record.regimens_left_out
    if left_out:
        console.print(f"  and {left_out} more regimens of {arm.title or arm.name}\n", markup=False)
    _print_rules(arm, console)


def _print_rules(arm: Arm, console: Console) -> None:
    for line in reaction_lines(arm):
        # A broken line keeps the indent of its rule.
        indent = 2 + len(line) - len(line.lstrip())
        print_indented(Text(line.lstrip()), console, indent)
    if arm.reaction is not None:
        console.print()
