"""Checks of observations against the doses and the length of the trial."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qsp.errors import ConfigError
from qsp.observations.observations import Observations
from qsp.observations.quantities import CRS, DRUG, DRUG_TOTAL
from qsp.problems import Problems

CRS_WINDOW = 21.0
"""Days after a dose within which CRS is expected [day]."""
LATEST = 365.0
"""Days after the last dose beyond which an observation is unusual [day]."""

DosesOf = Callable[[str, int], np.ndarray | None]
"""Function of arm and patient: times of the doses of the molecule, increasing [day]; None if they
are not known."""


def check_doses(found: Observations, doses_of: DosesOf, *, days: float) -> tuple[str, ...]:
    """Check observations against the doses of their patients.

    Args:
        found: Observations, each in an arm.
        doses_of: Times of the doses of a patient.
        days: Length of the trial [day].

    Returns:
        Sentences on unusual observations.

    Raises:
        ConfigError: If there is drug before the first dose of a patient.
    """
    before, since = np.full(len(found), np.nan), np.full(len(found), np.nan)
    for own in _by_patient(found):
        doses = doses_of(str(found.arm[own[0]]), int(found.patient[own[0]]))
        if doses is None:
            continue
        earlier = np.searchsorted(doses, found.time[own] + 1e-9, side="right")
        first = doses[0] if len(doses) else np.inf
        before[own] = first - found.time[own]
        last = np.append(-np.inf, doses)[earlier]
        since[own] = found.time[own] - last
    _check_drug(found, before > 1e-6)
    return tuple(_notes(found, since, days))


def _by_patient(found: Observations) -> list[np.ndarray]:
    """Return the observations of each patient in each arm."""
    if not len(found):
        return []
    names = {name: place for place, name in enumerate(dict.fromkeys(found.arm.tolist()))}
    arm = np.array([names[name] for name in found.arm.tolist()])
    order = np.lexsort((found.patient, arm))
    is_new = (np.diff(found.patient[order]) != 0) | (np.diff(arm[order]) != 0)
    return np.split(order, np.flatnonzero(is_new) + 1)


def _check_drug(found: Observations, is_before: np.ndarray) -> None:
    """Refuse drug above its limit before the first dose: a line of a dose is missing."""
    is_drug = np.isin(found.quantity, (DRUG, DRUG_TOTAL)) & ~found.is_blq
    problems = Problems(found.file)
    rule = "a concentration of the drug must have a dose before it"
    todo = "Add the line of the dose, or check TIME and time_unit"
    problems.add_rows(
        is_drug & is_before,
        found.line,
        lambda n: ConfigError(f"{found.file}: line {found.line[n]}", rule, "without one", todo),
    )
    problems.raise_if_any()


def _notes(found: Observations, since: np.ndarray, days: float) -> list[str]:
    is_event = (found.quantity == CRS) & (np.nan_to_num(found.value) > 0)
    cases = (
        (is_event & (since > CRS_WINDOW), f"CRS without a dose in the {CRS_WINDOW:g} days before"),
        (
            np.isfinite(since) & (since > LATEST),
            "an observation more than a year after the last dose",
        ),
        (found.time > days, "an observation after the end of the trial, which is not compared"),
    )
    notes = []
    for rows, text in cases:
        lines = found.line[rows].tolist()
        if lines:
            more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
            notes.append(f"{found.file}: {text} (line {lines[0]}{more}).")
    return notes
