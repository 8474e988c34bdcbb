"""Swimmer plot of tumor response: one bar per responder, from the first dose to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from qsp.endpoints.endpoint import require
from qsp.endpoints.statistics.patients import solved, weights
from qsp.endpoints.survival import DAYS_PER_MONTH
from qsp.plots.figure import Figure
from qsp.plots.names import arm_titles
from qsp.plots.response_measure import measure_of
from qsp.plots.style import (
    GRAY,
    INK,
    RESPONSE_COLORS,
    RESPONSE_TITLES,
    RULE,
    arm_colors,
    arm_title,
    empty_panel,
    label_outer,
    last_visit,
    legend_below,
    month_axis,
    panels,
    styled,
    swatches,
)

MOST_RESPONDERS = 60
"""Largest number of patients in a panel."""
MOST_IDS = 25
"""Largest number of patients in a panel whose identifiers are written."""
_DEPTH = (1, 6, 5, 2)  # codes of the responses, from the deepest
_ROW, _NAMED_ROW = 0.075, 0.13  # heights of a row without and with its identifier [inch]
_LEAST_ROWS = 10  # of fewer patients, bars would be thick
_TIMES = (
    "progression_free_time",
    "response_time",
    "complete_response_time",
    "progression_time",
    "death_time",
)
_EDGE: dict[str, Any] = {"lw": 0.5, "edgecolors": INK}
_MARKS: dict[str, dict[str, Any]] = {
    "response_time": {"marker": "^", "s": 16, "color": "white", **_EDGE},
    "complete_response_time": {"marker": "*", "s": 34, "color": "#F0C419", **_EDGE},
    "progression_time": {"marker": "X", "s": 20, "color": RESPONSE_COLORS[4], **_EDGE},
    "death_time": {"marker": "s", "s": 13, "color": INK, "lw": 0.0},
}
_TITLES = {
    "response_time": "first response",
    "complete_response_time": "first complete response",
    "progression_time": "progression",
    "death_time": "death",
}
_ONGOING: dict[str, Any] = {"marker": ">", "s": 14, "color": INK, "lw": 0.0}


def has_responders(ds: xr.Dataset) -> bool:
    """Return whether the results have the variables of `response_swimmer`."""
    return all(name in ds for name in (*_TIMES, "progression_free_event"))


@dataclass(frozen=True)
class _Rows:
    """Responders of an arm in descending order of the length of their bar.

    Args:
        patient (row,): Identifier.
        best (row,): Code of the best response.
        ongoing (row,): Whether the patient is censored.
        times: Times since the first dose by variable (row,) [month]; NaN without the event.
        responders: Number of responders of the arm, of whom some are shown.
    """

    patient: NDArray[Any]
    best: NDArray[np.int64]
    ongoing: NDArray[np.bool_]
    times: dict[str, NDArray[np.float64]]
    responders: int

    @property
    def end(self) -> NDArray[np.float64]:
        """Ends of the bars (row,) [month]."""
        return self.times["progression_free_time"]


@styled
def response_swimmer(ds: xr.Dataset) -> Figure:
    """Draw a swimmer plot of the responders: time to response, response, progression and death.

    A bar begins at the first dose and ends at progression or death, or with an arrow at the last
    visit of a patient without either. It is gray before the response and then in the color of the
    best response. A complete response that is the first response has its own mark only; a line
    leads from progression to death. Of more than `MOST_RESPONDERS` responders, `MOST_RESPONDERS`
    at evenly spaced ranks, by prevalence weight, are drawn.

    Args:
        ds: Results with `best_response`, `progression_free_event` and the times of progression-free
            survival, response, complete response, progression and death.

    Returns:
        One panel per arm and one row per patient, the longest bar first.

    Raises:
        ConfigError: If a variable is missing or has another unit.
    """
    colors, titles = arm_colors(ds), arm_titles(ds)
    rows = {arm: _rows(ds, arm) for arm in colors}
    most = max(own.best.size for own in rows.values())
    height = 1.2 + most * (_NAMED_ROW if most <= MOST_IDS else _ROW)
    figure, axes = panels(len(colors), height=max(2.2, height), sharey=False)
    end = max(_last(own) for own in rows.values()) or last_visit(ds)
    failed = ~solved(ds).any("patient")
    for ax, (arm, color) in zip(axes, colors.items(), strict=True):
        month_axis(ax, end, most=8)
        _bars(ax, rows[arm], most)
        if not rows[arm].best.size:
            empty_panel(ax, *(() if failed.sel(arm=arm) else ("no response",)))
        arm_title(ax, titles[arm], color, _note(rows[arm]))
    rows_title = "Responders [ID]" if most <= MOST_IDS else "Responders"
    label_outer(axes, x="Time since the first dose [month]", y=rows_title)
    legend_below(figure, _legend(ds), 4)
    return figure


def _rows(ds: xr.Dataset, arm: str) -> _Rows:
    """Return the responders that are drawn, in their order."""
    for name in _TIMES:
        require(ds, name, "day")
    for name in ("best_response", "progression_free_event"):
        require(ds, name, "1")
    own, weight = ds.sel(arm=arm), weights(ds).values
    days = {name: own[name].values.astype(float) for name in _TIMES}
    ends, starts = days["progression_free_time"], days["response_time"]
    ok = solved(ds).sel(arm=arm).values & np.isfinite(starts) & np.isfinite(ends) & (weight > 0)
    order = np.flatnonzero(ok)
    best = own["best_response"].fillna(-1).values.astype(int)
    # The longest first; of equal bars that of the earlier response, then of the deeper one.
    depth = np.array([_DEPTH.index(code) if code in _DEPTH else len(_DEPTH) for code in best])
    order = order[np.lexsort((depth[order], starts[order], -ends[order]))]
    shown = order[_even(weight[order])]
    return _Rows(
        patient=ds["patient"].values[shown],
        best=best[shown],
        ongoing=~(own["progression_free_event"].fillna(0).values[shown] > 0),
        times={name: values[shown] / DAYS_PER_MONTH for name, values in days.items()},
        responders=order.size,
    )


def _even(weight: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return up to `MOST_RESPONDERS` ranks at evenly spaced cumulative weights, without repeats."""
    if weight.size <= MOST_RESPONDERS:
        return np.arange(weight.size)
    total = np.cumsum(weight)
    even = (np.arange(MOST_RESPONDERS) + 0.5) / MOST_RESPONDERS * total[-1]
    return np.unique(np.searchsorted(total, even))


