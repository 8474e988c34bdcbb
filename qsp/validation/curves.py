"""Comparison with digitized curves without a header, by the names of their files.

None are part of the package. Files of other names have a header (`qsp.validation.curve_file`). The
folder of `--curves` may hold ``mosunetuzumab_pk.csv`` (day, ug/mL: mean in serum) and
``blinatumomab_nhl_il6_*.csv`` (day, pg/mL: one row per sample). The points were read from published
figures, with an error of about 30 %.
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
from qsp.validation.curve_file import has_header
from qsp.validation.judge import Rule, Verdict, ratio, rule
from qsp.validation.measure import DETECTABLE
from qsp.validation.row import Fact, Figure, Row
from qsp.validation.selected import Simulated
from qsp.validation.study import dose_starts

PK_FILE = "mosunetuzumab_pk.csv"
PK_ARM = "MOSU_IV_1_2_60_30"
PK_UNIT = "ug/mL"
AFTER_DOSE = 0.25
"""Time after the start of a dose within which the curve is too steep for a comparison [day]."""
IL6_FILES: Mapping[str, tuple[str, str]] = {
    "blinatumomab_nhl_il6_step_5_15_60.csv": ("BLIN_NHL_5_15_60", "5/15/60 ug/m2/day"),
    "blinatumomab_nhl_il6_flat60.csv": ("BLIN_NHL_60_FLAT", "60 flat ug/m2/day"),
}
"""Arm of each file, and its regimen as text."""
IL6_TIMES: Mapping[float, tuple[float, float]] = {0.25: (0.1, 0.3), 0.5: (0.4, 0.6)}
"""Times of comparison, and the window of digitized times assigned to each [day]."""
_ROUNDING = 1e-9


def curve_facts(
    folder: Path | None, prepared: Mapping[str, Prepared], molecule: str | None = None
) -> tuple[tuple[Fact, ...], tuple[Row, ...]]:
    """Return the facts of the curves found, and a row for each curve that is missing.

    Args:
        folder: Folder of the curves; None if the user has none.
        prepared: Prepared studies, by name.
        molecule: Molecule of the curves; all molecules by default.

    Raises:
        ConfigError: If the folder is missing, or a file is invalid.
    """
    if folder is not None and not folder.is_dir():
        todo = "Check the path, or leave --curves out"
        raise ConfigError(str(folder), "--curves must be a folder that exists", "missing", todo)
    facts: list[Fact] = []
    skipped: list[Row] = []
    files = (PK_FILE, *IL6_FILES)
    for file in (name for name in files if molecule in (None, name.partition("_")[0])):
        path = None if folder is None else folder / file
        if path is None or not path.is_file():
            reason = "no folder of curves" if path is None else f"no {file}"
            skipped.append(_skipped(file, reason))
        elif has_header(path):
            skipped.append(_skipped(file, "compared over time, by its header"))
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
            what="Serum concentration, median vs digitized mean",
            when=f"day {day:g}",
            published=Figure(value, PK_UNIT),
            measure=functools.partial(measure.serum, arm=PK_ARM, day=day, unit=PK_UNIT),
            rule=within_hours if near else ratio(0.7, 1.4),
            certainty="paper",
            source=f"digitized: {path.name}",
            time=day,
        )


def _il6(path: Path, arm: str, regimen: str) -> Iterator[Fact]:
    samples = points(path)
    for day, (first, last) in IL6_TIMES.items():
        readable = [
            value
            for when, value in samples
            if first - _ROUNDING <= when <= last + _ROUNDING and value > DETECTABLE
        ]
        if not readable:
            got = f"without a sample above {DETECTABLE:g} pg/mL"
            raise ConfigError(path.name, f"the file must hold samples near day {day}", got)
        yield Fact(
            molecule="blinatumomab",
            study="blinatumomab",
            what=f"IL-6 above {DETECTABLE:g} pg/mL, median of {len(readable)} samples",
            when=f"{regimen}, {24 * day:g} h",
            published=Figure(statistics.median(readable), "pg/mL", min(readable), max(readable)),
            measure=functools.partial(
                measure.level, arm=arm, name="il6", day=day, above=DETECTABLE
            ),
            rule=rule("within 3-fold", unit="pg/mL", published=1.0, where=path.name),
            certainty="paper",
            source=f"digitized: {path.name}",
            time=day,
        )


def _skipped(file: str, reason: str) -> Row:
    molecule = file.split("_")[0]
    fact = Fact(
        molecule=molecule,
        study=molecule,
        what=f"Digitized curve {file}",
        when="",
        published=Figure(float("nan"), ""),
        measure=lambda _: Simulated(float("nan")),
        rule=Rule(reason, judged=False),
        certainty="",
        source="",
    )
    return Row(fact, None, Verdict.SKIPPED)


def points(path: Path) -> list[tuple[float, float]]:
    """Read the time and value in each line of a curve, after a line of column names.

    Raises:
        ConfigError: If a line is not two numbers.
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
