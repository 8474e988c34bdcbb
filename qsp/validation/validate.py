"""Validation of the model: read published values, simulate the studies, compare."""

from __future__ import annotations

from pathlib import Path

from qsp import shipped
from qsp.engine.progress import Progress
from qsp.validation.curves import curve_facts
from qsp.validation.facts import published_facts
from qsp.validation.row import Row
from qsp.validation.study import STUDIES, conduct, prepare


def validate(
    *,
    patients: int = 400,
    seed: int = 1,
    curves: Path | None = None,
    populations: Path | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Simulate the regimens with published values and compare the results.

    Args:
        patients: Number of virtual patients per regimen.
        seed: Seed of the populations.
        curves: Folder of digitized curves; without it, the comparisons with curves are skipped.
        populations: Folder of the population files; by default the shipped ones.
        progress: Receives an update after each chunk of each of the four runs.

    Returns:
        Rows in the order of `Verdict` (outside the limits, within, shown, skipped), then of studies
        and tables.

    Raises:
        ConfigError: If a file or a number is invalid; raised before the simulation starts.
        SolveError: If patients could not be simulated.
    """
    # Read and check all input before simulating.
    populations = populations or shipped.folder("populations")
    prepared = {
        name: prepare(name, patients=patients, seed=seed, populations=populations)
        for name in STUDIES
    }
    of_curves, rows = curve_facts(curves, prepared)
    facts = (*published_facts(), *of_curves)

    # Simulate one study at a time and compare.
    found = list(rows)
    for name in STUDIES:
        own = [fact for fact in facts if fact.study == name]
        times = {fact.time for fact in own if fact.time is not None}
        study = conduct(prepared[name], times, progress)
        found += [fact.compared(study) for fact in own]
    return sorted(found, key=lambda row: row.verdict)
