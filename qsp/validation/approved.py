"""CRS by dose of every molecule under its approved regimen, simulated beside published.

The rates stand in `data/approved_crs.csv`, the regimens in a folder of configs named there. Where
nothing is published of a molecule, the simulation stands alone. Most rates by dose were recalled by
those who compiled them, and all were in the fit of the shared values: this is no prediction.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from qsp import run as runs
from qsp.endpoints import crs, steps
from qsp.engine.progress import Progress
from qsp.errors import ConfigError
from qsp.validation.published import DATA

ANY = "any"
"""Name of the rate over all doses."""
RATES = "approved_crs.csv"
LEAST_ORDERED = 2


@dataclasses.dataclass(frozen=True)
class Approved:
    """What is published of an approved regimen.

    Args:
        molecule: Name.
        config: Name of its config.
        rates: CRS of any grade by dose period, and over all under `ANY` [%].
        read: Names of the rates that were read in a source, and not recalled.
    """

    molecule: str
    config: str
    rates: Mapping[str, float]
    read: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Compared:
    """Simulated beside published rates of a regimen.

    Args:
        published: What is known.
        rates: Simulated, by dose period in their order, and over all under `ANY` [%].
        lower: Lower Monte Carlo bound of each.
        upper: Upper one.
    """

    published: Approved
    rates: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]

    @property
    def misses(self) -> dict[str, float]:
        """Simulated less published by dose [points]; over all doses where no dose has a rate."""
        known = self.published.rates
        by_dose = {dose: rate for dose, rate in known.items() if dose != ANY}
        return {dose: self.rates[dose] - rate for dose, rate in (by_dose or known).items()}

    @property
    def order_is_right(self) -> bool | None:
        """Whether the doses have the published order; None where no rates by dose are known.

        Falling means ever less from dose to dose, over the steps and the first full dose; else the
        highest rate must be at the same dose.
        """
        known = {d: r for d, r in self.published.rates.items() if d != ANY}
        if len(known) < LEAST_ORDERED:
            return None
        doses = [dose for dose in known if dose != "FD2" or "SUD2" not in known]
        wanted, found = ([rates[dose] for dose in doses] for rates in (known, self.rates))
        if wanted == sorted(wanted, reverse=True):
            return found == sorted(found, reverse=True)
        return int(np.argmax(found)) == int(np.argmax(wanted))


def approved() -> tuple[Approved, ...]:
    """Every regimen of the table, in its order."""
    with (DATA / RATES).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    regimens = dict.fromkeys((row["molecule"], row["config"]) for row in rows)
    return tuple(
        Approved(
            molecule,
            config,
            rates={r["dose"]: float(r["percent"]) for r in rows if _is(r, config) and r["dose"]},
            read=frozenset(
                r["dose"] for r in rows if _is(r, config) and r["certainty"] in ("label", "paper")
            ),
        )
        for molecule, config in regimens
    )


def _is(row: Mapping[str, str], config: str) -> bool:
    return row["config"] == config


def compare(
    folder: Path, *, patients: int, seed: int | None = None, progress: Progress | None = None
) -> tuple[Compared, ...]:
    """Simulate every regimen of the table.

    Args:
        folder: Of the configs.
        patients: Virtual patients of each.
        seed: Of the populations; that of each config by default.
        progress: Told of each chunk.

    Raises:
        ConfigError: If a config is not there.
        SolveError: If patients could not be simulated.
    """
    known = approved()
    prepared = [_prepared(folder, each, patients, seed) for each in known]
    return tuple(
        compared(each, runs.run(one, progress).to_dataset())
        for each, one in zip(known, prepared, strict=True)
    )


def _prepared(folder: Path, each: Approved, patients: int, seed: int | None) -> runs.Prepared:
    config = folder / f"{each.config}.toml"
    if not config.is_file():
        rule, todo = f"the folder must hold {config.name}", "Name configs/approved"
        raise ConfigError(str(folder), rule, "without it", todo)
    changes = [f"patients={patients}", *([] if seed is None else [f"seed={seed}"])]
    one = runs.prepare(runs.Request(config, changes))
    return dataclasses.replace(one, trajectories=np.array([], int))


def compared(published: Approved, ds: xr.Dataset) -> Compared:
    """Rates of results beside those that are published, of the first arm."""
    arm = str(ds["arm"].values[0])
    own = ds.sel(arm=[arm])
    labels = [step.label for step in steps(own)]
    by_dose = crs.incidence(own, at_least=[1]).isel(arm=0, grade=0).sel(label=labels)
    over_all = crs.incidence(own, by="any", at_least=[1]).isel(arm=0, grade=0)

    def percent(name: str) -> dict[str, float]:
        each = dict(zip(labels, 100.0 * by_dose[name].values, strict=True))
        return {**each, ANY: 100.0 * float(over_all[name])}

    return Compared(published, percent("value"), percent("lower"), percent("upper"))


def mean_miss(rows: Iterable[Compared]) -> float:
    """Mean distance from the published rates over every dose of every molecule [points]."""
    return float(np.mean([abs(miss) for row in rows for miss in row.misses.values()]))


def worst(rows: Iterable[Compared]) -> tuple[str, str, float]:
    """Molecule, dose and miss [points] that are furthest off."""
    misses = [(row.published.molecule, d, m) for row in rows for d, m in row.misses.items()]
    return max(misses, key=lambda miss: abs(miss[2]))
