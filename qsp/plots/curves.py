"""Observed values over simulated bands, one panel per curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qsp.observations.quantities import OBSERVABLES
from qsp.plots.doses import readable_unit
from qsp.plots.figure import Figure
from qsp.plots.style import (
    ARM_COLORS,
    GRAY,
    INK,
    arm_title,
    day_axis,
    log_axis,
    panels,
    plain,
    styled,
)

SIMULATED = ARM_COLORS[0]
_DECADES = 1e4
"""Largest ratio of the highest to the lowest value shown."""
_HOURS_UNTIL = 4.0
"""Last observation up to which time is shown in hours [day]."""


class Observed(Protocol):
    """An observed curve."""

    @property
    def file(self) -> str:
        """Name of the file."""
        ...

    @property
    def quantity(self) -> str:
        """Name of the quantity."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the values."""
        ...

    @property
    def statistic(self) -> str:
        """Kind of the values: individual, median or mean."""
        ...

    @property
    def day(self) -> np.ndarray:
        """(point,): Time since the first dose [day]."""
        ...

    @property
    def value(self) -> np.ndarray:
        """(point,): Observed values."""
        ...

    @property
    def low(self) -> np.ndarray:
        """(point,): Lower ends of intervals; NaN where there is none."""
        ...

    @property
    def high(self) -> np.ndarray:
        """(point,): Upper ends of intervals; NaN where there is none."""
        ...


class OverBand(Protocol):
    """An observed curve and the simulated band."""

    @property
    def curve(self) -> Observed:
        """Observed curve."""
        ...

    @property
    def time(self) -> np.ndarray:
        """(time,): Times of the band [day]."""
        ...

    @property
    def band(self) -> np.ndarray:
        """(3, time): 5th percentile, median and 95th percentile of the patients."""
        ...


@styled
def observed_curves(compared: Sequence[OverBand]) -> Figure:
    """Draw observed values over the simulated median and 5th to 95th percentile.

    Args:
        compared: Curves with their bands, in the units of the observed values.

    Returns:
        One panel per curve, each with its own axes.
    """
    figure, axes = panels(len(compared), height=2.9, sharey=False, sharex=False)
    for ax, each in zip(axes, compared, strict=True):
        _draw(ax, each)
    handles = [
        Line2D([], [], color=SIMULATED, lw=1.8, label="simulated median"),
        Line2D([], [], color=SIMULATED, lw=7, alpha=0.25, label="5th to 95th percentile"),
        Line2D([], [], color=INK, marker="o", ms=4, ls="", label="observed"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _draw(ax: Axes, each: OverBand) -> None:
    curve, (low, middle, high) = each.curve, each.band
    in_hours = float(curve.day.max()) <= _HOURS_UNTIL
    scale = 24.0 if in_hours else 1.0
    floor, top = _limits(each)
    shown = [np.maximum(line, floor / 10) for line in (low, middle, high)]
    ax.fill_between(scale * each.time, shown[0], shown[2], color=SIMULATED, alpha=0.2, lw=0)
    ax.plot(scale * each.time, shown[1], color=SIMULATED, lw=1.8)
    _points(ax, curve, scale, floor)
    log_axis(ax, floor, top)
    if in_hours:
        ax.set_xlabel("Hours since the first dose")
    else:
        day_axis(ax, float(each.time[0]), float(each.time[-1]))
        ax.set_xlabel("Protocol day")
    titles = {each.variable: each.title for each in OBSERVABLES.values()}
    title = titles.get(curve.quantity, plain(curve.quantity))
    ax.set_ylabel(f"{title} [{plain(readable_unit(curve.unit))}]")
    arm_title(ax, curve.file.removesuffix(".csv"), SIMULATED, note=curve.statistic)


def _points(ax: Axes, curve: Observed, scale: float, floor: float) -> None:
    """Draw the observed values; those below the axis are triangles on its lower edge."""
    below = curve.value < floor
    time, value = scale * curve.day, np.where(below, floor * 1.08, curve.value)
    ends = np.array([value - curve.low, curve.high - value])
    error = np.where(np.isfinite(ends) & ~below, np.maximum(ends, 0.0), 0.0)
    if error.any():
        ax.errorbar(time, value, yerr=error, fmt="none", ecolor=GRAY, elinewidth=1)
    ax.plot(time[~below], value[~below], "o", color=INK, ms=3.5, alpha=0.8)
    ax.plot(time[below], value[below], "v", color=INK, ms=4, alpha=0.8)


def _limits(each: OverBand) -> tuple[float, float]:
    """Return the lowest and the highest value of a logarithmic axis."""
    values = np.concatenate([each.curve.value, each.curve.high, each.band.ravel()])
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0.1, 10.0
    highest = float(values.max())
    return max(float(values.min()), highest / _DECADES) / 1.5, 2.0 * highest
