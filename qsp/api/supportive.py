"""Supportive drugs: one function per drug of `qsp.drugs`, such as `qsp.dexamethasone`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qsp.api.doses import check_repeat, start_of
from qsp.api.quantities import Quantity, check_amount, days_of, text_of
from qsp.drugs import DRUG_BY_NAME
from qsp.errors import suggest

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


@dataclasses.dataclass(frozen=True)
class SupportiveDose:
    """A supportive drug before doses of the molecule, at times of its own, or given by a rule.

    Args:
        drug: Name of the drug.
        route: "iv", "sc" or "oral".
        amount: Amount: text, or number [mg].
        over: Duration of an infusion: text, or number [day]; None for a bolus.
        cap: Largest amount per patient of an amount per kg or m^2.
        lead: Time before each dose of the molecule: text, or number [day].
        time: Start, since the first dose of the molecule [day].
        every: Interval from start to start: text, or number [day].
        times: Number of doses at times of its own.
        first: Earliest dose of the molecule that it precedes, since the first dose [day].
        until: Latest dose of the molecule that it precedes, since the first dose [day].
        periods: Dose periods before which it is given once.
    """

    drug: str
    route: str
    amount: Quantity
    over: Quantity | None = None
    cap: Quantity | None = None
    lead: Quantity | None = None
    time: float | None = None
    every: Quantity | None = None
    times: int = 1
    first: float | None = None
    until: float | None = None
    periods: tuple[str, ...] = ()

    def table(self) -> dict[str, Any]:
        """Return the drug as a table of a config, below ``[premedication.NAME]``."""
        table: dict[str, Any] = {"drug": self.drug, "route": self.route}
        for key, value, unit in (
            ("amount", self.amount, "mg"),
            ("cap", self.cap, "mg"),
            ("duration", self.over, "day"),
            ("before", self.lead, "day"),
            ("time", self.time, "day"),
            ("from", self.first, "day"),
            ("until", self.until, "day"),
        ):
            if value is not None:
                table[key] = text_of(value, unit, f"{self.drug}: {key}")
        if self.every is not None:
            every = text_of(self.every, "day", f"{self.drug}: every")
            table["repeat"] = {"every": every, "times": self.times}
        if self.periods:
            table["periods"] = list(self.periods)
        return table


def supportive(
    drug: str,
    amount: Quantity,
    *,
    lead: Quantity | None = None,
    day: float | None = None,
    over: Quantity | None = None,
    route: str | None = None,
    cap: Quantity | None = None,
    every: Quantity | None = None,
    times: int = 1,
    from_day: float | None = None,
    until_day: float | None = None,
    periods: Sequence[str] = (),
) -> SupportiveDose:
    """Return a supportive drug; see `qsp.dexamethasone` and its siblings for the arguments."""
    check_amount(amount, "mg", f"{drug}: amount")
    if cap is not None:
        check_amount(cap, "mg", f"{drug}: cap")
    check_repeat(every, times, drug)
    for key, value in (("lead", lead), ("over", over)):
        if value is not None:
            days_of(value, f"{drug}: {key}")
    return SupportiveDose(
        drug=drug,
        route=route or DRUG_BY_NAME[drug].routes[0],
        amount=amount,
        over=over,
        cap=cap,
        lead=lead,
        time=_time(day, f"{drug}: day"),
        every=every,
        times=times,
        first=_time(from_day, f"{drug}: from_day"),
        until=_time(until_day, f"{drug}: until_day"),
        periods=(periods,) if isinstance(periods, str) else tuple(periods),
    )


def _time(day: Any, where: str) -> Any:
    """Time since the first dose [day] of a protocol day."""
    return None if day is None else start_of(day, where)


_SIGNATURE = inspect.signature(supportive)
_SIGNATURE = _SIGNATURE.replace(parameters=list(_SIGNATURE.parameters.values())[1:])
_OPTIONS = tuple(_SIGNATURE.parameters)[1:]


def _word(name: str) -> Callable[..., SupportiveDose]:
    drug = DRUG_BY_NAME[name]

    def word(amount: str | float, **options: object) -> SupportiveDose:
        for key in options:
            if key not in _OPTIONS:
                todo = suggest(key, _OPTIONS) or f"It takes {', '.join(_OPTIONS)}"
                raise TypeError(f"{name}() got an unexpected keyword argument {key!r}. {todo}")
        return supportive(name, amount, **options)  # pyright: ignore[reportArgumentType]

    word.__name__ = word.__qualname__ = name
    word.__signature__ = _SIGNATURE  # pyright: ignore[reportFunctionMemberAccess]
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
