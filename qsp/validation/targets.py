"""Published values: one table, `data/targets.csv`, with one row per value.

| column | meaning |
|---|---|
| `id` | unique name of the row |
| `molecule` | molecule of the trial |
| `config` | study that simulates the trial: a file of `data/` without `.toml` |
| `arm` | arm of the study; several pooled arms as ``A*7 B*23`` with the numbers of their patients |
| `statistic` | kind of the published value, one of `STATISTICS` |
| `period` | labels of the dose periods, separated by spaces; empty for all |
| `time` | time since the start of the first of these periods, or since that of response [hour] |
| `value`, `unit` | published value |
| `low`, `high` | 95 % interval, or the range that the note names |
| `n` | number of patients |
| `certainty` | ``label`` or ``paper`` if read in the source; ``own-knowledge`` if not |
| `population` | patients of the trial |
| `source` | source of the value |
| `use` | ``fit``, or ``holdout``: never used to choose a parameter value, and without a verdict |
| `function` | function of `qsp.validation.measure` that computes the simulated value |
| `judged` | limits, in the form read by `qsp.validation.judge.rule` |
| `note` | remark |

A value from general knowledge has no verdict and is never counted.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from qsp import molecules
from qsp.errors import ConfigError, suggest
from qsp.problems import Problems
from qsp.validation.judge import rule
from qsp.validation.measure import FUNCTIONS
from qsp.validation.row import RECALLED
from qsp.validation.study import DATA, studies

TABLE = DATA / "targets.csv"
CERTAINTIES = ("label", "paper", RECALLED)
USES = ("fit", "holdout")
STATISTICS: Mapping[str, tuple[str, ...]] = {
    "crs_any": ("%",),
    "crs_period": ("%",),
    "crs_g2": ("%",),
    "crs_g3": ("%",),
    "crs_recurrent": ("%",),
    "crs_on_infusion_day": ("%",),
    "onset_median": ("hour",),
    "duration_median": ("day",),
    "tocilizumab_share": ("%",),
    "tocilizumab_share_of_crs": ("%",),
    "steroid_share": ("%",),
    "steroid_share_of_crs": ("%",),
    "burden_odds_ratio": ("1",),
    "il6_median_peak": ("pg/mL",),
    "il6_median": ("pg/mL",),
    "il6_median_detectable": ("pg/mL",),
    "il6_mean": ("pg/mL",),
    "il6_peak_time": ("hour",),
    "t_cells_relative": ("1",),
    "cmax_mean": ("ug/mL", "ng/mL", "pg/mL"),
    "cmax_median": ("ug/mL", "ng/mL", "pg/mL"),
    "ctrough_mean": ("ug/mL", "ng/mL", "pg/mL"),
    "ctrough_median": ("ug/mL", "ng/mL", "pg/mL"),
    "css_mean": ("ug/mL", "ng/mL", "pg/mL"),
    "cavg_median": ("ug/mL", "ng/mL", "pg/mL"),
    "auc_mean": ("ug*day/mL",),
    "orr": ("%",),
    "cr": ("%",),
    "vgpr": ("%",),
    "pfs_median": ("month",),
    "pfs_rate": ("%",),
    "dor_median": ("month",),
    "dor_rate": ("%",),
    "cr_kept": ("%",),
}
"""Units of each statistic, in the order in which estimands are reported."""
SINCE_START = ("pfs_rate", "dor_rate", "cr_kept")
"""Proportions at a time since the first dose, the response or the complete response."""
AT_TIMES = ("il6_median", "il6_median_detectable", "il6_mean", "t_cells_relative", *SINCE_START)
"""Statistics that need a time."""
EVENTS_COUNTED = "shown: each event counted at its grade"
"""Criterion of rates by grade that count a patient at the grade of each of several events."""
COLUMNS = (
    *("id", "molecule", "config", "arm", "statistic", "period", "time", "value", "unit", "low"),
    *("high", "n", "certainty", "population", "source", "use", "function", "judged", "note"),
)


@dataclasses.dataclass(frozen=True)
class Target:
    """A published value and the simulated value that corresponds to it.

    Args:
        id: Unique name.
        molecule: Molecule of the trial.
        config: Study that simulates the trial.
        arms: Weight of each pooled arm, such as its number of patients; one arm in most rows.
        statistic: Kind of the value, one of `STATISTICS`.
        periods: Labels of the dose periods; () for all.
        hours: Time since the start of the first period [hour]; NaN if the value has no time.
        value: Published value.
        unit: Unit of the value.
        low: Lower end of the interval or range; NaN if there is none.
        high: Upper end of the interval or range; NaN if there is none.
        n: Number of patients; 0 if not published.
        certainty: One of `CERTAINTIES`.
        population: Patients of the trial.
        source: Source of the value.
        use: "fit" or "holdout".
        function: Name of the function of `qsp.validation.measure`.
        judged: Limits as text.
        note: Remark.
    """

    id: str
    molecule: str
    config: str
    arms: Mapping[str, float]
    statistic: str
    periods: tuple[str, ...]
    hours: float
    value: float
    unit: str
    low: float
    high: float
    n: int
    certainty: str
    population: str
    source: str
    use: str
    function: str
    judged: str
    note: str

    @property
    def arm(self) -> str:
        """The arm, or the first of several pooled arms."""
        return next(iter(self.arms))

    @property
    def is_read(self) -> bool:
        """Whether the value was read in its source."""
        return self.certainty != RECALLED


@functools.cache
def targets(path: Path = TABLE) -> tuple[Target, ...]:
    """Return the rows of the table, in its order.

    Args:
        path: The table.

    Raises:
        ConfigError: If a row breaks a rule; all errors are reported together.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            todo = f"The columns are {', '.join(COLUMNS)}"
            raise ConfigError(path.name, "the first line must name the columns", None, todo)
        rows = [(reader.line_num, row) for row in reader]
    problems = Problems(path.name)
    found = []
    for line, row in rows:
        errors = list(_errors(f"{path.name}: line {line} ({row['id']})", row))
        for error in errors:
            problems.add(error, line)
        if not errors:
            found.append(_target(row))
    for where, error in _duplicates(path.name, rows):
        problems.add(error, where)
    problems.raise_if_any()
    return tuple(found)


