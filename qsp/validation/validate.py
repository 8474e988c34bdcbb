"""Validation of the model: read published values, simulate the studies, compare."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from qsp import shipped
from qsp.engine.progress import Progress
from qsp.errors import ConfigError, suggest
from qsp.run import Prepared
from qsp.validation.curves import curve_facts
from qsp.validation.facts import fact as fact_of
from qsp.validation.row import Fact, Row
from qsp.validation.study import HOURS_PER_DAY, conduct, of_arms, prepare, start_of
from qsp.validation.targets import SINCE_START, Target, targets


def validate(
    *,
    molecule: str | None = None,
    patients: int = 400,
    seed: int = 1,
    curves: Path | None = None,
    populations: Path | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Simulate the regimens with published values and compare the results.

    Args:
        molecule: Name of a molecule; all molecules by default.
        patients: Number of virtual patients per regimen.
        seed: Seed of the populations.
        curves: Folder of digitized curves; without it, the comparisons with curves are skipped.
        populations: Folder of the population files; by default the shipped ones.
        progress: Receives an update after each chunk of each study.

    Returns:
        Rows in the order of `Verdict` (outside the limits, within, shown, skipped), then by
        estimand, the largest deviation first.

    Raises:
        ConfigError: If a file or a number is invalid, or the molecule has no published values;
            raised before the simulation starts.
        SolveError: If patients could not be simulated.
    """
    # Read and check all input before simulating.
    _check_molecule(molecule)
    rows = [row for row in targets() if molecule in (None, row.molecule)]
    populations = populations or shipped.folder("populations")
    names = list(dict.fromkeys(row.config for row in rows))
    prepared = {
        name: prepare(name, patients=patients, seed=seed, populations=populations) for name in names
    }
    of_curves, skipped = curve_facts(curves, prepared, molecule)
    times = {name: _times(prepared[name], rows, of_curves, name) for name in names}

    # Simulate one study at a time and compare.
    found = list(skipped)
    for name in names:
        own = [row for row in rows if row.config == name]
        drawn = [fact for fact in of_curves if fact.study == name]
        one = prepared[name] if drawn else of_arms(prepared[name], _compared_arms(own))
        study = conduct(one, times[name], progress)
        facts = [*map(fact_of, own), *drawn]
        found += [fact.compared(study) for fact in facts]
    return sorted(found, key=lambda row: row.place)


def _compared_arms(rows: Iterable[Target]) -> set[str]:
    """Return the arms of a study that are compared; the others need no simulation."""
    return {arm for row in rows for arm in row.arms}


def saved_times(prepared: Prepared, rows: Iterable[Target]) -> set[float]:
    """Return the times at which trajectories are compared with the rows of a study [day]."""
    return {
        start_of(prepared, row.arm, row.periods[0]) + row.hours / HOURS_PER_DAY
        for row in rows
        if not math.isnan(row.hours) and row.statistic not in SINCE_START
    }


def _times(
    prepared: Prepared, rows: Iterable[Target], curves: Iterable[Fact], study: str
) -> set[float]:
    saved = saved_times(prepared, [row for row in rows if row.config == study])
    return saved | {fact.time for fact in curves if fact.study == study and fact.time is not None}


def _check_molecule(molecule: str | None) -> None:
    known = tuple(dict.fromkeys(row.molecule for row in targets()))
    if molecule is not None and molecule not in known:
        near = suggest(molecule, known)
        todo = f"{near} qsp compare {molecule} compares CRS by dose with published rates".strip()
        rule = f"the molecule must have published values: {', '.join(known)}"
        raise ConfigError("validate", rule, repr(molecule), todo)
