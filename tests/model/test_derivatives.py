"""Derivatives of the rates are finite for every shipped molecule in its populations.

Implicit solvers and gradients of endpoints need them: one NaN in the Jacobian fails every patient.
Rates can be finite where a derivative is not, for example the square root at zero.
"""

import dataclasses
import functools
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from qsp import molecules
from qsp.config import load
from qsp.model.synapse import Plateau, Relaxed
from qsp.run import Request, prepare
from qsp.run.structure import REFINEMENTS
from qsp.system import DOSE_KINDS, System
from tests.model.patient import busy

CONFIGS = Path(__file__).parents[2] / "configs"


def pairs():
    """One shipped config for each pair of molecule and population."""
    found = {}
    for file in sorted(CONFIGS.rglob("*.toml")):
        config = load(file)
        found.setdefault((config.molecule, config.population_file.resolve()), file)
    return {f"{molecule}-{population.stem}": file for (molecule, population), file in found.items()}


PAIRS = pairs()


def untreated(system, p):
    return system.initial(p)


def treated(system, p):
    """Every process is active; tissues without cells stay empty."""
    return busy(p, system, np.random.default_rng(1))


def without_drug(system, p):
    """All drug and the competitor have been eliminated after treatment."""
    x = treated(system, p)
    drug = jax.tree.map(jnp.zeros_like, x.model.drug)
    return dataclasses.replace(x, model=dataclasses.replace(x.model, drug=drug))


def without_targets(system, p):
    """Every target cell has been killed."""
    x = treated(system, p)
    targets = jax.tree.map(jnp.zeros_like, x.model.targets)
    return dataclasses.replace(x, model=dataclasses.replace(x.model, targets=targets))


def below_zero(system, p):
    """A slightly negative state, as a solver may try it."""
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, -1e-9), treated(system, p))


STATES = (untreated, treated, without_drug, without_targets, below_zero)


def names(tree):
    """Path of every number of a tree, in the order of its flat vector."""
    paths = [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree.leaves_with_path(tree)]
    return [f"{path}[{n}]" for path, leaf in paths for n in range(leaf.size)]


@functools.cache
def derivatives(system: System):
    """Compile rates, their forward-mode Jacobian, and the reverse-mode gradient of their sum.

    Derivatives are with respect to states and parameters. Molecules of one structure share the
    program. A derivative that is not finite makes the gradient of the sum not finite.
    """

    def compute(x, p):
        at, tree = ravel_pytree((x, p))
        infusion = jnp.ones(len(DOSE_KINDS))

        def rates(variables):
            state, parameters = tree(variables)
            return ravel_pytree(system.rates(jnp.asarray(1.0), state, parameters, infusion))[0]

        gradient = jax.grad(lambda variables: rates(variables).sum())
        return rates(at), jax.jacfwd(rates)(at), gradient(at)

    return jax.jit(compute)


@functools.cache
def typical(pair):
    """System and typical patient of a config."""
    prepared = prepare(Request(PAIRS[pair]))
    return prepared.system, jax.tree.map(jnp.asarray, prepared.table.nominal())


QUICK = {"mosunetuzumab"}
"""Other molecules are slow tests."""
MARKED = [
    pytest.param(pair, marks=[] if pair.split("-")[0] in QUICK else [pytest.mark.slow])
    for pair in PAIRS
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("pair", MARKED)
def test_derivatives_of_the_rates_are_finite_in_both_modes(pair, state, strict_types):
    system, p = typical(pair)
    assert_finite(system, state(system, p), p)


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_derivatives_are_finite_with_adaptation(state, strict_types):
    """Cooperativity of myeloid cells is a power of a stimulus that is zero before treatment."""
    _, p = typical(next(pair for pair in PAIRS if pair.startswith("mosunetuzumab")))
    p = eqx.tree_at(lambda p: p.model.cytokines.hill_myeloid, p, jnp.asarray(1.35))
    system = System()
    assert_finite(system, state(system, p), p)


def assert_finite(system, x, p):
    # Remove weak types, which would compile another program.
    x = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), x)
    rates, jacobian, gradient = map(np.asarray, derivatives(system)(x, p))
    assert np.isfinite(rates).all()
    rows, variables = names(x), names((x, p))
    bad = [(rows[i], variables[j]) for i, j in np.argwhere(~np.isfinite(jacobian))]
    assert not bad, f"{len(bad)} derivatives, the first are {bad[:5]}"
    bad = [variables[j] for j in np.flatnonzero(~np.isfinite(gradient))]
    assert not bad, f"by {len(bad)} variables, the first are {bad[:5]}"


def test_shipped_configs_cover_every_molecule_and_synapse_form(strict_types):
    """They include a molecule with two target arms, whose bridges have a square root at zero."""
    assert {pair.split("-")[0] for pair in PAIRS} == set(molecules.names())
    synapses = [typical(pair)[0].structure.synapse for pair in PAIRS]
    forms = (Plateau(), Plateau(REFINEMENTS), Relaxed(by_cd3=True))
    assert all(form in synapses for form in forms)
