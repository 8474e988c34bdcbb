"""Validation of the model: read published values, simulate the studies, compare."""

from __future__ import annotations

from pathlib import Path

from qsp import shipped
from qsp.engine.progress import Progress
from qsp.errors import ConfigError, suggest
from qsp.validation.curves import curve_facts
from qsp.validation.facts import published_facts
from qsp.validation.row import Row
from qsp.validation.study import STUDIES, conduct, prepare


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
        molecule: Name of the only molecule to compare; by default all with published values.
        patients: Number of virtual patients per regimen.
        seed: Seed of the populations.
        curves: Folder of digitized curves; without it, the comparisons with curves are skipped.
        populations: Folder of the population files; by default the shipped ones.
        progress: Receives an update after each chunk of each run.

    Returns:
        Rows in the order of `Verdict` (outside the limits, within, shown, skipped), then of studies
        and tables.

    Raises:
        ConfigError: If a file or a number is invalid, or the molecule has no published values;
            raised before the simulation starts.
        SolveError: If patients could not be simulated.
    """
    # Read and check all input before simulating.
    if molecule is not None:
        _check_molecule(molecule)
    populations = populations or shipped.folder("populations")
    prepared = {
        name: prepare(name, patients=patients, seed=seed, populations=populations)
        for name in STUDIES
    }
    of_curves, rows = curve_facts(curves, prepared)
    chosen = [f for f in (*published_facts(), *of_curves) if molecule in (None, f.molecule)]

    # Simulate one study at a time and compare.
    found = [row for row in rows if molecule in (None, row.fact.molecule)]
    for name in dict.fromkeys(fact.study for fact in chosen):
        own = [fact for fact in chosen if fact.study == name]
        times = {fact.time for fact in own if fact.time is not None}
        study = conduct(prepared[name], times, progress)
        found += [fact.compared(study) for fact in own]
    return sorted(found, key=lambda row: row.verdict)


def _check_molecule(molecule: str) -> None:
    known = tuple(dict.fromkeys(fact.molecule for fact in published_facts()))
    if molecule not in known:
        near = suggest(molecule, known)
        todo = f"{near} qsp compare {molecule} compares CRS by dose with published rates".strip()
        rule = f"the molecule must have published values: {', '.join(known)}"
        raise ConfigError("validate", rule, repr(molecule), todo)
