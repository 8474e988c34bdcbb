"""Probability that one arm is better than another under a stated utility.

The utility of an arm is a weighted sum of rates in its population,
``U = response P(CR or PR) + grade2 P(grade >= 2) + grade3 P(grade >= 3)``, with the weights of
`[utility]` in the config. A patient with grade 3 counts in both rates of CRS.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints.differences import (
    HEADING,
    default_sampling,
    pairs_between,
    pairs_of,
    pairs_of_arms,
)
from qsp.endpoints.endpoint import HasDataset, dataset
from qsp.endpoints.patient_values import CRS, MISSING, RESPONSE, ArmValues, Column
from qsp.endpoints.statistics import paired
from qsp.endpoints.statistics.paired import Sampling
from qsp.errors import ConfigError
from qsp.results.record import record_of
from qsp.weights import effective_size

_TIE = 1e-9
"""Differences of mean utilities below this are ties: they differ by rounding only."""


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights of the utility.

    Args:
        response: Weight of a complete or partial response.
        grade2: Weight of CRS of grade 2 or higher.
        grade3: Weight of CRS of grade 3 or higher, added to that of grade 2.
    """

    response: float = 1.0
    grade2: float = -0.5
    grade3: float = -2.0

    def __post_init__(self) -> None:
        """Check the weights.

        Raises:
            ConfigError: If a weight is not a finite number.
        """
        for name, weight in dataclasses.asdict(self).items():
            if not isinstance(weight, int | float) or not math.isfinite(weight):
                todo = "Write -0.5, for example"
                raise ConfigError(
                    f"utility.{name}", "the weight must be a number", repr(weight), todo
                )

    def __str__(self) -> str:
        """Return the utility as a formula."""
        terms = (
            (self.response, "P(CR or PR)"),
            (self.grade2, "P(grade ≥ 2)"),
            (self.grade3, "P(grade ≥ 3)"),
        )
        text = " ".join(f"{'-' if w < 0 else '+'} {abs(w):g} {rate}" for w, rate in terms if w)
        return text.removeprefix("+ ") or "0"


@dataclasses.dataclass(frozen=True)
class Preference:
    """Utility of an arm compared with that of the reference, over the pairs of patients.

    Args:
        arm: Name of the arm.
        reference: Name of the reference.
        utility: Mean utility in the arm [1].
        reference_utility: Mean utility in the reference [1].
        difference: `utility` minus `reference_utility`.
        lower: Lower 95 % bound of the difference, of a bootstrap over patients.
        upper: Upper bound.
        probability: Probability that the arm is better in the population: the proportion of
            bootstrap samples of the simulated patients in which its mean utility is higher. Ties
            count half. It tends to 0 or 1 as more patients are simulated.
        trial_probability: Probability that the arm is better in a trial: the proportion of trials,
            with `trial_size` other patients in each arm, in which its mean utility is higher. Ties
            count half.
        trial_size: Number of patients in each arm of that trial.
        patients: Number of pairs.
        failed: Number of dropped pairs in which a simulation failed.
        unassessed: Number of other dropped pairs.
    """

    arm: str
    reference: str
    utility: float
    reference_utility: float
    difference: float
    lower: float
    upper: float
    probability: float
    trial_probability: float
    trial_size: int
    patients: int
    failed: int
    unassessed: int


COLUMNS = tuple(field.name for field in dataclasses.fields(Preference))


def table(
    results: xr.Dataset | HasDataset,
    *,
    reference: str | None = None,
    weights: Weights | None = None,
    sampling: Sampling | None = None,
) -> pd.DataFrame:
    """Return the utility of each arm compared with that of the reference.

    Args:
        results: Results with `best_response`.
        reference: Name of the reference; by default that of the config, or the first arm.
        weights: Weights of the utility; by default those of the config.
        sampling: Seed and number of resamples and of trials, and size of a trial; by default that
            of the published trial, or 100.

    Returns:
        One row per arm, with the columns of `Preference`; no row for a run of one arm. ``.attrs``
        has `heading` and `utility`, the formula.

    Raises:
        ConfigError: If the reference is unknown.
    """
    ds = dataset(results)
    pairs = pairs_of_arms(ds, reference)
    return compare(pairs, weights or weights_of(ds), sampling or default_sampling(ds))


