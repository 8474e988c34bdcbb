"""Check that two runs have the same patients, so that their arms can be compared in pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from qsp.errors import ConfigError, suggest
from qsp.results.record import RunRecord, record_of

REFUSED = "refused, not compared unpaired"
_COVARIATES = ("body_weight", "body_surface", "age", "sex", "prevalence_weight")
_RTOL = 1e-6


def check_same_patients(one: xr.Dataset, other: xr.Dataset, names: tuple[str, str]) -> None:
    """Check that two runs can be compared patient by patient.

    A patient depends on the population, the seed and the number of the patient. Parameters may
    differ: the comparison then shows their effect.

    Args:
        one: Results of a run.
        other: Results of another run.
        names: Names of the runs.

    Raises:
        ConfigError: If the patients, the seed, the population, the length, the visits or the
            response criteria differ.
    """
    for name, first, second in _facts(one, other):
        if not _equal(first, second):
            found = f"{_shown(first)} and {_shown(second)}: {REFUSED}"
            todo = f"Simulate both with the same {name}"
            raise ConfigError(" and ".join(names), f"the {name} must be the same", found, todo)


def _facts(one: xr.Dataset, other: xr.Dataset) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name of each fact with its value in both runs; unrecorded facts are left out."""
    yield "patients", one["patient"].values, other["patient"].values
    first, second = record_of(one), record_of(other)
    yield "kind of patients", _kind(first), _kind(second)
    if _kind(first) == "sampled":
        yield "seed", first.seed, second.seed
    yield "population", one.attrs.get("population"), other.attrs.get("population")
    yield "draws", first.config.get("draws", {}), second.config.get("draws", {})
    for name in _COVARIATES:
        if name in one and name in other:
            yield name.replace("_", " "), one[name].values, other[name].values
    yield "days", one.attrs.get("days"), other.attrs.get("days")
    if "visit" in one and "visit" in other:
        yield "visits", one["visit"].values, other["visit"].values
    key = "response_criteria"
    yield "response criteria", one.attrs.get(key), other.attrs.get(key)


def _kind(record: RunRecord) -> str:
    by_request = record.request is not None and record.request.typical
    return "typical" if by_request or record.config.get("patients") == "typical" else "sampled"


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        same_shape = first.shape == second.shape
        return same_shape and np.allclose(first, second, rtol=_RTOL, atol=0.0, equal_nan=True)
    return bool(first == second)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        first = ", ".join(f"{number:g}" for number in value[:3])
        return f"{value.size} values ({first}{', ...' if value.size > 3 else ''})"
    return repr(value)


def matched_arms(
    first: tuple[str, ...],
    second: tuple[str, ...],
    names: tuple[str, str],
    chosen: tuple[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Return the arms of two runs that are compared with each other.

    Args:
        first: Arms of the first run.
        second: Arms of the second run.
        names: Names of the runs.
        chosen: An arm of each run; by default each arm and the one of the same name, or the only
            arm of each run.

    Raises:
        ConfigError: If a chosen arm is unknown, or no arms have the same name.
    """
    if chosen is not None:
        for run, arms, arm in zip(names, (first, second), chosen, strict=True):
            if arm not in arms:
                todo = f"{suggest(arm, arms)} Arms: {', '.join(arms)}".strip()
                raise ConfigError(run, "the arm must be one of the run", repr(arm), todo)
        return [chosen]
    shared = [(arm, arm) for arm in first if arm in second]
    if shared:
        return shared
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    found = f"{', '.join(first)} and {', '.join(second)}"
    rule, todo = "arms must have the same names", "Choose one arm of each run"
    raise ConfigError(" and ".join(names), rule, found, todo)
