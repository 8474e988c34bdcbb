"""Incidence of CRS by dose of all molecules on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qsp.plots.figure import Figure
from qsp.plots.style import ARM_COLORS, GRAY, INK, plain, styled

MOST_DOSES = 6
COLUMNS = 3
WIDTH, HEIGHT = 11.0, 2.3
"""Width of the page and height of a panel [inch]."""
SIMULATED = ARM_COLORS[2]


class Published(Protocol):
    """Published incidence of CRS of a molecule."""

    @property
    def molecule(self) -> str:
        """Name of the molecule."""
        ...

    @property
    def config(self) -> str:
        """Name of the regimen."""
        ...

    @property
    def rates(self) -> Mapping[str, float]:
        """Incidence by dose [%]."""
        ...

    @property
    def read(self) -> frozenset[str]:
        """Doses whose incidence was verified in a source."""
        ...


class Rates(Protocol):
    """Simulated and published incidence of CRS of a molecule."""

    @property
    def published(self) -> Published:
        """Published incidence."""
        ...

    @property
    def rates(self) -> Mapping[str, float]:
        """Simulated incidence by dose [%]."""
        ...

    @property
    def lower(self) -> Mapping[str, float]:
        """Lower Monte Carlo bound by dose [%]."""
        ...

    @property
    def upper(self) -> Mapping[str, float]:
        """Upper Monte Carlo bound by dose [%]."""
        ...


@styled
def crs_of_molecules(rows: Sequence[Rates]) -> Figure:
    """Draw the incidence of CRS by dose, simulated (bars) and published (diamonds).

    Args:
        rows: Rates of each molecule [%].

    Returns:
        One panel per molecule; a note in the panels of molecules without a published rate.
    """
    height = -(-len(rows) // COLUMNS) * HEIGHT + 0.4
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    # The horizontal axes are not shared: the doses differ between the panels.
    grid = figure.subplots(-(-len(rows) // COLUMNS), COLUMNS, squeeze=False, sharey=True)
    for empty in grid.flat[len(rows) :]:
        empty.set_visible(False)
    axes = list(grid.flat[: len(rows)])
    for place, (ax, row) in enumerate(zip(axes, rows, strict=True)):
        _panel(ax, row)
        ax.set_ylabel("CRS, any grade [%]" if place % COLUMNS == 0 else "")
    verified, recalled = "published, verified in a source", "published, not verified"
    handles = [
        Patch(facecolor=SIMULATED, label="simulated, 95 % Monte Carlo interval"),
        Line2D([], [], color=INK, marker="D", lw=0, ms=5, label=verified),
        Line2D([], [], color=INK, marker="D", mfc="none", lw=0, ms=5, label=recalled),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _panel(ax: Axes, row: Rates) -> None:
    doses = [name for name in row.rates if name != "any"][:MOST_DOSES]
    names = [*doses, "any"]
    x = np.arange(len(names)) + np.array([*[0.0] * len(doses), 0.4])
    value, low, high = (
        np.array([rates[name] for name in names]) for rates in (row.rates, row.lower, row.upper)
    )
    ax.bar(x, value, 0.7, color=SIMULATED)
    ax.errorbar(x, value, [value - low, high - value], fmt="none", ecolor=GRAY, capsize=2, lw=1)
    known = row.published
    for place, name in zip(x, names, strict=True):
        if name in known.rates:
            face = INK if name in known.read else "white"
            mark = {"marker": "D", "ms": 5, "mec": INK, "mfc": face, "lw": 0, "zorder": 5}
            ax.plot([place], [known.rates[name]], **mark)
    if not known.rates:
        middle = {"transform": ax.transAxes, "ha": "center", "fontsize": 8.5, "color": GRAY}
        ax.text(0.5, 0.93, "no published rate", **middle)
    ax.set_xticks(x, [plain(name) for name in names], fontsize=7.5)
    ax.set_ylim(0, 100)
    ax.set_title(plain(known.config), color=INK)
