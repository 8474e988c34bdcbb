"""Units and names of a dose table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from qsp.csv_table import MISSING, number
from qsp.drugs import DRUGS
from qsp.errors import ConfigError, suggest
from qsp.trial.regimen import KINDS, parse_amount
from qsp.units import parse

COMPARTMENTS: Mapping[str, str] = {
    "central": "drug_iv",
    "depot": "drug_sc",
    **{drug.name: drug.name for drug in DRUGS},
}
INFUSED = ("drug_iv", *(drug.name for drug in DRUGS if drug.is_infused))


@dataclasses.dataclass(frozen=True)
class DoseTableFormat:
    """Units and names of a dose table.

    Args:
        time_unit: Unit of TIME and II, and of the time in RATE: "day" or "hour".
        amount_unit: Unit of AMT, and of the amount in RATE, for the molecule, such as "mg/kg".
        compartments: Compartment or drug for each CMT, such as {"1": "depot", "2": "central"}.
        ignore: Columns to ignore.
        default_compartment: Compartment or drug of doses without a CMT, like the default dose
            compartment of NONMEM; "" if there is none.
    """

    time_unit: str = "day"
    amount_unit: str = "mg"
    compartments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ignore: Sequence[str] = ()
    default_compartment: str = ""


class Units:
    """Conversion of the numbers and names of a table to days, mg and kinds of dose."""

    def __init__(self, form: DoseTableFormat) -> None:
        self.days = parse(f"1 {form.time_unit}", "day", where="dose_table.time_unit")
        self.amount = parse_amount(f"1 {form.amount_unit}", where="dose_table.amount_unit")
        if self.amount.is_rate:
            rule, todo = "the value must be an amount, not a rate", "Give rates in the RATE column"
            raise ConfigError("dose_table.amount_unit", rule, repr(form.amount_unit), todo)
        self.kinds = dict(COMPARTMENTS)
        for written, meaning in form.compartments.items():
            self.kinds[written.lower()] = _kind(meaning, f"dose_table.compartments.{written}")
        default = form.default_compartment
        self._default = _kind(default, "dose_table.default_compartment") if default else None

    def kind(self, text: str) -> int:
        """Return the index into `KINDS` of a compartment; -1 if it is unknown.

        Programs that write every number with decimals write 2.0 for compartment 2. As in NONMEM, a
        missing CMT and compartment 0 mean the default compartment.
        """
        value = number(text)
        whole = str(int(value)) if value == value // 1 and value < 1e9 else text.lower()
        kind = self.kinds.get(text.lower(), self.kinds.get(whole))
        if kind is None and (text in MISSING or value == 0.0):
            kind = self._default
        return -1 if kind is None else KINDS.index(kind)


def _kind(meaning: str, where: str) -> str:
    """Return the kind of dose of a compartment or drug."""
    if meaning not in COMPARTMENTS:
        rule = f"the value must be one of {', '.join(COMPARTMENTS)}"
        todo = f"{suggest(meaning, COMPARTMENTS)} Name one of them".strip()
        raise ConfigError(where, rule, repr(meaning), todo)
    return COMPARTMENTS[meaning]
