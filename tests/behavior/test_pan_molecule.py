"""One physiology, nine molecules: CRS by dose under the approved regimens, beside published rates.

The shared values are those of every other test; a molecule has two numbers of its own (alpha and
beta50_act), its pharmacokinetics and its population. To see the table without the tests::

    python -m tests.behavior.test_pan_molecule

Published rates are percent of treated patients, of any grade. Most rates by dose were recalled by
those who compiled them, not read; overall rates were read. A rate of 2 % for the second full dose
of elranatamab is assumed, and the rates by dose of tebentafusp are the middle of a range.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qsp.run import Request, prepare, run

ROOT = Path(__file__).parents[2]
PATIENTS = 400
MEAN_MISS = 8.0  # points
ORDERS_RIGHT = 7


@dataclasses.dataclass(frozen=True)
class Published:
    """What was published of a regimen.

    Args:
        config: In configs/approved.
        overall: CRS over all doses [%].
        rates: CRS by dose period [%].
        steps: The dose periods, in order, whose rates make the pattern; empty where no rate by
            dose is known.
    """

    config: str
    overall: float
    rates: Mapping[str, float]
    steps: tuple[str, ...] = ("SUD1", "SUD2", "FD1")


PUBLISHED: Mapping[str, Published] = {
    "mosunetuzumab": Published(
        "mosunetuzumab_iv", 39.0, {"SUD1": 15.0, "SUD2": 5.0, "FD1": 33.0, "FD2": 5.0}
    ),
    "glofitamab": Published(
        "glofitamab", 70.0, {"SUD1": 56.0, "SUD2": 35.0, "FD1": 29.0, "FD2": 2.8}
    ),
    "epcoritamab": Published(
        "epcoritamab_dlbcl", 51.0, {"SUD1": 5.8, "SUD2": 11.8, "FD1": 42.8, "FD2": 4.9}
    ),
    "teclistamab": Published(
        "teclistamab_1.5_weekly", 72.0, {"SUD1": 42.0, "SUD2": 35.0, "FD1": 24.0, "FD2": 3.0}
    ),
    "elranatamab": Published(
        "elranatamab", 58.0, {"SUD1": 43.0, "SUD2": 19.0, "FD1": 7.0, "FD2": 2.0}
    ),
    "talquetamab": Published(
        "talquetamab_0.4_weekly", 76.0, {"SUD1": 29.0, "SUD2": 44.0, "FD1": 30.0, "FD2": 3.0}
    ),
    "tarlatamab": Published(
        "tarlatamab", 57.0, {"SUD1": 41.0, "FD1": 34.0, "FD2": 8.5}, ("SUD1", "FD1", "FD2")
    ),
    "tebentafusp": Published("tebentafusp", 89.0, {"SUD1": 82.0, "FD1": 62.0}, ("SUD1", "FD1")),
    "blinatumomab": Published("blinatumomab_all", 15.0, {}, ()),
}
"""The nine molecules whose alpha and beta50_act were fitted together."""


@functools.cache
def simulated(config: str, patients: int = PATIENTS) -> xr.Dataset:
    """Results of a config of the repository, by its path below configs."""
    file = ROOT / "configs" / f"{config}.toml"
    return run(prepare(Request(file, [f"patients={patients}"]))).to_dataset()


def rates(ds: xr.Dataset, arm: int = 0) -> dict[str, float]:
    """CRS by dose period, and over all of them under the name "any" [%]."""
    one = ds.isel(arm=arm)
    solved = one["outcome"].values == 0
    grade, labels = one["crs_grade"].values[solved], one["dose_label"].values.astype(str)[solved][0]
    found = {
        str(label): 100.0 * float(np.mean(grade[:, labels == label].max(1) >= 1))
        for label in dict.fromkeys(labels)
        if label
    }
    return found | {"any": 100.0 * float(np.mean(grade.max(1) >= 1))}


@dataclasses.dataclass(frozen=True)
class Compared:
    """Simulated beside published rates of a molecule."""

    molecule: str
    published: Published
    rates: Mapping[str, float]

    @property
    def misses(self) -> dict[str, float]:
        """Simulated less published by dose [points]; where no dose has a rate, over all doses."""
        known = self.published.rates or {"any": self.published.overall}
        return {dose: self.rates[dose] - rate for dose, rate in known.items()}

    @property
    def order_is_right(self) -> bool:
        """Whether the doses have the published order: falling, highest in the middle, or rising.

        Falling means ever less from dose to dose; otherwise the highest rate must be at the same
        dose.
        """
        steps = self.published.steps
        if not steps:
            return False
        known = [self.published.rates[step] for step in steps]
        found = [self.rates[step] for step in steps]
        if known == sorted(known, reverse=True):
            return found == sorted(found, reverse=True)
        return int(np.argmax(found)) == int(np.argmax(known))

    def __str__(self) -> str:
        pairs = [
            f"{dose} {self.rates[dose]:.0f} ({rate:.0f})"
            for dose, rate in self.published.rates.items()
        ]
        overall = f"any {self.rates['any']:.0f} ({self.published.overall:.0f})"
        order = "order right" if self.order_is_right else "order wrong or not known"
        return f"{self.molecule:14s} {', '.join([*pairs, overall])}; {order}"


@functools.cache
def compared() -> tuple[Compared, ...]:
    """Every molecule."""
    return tuple(
        Compared(molecule, known, rates(simulated(f"approved/{known.config}")))
        for molecule, known in PUBLISHED.items()
    )


def table() -> str:
    """The comparison for people, the worst named."""
    rows = compared()
    misses = {(row.molecule, dose): miss for row in rows for dose, miss in row.misses.items()}
    worst = max(misses, key=lambda key: abs(misses[key]))
    overall = [row.rates["any"] - row.published.overall for row in rows]
    return "\n".join(
        [
            f"CRS by dose, simulated (published) in percent, {PATIENTS} patients",
            *map(str, rows),
            f"mean miss {mean_miss():.1f} points by dose, {np.mean(np.abs(overall)):.1f} overall; "
            f"worst {' '.join(worst)}, {misses[worst]:+.0f}",
            f"order right in {sum(row.order_is_right for row in rows)} of {len(rows)}",
        ]
    )


def mean_miss() -> float:
    """Mean distance from the published rates over every dose of every molecule [points]."""
    return float(np.mean([abs(miss) for row in compared() for miss in row.misses.values()]))


@pytest.mark.slow
@pytest.mark.reproduction
def test_crs_by_dose_is_near_published_rates():
    """Nine molecules: mean miss per dose at most 8 points."""
    assert mean_miss() <= MEAN_MISS, table()


@pytest.mark.slow
@pytest.mark.reproduction
def test_order_over_doses_is_that_of_the_trials():
    """Rising, falling or highest in the middle: right for at least 7 of the 9 molecules.

    Blinatumomab has no published rate by dose and counts as wrong.
    """
    assert sum(row.order_is_right for row in compared()) >= ORDERS_RIGHT, table()


if __name__ == "__main__":
    print(table())  # noqa: T201
