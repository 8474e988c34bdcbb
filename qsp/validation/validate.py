"""The public verb `validate`: read the tables, simulate, compare."""

from __future__ import annotations

from pathlib import Path

from qsp.engine.progress import Progress
from qsp.validation.curves import curve_facts
from qsp.validation.facts import published_facts
from qsp.validation.row import Row
from qsp.validation.study import STUDIES, conduct, prepare

POPULATIONS = Path("populations")
"""The folder of populations of a checkout, seen from its root."""


def validate(
    *,
    patients: int = 400,
    seed: int = 1,
    curves: Path | None = None,
    populations: Path = POPULATIONS,
    progress: Progress | None = None,
) -> list[Row]:
    """Simulate every regimen that has published figures, and compare.

    Args:
        patients: Virtual patients of each regimen.
        seed: Of the populations.
        curves: Folder of digitised curves; what needs them is skipped with a word without.
        populations: Folder of the population files.
        progress: Told of each chunk of each of the four runs.

    Returns:
        Rows: what misses, what is within, what is only shown, what was skipped; in each group in
        the order of studies and tables.

    Raises:
        ConfigError: If a file or a number breaks a rule, before anything is simulated.
        SolveError: If patients could not be simulated.
    """
    # read and check everything
    prepared = {
        name: prepare(name, patients=patients, seed=seed, populations=populations)
        for name in STUDIES
    }
    of_curves, rows = curve_facts(curves, prepared)
    facts = (*published_facts(), *of_curves)

    # simulate and compare
    found = list(rows)
    for name in STUDIES:
        own = [fact for fact in facts if fact.study == name]
        times = {fact.time for fact in own if fact.time is not None}
        study = conduct(prepared[name], times, progress)
        found += [fact.compared(study) for fact in own]
    return sorted(found, key=lambda row: row.verdict)
