"""Potency of a molecule: free drug at half-maximum effect in a synapse, and the EC50 in vitro.

Two parameters, alpha and beta50, together determine this concentration. With a tight target arm it
depends on the affinity rather than on alpha, and a full dose may lie beyond the maximum of the
bell-shaped curve (hook effect).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qsp.errors import ConfigError, PopulationError
from qsp.explain.values import Files
from qsp.model.tissues import KINDS, TISSUES
from qsp.molecules import Molecule
from qsp.populations import Cohort, nominal
from qsp.run.bridges import bridges_at, half_effect

_RANGE = np.logspace(-8.0, 5.0, 1301)
"""Grid of free drug [nmol/L]."""

_NEVER = "at no concentration"


def potency_lines(molecule: Molecule, files: Files) -> list[str]:
    """Free drug at half-maximum effect in each population with the target, and in vitro."""
    measured = [
        f"  in vitro, {effect}: {entry.value}; {entry.status}, {entry.source or entry.note}"
        for effect, entry in molecule.in_vitro.items()
    ]
    simulated = [line for cohort in files.cohorts.values() for line in _in_cohort(molecule, cohort)]
    if any(_NEVER in line for line in simulated):
        simulated.append("  Less than half of the maximum is enough for CRS.")
    lines = [*simulated, *(measured or ["  in vitro: no EC50 on file"])]
    return ["Free drug at half-maximum effect in a synapse, bridges at equilibrium", *lines]


def _in_cohort(molecule: Molecule, cohort: Cohort) -> Iterator[str]:
    """Lines for the nominal patient, one per target density; none if the target is absent."""
    try:
        model = nominal(molecule, cohort).nominal().model
    except (ConfigError, PopulationError):  # the population does not fit the molecule
        return
    bridges = bridges_at(_RANGE, model)
    copies = np.asarray(model.binding.copies_target)
    density = copies / np.asarray(model.binding.area_target)
    shown: set[float] = set()
    for kind, tissue in zip(*np.nonzero(copies * np.asarray(model.targets.baseline)), strict=True):
        surface = float(density[kind, tissue])
        if surface in shown:
            continue
        shown.add(surface)
        halves = {
            effect: half_effect(_RANGE, bridges[:, kind, tissue], float(beta50))
            for effect, beta50 in (
                ("activation", model.synapse.beta50_act),
                ("killing", model.synapse.beta50_kill),
            )
        }
        text = ", ".join(f"{effect} {_ng_per_ml(c, molecule)}" for effect, c in halves.items())
        cell = f"{KINDS[kind]} cell in {TISSUES[tissue]} ({copies[kind, tissue]:.3g} copies)"
        yield f"  {cohort.name}, {cell}: {text}"


def _ng_per_ml(free: float, molecule: Molecule) -> str:
    if np.isnan(free):
        return _NEVER
    return f"{free * molecule.molecular_weight:.3g} ng/mL"
