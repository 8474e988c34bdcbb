"""Observed curves compared with simulated bands: share within the 90 % band, and mean ratio."""

from __future__ import annotations

import csv
import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from qsp import plots, shipped
from qsp import run as runs
from qsp.endpoints.statistics.bands import RANGE
from qsp.endpoints.statistics.patients import quantile, solved, weights
from qsp.engine.progress import Progress
from qsp.errors import ConfigError
from qsp.molecules import read_toml
from qsp.problems import Problems, raise_together
from qsp.validation.approved import approved
from qsp.validation.curve_file import Arms, Curve, read_curves
from qsp.validation.curves import IL6_FILES, PK_FILE
from qsp.validation.row import number
from qsp.validation.study import Study, arms_of, conduct, molecule_of, prepare, studies

COLUMNS = (
    "file",
    "molecule",
    "arm",
    "quantity",
    "statistic",
    "points",
    "within the 90 % band",
    "simulated / observed",
    "source",
)
"""Titles of the cells of a comparison."""
TABLE, FIGURE = "curves.csv", "curves.png"
_GRID = 200
"""Number of times at which the band of a figure is drawn."""
_DPI = 130


@dataclasses.dataclass(frozen=True)
class CurveComparison:
    """An observed curve and the simulated patients of its arm.

    Args:
        curve: Observed curve.
        time: (time,): Times of the band [day].
        band: (3, time): 5th percentile, median and 95th percentile of the patients [unit].
        expected: (point,): Simulated median, or mean if the observed values are means [unit].
        within: (point,): Whether the value is within the band.
    """

    curve: Curve
    time: np.ndarray
    band: np.ndarray
    expected: np.ndarray
    within: np.ndarray

    @property
    def share_within(self) -> float:
        """Share of the points within the band [1]."""
        return float(np.mean(self.within))

    @property
    def compared(self) -> np.ndarray:
        """(point,): Whether a point has a ratio: both values are positive."""
        return (self.curve.value > 0) & (self.expected > 0)

    @property
    def ratio(self) -> float:
        """Geometric mean of simulated over observed values [1]; NaN without a positive value."""
        both = self.compared
        if not both.any():
            return float("nan")
        return float(np.exp(np.mean(np.log(self.expected[both] / self.curve.value[both]))))

    def cells(self) -> tuple[str, ...]:
        """Return the text of each of `COLUMNS`."""
        curve, count = self.curve, len(self.within)
        without = count - int(self.compared.sum())
        ratio = f"x {number(self.ratio)}" if without < count else ""
        inside = f"{100 * self.share_within:.0f} % ({int(self.within.sum())} of {count})"
        return (
            curve.file,
            curve.molecule,
            _arm_of(curve),
            f"{curve.quantity} [{curve.unit}]",
            curve.statistic,
            str(count),
            inside,
            ratio + (f" ({without} without a ratio)" if without else ""),
            curve.source,
        )


def compare_curves(
    curves: Sequence[Curve],
    *,
    patients: int = 400,
    seed: int = 1,
    populations: Path | None = None,
    progress: Progress | None = None,
) -> list[CurveComparison]:
    """Simulate the arms of observed curves and compare.

    Args:
        curves: Curves of `curves_of`.
        patients: Number of virtual patients per arm.
        seed: Seed of the populations.
        populations: Folder of the population files; by default the shipped ones. Approved regimens
            keep the population of their config.
        progress: Receives an update after each chunk of patients of each study.

    Returns:
        One comparison per curve, in their order.

    Raises:
        ConfigError: With all points outside the time of their trial.
        SolveError: If patients could not be simulated.
    """
    populations = populations or shipped.folder("populations")
    studies = dict.fromkeys(curve.study for curve in curves)
    prepared = {
        name: prepare(name, patients=patients, seed=seed, populations=populations)
        for name in studies
    }
    raise_together(_outside(curve, prepared[curve.study]) for curve in curves)
    found: dict[str, CurveComparison] = {}
    for name in studies:
        own = [curve for curve in curves if curve.study == name]
        grids = {curve.file: _grid(curve) for curve in own}
        times = {float(time) for curve in own for time in (*curve.day, *grids[curve.file])}
        study = conduct(prepared[name], times, progress)
        found |= {curve.file: compared_curve(curve, study, grids[curve.file]) for curve in own}
    return [found[curve.file] for curve in curves]


