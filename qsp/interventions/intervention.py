"""Record of the equations of one supportive drug."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx


@dataclasses.dataclass(frozen=True)
class Intervention:
    """Equations of one supportive drug.

    Args:
        parameters: Class of the parameters.
        state: Class of the state; every field is 0 without the drug.
        entry: Field of the state to which doses are added [mg].
        rates: Derivative of the state, from the state, the current infusion rate [mg/day] and the
            parameters.
        acts_on: Field of `qsp.model.effects.Effects` that the drug changes.
        effect: Value of that field, from the state and the parameters.
        positive: Parameters that must be above 0, because the equations divide by them.
        fractions: Parameters that must not exceed 1.
    """

    parameters: type[eqx.Module]
    state: type[eqx.Module]
    entry: str
    rates: Callable[..., Any]
    acts_on: str
    effect: Callable[..., Any]
    positive: tuple[str, ...]
    fractions: tuple[str, ...] = ()
