"""Digitised curves, where the user has them: they are read in place and never copied.

A folder of `--curves` holds ``mosunetuzumab_pk.csv`` (day, ug/mL: mean in serum) and
``blinatumomab_nhl_il6_*.csv`` (day, pg/mL: one row a sample). Points were read off figures, give
or take 30 %, so that times and values are near, not exact.
"""

from __future__ import annotations

import csv
import functools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from qsp.errors import ConfigError
from qsp.run import Prepared
from qsp.validation import measure
from qsp.validation.facts import DETECTABLE
from qsp.validation.judge import Rule, Verdict, ratio, rule
from qsp.validation.row import Fact, Figure, Row
from qsp.validation.study import dose_starts

PK_FILE = "mosunetuzumab_pk.csv"
PK_ARM = "MOSU_IV_1_2_60_30"
PK_UNIT = "ug/mL"
AFTER_DOSE = 0.25
"""From the start of a dose, the time within which a point of a steep curve says nothing [day]."""
IL6_FILES: Mapping[str, tuple[str, str]] = {
    "blinatumomab_nhl_il6_step_5_15_60.csv": ("BLIN_NHL_5_15_60", "5/15/60 ug/m2/day"),
    "blinatumomab_nhl_il6_flat60.csv": ("BLIN_NHL_60_FLAT", "60 flat ug/m2/day"),
}
"""Arm of each file, and its regimen in words."""
IL6_TIMES: Mapping[float, tuple[float, float]] = {0.25: (0.1, 0.3), 0.5: (0.4, 0.6)}
"""Times that are compared [day], and between which digitised times a sample is taken for it."""
_ROUNDING = 1e-9


def curve_facts(
    folder: Path | None, prepared: Mapping[str, Prepared]
) -> tuple[tuple[Fact, ...], tuple[Row, ...]]:
    """Facts of the curves that are there, and rows that say which are not.

    Args:
        folder: Of the curves; None where the user has none.
        prepared: Studies by name.

    Raises:
        ConfigError: If there is no such folder, or a file breaks a rule.
    """
    if folder is not None and not folder.is_dir():
        todo = "Check the path, or leave --curves out"
        raise ConfigError(str(folder), "--curves must be a folder that exists", "missing", todo)
    facts: list[Fact] = []
    skipped: list[Row] = []
    for file in (PK_FILE, *IL6_FILES):
        path = None if folder is None else folder / file
        if path is None or not path.is_file():
            word = "no curves folder" if path is None else f"no {file}"
            skipped.append(_skipped(file, word))
        elif file == PK_FILE:
            facts += _serum(path, dose_starts(prepared["mosunetuzumab"], PK_ARM))
        else:
            facts += _il6(path, *IL6_FILES[file])
    return tuple(facts), tuple(skipped)


def _serum(path: Path, starts: Sequence[float]) -> Iterator[Fact]:
    for day, value in points(path):
        near = any(0.0 <= day - start < AFTER_DOSE for start in starts)
        within_hours = Rule("within 6 h of a dose", judged=False)
        yield Fact(
            molecule="mosunetuzumab",
            study="mosunetuzumab",
            what="Serum, median over digitised mean",
            when=f"day {day:g}",
            published=Figure(value, PK_UNIT),
            measure=functools.partial(measure.serum, arm=PK_ARM, day=day, unit=PK_UNIT),
            rule=within_hours if near else ratio(0.7, 1.4),
            certainty="paper",
            source=f"digitised: {path.name}",
            time=day,
        )


def _il6(path: Path, arm: str, regimen: str) -> Iterator[Fact]:
    samples = points(path)
    for day, (first, last) in IL6_TIMES.items():
        taken = [
            value
            for when, value in samples
            if first - _ROUNDING <= when <= last + _ROUNDING and value > DETECTABLE
        ]
        if not taken:
            got = f"without any above {DETECTABLE:g} pg/mL"
            raise ConfigError(path.name, f"the file must hold samples near day {day}", got)
        yield Fact(
            molecule="blinatumomab",
            study="blinatumomab",
            what=f"IL-6 above {DETECTABLE:g} pg/mL, median of {len(taken)} samples",
            when=f"{regimen}, {24 * day:g} h",
            published=Figure(statistics.median(taken), "pg/mL", min(taken), max(taken)),
            measure=functools.partial(
                measure.level, arm=arm, name="il6", day=day, above=DETECTABLE
            ),
            rule=rule("within 3-fold", points=False, where=path.name),
            certainty="paper",
            source=f"digitised: {path.name}",
            time=day,
        )


def _skipped(file: str, word: str) -> Row:
    molecule = file.split("_")[0]
    fact = Fact(
        molecule=molecule,
        study=molecule,
        what=f"Digitised curve {file}",
        when="",
        published=Figure(float("nan"), ""),
        measure=lambda _: measure.Simulated(float("nan")),
        rule=Rule(word, judged=False),
        certainty="",
        source="",
    )
    return Row(fact, None, Verdict.SKIPPED)


def points(path: Path) -> list[tuple[float, float]]:
    """The two numbers of each line of a curve: time and value.

    Raises:
        ConfigError: If a line holds anything else; the first line names the columns.
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = [cells for cells in csv.reader(file) if cells][1:]
    found = []
    for number, cells in enumerate(lines, start=2):
        try:
            time, value = map(float, cells)
        except ValueError:
            where, todo = f"{path.name}: line {number}", "Write a time and a value"
            got = repr(",".join(cells))
            raise ConfigError(where, "the line must be two numbers", got, todo) from None
        found.append((time, value))
    return found
