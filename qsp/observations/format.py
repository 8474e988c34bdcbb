"""Columns, quantities and units of a file of observations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from qsp.csv_table import MISSING, number
from qsp.errors import ConfigError, UnitError
from qsp.observations.quantities import CRS, DRUG, DRUG_TOTAL, OBSERVABLES, Observable
from qsp.units import parse

GRADING = "ASTCT2019"
"""The grading of CRS that the model predicts."""


@dataclasses.dataclass(frozen=True)
class ObservedQuantity:
    """The quantity of a DVID.

    Args:
        quantity: Name, one of `qsp.observations.QUANTITIES`.
        unit: Unit of DV and LLOQ; "" for a grade of CRS.
        form: Form of the drug that the assay measures.
        lloq: Lower limit of quantification as text with unit, for rows without one; "" for none.
        grading: Grading of CRS; "" for another quantity.
    """

    quantity: str
    unit: str = ""
    form: Literal["free", "total"] = "free"
    lloq: str = ""
    grading: str = ""

    @property
    def observable(self) -> Observable:
        """The quantity that is observed."""
        is_total = self.quantity == DRUG and self.form == "total"
        return OBSERVABLES[DRUG_TOTAL if is_total else self.quantity]


@dataclasses.dataclass(frozen=True)
class ObservationFormat:
    """Columns and quantities of a file of observations.

    Args:
        quantities: Quantity of each DVID (or CMT, without a column DVID).
        columns: Names of columns by role (dv, dvid, mdv, lloq, blq) that differ from those of
            `qsp.observations.columns.NAMES`.
        time_unit: Unit of TIME: "day" or "hour".
    """

    quantities: Mapping[str, ObservedQuantity]
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    time_unit: str = "day"


@dataclasses.dataclass(frozen=True)
class Scale:
    """Conversion of the values of a quantity.

    Args:
        observable: The quantity.
        unit: Unit after conversion.
        factor: Factor from the unit of the file.
        lloq: Limit of quantification of rows without one, after conversion; NaN for none.
    """

    observable: Observable
    unit: str
    factor: float
    lloq: float


class Scales:
    """The quantities of a format with the factors of their units.

    Args:
        form: The format.

    Raises:
        ConfigError: If there is no quantity, or a unit, a limit or a grading does not fit one.
    """

    def __init__(self, form: ObservationFormat) -> None:
        if not form.quantities:
            todo = 'Write quantities = { 1 = { quantity = "il6", unit = "pg/mL" } }'
            rule = "the value must map each DVID to a quantity"
            raise ConfigError("observations.quantities", rule, "empty", todo)
        self.scales = tuple(_scale(key, each) for key, each in form.quantities.items())
        self.names = tuple(form.quantities)
        self._places = {_key(name): place for place, name in enumerate(form.quantities)}

    def place(self, text: str) -> int:
        """Return the index of the quantity of a DVID; -1 if it is unknown, -2 if it is missing.

        A file with a single quantity needs no DVID.
        """
        if text in MISSING:
            return 0 if len(self.scales) == 1 else -2
        return self._places.get(_key(text), -1)


def _key(text: str) -> str:
    """Return a DVID without decimals and capitals: 2.0 is 2, and IL6 is il6."""
    value = number(text)
    return str(int(value)) if value == value // 1 and abs(value) < 1e9 else text.lower()


def _scale(key: str, each: ObservedQuantity) -> Scale:
    where, observable = f"observations.quantities.{key}", each.observable
    if each.form != "free" and each.quantity != DRUG:
        rule, todo = "the value must be given for the drug only", "Remove it"
        raise ConfigError(f"{where}.form", rule, repr(each.form), todo)
    if each.quantity == CRS:
        _check_grading(each, where)
        return Scale(observable, "1", 1.0, float("nan"))
    if each.grading:
        rule, todo = "the value must be given for crs only", "Remove it"
        raise ConfigError(f"{where}.grading", rule, repr(each.grading), todo)
    unit, factor = _factor(each, f"{where}.unit")
    lloq = parse(each.lloq, unit, where=f"{where}.lloq") if each.lloq else float("nan")
    if lloq <= 0 or (each.lloq and not observable.is_positive):
        rule = "the value must be above 0, and of a concentration, a count or a size"
        todo = "Correct or remove it"
        raise ConfigError(f"{where}.lloq", rule, repr(each.lloq), todo)
    return Scale(observable, unit, factor, lloq)


def _check_grading(each: ObservedQuantity, where: str) -> None:
    if each.grading != GRADING:
        rule = f"the value must be {GRADING}, the grading of the model"
        todo = f'Convert the grades of other scales first, then write grading = "{GRADING}"'
        raise ConfigError(f"{where}.grading", rule, repr(each.grading) or "missing", todo)
    for name, text in (("unit", each.unit), ("lloq", each.lloq)):
        if text:
            rule, todo = "the value must not be given for crs", "Remove it: a grade is a number"
            raise ConfigError(f"{where}.{name}", rule, repr(text), todo)


def _factor(each: ObservedQuantity, where: str) -> tuple[str, float]:
    """Return the unit after conversion, and the factor to it."""
    units = each.observable.units
    if not each.unit:
        raise ConfigError(where, "the value must be given", "missing", f'Write unit = "{units[0]}"')
    for unit in units:
        try:
            return unit, parse(f"1 {each.unit}", unit, where=where)
        except UnitError:
            continue
    rule = f"the value must be a unit like {' or '.join(units)}"
    todo = f'Write unit = "{units[0]}", for example'
    raise ConfigError(where, rule, repr(each.unit), todo)
