"""Measures of the whole disease from its lesions: burden, new lesions, M-protein and volumes.

::

    cells of all lesions --> burden --> hazard of new lesions
                             burden --> M-protein --k_protein--> eliminated
    cells of a lesion -----> volume, share of the loss clone

The hazard of new lesions and the M-protein are states if the population has `lesions.k_new` and
`lesions.m_protein_baseline`; neither acts on the cells.

Assumed: the hazard of new lesions rises with the root of the burden and does not depend on the
drug; dying cells have the volume of living ones.

Differs from [Hosseini2020], which has the volume alone.
"""

import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.lesions import LesionCells, LesionParameters
from qsp.model.targets import TargetParameters, Targets
from qsp.model.tissues import TUMOR, TUMOR_KINDS
from qsp.typing import PerLesion, Scalar


def burden(x: Targets, p: TargetParameters) -> Scalar:
    r"""Viable tumor cells relative to those before treatment [1].

    Equations:
        Eq. N15: $$b = \frac{\max\left(\sum_{i \in clones} N_{i,tumor}, 0\right)}{\sum_{i \in
            clones} N_{0,i,tumor}}$$
        $b$ [1]: burden relative to that before treatment.
    """
    before = p.baseline[TUMOR_KINDS, TUMOR].sum(0)
    return numerics.ratio(jnp.maximum(x.viable[TUMOR_KINDS, TUMOR].sum(0), 0.0), before)


def new_lesion_rate(burden: Scalar, p: LesionParameters) -> Scalar:
    r"""Hazard of new lesions.

    Equations:
        Eq. N16: $$\frac{dH_{new}}{dt} = k_{new} \sqrt{b}$$
        $b$ [1]: burden relative to that before treatment, Eq. N15.
        $H_{new}$ [1]: cumulative hazard, `lesions.new_lesions`.
    """
    return p.k_new * numerics.root(burden)


def m_protein_rate(m_protein: Scalar, burden: Scalar, p: LesionParameters) -> Scalar:
    r"""Rate of the M-protein, whose production is proportional to the number of viable cells.

    Production balances elimination before treatment [Poels2025].

    Equations:
        Eq. N17: $$\frac{dM_{P}}{dt} = k_{protein} (b M_{0} - M_{P})$$
        $b$ [1]: burden relative to that before treatment, Eq. N15.
        $M_{P}$ [g/L]: M-protein in serum, `lesions.m_protein`.
    """
    return p.k_protein * (burden * p.m_protein_baseline - m_protein)


def lesion_volumes(x: LesionCells, p: TargetParameters) -> PerLesion:
    r"""Volume of each lesion with its dying cells [L].

    Equations:
        Eq. N18: $$V_{lesion,q} = \frac{N_{pos,q} + N_{loss,q} + D_{lesion,q}}{\delta}$$
        $V_{lesion}$ [L]: volume of a lesion.
    """
    return (x.positive + x.loss + x.dying) / p.density


def viable_volumes(x: LesionCells, p: TargetParameters) -> PerLesion:
    r"""Volume of the viable cells of each lesion [L].

    Equations:
        Eq. N20: $$V_{viable,q} = \frac{N_{pos,q} + N_{loss,q}}{\delta}$$
        $V_{viable}$ [L]: volume of the viable cells of a lesion.
    """
    return (x.positive + x.loss) / p.density


def loss_fractions(x: LesionCells) -> PerLesion:
    r"""Share of the loss clone in the viable cells of each lesion [1].

    Equations:
        Eq. N21: $$\phi_{loss,q} = \frac{\max(N_{loss,q}, 0)}{\max(N_{pos,q}, 0) +
            \max(N_{loss,q}, 0)}$$
        $\phi_{loss}$ [1]: share of the loss clone in a lesion.
    """
    positive, loss = jnp.maximum(x.positive, 0.0), jnp.maximum(x.loss, 0.0)
    return numerics.ratio(loss, positive + loss)
