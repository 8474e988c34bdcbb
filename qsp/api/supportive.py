"""Words for supportive drugs: one function per drug of `qsp.drugs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qsp.api.regimens import SupportiveDose, supportive
from qsp.drugs import DRUG_BY_NAME

_DOC = """Return doses of {name} ({routes}{equivalent}).

    Args:
        amount: Text such as ``"{example}"``, or a number [mg].
        lead: Time before doses of the molecule, such as ``"1 h"``. Give either this or `day`, or
            neither for a drug that a rule gives.
        day: Protocol day of the (first) dose, for a drug at times of its own.
        over: Duration of an infusion, such as ``"1 h"``{bolus}.
        route: Route; "{route}" by default.
        cap: Largest amount per patient of an amount per kg or m^2.
        every: With `day`, interval from start to start, such as ``"1 day"``.
        times: With `day`, number of doses.
        from_day: With `lead`, first protocol day of the doses of the molecule that it precedes.
        until_day: With `lead`, last protocol day of the doses of the molecule that it precedes.
        periods: With `lead`, dose periods before which it is given once, in place of days.

    Returns:
        For `qsp.regimen` or `qsp.when`.

    Raises:
        qsp.QSPError: If an argument is no finite quantity in the right unit.
    """


def _word(name: str) -> Callable[..., SupportiveDose]:
    drug = DRUG_BY_NAME[name]

    def word(amount: str | float, **options: object) -> SupportiveDose:
        return supportive(name, amount, **options)  # pyright: ignore[reportArgumentType]

    word.__name__ = word.__qualname__ = name
    word.__doc__ = _DOC.format(
        name=name.replace("_", " "),
        routes=" or ".join(drug.routes),
        equivalent="" if name == drug.name else f"; as {drug.name}",
        example=drug.example,
        bolus="; a bolus by default" if drug.has_bolus else "",
        route=drug.routes[0],
    )
    return word


WORDS: Mapping[str, Callable[..., SupportiveDose]] = {name: _word(name) for name in DRUG_BY_NAME}
"""Function of each supportive drug, by name; `qsp` has them as attributes."""
