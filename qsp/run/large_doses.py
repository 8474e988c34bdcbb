"""A note about a dose far above the approved ones, such as one in g in place of mg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qsp import shipped
from qsp.config import load
from qsp.drugs import MOLECULE_KINDS
from qsp.plots.doses import amount_text
from qsp.trial import Arm, Trial

FACTOR = 10.0
"""Doses above this multiple of the largest approved dose have a note."""
_SIZES = {"patient": 1.0, "kg": 75.0, "m2": 1.9}
"""Size of a patient for whom doses per kg or m^2 are compared with doses per patient."""


class _Largest(NamedTuple):
    """The largest dose of some arms.

    Args:
        amount: Amount [nmol].
        arm: Name of the arm.
    """

    amount: float
    arm: str


def notes(trial: Trial) -> tuple[str, ...]:
    """Return a note if a dose is more than ten times the largest approved dose of the molecule.

    Args:
        trial: The trial; a molecule without an approved config has no note.
    """
    own = _largest(trial.arms)
    approved = max(_approved(trial), key=lambda found: found.amount, default=None)
    if own is None or approved is None or own.amount <= FACTOR * approved.amount:
        return ()
    mg = trial.molecular_weight_kda / 1000.0
    return (
        f"the largest dose of arm {own.arm!r}, {amount_text(own.amount * mg)} in a patient of "
        f"{_SIZES['kg']:g} kg, is {own.amount / approved.amount:,.0f} times the largest approved "
        f"dose of {trial.molecule}, {amount_text(approved.amount * mg)}. Check its unit.",
    )


def _approved(trial: Trial) -> Iterator[_Largest]:
    """Yield the largest dose of each approved config of the molecule."""
    for name in shipped.names("configs"):
        if name.startswith(f"approved/{trial.molecule}"):
            config = load(shipped.folder("configs") / f"{name}.toml")
            found = _largest(config.trial(trial.molecular_weight_kda).arms)
            if found is not None:
                yield found


def _largest(arms: Sequence[Arm]) -> _Largest | None:
    return max(
        (
            _Largest(min(dose.amount.value * _SIZES[dose.amount.per], dose.amount.cap), arm.name)
            for arm in arms
            for regimen in arm.regimens
            for dose in regimen.administrations
            if dose.kind in MOLECULE_KINDS
        ),
        key=lambda found: found.amount,
        default=None,
    )