def between(
    first: xr.Dataset | HasDataset,
    second: xr.Dataset | HasDataset,
    *,
    names: tuple[str, str] = ("first", "second"),
    arms: tuple[str, str] | None = None,
    sampling: Sampling | None = None,
) -> pd.DataFrame:
    """Return the utilities of two runs of the same patients; see `differences.between`.

    Args:
        first: Results of a run, whose config has the weights.
        second: Results of the run that is the reference.
        names: Names of the runs, which precede those of the arms.
        arms: An arm of the first and an arm of the second run.
        sampling: Seed and number of resamples and of trials, and size of a trial.

    Raises:
        ConfigError: If the runs have other patients, or no arms correspond.
    """
    ds = dataset(first)
    pairs = pairs_between(first, second, names=names, arms=arms)
    return compare(pairs, weights_of(ds), sampling or default_sampling(ds))


def weights_of(ds: xr.Dataset) -> Weights:
    """Return the weights of the config of a run, or the defaults."""
    return Weights(**record_of(ds).config.get("utility", {}))


def compare(
    pairs: Iterable[tuple[ArmValues, ArmValues]], weights: Weights, sampling: Sampling
) -> pd.DataFrame:
    """Return the table of pairs of arms; see `table`."""
    rows = [row for arm, base in pairs for row in _row(arm, base, weights, sampling)]
    frame = pd.DataFrame([dataclasses.astuple(row) for row in rows], columns=list(COLUMNS))
    frame.attrs = {"heading": HEADING, "utility": str(weights)}
    return frame


def _row(
    arm: ArmValues, base: ArmValues, weights: Weights, sampling: Sampling
) -> Iterator[Preference]:
    if not (Column(RESPONSE) in arm.values and Column(RESPONSE) in base.values):
        return
    first, second = _utilities(arm, weights), _utilities(base, weights)
    known, counts = pairs_of(first, second, arm, base)
    weight = arm.weight[known]
    share = weight / (weight.sum() or math.nan)
    u, v = first[known], second[known]
    names = arm.name, base.name
    value, base_value = (float((share * each).sum()) if each.size else math.nan for each in (u, v))
    bounds, probability, in_trial = paired.NONE, math.nan, math.nan
    if u.size > 1:
        means = _bootstrap(u - v, weight, names, sampling)
        bounds, probability = paired.percentile_bounds(means), _proportion(means)
        of_arm, of_base = paired.trial_means(u, v, weight, names, sampling)
        in_trial = _proportion(of_arm - of_base)
    yield Preference(
        *names,
        value,
        base_value,
        value - base_value,
        *bounds,
        probability,
        in_trial,
        sampling.trial_size,
        **counts,
    )


def _utilities(arm: ArmValues, weights: Weights) -> NDArray[np.float64]:
    """(patient,) utility of each patient; NaN without grade or response."""
    events = [arm.values[Column(quantity)] for quantity in (RESPONSE, *CRS[1:])]
    total = sum(w * each for w, each in zip(dataclasses.astuple(weights), events, strict=True))
    known = np.all([each != MISSING for each in events], axis=0)
    return np.where(known, total, np.nan)


def _bootstrap(
    difference: NDArray[np.float64],
    weight: NDArray[np.float64],
    names: tuple[str, str],
    sampling: Sampling,
) -> NDArray[np.float64]:
    """(replicate,): Mean difference in bootstrap samples of the patients."""
    # Both orders of the arms resample the difference in the order of their names.
    sign = -1.0 if names[0] > names[1] else 1.0
    values, shares = _categories(sign * difference, weight)
    size = effective_size(weight.sum(), (weight**2).sum())
    counts = paired.resampled(size * shares, sampling)
    return sign * (counts @ values) / counts.sum(axis=1)


def _categories(
    values: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distinct values, which are few, and their share of the weight."""
    distinct, place = np.unique(np.round(values, 12), return_inverse=True)
    total = np.bincount(place, weight, distinct.size)
    return distinct, total / total.sum()


def _proportion(differences: NDArray[np.float64]) -> float:
    ties = np.abs(differences) < _TIE
    return float(np.mean((differences > 0) & ~ties) + np.mean(ties) / 2)
