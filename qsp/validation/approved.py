"""Incidence of CRS by dose for every molecule under its approved regimen, against published rates.

Published rates are those of the table of published values. Molecules without published rates are
simulated only. Many rates by dose were not verified in a source, and all were used to fit the
shared parameters: this comparison is in-sample.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from qsp import run as runs
from qsp import shipped
from qsp.endpoints import crs, steps
from qsp.engine.progress import Progress
from qsp.errors import ConfigError, suggest
from qsp.validation.study import APPROVED, of_arms
from qsp.validation.targets import Target, targets

ANY = "any"
"""Name of the rate over all doses."""
LEAST_ORDERED = 2
REGIMENS: Mapping[tuple[str, str], str] = {
    ("mosunetuzumab", "mosunetuzumab_iv"): "mosunetuzumab_iv",
    ("mosunetuzumab", "mosunetuzumab_sc"): "",
    ("glofitamab", "glofitamab"): "glofitamab",
    ("epcoritamab", "epcoritamab_dlbcl"): "epcoritamab_dlbcl",
    ("odronextamab", "odronextamab_dlbcl"): "",
    ("teclistamab", "teclistamab_1.5_weekly"): "teclistamab",
    ("elranatamab", "elranatamab"): "elranatamab",
    ("talquetamab", "talquetamab_0.4_weekly"): "talquetamab_weekly",
    ("linvoseltamab", "linvoseltamab"): "",
    ("tarlatamab", "tarlatamab"): "tarlatamab",
    ("tebentafusp", "tebentafusp"): "tebentafusp",
    ("blinatumomab", "blinatumomab_all"): "blinatumomab_all",
}
"""Study with the published values of each molecule and config; empty if there are none."""


@dataclasses.dataclass(frozen=True)
class Approved:
    """Published incidence of CRS under an approved regimen.

    Args:
        molecule: Name of the molecule.
        config: Name of the config of the regimen.
        rates: Incidence of CRS of any grade by dose period, and over all doses under `ANY` [%].
        read: Keys of the rates that were verified in a source.
    """

    molecule: str
    config: str
    rates: Mapping[str, float]
    read: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Compared:
    """Simulated and published incidence of CRS under a regimen.

    Args:
        published: Published incidence.
        rates: Simulated incidence by dose period in order, and over all doses under `ANY` [%].
        lower: Lower Monte Carlo bounds [%].
        upper: Upper Monte Carlo bounds [%].
    """

    published: Approved
    rates: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]

    @property
    def misses(self) -> dict[str, float]:
        """Simulated minus published incidence by dose, or over all doses if none [points]."""
        known = self.published.rates
        by_dose = {dose: rate for dose, rate in known.items() if dose != ANY}
        return {dose: self.rates[dose] - rate for dose, rate in (by_dose or known).items()}

    @property
    def order_is_right(self) -> bool | None:
        """Whether the doses are in the published order; None without published rates by dose.

        If published rates decrease from dose to dose, over the step-up doses and the first full
        dose, simulated rates must decrease too; otherwise, the highest rate must be at the same
        dose.
        """
        known = {d: r for d, r in self.published.rates.items() if d != ANY}
        if len(known) < LEAST_ORDERED:
            return None
        doses = self._ordered_doses
        wanted, found = ([rates[dose] for dose in doses] for rates in (known, self.rates))
        if wanted == sorted(wanted, reverse=True):
            return found == sorted(found, reverse=True)
        return int(np.argmax(found)) == int(np.argmax(wanted))

    def orders(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the doses from the highest rate to the lowest: as published, and simulated."""
        known, found = (
            tuple(sorted(self._ordered_doses, key=lambda dose: -rates[dose]))
            for rates in (self.published.rates, self.rates)
        )
        return known, found

    @property
    def _ordered_doses(self) -> tuple[str, ...]:
        """Doses whose order is compared: the step-up doses and the first full dose."""
        known = [dose for dose in self.published.rates if dose != ANY]
        return tuple(dose for dose in known if dose != "FD2" or "SUD2" not in known)


def approved() -> tuple[Approved, ...]:
    """Return the regimens, in the order of `REGIMENS`."""
    return tuple(
        _approved(molecule, config, [row for row in targets() if row.config == study])
        for (molecule, config), study in REGIMENS.items()
    )


def _approved(molecule: str, config: str, rows: Iterable[Target]) -> Approved:
    """Return the first published rate over all doses and at each dose."""
    found: dict[str, Target] = {}
    for row in rows:
        if row.arm == APPROVED and row.statistic in ("crs_any", "crs_period"):
            # A rate at several repeats of a dose is compared at the first of them.
            found.setdefault(row.periods[0] if row.periods else ANY, row)
    shown = {dose: row for dose, row in found.items() if not dose.startswith("C")}
    return Approved(
        molecule,
        config,
        rates={dose: row.value for dose, row in shown.items()},
        read=frozenset(dose for dose, row in shown.items() if row.is_read),
    )


def compare(
    folder: Path | None = None,
    *,
    molecule: str | None = None,
    patients: int,
    seed: int | None = None,
    progress: Progress | None = None,
) -> tuple[Compared, ...]:
    """Simulate every regimen of the table and compare it with its published rates.

    Args:
        folder: Folder of the configs; by default that of the shipped approved regimens.
        molecule: Name of the only molecule to compare; by default all.
        patients: Number of virtual patients per regimen.
        seed: Seed of the populations; by default, that of each config.
        progress: Receives an update after each chunk of patients.

    Raises:
        ConfigError: If a config is missing, or no regimen is of the molecule.
        SolveError: If patients could not be simulated.
    """
    known = tuple(each for each in approved() if molecule in (None, each.molecule))
    if not known:
        names = tuple(dict.fromkeys(each.molecule for each in approved()))
        rule = f"the molecule must be one of {', '.join(names)}"
        raise ConfigError("compare", rule, repr(molecule), suggest(str(molecule), names))
    folder = folder or shipped.folder("configs") / "approved"
    prepared = [_prepared(folder, each, patients, seed) for each in known]
    return tuple(
        compared(each, runs.run(one, progress).to_dataset())
        for each, one in zip(known, prepared, strict=True)
    )


def _prepared(folder: Path, each: Approved, patients: int, seed: int | None) -> runs.Prepared:
    config = folder / f"{each.config}.toml"
    if not config.is_file():
        rule, todo = f"{config.name} must exist in this folder", "Give configs/approved"
        raise ConfigError(str(folder), rule, "missing", todo)
    changes = [f"patients={patients}", *([] if seed is None else [f"seed={seed}"])]
    one = runs.prepare(runs.Request(config, changes))
    return dataclasses.replace(of_compared_arm(one), trajectories=np.array([], int))


def of_compared_arm(prepared: runs.Prepared) -> runs.Prepared:
    """Return a run of the arm `APPROVED` only, or of the first arm if there is no such arm.

    Args:
        prepared: Run of an approved regimen.
    """
    names = [arm.name for arm in prepared.trial.arms]
    return of_arms(prepared, (APPROVED,) if APPROVED in names else names[:1])


def compared(published: Approved, ds: xr.Dataset) -> Compared:
    """Return the published rates and those of the first arm of results."""
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
    """Return the mean absolute difference from the published rates [points]."""
    return float(np.mean([abs(miss) for row in rows for miss in row.misses.values()]))


def worst(rows: Iterable[Compared]) -> tuple[str, str, float]:
    """Return molecule, dose and value of the largest difference from a published rate [points]."""
    misses = [(row.published.molecule, d, m) for row in rows for d, m in row.misses.items()]
    return max(misses, key=lambda miss: abs(miss[2]))