def _last(rows: _Rows) -> float:
    """Return the time of the last event or end of a bar [month], 0 without a row."""
    return float(max(np.nanmax(times, initial=0.0) for times in rows.times.values()))


def _bars(ax: Axes, rows: _Rows, most: int) -> None:
    """Draw the rows; bars are equally thick in all panels, of which the largest has `most` rows."""
    place = np.arange(rows.best.size)
    ax.set_ylim(max(most, _LEAST_ROWS) - 0.3, -1.1)
    ax.grid(False)
    few = most <= MOST_IDS
    names = [str(patient) for patient in rows.patient]
    ax.set_yticks(place if few else [], names if few else [], fontsize=6.5)
    if not place.size:
        return
    start, death = rows.times["response_time"], rows.times["death_time"]
    faces = [RESPONSE_COLORS.get(code, GRAY) for code in rows.best]
    ax.barh(place, start, height=0.72, color=RULE, lw=0, zorder=1)
    ax.barh(place, rows.end - start, left=start, height=0.72, color=faces, lw=0, zorder=1)
    later = death > rows.end
    ax.hlines(place[later], rows.end[later], death[later], color=GRAY, lw=0.8, zorder=1)
    at_once = rows.times["complete_response_time"] <= start
    marked = rows.times | {"response_time": np.where(at_once, np.nan, start)}
    for name, look in _MARKS.items():
        times, drawn = marked[name], np.isfinite(marked[name])
        ax.scatter(times[drawn], place[drawn], zorder=3, clip_on=False, label=name, **look)
    margin = 0.012 * ax.get_xlim()[1]
    at = rows.end[rows.ongoing] + margin
    ax.scatter(at, place[rows.ongoing], zorder=3, clip_on=False, label="ongoing", **_ONGOING)


def _note(rows: _Rows) -> str:
    shown, count = rows.best.size, rows.responders
    if shown < count:
        return f"{shown} of {count:,} responders"
    return f"{count:,} responder{'' if count == 1 else 's'}"


def _legend(ds: xr.Dataset) -> list[Artist]:
    deepest = [code for code in measure_of(ds).responses if code not in (3, 4)]
    colors = {"before the response": RULE}
    colors |= {f"best: {RESPONSE_TITLES[code]}": RESPONSE_COLORS[code] for code in deepest}
    marks = {_TITLES[name]: look for name, look in _MARKS.items()}
    marks["ongoing at last visit"] = _ONGOING
    return [*swatches(colors), *(_mark(title, look) for title, look in marks.items())]


def _mark(title: str, look: dict[str, Any]) -> Line2D:
    edge = look.get("edgecolors", look["color"])
    style = {"mfc": look["color"], "mec": edge, "mew": look["lw"], "ms": 1.15 * look["s"] ** 0.5}
    return Line2D([], [], ls="", marker=look["marker"], label=title, **style)
