"""Observations of patients compared with the simulation, by arm and quantity."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import xarray as xr

from qsp.endpoints.endpoint import HasDataset, dataset
from qsp.observations.quantities import CRS, OBSERVABLES

FEWEST_OF_SLIP = 3
"""Number of values of a quantity from which a slip of the unit is looked for."""
SLIP = 100.0
"""Factor by which values must differ from the simulation in the same direction."""


def has_observations(results: xr.Dataset | HasDataset) -> bool:
    """Return whether the results have observations."""
    return "observed_value" in dataset(results)


@dataclasses.dataclass(frozen=True)
class Observed:
    """Observations with their simulation, as arrays (observation,).

    Args:
        arm: Arm.
        patient: Id in the file.
        time: Time since the first dose [day].
        quantity: Name of the quantity.
        unit: Unit of values and limits.
        value: Value; NaN below the limit of quantification.
        lloq: Limit of quantification; NaN without one.
        is_blq: Whether the value is below the limit.
        p5: 5th percentile of simulated patients with the same doses.
        median: Median of these.
        p95: 95th percentile of these.
        simulated: (replicate, observation): Values in simulated trials.
    """

    arm: np.ndarray
    patient: np.ndarray
    time: np.ndarray
    quantity: np.ndarray
    unit: np.ndarray
    value: np.ndarray
    lloq: np.ndarray
    is_blq: np.ndarray
    p5: np.ndarray
    median: np.ndarray
    p95: np.ndarray
    simulated: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    @property
    def height(self) -> np.ndarray:
        """(observation,): Value, or the limit of a value below it."""
        return np.where(self.is_blq, self.lloq, self.value)

    def at(self, chosen: np.ndarray) -> Observed:
        """Return some observations, by index or by whether each is chosen."""
        arrays = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Observed(**{name: values[..., chosen] for name, values in arrays.items()})

    def scaled(self, factor: float) -> Observed:
        """Return the observations in another unit, `factor` times smaller."""
        names = ("value", "lloq", "p5", "median", "p95", "simulated")
        return dataclasses.replace(self, **{n: getattr(self, n) * factor for n in names})

    def with_limits(self) -> Observed:
        """Return the observations with the limit below which their simulated values are censored.

        Many files give the limit only where a value is below it. The other values of the quantity
        were measured with a limit too: without one of its own, an observation has the lowest limit
        of its quantity, unless its value is lower.
        """
        lloq = self.lloq.copy()
        for quantity in dict.fromkeys(self.quantity.tolist()):
            own = self.quantity == quantity
            known = self.lloq[own & np.isfinite(self.lloq)]
            if len(known):
                lloq[own & np.isnan(self.lloq) & (self.value >= known.min())] = known.min()
        return dataclasses.replace(self, lloq=lloq)

    def of_arm(self, arm: str) -> Observed:
        """Return the observations of an arm."""
        return self.at(self.arm == arm)


def observed(results: xr.Dataset | HasDataset, quantity: str | None = None) -> Observed:
    """Return the observations of results.

    Args:
        results: Results; without observations there is none.
        quantity: Name of a quantity; all by default.
    """
    ds = dataset(results)
    if not has_observations(ds):
        names = [field.name for field in dataclasses.fields(Observed)]
        empty = {name: np.zeros(0) for name in names}
        return Observed(**{**empty, "is_blq": np.zeros(0, bool), "simulated": np.zeros((0, 0))})
    texts = {name: ds[f"observed_{name}"].values.astype(str) for name in _TEXTS}
    numbers = {name: ds[f"observed_{name}"].values for name in ("time", "value", "lloq")}
    bands = {name: ds[f"predicted_{name}"].values for name in _BAND}
    found = Observed(
        **texts,
        **numbers,
        **bands,
        patient=ds["observed_patient"].values.astype(np.int64),
        # A file read back may hold codes as floats.
        is_blq=ds["observed_blq"].values.astype(bool),
        simulated=ds["simulated"].values.astype(float),
    )
    return found if quantity is None else found.at(found.quantity == quantity)


_TEXTS, _BAND = ("arm", "quantity", "unit"), ("p5", "median", "p95")


def observations(results: xr.Dataset | HasDataset) -> pd.DataFrame:
    """Return the observations with the percentiles of the simulation as a table.

    Args:
        results: Results.

    Returns:
        A row for each observation, with the columns `arm`, `patient`, `time` [day], `quantity`,
        `unit`, `value`, `lloq`, `is_blq`, `p5`, `median` and `p95`; see `Observed`. Without
        observations there is no row.
    """
    found = observed(results)
    names = [field.name for field in dataclasses.fields(found) if field.name != "simulated"]
    return pd.DataFrame({name: getattr(found, name) for name in names})


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Comparison of the observations of a quantity in an arm with the simulation.

    Args:
        arm: Arm.
        quantity: Name of the quantity.
        n: Number of observations.
        below: Number of these below the limit of quantification.
        compared: Number of these with a simulated value.
        ratio: Geometric mean of observed over simulated median, of compared values above the
            limit.
        within: Share of compared observations within the 5th to 95th percentile. A value below the
            limit is, if the 5th percentile is.
        below_simulated: Share of simulated values below the limit, of observations with one; see
            `Observed.with_limits`.
        rate: Share of CRS observations of grade 1 or higher.
        rate_simulated: The share that is simulated.
    """

    arm: str
    quantity: str
    n: int
    below: int
    compared: int
    ratio: float = math.nan
    within: float = math.nan
    below_simulated: float = math.nan
    rate: float = math.nan
    rate_simulated: float = math.nan


