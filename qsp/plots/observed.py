"""Observations of patients drawn over simulated time courses."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qsp.endpoints.observed import Observed
from qsp.plots.style import GRAY, INK

ABOVE, BELOW = "observed", "observed below the LLOQ, at the LLOQ"


def draw_points(ax: Axes, points: Observed, start: float, end: float, *, color: str = INK) -> None:
    """Draw observations: filled marks, and open ones at the limit of values below it.

    Args:
        ax: Panel.
        points: Observations, in the unit of the panel.
        start: First time shown [day].
        end: Last time shown [day].
        color: Color of the marks.
    """
    shown = within(points, start, end)
    for is_blq in (False, True):
        own = shown.at(shown.is_blq == is_blq)
        if len(own):
            ax.plot(own.time, own.height, **_look(color, is_blq=is_blq))


def within(points: Observed, start: float, end: float) -> Observed:
    """Return the observations in a window of time [day]."""
    return points.at((points.time >= start) & (points.time <= end))


def point_handles(points: Observed, *, color: str = GRAY) -> list[Line2D]:
    """Return legend handles of the kinds of observations that there are."""
    kinds = ((False, ABOVE), (True, BELOW))
    return [
        Line2D([], [], label=label, **_look(color, is_blq=is_blq))
        for is_blq, label in kinds
        if np.any(points.is_blq == is_blq)
    ]


def _look(color: str, *, is_blq: bool) -> dict[str, Any]:
    shared = {"ls": "", "ms": 4.5, "zorder": 5}
    if is_blq:
        return {**shared, "marker": "v", "mfc": "none", "mec": color, "mew": 1.1}
    return {**shared, "marker": "o", "mfc": color, "mec": "white", "mew": 0.5}
