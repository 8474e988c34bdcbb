"""Dose-limiting toxicity of every patient at every level, read from results."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from qsp.endpoints import crs
from qsp.endpoints.endpoint import require
from qsp.endpoints.statistics.blocks import map_blocks
from qsp.endpoints.statistics.patients import weights
from qsp.endpoints.steps import gather
from qsp.errors import ConfigError, suggest

WEIGHT = "prevalence_weight"
_NEEDS = {"crs_grade": "1", "outcome": "1"}
_TIMES = {"crs_onset": "day", "dose_time": "day"}


def dose_limiting(
    ds: xr.Dataset,
    *,
    levels: Sequence[str] | None = None,
    at_least: int = 3,
    window: float | None = None,
) -> xr.DataArray:
    """Return whether each patient has a dose-limiting CRS in each arm.

    Args:
        ds: Results with `crs_grade` and `outcome`; with `crs_onset` and `dose_time` for a window.
        levels: Names of the arms, from the lowest level to the highest; by default all arms, in
            the order of the results.
        at_least: Lowest CRS grade that limits the dose, 1 to 4.
        window: Time after the first dose within which a toxicity must start [day]; all dose
            periods by default. An event starts with its first symptoms, before it reaches its
            grade.

    Returns:
        (level, patient): 1 with and 0 without a toxicity [1]; NaN if the simulation failed. Levels
        have the names of the arms; `prevalence_weight` (patient) is a coordinate.

    Raises:
        ConfigError: If the grade or the window is out of range, an arm does not exist, or the
            results lack a variable.

    Source: Lee et al. 2019, Biol Blood Marrow Transplant 25:625, for the grades (ASTCT).
    """
    if not 1 <= at_least <= 4:
        raise ConfigError("dose-limiting CRS", "the grade must be from 1 to 4", at_least)
    if window is not None and not window > 0:
        raise ConfigError("dose-limiting CRS", "the window must be above 0 days", window)
    for name, unit in (_NEEDS | (_TIMES if window is not None else {})).items():
        require(ds, name, unit)
    arms = _arms(ds, levels)
    toxic = map_blocks(lambda part: _toxic(part, at_least, window), _read(ds, window).sel(arm=arms))
    weight = weights(ds).values
    plain = xr.DataArray(
        toxic.transpose("arm", "patient").values,
        dims=("level", "patient"),
        coords={"level": arms, "patient": ds["patient"].values, WEIGHT: ("patient", weight)},
    )
    when = "over all dose periods" if window is None else f"started within {window:g} days"
    return plain.assign_attrs(
        units="1",
        long_name="Dose-limiting CRS",
        definition=f"CRS of grade {at_least} or more, {when}",
        source="Lee et al. 2019, Biol Blood Marrow Transplant 25:625 (ASTCT consensus grading)",
    )


def _read(ds: xr.Dataset, window: float | None) -> xr.Dataset:
    """Return only the variables that are read, so that blocks of a large run stay small."""
    return ds[[*_NEEDS, *(_TIMES if window is not None else ())]]


def _toxic(part: xr.Dataset, at_least: int, window: float | None) -> xr.DataArray:
    if window is None:
        worst = gather(crs.grades(part), part, "any")
        return (worst >= at_least).astype(float).where(worst.notnull())
    first = crs.first_event(part, at_least=at_least)
    return (first <= window).astype(float).where(first.notnull())


def _arms(ds: xr.Dataset, levels: Sequence[str] | None) -> list[str]:
    known = [str(arm) for arm in ds["arm"].values]
    if levels is None:
        return known
    for name in levels:
        if name not in known:
            rule = f"a level must be one of the arms {', '.join(known)}"
            raise ConfigError("levels", rule, repr(name), suggest(name, known))
    if not levels or len(set(levels)) != len(levels):
        got = ", ".join(levels) or "empty"
        raise ConfigError("levels", "the levels must be names of arms, each once", got)
    return list(levels)
