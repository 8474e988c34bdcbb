"""Tables of differences between arms, paired by patient, for the page and the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pandas as pd
import xarray as xr

from qsp.endpoints import differences, utility
from qsp.endpoints.number_needed import INFINITY
from qsp.endpoints.patient_values import ANY, QUANTITIES
from qsp.endpoints.patient_values import Column as Compared
from qsp.endpoints.statistics.paired import Sampling
from qsp.plots.names import arm_titles
from qsp.report.cells import NONE, Column, Group, Table, percent, significant

POINTS = 100.0
"""Percentage points of a rate of 1."""
SUMMED = ("crs_any", "crs_2", "crs_3", "response")
"""Quantities of the sentence on the terminal."""
FREQUENT = 0.01
"""Least rate in one of the arms of a dose period in a short table [1]."""
_MEAN_DIGITS = 2
_ORIGIN_OF_SIZE = "the size of the published trial, or 100 if none is on file"


def tables(
    ds: xr.Dataset,
    frame: pd.DataFrame | None = None,
    preferences: pd.DataFrame | None = None,
    *,
    sampling: Sampling | None = None,
) -> dict[str, Table]:
    """Return the tables `differences` and `preferences` of a run; none for a run of one arm.

    Args:
        ds: Results with `best_response`.
        frame: Differences, from `qsp.endpoints.differences.table`; computed if not given.
        preferences: Utilities, from `qsp.endpoints.utility.table`; computed if not given.
        sampling: Seed and number of resamples, and size of the trial.
    """
    if ds.sizes["arm"] < 2:
        return {}
    titles = arm_titles(ds)
    if frame is None or preferences is None:
        pairs, sampling = (
            differences.pairs_of_arms(ds),
            sampling or differences.default_sampling(ds),
        )
        frame = differences.of_pairs(pairs, sampling)
        preferences = utility.compare(pairs, utility.weights_of(ds), sampling)
    return {
        "differences": difference_table(frame, titles),
        "preferences": preference_table(preferences, titles),
    }


def difference_table(frame: pd.DataFrame, titles: dict[str, str] | None = None) -> Table:
    """Return the table of differences: a group of rows per arm.

    Args:
        frame: Differences, from `qsp.endpoints.differences`; at least one row.
        titles: Titles of the arms by name; by default the names.
    """
    groups = _groups(frame, titles or {}, difference_cells, _is_shown)
    size = frame["trial_size"].iloc[0]
    columns = (
        Column("Outcome"),
        Column("Arm"),
        Column("Reference"),
        Column("Difference"),
        Column("95 % MC"),
        Column("Ratio"),
        Column("95 % MC", "bootstrap"),
        Column("Number needed (95 % MC)"),
        Column("95 % PI", f"trial of 2 × {size:,}"),
        Column("pairs"),
        Column("dropped"),
    )
    title = f"Arm minus reference. {differences.HEADING}"
    return Table(title, columns, groups, _note(frame, int(size)))


def short_table(frame: pd.DataFrame, titles: dict[str, str] | None = None) -> Table:
    """Return the table of differences without rare events, ratios and predictions of a trial.

    Args:
        frame: Differences, from `qsp.endpoints.differences`; at least one row.
        titles: Titles of the arms by name; by default the names.
    """
    groups = _groups(frame, titles or {}, _short_cells, _is_frequent)
    names = ("Outcome", "Arm", "Reference", "Difference", "95 % MC", "Number needed")
    note = (
        "The same patients are in both arms. Rates are in percent and their differences in "
        "percentage points. --all adds dose periods in which both rates are below "
        f"{percent(FREQUENT, digits=None)} %, ratios, predictions of a trial, and numbers of pairs."
    )
    title = f"Arm minus reference. {differences.HEADING}"
    return Table(title, tuple(map(Column, names)), groups, note)


def _is_frequent(row: Any) -> bool:
    """Whether a row has all doses, or is frequent in an arm."""
    return row.period == ANY or max(row.value, row.reference_value) >= FREQUENT


def _short_cells(row: Any) -> tuple[str, ...]:
    """Return the cells of a row, without a number needed if the printed interval includes 0."""
    cells = difference_cells(row)
    lower, upper = (round(POINTS * each, 1) for each in (row.lower, row.upper))
    needed = row.number_needed.partition(" (")[0]
    return (*cells[:5], needed if needed and lower * upper > 0 else NONE)


def _note(frame: pd.DataFrame, size: int) -> str:
    return (
        "The same patients are in both arms. Rates are in percent and their differences in "
        "percentage points; days are means over all patients (0 days in CRS without CRS). 95 % MC: "
        "Monte Carlo interval, not adjusted for the number of comparisons, for a difference of "
        "rates that of Newcombe for paired proportions, else of a bootstrap over patients "
        f"({frame.attrs['replicates']:,} resamples, seed {frame.attrs['seed']}). Number needed: "
        "patients to treat for one more with benefit (NNTB) or harm (NNTH); an interval through "
        "∞ includes no effect. 95 % PI: prediction interval of the difference in a trial with "
        f"{size:,} other patients in each arm, not paired ({_ORIGIN_OF_SIZE}). Dropped: pairs "
        "without a value in one of the arms. Dose periods are compared where both arms have one of "
        "that name and a patient has the event."
    )


def _groups(
    frame: pd.DataFrame,
    titles: Mapping[str, str],
    cells: Callable[[Any], tuple[str, ...]],
    is_shown: Callable[[Any], bool],
) -> tuple[Group, ...]:
    """Return a group of rows for each arm and its reference.

    Args:
        frame: Differences.
        titles: Titles of the arms by name; arms without one have their name.
        cells: Cells of a row.
        is_shown: Whether a row is shown.
    """
    return tuple(
        Group(
            f"{titles.get(arm, arm)} minus {titles.get(base, base)}",
            tuple(cells(row) for row in _records(rows) if is_shown(row)),
        )
        for (arm, base), rows in _by_pair(frame)
    )


def _by_pair(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield the names of arm and reference with their rows, in the order of the table."""
    for names, rows in frame.groupby(["arm", "reference"], sort=False):
        yield cast("tuple[str, str]", names), rows