def agreement(results: xr.Dataset | HasDataset) -> tuple[Agreement, ...]:
    """Return the comparison of each arm and quantity, in the order of the arms and of the file.

    Args:
        results: Results.
    """
    ds, found = dataset(results), observed(results).with_limits()
    pairs = [
        (str(arm), quantity)
        for arm in ds["arm"].values
        for quantity in dict.fromkeys(found.quantity.tolist())
    ]
    parts = (
        (*pair, found.at((found.arm == pair[0]) & (found.quantity == pair[1]))) for pair in pairs
    )
    return tuple(_agreement(arm, quantity, own) for arm, quantity, own in parts if len(own))


def _agreement(arm: str, quantity: str, own: Observed) -> Agreement:
    is_known = np.isfinite(own.median)
    counts = Agreement(arm, quantity, len(own), int(own.is_blq.sum()), int(is_known.sum()))
    if not is_known.any():
        return counts
    own = own.at(is_known)
    drawn = np.isfinite(own.simulated)
    if quantity == CRS:
        rate = float((own.value >= 1).mean())
        simulated = float((own.simulated[drawn] >= 1).mean()) if drawn.any() else math.nan
        return dataclasses.replace(counts, rate=rate, rate_simulated=simulated)
    return dataclasses.replace(
        counts, ratio=_ratio(own), within=_within(own), below_simulated=_below(own, drawn)
    )


def _ratio(own: Observed) -> float:
    above = ~own.is_blq & (own.median > 0)
    logs = np.log(own.value[above] / own.median[above])
    return float(np.exp(logs.mean())) if len(logs) else math.nan


def _within(own: Observed) -> float:
    has_band = np.isfinite(own.p5)
    inside = (own.value >= own.p5) & (own.value <= own.p95)
    inside |= own.is_blq & (own.p5 < own.lloq)
    return float(inside[has_band].mean()) if has_band.any() else math.nan


def _below(own: Observed, drawn: np.ndarray) -> float:
    counted = drawn & np.isfinite(own.lloq)
    is_below = (own.simulated < own.lloq)[counted]
    return float(is_below.mean()) if len(is_below) else math.nan


def remarks(results: xr.Dataset | HasDataset) -> tuple[str, ...]:
    """Return sentences on quantities that are not compared, or probably in another unit.

    Args:
        results: Results.
    """
    found = observed(results)
    sentences: list[str] = []
    for quantity in dict.fromkeys(found.quantity.tolist()):
        observable, own = OBSERVABLES[quantity], found.at(found.quantity == quantity)
        count = int(np.isnan(own.median).sum())
        if observable.reason:
            sentences.append(f"{observable.title} is not compared: {observable.reason}.")
        elif count == len(own):
            text = "no simulated value at these times"
            sentences.append(f"{observable.title} is not compared: {text}.")
        elif count:
            sentences.append(f"{observable.title}: {count} of {len(own)} are not compared.")
        sentences += _slip(own, observable.title) if quantity != CRS else []
    return tuple(sentences)


def _slip(own: Observed, title: str) -> list[str]:
    """Sentence if all values differ from the simulation by a large factor in one direction."""
    above = ~own.is_blq & (own.median > 0)
    logs = np.log10(own.value[above] / own.median[above])
    if len(logs) < FEWEST_OF_SLIP or not np.all(np.abs(logs) > np.log10(SLIP)):
        return []
    if not (np.all(logs > 0) or np.all(logs < 0)):
        return []
    factor = 10.0 ** float(np.median(logs))
    shown = f"{factor:,.0f} times" if factor > 1 else f"1/{1 / factor:,.0f} of"
    return [f"{title}: the observations are about {shown} the simulated median; check the unit."]
