"""Table of the uncertainty of a run: over parameters and patients, and over patients only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import xarray as xr

from qsp.endpoints.resampled import QUANTITIES, UTILITY
from qsp.report.cells import NONE, Column, Group, Table, percent, significant

HEADING = "90 % intervals over parameters and patients"


def uncertainty_table(ds: xr.Dataset, titles: Mapping[str, str] | None = None) -> Table:
    """Return the estimates of each arm, and its differences from the reference.

    Args:
        ds: The group `uncertainty` of results.
        titles: Titles of the arms by name; by default the names.
    """
    titles = titles or {}
    reference, arms = str(ds.attrs["reference"]), [str(arm) for arm in ds["arm"].values]

    def title(arm: str) -> str:
        return titles.get(arm, arm)

    groups = [Group(title(arm), tuple(_rows(ds, arm, "arm"))) for arm in arms]
    groups += [
        Group(f"{title(arm)} minus {title(reference)}", tuple(_rows(ds, arm, "difference")))
        for arm in arms
        if arm != reference
    ]
    columns = (
        Column("Outcome"),
        Column("patients only"),
        Column("parameters and patients"),
        Column("share"),
        Column("P(best)"),
    )
    count = int(ds.attrs["members"])
    title_of = HEADING if count > 1 else "One parameter set: no interval over parameters"
    return Table(title_of, columns, tuple(groups), _note(ds, count))


def _rows(ds: xr.Dataset, arm: str, of: str) -> Iterator[tuple[str, ...]]:
    for quantity in QUANTITIES:
        own = ds.sel(arm=arm, quantity=quantity.name)
        found = {
            str(name): float(value) for name, value in own.sel(of=of).items() if not value.ndim
        }
        if math.isnan(found["fixed"]):
            continue
        is_rate = quantity.is_event and quantity != UTILITY
        units = " [%]" if is_rate else "" if quantity.is_event else f" [{quantity.units}]"
        text = percent if is_rate else significant
        share, best = found["parameter_share"], found["probability_best"]
        yield (
            f"{quantity.short}{units}",
            _bounded(text, *(found[name] for name in ("fixed", "fixed_lower", "fixed_upper"))),
            _bounded(text, *(found[name] for name in ("median", "lower", "upper"))),
            NONE if math.isnan(share) else f"{100 * share:.0f} %",
            NONE if of == "difference" or math.isnan(best) else f"{best:.2f}",
        )


def _bounded(text: Callable[[float], str], middle: float, low: float, high: float) -> str:
    """Return a value with its interval, if it has one."""
    if math.isnan(low):
        return text(middle)
    return f"{text(middle)} ({text(low)} to {text(high)})"


def _note(ds: xr.Dataset, members: int) -> str:
    failed = ds["failed"].sum("arm").values
    parts = [
        f"{members} parameter set{'s' if members > 1 else ''} of the fit, each in the same "
        "patients. Patients only: estimate and 90 % interval at the values of the parameter files. "
        "Parameters and patients: median and 90 % interval. Share: part of the variance that comes "
        "from the parameters; the rest is from the finite number of patients. P(best): proportion "
        "of parameter sets and resamples in which the arm has the best value. The structure of the "
        "model is not varied.",
    ]
    if failed.any():
        count = int((failed > 0).sum())
        lost = int(failed.sum())
        parts.append(f"{lost} simulated patients failed, in {count} of {members} parameter sets.")
    parts += [f"{each}." for each in str(ds.attrs.get("notes", "")).splitlines()]
    return " ".join(parts)
