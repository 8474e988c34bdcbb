"""Units and names of a dose table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from qsp.csv_table import number
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
    """

    time_unit: str = "day"
    amount_unit: str = "mg"
    compartments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ignore: Sequence[str] = ()


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
            if meaning not in COMPARTMENTS:
                rule = f"the value must be one of {', '.join(COMPARTMENTS)}"
                todo = f"{suggest(meaning, COMPARTMENTS)} Name one of them".strip()
                raise ConfigError(f"dose_table.compartments.{written}", rule, repr(meaning), todo)
            self.kinds[written.lower()] = COMPARTMENTS[meaning]

    def kind(self, text: str) -> int:
        """Return the index into `KINDS` of a compartment; -1 if it is unknown.

        Programs that write every number with decimals write 2.0 for compartment 2.
        """
        value = number(text)
        whole = str(int(value)) if value == value // 1 and value < 1e9 else text.lower()
        kind = self.kinds.get(text.lower(), self.kinds.get(whole))
        return -1 if kind is None else KINDS.index(kind)
