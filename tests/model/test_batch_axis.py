"""Equations accept a last axis of patients on all arrays, with the same results as one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp import model
from qsp.model.axes import OneAxis, TwoAxes
from qsp.model.synapse import Equilibrium, Kinetic, Plateau, Relaxed
from qsp.model.t_cells import MassAction
from qsp.model.tumors import Lesions
from qsp.system import DOSE_KINDS, System
from tests.model.patient import busy, complete

FORMS = {
    "default": model.ModelStructure(),
    "two target arms": model.ModelStructure(synapse=Equilibrium(refinements=6)),
    "relaxed": model.ModelStructure(synapse=Relaxed()),
    "plateau": model.ModelStructure(synapse=Plateau(refinements=2)),
    "relaxed by CD3": model.ModelStructure(synapse=Relaxed(by_cd3=True)),
    "kinetic": model.ModelStructure(synapse=Kinetic()),
    "one axis": model.ModelStructure(severity=OneAxis()),
    "two axes": model.ModelStructure(severity=TwoAxes()),
    "lesions": model.ModelStructure(tumor=Lesions(3, m_protein=True)),
    "mass action": model.ModelStructure(recruitment=MassAction()),
}
SIMULATIONS = 5


def last(tree):
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), tree)


@pytest.fixture(scope="module")
def sims(strict_types):
    """Parameters, time and infusions of five patients."""
    rng = np.random.default_rng(1)

    def vary(leaf):
        return leaf * jnp.asarray(rng.uniform(0.8, 1.2, (SIMULATIONS, *leaf.shape)))

    infusion = jnp.asarray(rng.uniform(0.0, 9.0, (SIMULATIONS, len(DOSE_KINDS))))
    return jax.tree.map(vary, complete()), jnp.asarray(rng.uniform(0.0, 9.0, SIMULATIONS)), infusion


@pytest.mark.parametrize("name", FORMS)
def test_a_last_axis_of_patients_gives_the_results_of_each_patient(name, sims):
    p, time, infusion = sims
    system, rng = System(FORMS[name]), np.random.default_rng(2)
    one = busy(complete(), system, rng)
    x = jax.tree.map(
        lambda leaf: leaf * jnp.asarray(rng.uniform(0.8, 1.2, (SIMULATIONS, *leaf.shape))), one
    )

    def everything(time, x, p, infusion):
        return (
            system.rates(time, x, p, infusion),
            system.ends(x, p),
            system.peaks(x, p),
            system.areas(x, p),
            system.negligible(x, p),
        )

    alone = jax.jit(jax.vmap(everything))(time, x, p, infusion)
    together = jax.jit(everything)(time, last(x), last(p), last(infusion))
    for (path, one), (_, all_) in zip(
        jax.tree.leaves_with_path(last(alone)), jax.tree.leaves_with_path(together), strict=True
    ):
        np.testing.assert_allclose(
            all_, one, rtol=1e-9, atol=1e-12, err_msg=jax.tree_util.keystr(path)
        )