def curves_of(folder: Path) -> tuple[Curve, ...]:
    """Read the curves with a header in a folder.

    Raises:
        ConfigError: With all errors of all files, up to 20.
    """
    return read_curves(folder, simulated_arms(), legacy=(PK_FILE, *IL6_FILES))


@functools.cache
def simulated_arms() -> Arms:
    """Return study and arm by molecule and by the names that a header may use.

    An arm of a study is named as STUDY/ARM, or by itself if the molecule has no other arm of this
    name, and an approved regimen by the name of its config.
    """
    arms: dict[str, dict[str, tuple[str, str]]] = {}
    names = Counter((molecule_of(study), arm) for study in studies() for arm in arms_of(study))
    for study in studies():
        molecule = molecule_of(study)
        own = arms.setdefault(molecule, {})
        for arm in arms_of(study):
            own[f"{study}/{arm}"] = (study, arm)
            if names[molecule, arm] == 1:
                own[arm] = (study, arm)
    for regimen in approved():
        study = f"approved/{regimen.config}"
        config = read_toml(shipped.folder("configs") / f"{study}.toml")
        own = arms.setdefault(regimen.molecule, {})
        own[regimen.config] = own[study] = (study, next(iter(config["arms"])))
    return arms


def _arm_of(curve: Curve) -> str:
    """Return the shortest name of the arm of a curve."""
    if curve.study not in studies():
        return Path(curve.study).name
    known = simulated_arms()[curve.molecule]
    return curve.arm if curve.arm in known else f"{curve.study}/{curve.arm}"


def compared_curve(curve: Curve, study: Study, grid: np.ndarray) -> CurveComparison:
    """Compare a curve with the simulated patients of its arm.

    Args:
        curve: Observed curve.
        study: Simulated study, with trajectories saved at the times of the curve and of the grid.
        grid: (time,): Times of the band [day].
    """
    values = study.trajectories[curve.quantity].sel(arm=curve.arm) / curve.per_unit
    values = values.where(solved(study.results).sel(arm=curve.arm))
    weight = weights(study.results).sel(patient=values["patient"])

    def at(times: Iterable[float]) -> xr.DataArray:
        return values.sel(time=xr.DataArray(list(times), dims="time"), method="nearest")

    points = at(curve.day)
    low, middle, high = quantile(points, weight, RANGE, "patient").values
    is_mean = curve.statistic == "mean"
    expected = points.weighted(weight).mean("patient").values if is_mean else middle
    within = (low <= curve.value) & (curve.value <= high)
    band = quantile(at(grid), weight, RANGE, "patient").values
    return CurveComparison(curve, grid, band, expected, within)


def write_curves(compared: Sequence[CurveComparison], out: Path) -> Iterator[Path]:
    """Write the table and the figure of comparisons into a folder; yield their paths."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(each.cells() for each in compared)
    yield out / TABLE
    plots.observed_curves(compared).savefig(out / FIGURE, dpi=_DPI)
    yield out / FIGURE


def _outside(curve: Curve, prepared: runs.Prepared) -> Problems:
    """Return an error for each point that is outside the time of the trial."""
    start, end = prepared.trial.start, prepared.trial.days
    problems = Problems(curve.file)

    def error(n: int) -> ConfigError:
        where = f"{curve.file}: line {curve.line[n]}"
        rule = f"time must be within the simulated trial (day {start:g} to {end:g})"
        todo = "Give times since the first dose, and check the unit under time"
        return ConfigError(where, rule, f"day {curve.day[n]:g}", todo)

    problems.add_rows((curve.day < start) | (curve.day > end), curve.line, error)
    return problems


def _grid(curve: Curve) -> np.ndarray:
    first, last = min(0.0, float(curve.day.min())), float(curve.day.max())
    return np.linspace(first, last, _GRID) if last > first else np.array([first])