def _records(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows, with their columns as attributes."""
    yield from frame.itertuples()


def _is_shown(row: Any) -> bool:
    """Whether a row has all doses, or an event in a patient."""
    return row.period == ANY or row.value > 0 or row.reference_value > 0


def difference_cells(row: Any) -> tuple[str, ...]:
    """Return the cells of one row: of a `Difference`, or of its table."""
    scale = POINTS if row.units == "1" else 1.0

    def signed(value: float) -> str:
        return _signed(scale * value, 1 if row.units == "1" else _MEAN_DIGITS)

    title = Compared(QUANTITIES[row.quantity], row.period).short
    return (
        title if row.units == "1" else f"{title} [{row.units}]",
        _plain(row.value, row.units),
        _plain(row.reference_value, row.units),
        signed(row.difference),
        _span(signed(row.lower), signed(row.upper)),
        _ratio(row.ratio),
        _span(_ratio(row.ratio_lower), _ratio(row.ratio_upper)),
        row.number_needed or NONE,
        _span(signed(row.trial_lower), signed(row.trial_upper)),
        f"{row.patients:,}",
        f"{row.failed + row.unassessed:,}",
    )


def preference_table(frame: pd.DataFrame, titles: dict[str, str] | None = None) -> Table:
    """Return the table of utilities: a row per arm.

    Args:
        frame: Utilities, from `qsp.endpoints.utility`; at least one row.
        titles: Titles of the arms by name; by default the names.
    """
    titles = titles or {}
    rows = [
        (
            titles.get(row.arm, str(row.arm)),
            titles.get(row.reference, str(row.reference)),
            _signed(row.difference, _MEAN_DIGITS),
            _span(_signed(row.lower, _MEAN_DIGITS), _signed(row.upper, _MEAN_DIGITS)),
            probability(row.probability),
            probability(row.trial_probability),
            f"{row.patients:,}",
            f"{row.failed + row.unassessed:,}",
        )
        for row in _records(frame)
    ]
    size = int(frame["trial_size"].iloc[0]) if len(frame) else 0
    columns = (
        Column("Arm"),
        Column("Reference"),
        Column("Difference", "Utility"),
        Column("95 % MC", "Utility"),
        Column("in the population", "Probability of being better"),
        Column(f"in a trial of 2 × {size:,}", "Probability of being better"),
        Column("pairs"),
        Column("dropped"),
    )
    note = (
        f"Utility: {frame.attrs['utility']}. Probability in the population: proportion of "
        "bootstrap samples of the simulated patients in which the arm has the higher mean utility, "
        "which tends to 0 or 1 as more patients are simulated. In a trial: proportion of trials, "
        f"with {size:,} other patients in each arm ({_ORIGIN_OF_SIZE}), in which it has. Ties "
        "count half."
    )
    title = f"Which arm is better. {differences.HEADING}"
    return Table(title, columns, (Group("", tuple(rows)),), note)


def sentences(ds: xr.Dataset) -> Iterator[str]:
    """Yield the comparison of each arm with the reference in one sentence, for the terminal.

    Args:
        ds: Results with `best_response`.
    """
    if ds.sizes["arm"] < 2:
        return
    pairs, sampling = differences.pairs_of_arms(ds), differences.default_sampling(ds)
    frame = differences.of_pairs(pairs, sampling, [Compared(QUANTITIES[key]) for key in SUMMED])
    preferences = utility.compare(pairs, utility.weights_of(ds), sampling)
    better = {row.arm: row for row in _records(preferences)}
    for (arm, base), rows in _by_pair(frame):
        found = {row.quantity: row for row in _records(rows)}
        parts = [f"{QUANTITIES[key].short} {_points(found[key])}" for key in SUMMED if key in found]
        if arm in better:
            parts.append(_higher(better[arm]))
        yield f"{arm} minus {base}, same patients: {'; '.join(parts)}. {differences.HEADING}."


def _higher(row: Any) -> str:
    """Return the probabilities of a row of the table of utilities."""
    return (
        f"higher utility with probability {probability(row.probability)}, in a trial of "
        f"2 × {row.trial_size:,} with {probability(row.trial_probability)}"
    )


def _points(row: Any) -> str:
    value, lower, upper = (
        _signed(POINTS * each) for each in (row.difference, row.lower, row.upper)
    )
    return f"{value} points ({_span(lower, upper)})"


def probability(value: float) -> str:
    """Return a probability with two decimals; not as 0 or 1, which no sample can show."""
    if not math.isfinite(value):
        return NONE
    if value < 0.005:
        return "< 0.01"
    return "> 0.99" if value > 0.995 else f"{value:.2f}"


def _plain(value: float, units: str) -> str:
    return percent(value) if units == "1" else significant(value)


def _signed(value: float, digits: int = 1) -> str:
    if not math.isfinite(value):
        return NONE
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def _ratio(value: float) -> str:
    return INFINITY if value == math.inf else significant(value)


def _span(low: str, high: str) -> str:
    return NONE if NONE in (low, high) else f"{low} to {high}"
