"""Doses of the twin: boluses, infusions and checks of a schedule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from tests.reference.binding import bind
from tests.reference.values import Values, pack, unpack


@dataclass(frozen=True)
class Event:
    """One dose.

    Attributes:
        time: Start, in days.
        target: "iv" or "sc" (the engager, nmol), "toci", "dex", "jak" (oral) or "anti_tnf" (mg).
        amount: Amount, nmol for "iv" and "sc", otherwise mg.
        duration: Length of the infusion in days; 0 is a bolus.
    """

    time: float
    target: str
    amount: float
    duration: float = 0.0


# Where a supportive or SC dose goes. An IV dose goes to the central concentration instead.
ENTRY = {"sc": "depot", "toci": "TC1", "dex": "DX", "jak": "JG", "anti_tnf": "NA"}


def give_bolus(vector: np.ndarray, event: Event, p: Values) -> np.ndarray:
    """State just after a bolus.

    An IV bolus is the limit of a short infusion: it is shared at once between the central volume
    and the receptors of blood, so that total drug rises by the dose.
    """
    vector = vector.copy()
    y = unpack(vector)
    if event.target != "iv":
        share = p["F_sc"] if event.target == "sc" else 1.0
        y[ENTRY[event.target]] = y[ENTRY[event.target]] + share * event.amount
        return pack(y)
    before = y["C"][0]

    def content(c0: float) -> float:
        y["C"][0] = c0
        b = bind(y, p)
        return p["V1"] * c0 + p["V"][0] * (b["on_cd3"][0] + b["on_target"][0])

    goal = content(before) + event.amount
    top = before + event.amount / p["V1"]
    y["C"][0] = brentq(lambda c0: content(c0) - goal, before, top * (1 + 1e-9), xtol=1e-18)
    return pack(y)


def give_boluses(vector: np.ndarray, events: Sequence[Event], now: float, p: Values) -> np.ndarray:
    """State after every bolus due now."""
    for event in events:
        if event.duration == 0 and event.time == now:
            vector = give_bolus(vector, event, p)
    return vector


def infusion_rates(events: Sequence[Event], now: float) -> dict[str, float]:
    """Sum of the running infusions by target, nmol/day or mg/day."""
    rates = dict.fromkeys(("iv", *ENTRY), 0.0)
    for event in events:
        if event.time <= now < event.time + event.duration:
            rates[event.target] += event.amount / event.duration
    return rates


def check_schedule(events: Sequence[Event], first_output: float, start: float) -> None:
    """Raise an error for unknown targets and for events before the start."""
    for event in events:
        if event.target != "iv" and event.target not in ENTRY:
            raise ValueError(f"unknown target: {event.target}")
    if first_output < start or any(event.time < start for event in events):
        raise ValueError("times and events must not lie before the start")
