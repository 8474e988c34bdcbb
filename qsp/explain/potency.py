"""Potency of a molecule: the drug at which a synapse is half-activated, beside the in vitro EC50.

A potency has two numbers, alpha and beta50 (TCE-42 S6), which only together mean a concentration.
With a tight target arm its affinity, not alpha, sets that concentration, and a full dose may lie
beyond the hook.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from qsp.engine.precision import double
from qsp.errors import ConfigError, PopulationError
from qsp.explain.values import Files
from qsp.model import Parameters
from qsp.model.synapse import gap, per_synapse, trimers
from qsp.model.tissues import KINDS, TISSUES
from qsp.molecules import Molecule
from qsp.population import Cohort, nominal

_RANGE = np.logspace(-8.0, 5.0, 1301)
"""Free drug searched [nmol/L]."""

_REFINEMENTS = 8


def potency_lines(molecule: Molecule, files: Files) -> list[str]:
    """Free drug at half effect in each shipped population that has the target, and in vitro."""
    known = [
        f"  in vitro, {effect}: {entry.value}; {entry.status}, {entry.source or entry.note}"
        for effect, entry in molecule.in_vitro.items()
    ]
    simulated = [line for cohort in files.cohorts.values() for line in _in_cohort(molecule, cohort)]
    lines = [*simulated, *(known or ["  in vitro: no EC50 on file"])]
    return ["Free drug at half effect in a synapse, bridges at equilibrium", *lines]


def _in_cohort(molecule: Molecule, cohort: Cohort) -> Iterator[str]:
    """Lines of the nominal patient; none where the population lacks the target."""
    try:
        model = nominal(molecule, cohort).nominal().model
    except (ConfigError, PopulationError):  # a population of other molecules
        return
    bridges = bridges_at(_RANGE, model)
    copies = np.asarray(model.binding.copies_target)
    density = copies / np.asarray(model.binding.area_target)
    shown: set[float] = set()
    for kind, tissue in zip(*np.nonzero(copies * np.asarray(model.targets.baseline)), strict=True):
        same = float(density[kind, tissue])
        if same in shown:
            continue
        shown.add(same)
        halves = {
            effect: half_effect(_RANGE, bridges[:, kind, tissue], float(beta50))
            for effect, beta50 in (
                ("activation", model.synapse.beta50_act),
                ("killing", model.synapse.beta50_kill),
            )
        }
        told = ", ".join(f"{effect} {_ng_per_ml(c, molecule)}" for effect, c in halves.items())
        cell = f"{KINDS[kind]} cell in {TISSUES[tissue]} ({copies[kind, tissue]:.3g} copies)"
        yield f"  {cohort.name}, {cell}: {told}"


def bridges_at(free: np.ndarray, model: Parameters) -> np.ndarray:
    """Bridges per synapse (drug, kind, tissue) at each concentration of free drug [nmol/L]."""
    p, s = model.binding, model.synapse
    with double():
        refinements = 0 if p.valency == 1.0 else _REFINEMENTS

        def bridges(c: jax.Array) -> jax.Array:
            around = gap(jnp.full(len(TISSUES), c), jnp.zeros(()), p)
            return per_synapse(trimers(around, s.alpha, p, refinements=refinements), p, s)

        return np.asarray(jax.vmap(bridges)(jnp.asarray(free)))


def half_effect(free: np.ndarray, bridges: np.ndarray, beta50: float) -> float:
    """Lowest free drug at which the bridges reach beta50, by interpolation; nan if none does."""
    reached = np.flatnonzero(bridges >= beta50)
    if not len(reached) or reached[0] == 0:
        return float("nan")
    pair = slice(reached[0] - 1, reached[0] + 1)
    return float(np.exp(np.interp(np.log(beta50), np.log(bridges[pair]), np.log(free[pair]))))


def _ng_per_ml(free: float, molecule: Molecule) -> str:
    if np.isnan(free):
        return "never half"
    return f"{free * molecule.molecular_weight:.3g} ng/mL"
