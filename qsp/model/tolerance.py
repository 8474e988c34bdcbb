"""Size below which each state does not matter: the absolute tolerances, a tree like the state.

Cells 1e-6 of the pool they belong to, cytokines 1e-3 pg/mL (TCE-42 4.4); drug 1e-6 nmol/L,
bridges 1e-5 of those at half-maximum killing and fractions 1e-7 (assumed). Sinks are sums that
nothing depends on: they never bound a step.
"""

import jax
import jax.numpy as jnp

from qsp.model import Parameters, State
from qsp.model.cytokines import Cytokines
from qsp.model.disposition import Drug
from qsp.model.release import Release
from qsp.model.t_cells import TCells
from qsp.model.targets import Targets
from qsp.model.tissues import TUMOR, TUMOR_KINDS

CELLS = 1e-6
CYTOKINE = 1e-3  # pg/mL
DRUG = 1e-6  # nmol/L, and nmol for depots
FRACTION = 1e-7
SMALLEST_POOL = 1.0  # Mcell: tolerance of an empty pool


def negligible(x: State, p: Parameters) -> State:
    """Absolute tolerance of each state, in its unit."""
    pool = CELLS * jnp.maximum(p.t_cells.baseline, SMALLEST_POOL)
    targets = CELLS * jnp.maximum(p.targets.baseline, SMALLEST_POOL)
    drive = CELLS * jnp.maximum(p.traffic.S50, SMALLEST_POOL)
    never, drug = jnp.full_like(drive, jnp.inf), jnp.full_like(drive, DRUG)
    fraction = jnp.full_like(drive, FRACTION)
    cytokine = jnp.full_like(p.cytokines.baseline, CYTOKINE)
    return State(
        drug=Drug(
            depot=drug,
            lymph_1=drug,
            lymph_2=drug,
            soluble=jnp.full_like(x.drug.soluble, DRUG),
            peripheral=drug,
            soluble_target=jnp.full_like(x.drug.soluble_target, DRUG),
            competitor=drug,
            eliminated=never,
            internalized=never,
            died=never,
        ),
        bridges=jax.tree.map(
            lambda leaf: jnp.full_like(leaf, 1e-5 * p.synapse.beta50_kill), x.bridges
        ),
        t_cells=TCells(pool, pool, pool),
        margination=fraction,
        targets=Targets(viable=targets, dying=targets[TUMOR_KINDS, TUMOR].sum(0)),
        release=Release(drive, drive, drive),
        cytokines=Cytokines(blood=cytokine, myeloid=fraction, tolerant=fraction),
        severity=fraction,
    )
