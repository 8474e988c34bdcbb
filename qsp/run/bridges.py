"""Bridges of a synapse by free drug, and the drug at half-maximum effect."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from qsp.engine.precision import double
from qsp.model import Parameters
from qsp.model.synapse import contact_gap, per_synapse, trimers
from qsp.model.tissues import TISSUES

_REFINEMENTS = 8
"""Iterations of `trimers` for a molecule with two target arms."""


def bridges_at(free: np.ndarray, model: Parameters) -> np.ndarray:
    """Bridges per synapse at equilibrium with free drug.

    Args:
        free: Free drug [nmol/L]; (drug,).
        model: Parameters of one patient.

    Returns:
        Bridges [molecule/synapse]; (drug, kind, tissue).
    """
    p, s = model.binding, model.synapse
    with double():
        refinements = 0 if p.valency == 1.0 else _REFINEMENTS

        def bridges(c: jax.Array) -> jax.Array:
            gap = contact_gap(jnp.full(len(TISSUES), c), jnp.zeros(()), p)
            return per_synapse(trimers(gap, s.alpha, p, refinements=refinements), p, s)

        return np.asarray(jax.vmap(bridges)(jnp.asarray(free)))


def half_effect(free: np.ndarray, bridges: np.ndarray, beta50: float) -> float:
    """Lowest free drug [nmol/L] at which bridges reach beta50, interpolated in logarithms.

    Args:
        free: Increasing free drug [nmol/L]; (drug,).
        bridges: Bridges per synapse [molecule/synapse]; (drug,).
        beta50: Bridges at half-maximum effect [molecule/synapse].

    Returns:
        Free drug, or NaN if the bridges never cross beta50 within the grid.
    """
    reached = np.flatnonzero(bridges >= beta50)
    if not len(reached) or reached[0] == 0:
        return float("nan")
    pair = slice(reached[0] - 1, reached[0] + 1)
    return float(np.exp(np.interp(np.log(beta50), np.log(bridges[pair]), np.log(free[pair]))))
