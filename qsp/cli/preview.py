"""Dosing schedule and size of a run, printed without simulating."""

import functools
from contextlib import AbstractContextManager

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qsp.results.trial_record import arm_record
from qsp.run import listing
from qsp.run.prepared import Prepared
from qsp.run.reacting import reaction_lines
from qsp.run.zeros import changed_zeros
from qsp.stages import Name, Stage, unmeasured
from qsp.trial import Arm, Trial, most_periods

SIMULATED_DAYS_PER_SECOND = 40_000.0
"""Order of magnitude for two cores: patients times arms times days simulated per second."""
COMPILE_SECONDS = 15.0
SECONDS_PER_PERIOD, SECONDS_PER_SQUARE = 0.1, 0.0017
"""Further time of each dose period, and of the square of their number, up to 200 periods."""


def print_plan(prepared: Prepared, console: Console) -> None:
    """Print each regimen with its patients, dose periods and rules, and the expected run time."""
    trial, config = prepared.trial, prepared.config
    for arm in trial.arms:
        _print_arm(arm, trial, console)
    patients, arms = len(prepared.ids), len(trial.arms)
    seconds = _compile_seconds(trial) + patients * arms * trial.days / SIMULATED_DAYS_PER_SECOND
    print_notes(prepared, console)
    patient_text = "1 patient" if patients == 1 else f"{patients} patients"
    arm_text = "1 arm" if arms == 1 else f"{arms} arms"
    console.print(
        f"{patient_text} x {arm_text} x {trial.days:g} days, {prepared.table.molecule.name} in "
        f"{prepared.table.cohort.name}: about {seconds:.0f} s. {config.source.file} is valid.",
        markup=False,
        soft_wrap=True,
    )


def _compile_seconds(trial: Trial) -> float:
    periods = most_periods(trial, bucket=1)
    return COMPILE_SECONDS + SECONDS_PER_PERIOD * periods + SECONDS_PER_SQUARE * periods**2


def print_notes(prepared: Prepared, console: Console) -> None:
    """Print the notes of a config, such as a number of patients that a file of covariates sets."""
    for note in prepared.config.notes:
        console.print(f"Note: {note}", markup=False, soft_wrap=True)


def announced(prepared: Prepared, console: Console) -> Stage:
    """Return a `Stage` that explains, before a compilation, which parameters of the user need it.

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
        if changes:
            console.print(
                f"Note: with your parameters, {', '.join(changes)}. A program leaves out terms "
                "that are 0, so that another one is compiled: about "
                f"{_compile_seconds(prepared.trial):.0f} s, once.",
                markup=False,
                soft_wrap=True,
            )

    def stage(name: Name) -> AbstractContextManager[None]:
        if name == "tracing":
            explain()
        return unmeasured(name)

    return stage


def _print_arm(arm: Arm, trial: Trial, console: Console) -> None:
    record = arm_record(arm, trial)
    for regimen in record.regimens:
        title = Text(listing.regimen_title(record, regimen))
        table = Table(title=title, title_justify="left", box=SIMPLE)
        rows = listing.regimen_rows(record, regimen)
        columns = [column for column in rows[0] if column != "arm"]
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*(Text(row[column]) for column in columns))
        console.print(table)
        periods = listing.periods(regimen) or "none"
        console.print(f"  Dose periods: {periods}\n", markup=False)
    left_out = record.regimens_left_out
    if left_out:
        console.print(f"  and {left_out} more regimens of {arm.title or arm.name}\n", markup=False)
    for line in reaction_lines(arm):
        # A broken line keeps the indent of its rule.
        indent = 2 + len(line) - len(line.lstrip())
        console.print(Padding(Text(line.lstrip()), (0, 0, 0, indent)))
    if arm.reaction is not None:
        console.print()