def target(name: str) -> Target:
    """Return the row with an id.

    Raises:
        ConfigError: If there is none.
    """
    known = {row.id: row for row in targets()}
    if name not in known:
        rule_, todo = "the id must be in the table", suggest(name, sorted(known))
        raise ConfigError(TABLE.name, rule_, repr(name), todo)
    return known[name]


def _target(row: Mapping[str, str]) -> Target:
    return Target(
        id=row["id"],
        molecule=row["molecule"],
        config=row["config"],
        arms=_arms(row["arm"]),
        statistic=row["statistic"],
        periods=tuple(row["period"].split()),
        hours=_number(row["time"]),
        value=_number(row["value"]),
        unit=row["unit"],
        low=_number(row["low"]),
        high=_number(row["high"]),
        n=int(row["n"] or 0),
        certainty=row["certainty"],
        population=row["population"],
        source=row["source"],
        use=row["use"],
        function=row["function"],
        judged=row["judged"],
        note=row["note"],
    )


def _arms(text: str) -> dict[str, float]:
    parts = [each.partition("*") for each in text.split()]
    return {name: float(weight or 1.0) for name, _, weight in parts}


def _number(text: str) -> float:
    """Return the number in a cell; NaN if it is empty, infinity if it is no number."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.inf


def _errors(where: str, row: Mapping[str, str | None]) -> Iterator[ConfigError]:
    """Yield the errors of a row."""
    if any(row.get(name) is None for name in COLUMNS) or None in row:
        yield ConfigError(where, f"the line must have {len(COLUMNS)} cells", None, "Check commas")
        return
    cells = {name: str(row[name]) for name in COLUMNS}
    yield from _wrong_words(where, cells)
    numbers = {name: _number(cells[name]) for name in ("time", "value", "low", "high", "n")}
    wrong = [name for name, number in numbers.items() if math.isinf(number)]
    for name in wrong:
        yield ConfigError(where, f"{name} must be a number", repr(cells[name]))
    if not wrong:
        yield from _wrong_numbers(where, cells, numbers)


def _wrong_words(where: str, cells: Mapping[str, str]) -> Iterator[ConfigError]:
    known = {
        "molecule": tuple(molecules.names()),
        "config": studies(),
        "statistic": tuple(STATISTICS),
        "certainty": CERTAINTIES,
        "use": USES,
        "function": tuple(FUNCTIONS),
    }
    for name, choices in known.items():
        if cells[name] not in choices:
            todo = suggest(cells[name], choices) or f"Known: {', '.join(choices)}"
            yield ConfigError(where, f"{name} must be a known one", repr(cells[name]), todo)
    for name in ("id", "arm", "value", "unit", "source", "population", "judged"):
        if not cells[name].strip():
            yield ConfigError(where, f"{name} must be given", "empty")
    shown = cells["judged"].startswith("shown: ")
    if cells["certainty"] == RECALLED and not shown:
        rule_ = f"judged must be shown for certainty {RECALLED}"
        yield ConfigError(where, rule_, repr(cells["judged"]), 'Write "shown: recalled"')
    if cells["use"] == "holdout" and not shown:
        rule_ = "judged must be shown for use holdout"
        yield ConfigError(where, rule_, repr(cells["judged"]), 'Write "shown: holdout"')


def _wrong_numbers(
    where: str, cells: Mapping[str, str], numbers: Mapping[str, float]
) -> Iterator[ConfigError]:
    yield from _wrong_value(where, cells, *(numbers[name] for name in ("value", "low", "high")))
    n, time = numbers["n"], numbers["time"]
    if not math.isnan(n) and (n < 1 or n != int(n)):
        yield ConfigError(where, "n must be a whole number from 1", f"{n:g}", "Leave unknown n out")
    if time < 0:
        yield ConfigError(where, "time must not be negative", f"{time:g}")
    if math.isnan(time) == (cells["statistic"] in AT_TIMES):
        rule_ = f"time must be given for {', '.join(AT_TIMES)}, and for no other statistic"
        yield ConfigError(where, rule_, repr(cells["time"]))
    has_time = not math.isnan(time) and cells["statistic"] not in SINCE_START
    if (has_time or cells["statistic"] == "crs_period") and not cells["period"]:
        rule_ = "period must be given for crs_period and with a time"
        yield ConfigError(where, rule_, "empty", "Write SUD1")


def _wrong_value(
    where: str, cells: Mapping[str, str], value: float, low: float, high: float
) -> Iterator[ConfigError]:
    unit, statistic = cells["unit"], cells["statistic"]
    units = STATISTICS.get(statistic, (unit,))
    if unit and unit not in units:
        todo = "Write rates in percent" if units == ("%",) else ""
        rule_ = f"unit of {statistic} must be {' or '.join(units)}"
        yield ConfigError(where, rule_, repr(unit), todo)
    if value < 0 or (unit == "%" and value > 100):
        rule_ = "value must be from 0 to 100 %" if unit == "%" else "value must not be negative"
        yield ConfigError(where, rule_, f"{value:g}")
    if math.isnan(low) != math.isnan(high):
        yield ConfigError(where, "low and high must both be given, or neither")
    elif low > value or value > high:
        yield ConfigError(where, "value must be from low to high", f"{value:g}", "Check the row")
    if cells["judged"]:
        try:
            rule(cells["judged"], unit=unit, published=value, where=where)
        except ConfigError as error:
            yield error


def _duplicates(
    name: str, rows: list[tuple[int, dict[str, str]]]
) -> Iterator[tuple[int, ConfigError]]:
    """Yield an error for each row with the id, or the whole meaning, of an earlier row."""
    keys = ("config", "arm", "statistic", "period", "time", "function", "population", "certainty")
    ids: Counter[str] = Counter()
    meanings: dict[tuple[str | None, ...], str] = {}
    for line, row in rows:
        ids[row["id"]] += 1
        meaning = tuple(row.get(key) for key in keys)
        where = f"{name}: line {line}"
        if ids[row["id"]] > 1:
            yield line, ConfigError(where, "id must be unique", repr(row["id"]))
        elif meaning in meanings and row["value"]:
            rule_ = "the row must be the only one of its quantity, patients and certainty"
            yield line, ConfigError(where, rule_, f"the same as {meanings[meaning]}")
        meanings.setdefault(meaning, row["id"])
