"""Explain molecules and populations: description, and every value of their files."""

from __future__ import annotations

from qsp.endpoints.response import surrogate
from qsp.explain.potency import potency_lines
from qsp.explain.values import Files, line
from qsp.molecules import Molecule, ParameterFile
from qsp.populations import Cohort


def molecules(files: Files) -> list[str]:
    """Names of the molecules."""
    return list(files.molecules)


def molecule_lines(name: str, files: Files) -> list[str]:
    """Target, format, routes, potency and values of a molecule; empty for another name."""
    if name not in files.molecules:
        return []
    m = files.molecules[name]
    return [
        f"Molecule {m.title}: {m.format}, against {m.target}",
        f"  molecular weight {m.molecular_weight:g} kDa; routes {', '.join(m.routes)}",
        f"  clearance: {m.clearance}; bridges in the synapse: {m.synapse}",
        *potency_lines(m, files),
        *_values(m.parameters),
    ]


def populations(files: Files) -> list[str]:
    """Names of the populations."""
    return list(files.cohorts)


def population_lines(name: str, files: Files) -> list[str]:
    """Description and values of a population; empty for another name."""
    if name not in files.cohorts:
        return []
    cohort = files.cohorts[name]
    return [
        f"Population {cohort.title} ({cohort.disease}; response by {cohort.response_criteria})",
        *([caveat] if (caveat := surrogate(cohort.disease, cohort.response_criteria)) else []),
        *cohort.card.strip().splitlines(),
        *_values(cohort.parameters[-1]),
    ]


def own_lines(files: Files) -> list[list[str]]:
    """Description and values of each of the user's own files."""
    return [
        molecule_lines(item.name, files)
        if isinstance(item, Molecule)
        else population_lines(item.name, files)
        if isinstance(item, Cohort)
        else _values(item)
        for item in files.own.values()
    ]


def _values(file: ParameterFile) -> list[str]:
    width = max(map(len, file.entries), default=0)
    entries = [f"  {path:<{width}}  {line(entry)}" for path, entry in file.entries.items()]
    mixtures = [
        f"  mixture {m.name}: "
        + ", ".join(f"{part.name} {100 * part.weight:g} %" for part in m.components)
        for m in file.mixtures
    ]
    return [f"Values of {file.name}", *entries, *mixtures]
