"""Figure of a visual predictive check."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qsp.endpoints.observed import observed
from qsp.endpoints.vpc import Binning, visual_predictive_check
from qsp.observations.quantities import OBSERVABLES
from qsp.plots.doses import readable_unit
from qsp.plots.figure import Figure
from qsp.plots.observed import draw_points
from qsp.plots.style import ARM_COLORS, GRAY, INK, day_axis, log_axis, styled

_COLORS = {0.05: ARM_COLORS[0], 0.5: ARM_COLORS[1], 0.95: ARM_COLORS[0]}
_DASHES = {0.05: (0, (4, 3)), 0.5: "-", 0.95: (0, (4, 3))}
_WIDTH, _HEIGHT = 6.5, 3.4


@styled
def vpc(
    ds: xr.Dataset,
    quantity: str,
    *,
    arm: str | None = None,
    bins: tuple[float, ...] | None = None,
    binning: Binning = "quantile",
    prediction_corrected: bool = False,
) -> Figure:
    """Draw a visual predictive check of a quantity; see `qsp.endpoints.vpc`.

    Lines are percentiles of the observations, bands the 90 % intervals of the same percentiles over
    simulated trials. Where values are below the limit of quantification, or are expected to be, a
    lower panel shows their share.

    Args:
        ds: Results with observations.
        quantity: Name of an observed quantity.
        arm: Name of an arm; all arms together by default.
        bins: Edges of the bins of time [day].
        binning: Choice of the bins without edges.
        prediction_corrected: Whether values are prediction-corrected; single observations, which
            are not, are then left out.
    """
    check = visual_predictive_check(
        ds,
        quantity,
        arm=arm,
        bins=bins,
        binning=binning,
        prediction_corrected=prediction_corrected,
    )
    has_below = bool((check["below"] > 0).any() or (check["below_high"] > 0).any())
    rows = [3, 1] if has_below else [1]
    height = _HEIGHT * (1.4 if has_below else 1.0)
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False, sharex=True, height_ratios=rows)[:, 0]
    points = observed(ds, quantity)
    points = points if arm is None else points.of_arm(arm)
    points = points.at(np.isfinite(points.median))
    _percentiles(axes[0], check)
    heights = [check[name].values for name in ("observed", "low", "high")]
    if not prediction_corrected:
        draw_points(axes[0], points, -np.inf, np.inf, color=GRAY)
        heights.append(points.height)
    log_axis(axes[0], *_limits(heights))
    observable = OBSERVABLES[quantity]
    corrected = ", prediction-corrected" if prediction_corrected else ""
    axes[0].set_ylabel(f"{observable.title}\n[{readable_unit(observable.unit)}]")
    axes[0].set_title(f"{observable.title}{corrected}{f', arm {arm}' if arm else ''}")
    if has_below:
        _below(axes[1], check)
    day_axis(axes[0], float(min(0.0, check["start"].min())), float(check["end"].max()) or 1.0)
    axes[-1].set_xlabel("Protocol day")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=2)
    return figure


def _percentiles(ax: Axes, check: xr.Dataset) -> None:
    edges = _edges(check)
    for level in check["percentile"].values.tolist():
        own = check.sel(percentile=level)
        color = _COLORS[level]
        for n in range(own.sizes["bin"]):
            low, high = float(own["low"][n]), float(own["high"][n])
            if np.isfinite(high):
                # A lower bound among values below the limit has no number: the band is open.
                bottom = low if np.isfinite(low) else 1e-30
                ax.fill_between(edges[n], bottom, high, color=color, alpha=0.22, lw=0)
            else:  # without an interval, as with few simulated trials
                ax.hlines(float(own["simulated"][n]), *edges[n], color=color, alpha=0.5, lw=2.5)
        ax.plot(own["time"], own["observed"], color=color, ls=_DASHES[level], lw=1.6, marker=".")


def _edges(check: xr.Dataset) -> np.ndarray:
    """(bin, 2): Return the ends of the bins, which meet halfway between neighboring times."""
    start, end = check["start"].values, check["end"].values
    between = (end[:-1] + start[1:]) / 2
    span = max(float(end[-1] - start[0]), 1e-3) * 0.01
    low = np.concatenate([[start[0] - span], between])
    return np.stack([low, np.concatenate([between, [end[-1] + span]])], axis=1)


def _below(ax: Axes, check: xr.Dataset) -> None:
    edges = _edges(check)
    for n in range(check.sizes["bin"]):
        low, high = (100 * float(check[name][n]) for name in ("below_low", "below_high"))
        ax.fill_between(edges[n], low, high, color=GRAY, alpha=0.3, lw=0)
    ax.plot(check["time"], 100 * check["below"], color=INK, lw=1.3, marker=".")
    ax.set_ylim(-4, 104)
    ax.set_ylabel("below\nLLOQ [%]")


def _limits(heights: list[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([each.ravel() for each in heights])
    values = values[np.isfinite(values) & (values > 0)]
    return (float(values.min()) / 1.4, float(values.max()) * 1.4) if values.size else (0.1, 10.0)


def _legend() -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=_COLORS[0.5], lw=1.6, label="observed median"),
        Line2D([], [], color=_COLORS[0.05], ls=_DASHES[0.05], label="observed 5 %, 95 %"),
        Patch(facecolor=_COLORS[0.5], alpha=0.3, label="simulated median, 90 % interval"),
        Patch(facecolor=_COLORS[0.05], alpha=0.3, label="simulated 5 %, 95 %, 90 % interval"),
    ]
