"""Differences between arms, paired by patient: arm minus reference.

Every virtual patient is simulated in every arm, so arms are compared in the same patients. A pair
is dropped, and counted, if the patient has no value in one of the arms. Runs of other patients or
another seed are refused.

All intervals are Monte Carlo intervals or predictions of a trial with the parameters fixed: they
include neither uncertainty in the model nor in its parameters.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from qsp.endpoints import published_size
from qsp.endpoints.endpoint import HasDataset, dataset
from qsp.endpoints.number_needed import number_needed
from qsp.endpoints.patient_values import MISSING, ArmValues, Column, patient_values, shared_columns
from qsp.endpoints.same_patients import check_same_patients, matched_arms
from qsp.endpoints.statistics.paired import Sampling
from qsp.endpoints.statistics.paired_estimates import cells_of, compare_means, compare_rates
from qsp.errors import ConfigError, suggest
from qsp.results.model_version import OtherModelWarning, compared_models
from qsp.results.record import record_of

HEADING = "Monte Carlo only: parameters fixed"


@dataclasses.dataclass(frozen=True)
class Difference:
    """One row: a quantity in an arm compared with the reference, over the pairs of patients.

    Args:
        arm: Name of the arm.
        reference: Name of the reference.
        quantity: Name of the quantity, such as "crs_2".
        period: Label of the dose period, or "any dose".
        event: Title of the row.
        value: Rate or mean in the arm.
        reference_value: Rate or mean in the reference.
        difference: `value` minus `reference_value`.
        standard_error: Monte Carlo standard error of the difference.
        lower: Lower 95 % Monte Carlo bound of the difference: Newcombe's for a rate, of the
            bootstrap for a mean.
        upper: Upper bound.
        ratio: `value` divided by `reference_value`.
        ratio_lower: Lower 95 % bootstrap bound of the ratio; NaN if an arm has no event.
        ratio_upper: Upper bound.
        number_needed: Number needed to treat with its interval, as text; "" for a mean.
        trial_lower: Lower 95 % prediction bound of the difference in a trial with `trial_size`
            other patients in each arm.
        trial_upper: Upper bound.
        trial_size: Number of patients in each arm of that trial.
        units: Unit of the values; "1" for a rate.
        patients: Number of pairs.
        failed: Number of dropped pairs in which a simulation failed.
        unassessed: Number of other dropped pairs, such as patients without that dose.
        both: Pairs with the event in both arms; NaN for a mean.
        arm_only: Pairs with the event in the arm only.
        reference_only: Pairs with the event in the reference only.
        neither: Pairs without the event.
    """

    arm: str
    reference: str
    quantity: str
    period: str
    event: str
    value: float
    reference_value: float
    difference: float
    standard_error: float
    lower: float
    upper: float
    ratio: float
    ratio_lower: float
    ratio_upper: float
    number_needed: str
    trial_lower: float
    trial_upper: float
    trial_size: int
    units: str
    patients: int
    failed: int
    unassessed: int
    both: float = math.nan
    arm_only: float = math.nan
    reference_only: float = math.nan
    neither: float = math.nan


COLUMNS = tuple(field.name for field in dataclasses.fields(Difference))
CELLS = ("both", "arm_only", "reference_only", "neither")


def table(
    results: xr.Dataset | HasDataset,
    *,
    reference: str | None = None,
    arms: Iterable[str] | None = None,
    sampling: Sampling | None = None,
) -> pd.DataFrame:
    """Return the paired differences of the arms of a run from a reference.

    Args:
        results: Results of a run.
        reference: Name of the reference; by default that of the config, or the first arm.
        arms: Names of the arms to compare; by default all others.
        sampling: Seed and number of resamples, and size of the trial of the prediction intervals;
            by default that of the published trial, or 100.

    Returns:
        One row per arm, quantity and dose period, with the columns of `Difference`; no row for a
        run of one arm. Dose periods are compared where both arms have the label. ``.attrs`` has
        `heading`, `seed` and `replicates`.

    Raises:
        ConfigError: If an arm is unknown.
    """
    ds = dataset(results)
    return of_pairs(pairs_of_arms(ds, reference, arms), sampling or default_sampling(ds))


def pairs_of_arms(
    ds: xr.Dataset, reference: str | None = None, arms: Iterable[str] | None = None
) -> list[tuple[ArmValues, ArmValues]]:
    """Return the values of each arm with those of the reference; see `table`.

    Args:
        ds: Results of a run.
        reference: Name of the reference; by default that of the config, or the first arm.
        arms: Names of the arms to compare; by default all others.
    """
    found = patient_values(ds)
    base = known_arm(reference, tuple(found)) if reference else reference_of(ds)
    others = [name for name in found if name != base] if arms is None else list(arms)
    return [(found[known_arm(name, tuple(found))], found[base]) for name in others]


def between(
    first: xr.Dataset | HasDataset,
    second: xr.Dataset | HasDataset,
    *,
    names: tuple[str, str] = ("first", "second"),
    arms: tuple[str, str] | None = None,
    sampling: Sampling | None = None,
) -> pd.DataFrame:
    """Return the paired differences of two runs of the same patients: first minus second.

    Args:
        first: Results of a run.
        second: Results of the run that is the reference.
        names: Names of the runs, which precede those of the arms.
        arms: An arm of the first and an arm of the second run; by default each arm is compared
            with the arm of the same name, or the only arm of each run.
        sampling: Seed and number of resamples, and size of the trial of the prediction intervals;
            by default that of the published trial of the first run, or 100.

    Returns:
        The table, as from `table`. For runs of different major versions of the model, ``.attrs``
        has `models`, a sentence on them, which is also an `OtherModelWarning`.

    Raises:
        ConfigError: If the runs have other patients, seeds, lengths or response criteria, which
            are refused and not compared unpaired; or if no arms correspond.
    """
    pairs = pairs_between(first, second, names=names, arms=arms)
    frame = of_pairs(pairs, sampling or default_sampling(dataset(first)))
    if models := _models(first, second, names):
        frame.attrs["models"] = models
    return frame


def _models(
    first: xr.Dataset | HasDataset, second: xr.Dataset | HasDataset, names: tuple[str, str]
) -> str:
    return compared_models(record_of(dataset(first)), record_of(dataset(second)), names)


def pairs_between(
    first: xr.Dataset | HasDataset,
    second: xr.Dataset | HasDataset,
    *,
    names: tuple[str, str] = ("first", "second"),
    arms: tuple[str, str] | None = None,
) -> list[tuple[ArmValues, ArmValues]]:
    """Return the values of the arms of two runs that `between` compares; its arguments and errors.

    Args:
        first: Results of a run.
        second: Results of the run that is the reference.
        names: Names of the runs, which precede those of the arms.
        arms: An arm of the first and an arm of the second run.
    """
    one, other = dataset(first), dataset(second)
    check_same_patients(one, other, names)
    if models := _models(one, other, names):
        warnings.warn(models, OtherModelWarning, stacklevel=3)
    mine, theirs = patient_values(one), patient_values(other)
    return [
        (_renamed(mine[a], names[0]), _renamed(theirs[b], names[1]))
        for a, b in matched_arms(tuple(mine), tuple(theirs), names, arms)
    ]


def default_sampling(ds: xr.Dataset) -> Sampling:
    """Return the default seed and resamples, with the size of the published trial."""
    return Sampling(published_size.trial_size(ds))


def reference_of(ds: xr.Dataset) -> str:
    """Return the reference arm: that of the config, or the first."""
    names = [str(name) for name in ds["arm"].values]
    chosen = record_of(ds).config.get("reference")
    return chosen if chosen in names else names[0]


def known_arm(name: str, names: tuple[str, ...]) -> str:
    """Return the name of an arm.

    Raises:
        ConfigError: If there is no such arm.
    """
    if name in names:
        return name
    todo = f"{suggest(name, names)} Arms: {', '.join(names)}".strip()
    raise ConfigError("difference", "the name must be an arm of the run", repr(name), todo)


def _renamed(arm: ArmValues, run: str) -> ArmValues:
    return dataclasses.replace(arm, name=f"{run}: {arm.name}")


def of_pairs(
    pairs: Iterable[tuple[ArmValues, ArmValues]],
    sampling: Sampling,
    columns: Iterable[Column] | None = None,
) -> pd.DataFrame:
    """Return the table of pairs of arms; see `table`.

    Args:
        pairs: Values of an arm and of its reference.
        sampling: Seed and number of resamples, and size of the trial.
        columns: Rows of the table; by default all that both arms have.
    """
    chosen = None if columns is None else set(columns)
    rows = [row for arm, base in pairs for row in _rows(arm, base, sampling, chosen)]
    frame = pd.DataFrame([dataclasses.astuple(row) for row in rows], columns=list(COLUMNS))
    frame = frame.astype(dict.fromkeys(CELLS, "Int64"))
    frame.attrs = {
        "heading": HEADING,
        "seed": sampling.seed,
        "replicates": sampling.replicates,
    }
    return frame


def _rows(
    arm: ArmValues, base: ArmValues, sampling: Sampling, chosen: set[Column] | None
) -> Iterator[Difference]:
    for column in shared_columns(arm, base):
        if chosen is None or column in chosen:
            known, counts = pairs_of(arm.values[column], base.values[column], arm, base)
            yield _row(column, known, counts, (arm, base), sampling)


def _row(
    column: Column,
    known: NDArray[np.bool_],
    counts: dict[str, int],
    arms: tuple[ArmValues, ArmValues],
    sampling: Sampling,
) -> Difference:
    names = arms[0].name, arms[1].name
    first, second = (arm.values[column][known] for arm in arms)
    weight, quantity = arms[0].weight[known], column.quantity
    cells: dict[str, int] = {}
    needed = ""
    if quantity.is_event:
        a, b = first == 1, second == 1
        found = compare_rates(cells_of(a, b, weight), names, sampling)
        cells = {
            name: int(n) for name, n in zip(CELLS, cells_of(a, b, np.ones(a.size)), strict=True)
        }
        harm = quantity.lower_is_better
        needed = number_needed(found.difference, found.lower, found.upper, is_harm=harm)
    else:
        found = compare_means(first, second, weight, names, sampling)
    return Difference(
        *names,
        quantity.name,
        column.period,
        column.title,
        **found._asdict(),
        number_needed=needed,
        trial_size=sampling.trial_size,
        units=quantity.units,
        **counts,
        **cells,
    )


def pairs_of(
    first: NDArray, second: NDArray, arm: ArmValues, base: ArmValues
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Return which patients have a value in both arms, with the counts of pairs by name.

    Args:
        first (patient,): Values in the arm: `MISSING` or NaN where there is none.
        second (patient,): Values in the reference.
        arm: The arm.
        base: The reference.
    """
    known = _has_value(first) & _has_value(second)
    failed = ~(arm.solved & base.solved)
    counts = {
        "patients": int(known.sum()),
        "failed": int((failed & ~known).sum()),
        "unassessed": int((~failed & ~known).sum()),
    }
    return known, counts


def _has_value(values: NDArray) -> NDArray[np.bool_]:
    is_event = values.dtype.kind == "i"
    return values != MISSING if is_event else np.isfinite(values)
