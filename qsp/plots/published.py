"""Simulated against published values of all molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qsp.plots.figure import Figure
from qsp.plots.style import ARM_COLORS, GRAY, INK, styled

LIMITS = (12.0, 3.0)
"""Deviations of the gray bands: points for rates, a factor for other values."""
KINDS = ("published", "recalled", "held out")
_MARKS = {"published": ("o", ARM_COLORS[2]), "recalled": ("o", "white"), "held out": ("x", INK)}


class Pair(NamedTuple):
    """A published value with its simulated counterpart.

    Args:
        published: Published value.
        simulated: Simulated value, in the same unit.
        unit: Unit; "%" for a rate.
        kind: One of `KINDS`.
    """

    published: float
    simulated: float
    unit: str
    kind: str


@styled
def agreement(pairs: Sequence[Pair]) -> Figure:
    """Draw simulated against published values: rates, and other values by their ratio.

    Args:
        pairs: Values; those that are not positive are left out of the second panel.
    """
    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    rates, others = figure.subplots(1, 2)
    _rates(rates, [pair for pair in pairs if pair.unit == "%"])
    _others(others, [pair for pair in pairs if pair.unit != "%"])
    marks = [
        Line2D([], [], marker=mark, color=INK, mfc=face, mec=INK, lw=0, ms=5, label=kind)
        for kind, (mark, face) in _MARKS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, title="Published value")
    return figure


def _rates(ax: Axes, pairs: Sequence[Pair]) -> None:
    size, ends = LIMITS[0], np.array([0.0, 100.0])
    ax.fill_between(ends, ends - size, ends + size, color=GRAY, alpha=0.2, lw=0)
    ax.plot(ends, ends, color=GRAY, lw=1)
    _points(ax, pairs)
    ax.set(xlim=(0, 100), ylim=(0, 100), xlabel="Published [%]", ylabel="Simulated [%]")
    ax.set_title(f"Rates; band: {size:g} points")


def _others(ax: Axes, pairs: Sequence[Pair]) -> None:
    known = [pair for pair in pairs if pair.published > 0 and pair.simulated > 0]
    values = np.array([pair[:2] for pair in known] or [(1.0, 1.0)])
    ends = np.array([values.min() / 2, values.max() * 2])
    ax.fill_between(ends, ends / LIMITS[1], ends * LIMITS[1], color=GRAY, alpha=0.2, lw=0)
    ax.plot(ends, ends, color=GRAY, lw=1)
    _points(ax, known)
    ax.set(xscale="log", yscale="log", xlim=tuple(ends), ylim=tuple(ends))
    ax.set(xlabel="Published [unit of the table]", ylabel="Simulated [unit of the table]")
    ax.set_title(f"Concentrations, times and cells; band: {LIMITS[1]:g}-fold")


def _points(ax: Axes, pairs: Sequence[Pair]) -> None:
    for kind, (mark, face) in _MARKS.items():
        own = [pair for pair in pairs if pair.kind == kind]
        x, y = [pair.published for pair in own], [pair.simulated for pair in own]
        ax.plot(x, y, mark, color=INK, mfc=face, mec=INK, ms=5, lw=0)
