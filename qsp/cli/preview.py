"""What is given when, printed before anything is simulated."""

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qsp.run import listing
from qsp.run.prepared import Prepared
from qsp.run.reacting import reaction_lines
from qsp.trial import Arm, Trial

# Patients times arms times days that two cores simulate in a second, to an order of magnitude.
SIMULATED_DAYS_PER_SECOND = 40_000.0
COMPILE_SECONDS = 15.0


def print_plan(prepared: Prepared, console: Console) -> None:
    """Each regimen with its dose periods and rules, who gets it, and how long the run takes."""
    trial, config = prepared.trial, prepared.config
    for arm in trial.arms:
        _print_arm(arm, trial, console)
    people, arms = len(prepared.ids), len(trial.arms)
    seconds = COMPILE_SECONDS + people * arms * trial.days / SIMULATED_DAYS_PER_SECOND
    print_notes(prepared, console)
    who = "1 patient" if people == 1 else f"{people} patients"
    what = "1 arm" if arms == 1 else f"{arms} arms"
    console.print(
        f"{who} x {what} x {trial.days:g} days, {prepared.table.molecule.name} in "
        f"{prepared.table.cohort.name}: about {seconds:.0f} s. {config.source.file} is valid.",
        markup=False,
    )


def print_notes(prepared: Prepared, console: Console) -> None:
    """Who is in the run, where it is not simply the number in the config."""
    for note in prepared.config.notes:
        console.print(f"Note: {note}", markup=False)


def _print_arm(arm: Arm, trial: Trial, console: Console) -> None:
    regimens = listing.given(arm)
    for each in regimens[: listing.MOST_REGIMENS]:
        table = Table(title=Text(each.who), title_justify="left", box=SIMPLE)
        rows = listing.regimen_rows(each, trial)
        columns = [column for column in rows[0] if column != "arm"]
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*(Text(row[column]) for column in columns))
        console.print(table)
        periods = listing.periods(each.regimen, trial.molecular_weight_kda)
        console.print(f"  Dose periods: {periods}\n", markup=False)
    left_out = len(regimens) - listing.MOST_REGIMENS
    if left_out > 0:
        console.print(f"  and {left_out} more regimens of {arm.title or arm.name}\n", markup=False)
    for line in reaction_lines(arm):
        # The indent of a rule is kept where the line is broken.
        indent = 2 + len(line) - len(line.lstrip())
        console.print(Padding(Text(line.lstrip()), (0, 0, 0, indent)))
    if arm.reaction is not None:
        console.print()
