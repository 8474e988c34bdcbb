"""Ranges of patients before treatment: one CSV file, with one row for each quantity and disease.

| column | meaning |
|---|---|
| `quantity` | one of `QUANTITIES` |
| `disease` | disease of the population; empty for all diseases without a row of their own |
| `low`, `high`, `unit` | the range, with its ends |
| `status` | `published` or `assumed` |
| `source` | key in references.bib, or text; needed if published |
| `note` | explanation |

The shipped file is `baseline_ranges.csv` in this package.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from qsp.csv_table import CsvTable, checked_header, not_a_number, number, read_csv
from qsp.errors import ConfigError, suggest
from qsp.model.cytokines import CYTOKINES
from qsp.problems import Problems
from qsp.units import parse

COLUMNS = ("quantity", "disease", "low", "high", "unit", "status", "source", "note")
REQUIRED = COLUMNS[:-1]
STATUSES = ("published", "assumed")

QUANTITIES: Mapping[str, str] = MappingProxyType(
    {
        "t_cells_blood_baseline": "1/uL",
        "b_cells_blood_baseline": "1/uL",
        "tumor_volume_baseline": "mL",
        "soluble_target_baseline": "nmol/L",
        "effector_to_target_baseline": "1",
        **{f"{cytokine}_baseline": "pg/mL" for cytokine in CYTOKINES},
    }
)
"""Quantities that have ranges, and the unit in which patients are compared with them."""


@dataclasses.dataclass(frozen=True)
class Range:
    """Range of a quantity before treatment.

    Args:
        quantity: One of `QUANTITIES`.
        disease: Disease; empty for all without a row of their own.
        low: Smallest value [unit of `QUANTITIES`].
        high: Largest value [unit of `QUANTITIES`].
        status: One of `STATUSES`.
        source: Source.
    """

    quantity: str
    disease: str
    low: float
    high: float
    status: str
    source: str

    @property
    def text(self) -> str:
        """The range with its unit, such as "16 to 2580 1/uL"."""
        unit = QUANTITIES[self.quantity]
        return f"{self.low:g} to {self.high:g}{'' if unit == '1' else f' {unit}'}"


def shipped_ranges() -> Path:
    """Return the file of ranges that comes with the package."""
    return Path(str(importlib.resources.files("qsp.patients") / "baseline_ranges.csv"))


def read_ranges(path: Path) -> tuple[Range, ...]:
    """Read ranges.

    Args:
        path: CSV file with the columns above.

    Raises:
        ConfigError: With all errors of the file.
    """
    table = read_csv(
        path,
        kind="the file of ranges",
        missing="Check its path",
        rename=lambda cell: cell.strip().lower(),
        choose=lambda header: checked_header(header, path.name, COLUMNS, REQUIRED),
    )
    problems = table.problems
    if not len(table.line) and not problems:
        rule, todo = "the file must have ranges", "Add a row for each quantity"
        raise ConfigError(path.name, rule, "empty", todo)
    found = [_range(table, n, problems) for n in range(len(table.line))]
    _check_unique(table, problems)
    problems.raise_if_any()
    return tuple(each for each in found if each is not None)


def ranges_of(ranges: Iterable[Range], disease: str) -> tuple[Range, ...]:
    """Return the ranges of a disease: its own, and those of all diseases for other quantities."""
    rows = [each for each in ranges if each.disease in ("", disease)]
    own = {each.quantity for each in rows if each.disease}
    return tuple(each for each in rows if each.disease or each.quantity not in own)


def _range(table: CsvTable, n: int, problems: Problems) -> Range | None:
    """Return the range of a row; None if it has an error, which is added to the problems."""
    line = int(table.line[n])
    texts = {name: column.text(n) for name, column in table.columns.items()}
    try:
        errors = list(_errors(texts, f"{table.name}: line {line}"))
        for error in errors:
            problems.add(error, line)
        if errors:
            return None
        unit = QUANTITIES[texts["quantity"]]
        factor = _factor(texts["unit"], unit, f"{table.name}: line {line}")
    except ConfigError as error:  # the unit
        problems.add(error, line)
        return None
    low, high = (number(texts[name]) * factor for name in ("low", "high"))
    return Range(texts["quantity"], texts["disease"], low, high, texts["status"], texts["source"])


def _factor(written: str, unit: str, where: str) -> float:
    return 1.0 if written == unit else parse(f"1 {written}", unit, where=f"{where}: unit")


def _errors(texts: Mapping[str, str], where: str) -> Iterator[ConfigError]:
    quantity = texts["quantity"]
    if quantity not in QUANTITIES:
        near = suggest(quantity, QUANTITIES) or suggest(f"{quantity}_baseline", QUANTITIES)
        todo = f"{near} Known: {', '.join(QUANTITIES)}".strip()
        rule = "quantity must be one that has a range"
        yield ConfigError(where, rule, repr(quantity) if quantity else "missing", todo)
    if not texts["unit"]:
        todo = "Write the unit of low and high; 1 for a number without unit"
        yield ConfigError(where, "unit must be given", "missing", todo)
    if texts["status"] not in STATUSES:
        rule, got = f"status must be {' or '.join(STATUSES)}", repr(texts["status"])
        yield ConfigError(where, rule, got, "Write assumed for a range without a source")
    elif texts["status"] == "published" and not texts["source"]:
        rule = "source must be given for a published range"
        yield ConfigError(where, rule, "missing", "Name the publication, or write assumed")
    limits = {name: number(texts[name]) for name in ("low", "high")}
    for name, limit in limits.items():
        if math.isnan(limit):
            yield ConfigError(where, f"{name} must be given", "missing", "Write a number")
        elif math.isinf(limit):
            yield not_a_number(where, name, texts[name])
        elif limit < 0.0:
            rule, todo = f"{name} must be 0 or more", "Correct the range"
            yield ConfigError(where, rule, texts[name], todo)
    if limits["low"] > limits["high"]:
        rule = f"low must be at most high ({texts['high']})"
        yield ConfigError(where, rule, texts["low"], "Correct the range")


def _check_unique(table: CsvTable, problems: Problems) -> None:
    """Add an error for each quantity that has two rows of a disease."""
    seen: set[tuple[str, str]] = set()
    for n, line in enumerate(table.line.tolist()):
        key = (table.columns["quantity"].text(n), table.columns["disease"].text(n))
        if key in seen:
            rule = "quantity must be given once for a disease"
            got, todo = f"{', '.join(filter(None, key))} twice", "Remove one of the rows"
            problems.add(ConfigError(f"{table.name}: line {line}", rule, got, todo), line)
        seen.add(key)
