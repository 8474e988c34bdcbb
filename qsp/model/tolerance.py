"""Absolute tolerances of the states for the error control of a solver.

Cells: 1e-6 of their pool; cytokines: 1e-3 pg/mL; drug: 1e-6 nmol/L; bridges: 1e-5 of those at
half-maximum killing; fractions and indices: 1e-7 (all assumed). No other state depends on the
cumulative sinks of the drug, so they have an infinite tolerance and never limit a step.
"""

import jax
import jax.numpy as jnp

from qsp.model import Parameters, State
from qsp.model.cytokines import Cytokines
from qsp.model.disposition import Drug
from qsp.model.lesions import LesionCells
from qsp.model.release import Release
from qsp.model.t_cells import TCells
from qsp.model.targets import Targets
from qsp.model.tissues import TUMOR, TUMOR_KINDS
from qsp.typing import Scalar

CELLS = 1e-6  # fraction of the pool
CYTOKINE = 1e-3  # pg/mL
DRUG = 1e-6  # nmol/L, or nmol for amounts
FRACTION = 1e-7
SMALLEST_POOL = 1.0  # Mcell: pool size that sets the tolerance of an empty pool


def negligible(x: State, p: Parameters) -> State:
    r"""Absolute tolerance of each state, in its unit, as a tree like the state.

    Equations:
        Eq. X11: $$t_{cells} = 10^{-6} \max(y_0, 1), \quad t_{cytokine} = 10^{-3}, \quad t_{drug} =
            10^{-6}$$
        Eq. X12: $$t_{bridges} = 10^{-5} \beta_{50,kill}, \quad t_{fraction} = 10^{-7}$$
        $y_0$ [Mcell]: cells before treatment, or the release drive that stimulates myeloid cells by
        one unit.
        $\beta_{50,kill}$ [molecule/synapse]: half-maximum killing, `synapse.beta50_kill`.
        $t_{cells}$ [Mcell]: tolerance of cells and of the release drive.
        $t_{cytokine}$ [pg/mL]: tolerance of cytokines.
        $t_{drug}$ [nmol/L]: tolerance of drug.
        $t_{bridges}$ [molecule/synapse]: tolerance of bridges.
        $t_{fraction}$ [1]: tolerance of fractions and indices.
    """
    t_cells = CELLS * jnp.maximum(p.t_cells.baseline, SMALLEST_POOL)
    targets = CELLS * jnp.maximum(p.targets.baseline, SMALLEST_POOL)
    drive = CELLS * jnp.maximum(p.cytokines.contact50, SMALLEST_POOL)
    unlimited, drug = jnp.full_like(drive, jnp.inf), jnp.full_like(drive, DRUG)
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
            eliminated=unlimited,
            internalized=unlimited,
            died=unlimited,
        ),
        bridges=jax.tree.map(
            lambda leaf: jnp.full_like(leaf, 1e-5 * p.synapse.beta50_kill), x.bridges
        ),
        t_cells=TCells(t_cells, t_cells, t_cells),
        adaptation=jax.tree.map(lambda leaf: jnp.full_like(leaf, FRACTION), x.adaptation),
        margination=fraction,
        targets=Targets(viable=targets, dying=targets[TUMOR_KINDS, TUMOR].sum(0)),
        lesions=_lesions(x.lesions, targets[TUMOR_KINDS, TUMOR].sum(0), p),
        release=Release(drive, drive, drive),
        cytokines=Cytokines(blood=cytokine, myeloid=fraction, tolerant=fraction),
        severity=fraction,
        axes=jax.tree.map(lambda leaf: jnp.full_like(leaf, FRACTION), x.axes),
    )


def _lesions(x: LesionCells, cells: Scalar, p: Parameters) -> LesionCells:
    """Tolerances of lesions: cells as of the tumor, fractions, and a fraction of the M-protein."""
    if x.positive is None:
        return x
    of_cells = jnp.zeros_like(x.positive) + cells
    protein = (
        None if x.m_protein is None else CELLS * jnp.maximum(p.lesions.m_protein_baseline, 1.0)
    )
    return LesionCells(
        positive=of_cells,
        loss=of_cells,
        dying=of_cells,
        exhaustion=jnp.full_like(x.exhaustion, FRACTION),
        new_lesions=None if x.new_lesions is None else jnp.full_like(x.new_lesions, FRACTION),
        m_protein=protein,
    )
