"""The table of requirements: `qsp validate --table`.

Each line compares figures of several molecules with a bound that the model must meet at least, and
with the aim. Arms of one study have the same patients. Published values are rows of the table of
published values; those from general knowledge are printed in brackets and not counted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import xarray as xr

from qsp.engine.progress import Progress
from qsp.run import Prepared
from qsp.validation import measure
from qsp.validation.selected import NotComputed, Simulated
from qsp.validation.study import Study, conduct, of_arms, prepare
from qsp.validation.targets import Target, target, targets
from qsp.validation.validate import saved_times

PATIENTS, SEED = 1000, 1
STUDIES = (
    *("mosunetuzumab_iv", "glofitamab", "epcoritamab_dlbcl", "epcoritamab_fl", "teclistamab"),
    *("elranatamab", "talquetamab_weekly", "talquetamab_every_other_week", "tarlatamab"),
    *("tebentafusp", "blinatumomab_all", "blinatumomab_mrd", "blinatumomab", "mosunetuzumab"),
    *("odronextamab", "linvoseltamab"),
)
"""Studies of the table."""
RESPONSE_STUDIES = (
    *("mosunetuzumab_fl_response", "epcoritamab_fl_response", "glofitamab_response"),
    *("epcoritamab_dlbcl_response", "tarlatamab_response", "teclistamab_response"),
    *("elranatamab_response", "talquetamab_response", "blinatumomab_all_response"),
    *("tebentafusp_response", "dlbcl_untreated"),
)
"""Studies of response of the table."""
MANY: Mapping[str, int] = {"dlbcl_untreated": 10}
"""Factor of the number of patients, by study."""
COMPARED = ("flat", "untreated")
"""Arms of the studies of response without published values."""
MAIN: Mapping[str, str] = {
    "mosunetuzumab": "mosunetuzumab_iv",
    "glofitamab": "glofitamab",
    "epcoritamab": "epcoritamab_dlbcl",
    "teclistamab": "teclistamab",
    "elranatamab": "elranatamab",
    "talquetamab": "talquetamab_weekly",
    "tarlatamab": "tarlatamab",
    "tebentafusp": "tebentafusp",
}
"""Study of the approved regimen of the molecules with published rates by grade."""
EVERY: Mapping[str, str] = {
    **MAIN,
    "blinatumomab": "blinatumomab_all",
    "odronextamab": "odronextamab",
    "linvoseltamab": "linvoseltamab",
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A measured figure of a line.

    Args:
        name: Molecule or quantity.
        text: The figure as text.
        meets_least: Whether it meets the bound; None if it is printed without a verdict.
        meets_aim: Whether it meets the aim; None if it is printed without a verdict.
    """

    name: str
    text: str
    meets_least: bool | None = None
    meets_aim: bool | None = None

    def __str__(self) -> str:
        """Return name and figure; a figure outside the bound is marked with ``!``."""
        return f"{self.name} {self.text}{'!' if self.meets_least is False else ''}"


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table.

    Args:
        name: Name of the requirement.
        figures: Measured figures.
        least: Bound as text.
        aim: Aim as text.
        needed: Number of figures that must meet the bound; all that have a verdict by default.
    """

    name: str
    figures: tuple[Figure, ...]
    least: str
    aim: str
    needed: int | None = None

    @property
    def meets_least(self) -> bool | None:
        """Whether enough figures meet the bound; None without a figure that has a verdict."""
        known = [figure.meets_least for figure in self.figures if figure.meets_least is not None]
        if not known:
            return None
        return sum(known) >= (len(known) if self.needed is None else self.needed)

    @property
    def meets_aim(self) -> bool | None:
        """Whether all figures meet the aim; None without a figure that has a verdict."""
        known = [figure.meets_aim for figure in self.figures if figure.meets_aim is not None]
        return all(known) if known else None

    @property
    def verdict(self) -> str:
        """The result in a word: "aim", "met", "not met", or "" for a line measured elsewhere."""
        if self.meets_least is None:
            return ""
        if not self.meets_least:
            return "not met"
        return "aim" if self.meets_aim else "met"

    def cells(self) -> tuple[str, ...]:
        """Return the text of each of `COLUMNS`."""
        measured = "; ".join(str(figure) for figure in self.figures)
        return self.name, self.verdict, measured, self.least, self.aim


def published_text(row: Target) -> str:
    """Return the published value of a row, in brackets if it is recalled."""
    return f"({row.value:g})" if row.is_read else f"[{row.value:g}]"


COLUMNS = ("row", "result", "measured", "at least", "aim")
"""Titles of the cells of a line."""
RECORD = ("row", "result", "measured", "at_least", "aim")
"""Names of the values of a record, for programs."""


@dataclasses.dataclass(frozen=True)
class Runs:
    """Results of the studies of the table.

    Args:
        by_name: Results by name of the study.
    """

    by_name: Mapping[str, Study]

    def results(self, study: str) -> xr.Dataset:
        """Return the results of a study."""
        return self.by_name[study].results

    def simulated(self, row: Target) -> Simulated:
        """Return the simulated counterpart of a published value.

        Raises:
            NotComputed: If the results do not have it.
        """
        return measure.simulated(self.by_name[row.config], row)

    def value(self, name: str) -> float:
        """Return the simulated counterpart of the published value with an id."""
        return self.simulated(target(name)).value

    def like(self, name: str, **changes: object) -> float:
        """Return a simulated value that is defined as that of a published one, with changes.

        Args:
            name: Id of the published value.
            changes: Fields of the row that differ, such as `arms` or `periods`.
        """
        row = dataclasses.replace(target(name), **changes)  # pyright: ignore[reportArgumentType]
        return self.simulated(row).value


Row = Callable[[Runs], Line]


def below(value: float, least: float, aim: float) -> tuple[bool, bool]:
    """Return whether a value is at most the bound, and at most the aim."""
    return value <= least, value <= aim


def fold(found: float, known: float) -> float:
    """Return the ratio of a simulated to a published value [1]; NaN if that is 0."""
    return found / known if known else math.nan


def table(runs: Runs, rows: Iterable[Row]) -> list[Line]:
    """Return the lines of the table; a line that cannot be computed has the reason as figure."""
    return [_line(row, runs) for row in rows]


def _line(row: Row, runs: Runs) -> Line:
    try:
        return row(runs)
    except NotComputed as reason:
        title = (row.__doc__ or "").partition("\n")[0].rstrip(".")
        return Line(title, (Figure("not computed:", str(reason)),), "", "")


def simulate(
    *,
    patients: int = PATIENTS,
    seed: int = SEED,
    populations: Path | None = None,
    names: Sequence[str] = (*STUDIES, *RESPONSE_STUDIES),
    progress: Progress | None = None,
) -> Runs:
    """Simulate the studies of the table.

    Args:
        patients: Number of virtual patients of each study.
        seed: Seed of the populations.
        populations: Folder of the population files; by default the shipped ones.
        names: Names of the studies.
        progress: Receives an update after each chunk of each study.

    Raises:
        ConfigError: If a file or a number is invalid; raised before the simulation starts.
        SolveError: If patients could not be simulated.
    """
    prepared = {
        name: _prepared(name, patients * MANY.get(name, 1), seed, populations) for name in names
    }
    found = {}
    for name, each in prepared.items():
        rows = [row for row in targets() if row.config == name]
        found[name] = conduct(each, saved_times(each, rows), progress)
    return Runs(found)


def _prepared(name: str, patients: int, seed: int, populations: Path | None) -> Prepared:
    """Prepare a study; of those of response, the arms without management of CRS."""
    prepared = prepare(name, patients=patients, seed=seed, populations=populations)
    if name not in RESPONSE_STUDIES:
        return prepared
    used = {arm for row in targets() if row.config == name for arm in row.arms}
    return of_arms(prepared, {*used, *COMPARED})
