"""Files of observed curves: a header with quantity, unit, molecule and arm, and points over time.

::

    # quantity: il6
    # unit: pg/mL
    # molecule: mosunetuzumab
    # arm: MOSU_IV_1_2_60_30
    # statistic: individual
    # time: hour
    time,value
    6,35
    24,80

Required are quantity, unit, molecule and arm. The statistic of the values is `individual` (one
sample of one patient, the default), `median` or `mean`; the unit of time is `day` unless given;
`source` is copied into the tables, and `note` is for remarks. Columns `low` and `high`, such as a
confidence interval, are drawn.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from qsp import molecules
from qsp.csv_table import COMMENT, CsvTable, not_a_number, read_csv
from qsp.errors import ConfigError, QSPWarning, UnitError, suggest
from qsp.problems import Problems, raise_together
from qsp.units import parse

UNITS: Mapping[str, str] = {
    "drug_central": "nmol/L",
    **dict.fromkeys(("il6", "ifn_gamma", "tnf_alpha", "il2", "il10", "cxcl10", "il1"), "pg/mL"),
    **dict.fromkeys(("t_cells_blood", "b_cells_blood"), "Mcell"),
    "tumor_volume": "mL",
}
"""Quantities that a curve may hold, and their units in the results."""
STATISTICS = ("individual", "median", "mean")
REQUIRED = ("quantity", "unit", "molecule", "arm")
DEFAULTS: Mapping[str, str] = {"statistic": "individual", "time": "day", "source": ""}
COLUMNS = ("time", "value", "low", "high")
NG_PER_ML = "ng/mL"
_KEYS = (*REQUIRED, *DEFAULTS, "note")
_KEY = re.compile(r"#\s*(\w+)\s*:\s*(.*?)[\s,]*$")  # a spreadsheet may append commas
_OTHER_NAMES = {"drug": "drug_central", "interleukin6": "il6", "interferongamma": "ifn_gamma"}

Arms = Mapping[str, Mapping[str, tuple[str, str]]]
"""Study and arm by molecule and by the name of the arm in a header."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """Observations of one quantity in one arm.

    Args:
        file: Name of the file.
        quantity: Variable of the results, one of `UNITS`.
        unit: Unit of the values.
        per_unit: Conversion factor from `unit` to the unit of the results.
        molecule: Name of the molecule.
        study: Study that simulates the arm.
        arm: Name of the arm in the study.
        statistic: One of `STATISTICS`.
        source: Origin of the values, "" if not given.
        line: (point,): Line of each point in the file.
        day: (point,): Time since the first dose [day].
        value: (point,): Observed value [unit].
        low: (point,): Lower end of an interval [unit]; NaN where there is none.
        high: (point,): Upper end of an interval [unit]; NaN where there is none.
    """

    file: str
    quantity: str
    unit: str
    per_unit: float
    molecule: str
    study: str
    arm: str
    statistic: str
    source: str
    line: np.ndarray
    day: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read_curves(folder: Path, arms: Arms, legacy: Sequence[str] = ()) -> tuple[Curve, ...]:
    """Read the files of a folder that have a header.

    Args:
        folder: Folder with CSV files.
        arms: Arms that can be simulated.
        legacy: Names of files that are read without a header elsewhere.

    Returns:
        The curves, in the order of their names.

    Warns:
        QSPWarning: If files have no header; they are not read.

    Raises:
        ConfigError: With all errors of all files, up to 20.
    """
    if not folder.is_dir():
        todo = "Check the path, or leave --curves out"
        raise ConfigError(str(folder), "--curves must be a folder that exists", "missing", todo)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    bare = [path.name for path in paths if not has_header(path)]
    if unread := [name for name in bare if name not in legacy]:
        message = "not compared, because the first line is not a header such as # quantity: il6: "
        warnings.warn(message + ", ".join(unread), QSPWarning, stacklevel=2)
    read = [_File(path, arms) for path in paths if path.name not in bare]
    curves = [file.curve() for file in read]
    raise_together(file.problems for file in read)
    return tuple(curve for curve in curves if curve is not None)


def has_header(path: Path) -> bool:
    """Return whether the first line of a file that is not empty begins with `COMMENT`."""
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = content.decode(encoding, errors="replace")
    return text.lstrip().startswith(COMMENT)


class _File:
    """Curve of a file, and its errors."""

    def __init__(self, path: Path, arms: Arms) -> None:
        self.problems = Problems(path.name)
        self._path, self._arms = path, arms
        self._keys: dict[str, str] = {}
        self._lines: dict[str, int] = {}

    def curve(self) -> Curve | None:
        """Return the curve; None if the file has an error."""
        try:
            table = read_csv(
                self._path,
                kind="the curve",
                missing="Check its path",
                rename=lambda cell: cell.strip().lower(),
                choose=self._chosen,
            )
        except ConfigError as error:
            self.problems.add(error)
            return None
        self.problems = table.problems
        self._read_keys(table.remarks)
        quantity, molecule = self._quantity(), self._molecule()
        study, arm = self._arm(molecule)
        per_unit = self._factor("unit", lambda text: _per_unit(text, quantity, molecule))
        days = self._factor("time", lambda text: parse(f"1 {text}", "day", where="time"))
        self._check_statistic()
        columns = {name: self._numbers(table, name) for name in COLUMNS}
        self._check_points(table, columns)
        if self.problems:
            return None
        day = columns["time"] * days
        values = (columns[name] for name in COLUMNS[1:])
        unit, statistic, source = (self._keys[key] for key in ("unit", "statistic", "source"))
        origin = (self._path.name, quantity, unit, per_unit, molecule, study, arm)
        return Curve(*origin, statistic, source, table.line, day, *values)

    # === header

    def _read_keys(self, remarks: Mapping[int, str]) -> None:
        for number, text in remarks.items():
            match = _KEY.match(text)
            if match is None:
                continue
            key, value = match[1].lower(), match[2]
            if key not in _KEYS:
                todo = f"{suggest(key, _KEYS)} Known keys: {', '.join(_KEYS)}".strip()
                self._add(f"the key {key!r} of the header must be a known one", None, todo, number)
            elif key in self._keys and key != "note":
                self._add(f"{key} must be in the header once", "there twice", line=number)
            else:
                self._keys[key], self._lines[key] = value, number
        for key in REQUIRED:
            if not self._keys.get(key):
                todo = f"Write # {key}: {_EXAMPLES[key]} above the names of the columns"
                self._add(f"{key} must be in the header", "missing", todo)
        self._keys = {**DEFAULTS, **{key: text for key, text in self._keys.items() if text}}

    def _quantity(self) -> str:
        text = self._keys.get("quantity", "")
        plain = re.sub(r"[\s_-]", "", text.lower())
        known = {name.replace("_", ""): name for name in UNITS} | _OTHER_NAMES
        if text and plain not in known:
            todo = f"Known quantities: {', '.join(UNITS)}"
            self._add("quantity must be a known one", repr(text), todo, self._lines["quantity"])
        return known.get(plain, "")

    def _molecule(self) -> str:
        text = self._keys.get("molecule", "")
        name = text.lower()
        if text and name not in self._arms:
            todo = f"Known molecules: {', '.join(self._arms)}"
            rule = "molecule must be one with a simulated study"
            self._add(rule, repr(text), todo, self._lines["molecule"])
        return name if name in self._arms else ""

    def _arm(self, molecule: str) -> tuple[str, str]:
        text = self._keys.get("arm", "")
        known = self._arms.get(molecule, {})
        if text and molecule and text not in known:
            names = sorted(name for name in known if "/" not in name)
            rule = f"arm must be a regimen of {molecule}"
            self._add(rule, repr(text), f"Known arms: {', '.join(names)}", self._lines["arm"])
        return known.get(text, ("", ""))

    def _factor(self, key: str, converted: Callable[[str], float]) -> float:
        """Return the conversion factor of the unit under a key; 1 if the unit has an error."""
        text = self._keys.get(key, "")
        try:
            return converted(text) if text else 1.0
        except UnitError as error:
            rule = error.rule.replace("the value", key)
            self._add(rule, repr(text), error.todo, self._lines[key])
            return 1.0

    def _check_statistic(self) -> None:
        text = self._keys["statistic"] = self._keys["statistic"].lower()
        if text not in STATISTICS:
            rule = f"statistic must be one of {', '.join(STATISTICS)}"
            self._add(rule, repr(text), line=self._lines["statistic"])

    # === points

    def _chosen(self, header: Sequence[str]) -> Sequence[str]:
        todo = "The line below the header must be time,value or time,value,low,high"
        for name in COLUMNS[:2]:
            if name not in header:
                rule = f"the column {name} must be present"
                raise ConfigError(self._path.name, rule, "missing", todo)
        unknown = [name for name in header if name not in COLUMNS]
        repeated = [name for name in COLUMNS if header.count(name) > 1]
        if unknown or repeated:
            rule = f"the column {(unknown or repeated)[0]} must be " + (
                "a known one" if unknown else "present once"
            )
            raise ConfigError(self._path.name, rule, None, todo)
        return header

    def _numbers(self, table: CsvTable, name: str) -> np.ndarray:
        """(point,): Return the numbers of a column, with an error for each text."""
        if name not in table.columns:
            return np.full(len(table.line), np.nan)
        column = table.columns[name]
        numbers = column.numbers()
        wrong = np.isinf(numbers)
        if name in COLUMNS[:2]:
            wrong |= np.isnan(numbers)
        todo = "Write a number, or remove the line"

        def error(n: int) -> ConfigError:
            where = f"{table.name}: line {table.line[n]}"
            return not_a_number(where, name, column.texts[column.codes[n]], todo)

        self.problems.add_rows(wrong, table.line, error)
        return numbers

    def _check_points(self, table: CsvTable, columns: Mapping[str, np.ndarray]) -> None:
        if not len(table.line) and not self.problems:
            self._add("the file must hold points", "empty", "Write a time and a value a line")
        rule = "value must not be negative"
        self._add_points(table, columns["value"] < 0, rule, columns["value"])
        low, high = columns["low"], columns["high"]
        self._add_points(table, low > high, "low must be below high", low)

    def _add_points(
        self, table: CsvTable, wrong: np.ndarray, rule: str, values: np.ndarray
    ) -> None:
        def error(n: int) -> ConfigError:
            return ConfigError(f"{table.name}: line {table.line[n]}", rule, f"{values[n]:g}")

        self.problems.add_rows(wrong, table.line, error)

    def _add(self, rule: str, got: str | None = None, todo: str = "", line: int = 0) -> None:
        where = f"{self._path.name}: line {line}" if line else self._path.name
        self.problems.add(ConfigError(where, rule, got, todo), line)


_EXAMPLES: Mapping[str, str] = {
    "quantity": "il6",
    "unit": "pg/mL",
    "molecule": "mosunetuzumab",
    "arm": "MOSU_IV_1_2_60_30",
}


def _per_unit(text: str, quantity: str, molecule: str) -> float:
    """Return the conversion factor from a unit to that of a quantity in the results.

    Concentrations of the molecule may be in mass per volume.
    """
    wanted = UNITS.get(quantity, "")
    if not wanted:
        return 1.0
    try:
        return parse(f"1 {text}", wanted, where="unit")
    except UnitError:
        if quantity != "drug_central" or not molecule:
            raise
    kilodalton = molecules.load(molecule).molecular_weight
    return parse(f"1 {text}", NG_PER_ML, where="unit") / kilodalton  # 1 nmol/L = 1 ng/mL per kDa
