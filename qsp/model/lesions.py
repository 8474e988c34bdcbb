"""Lesions of a tumor, each with its own cells, which share the drug and the T cells of the tumor.

Each lesion has antigen-positive cells, a clone that has lost the antigen, killed cells that are not
yet cleared, and T cells that exhaust as they kill. Lesions differ in size and in their maximum
killing rate, between patients and within a patient, so that one lesion may shrink while another
grows. A lesion with less than one cell has none: it does not grow back.

::

    growth --> antigen-positive --killing, less by exhaustion--> dying --k_clear--> cleared
    growth --> loss clone -------killing, if it has antigen----> dying
    contact and bridges --k_exhaust--> exhaustion --k_recover--> none

The sums over the lesions are `targets.viable` and `targets.dying` of the tumor, so that contacts,
binding and the balance of the drug see one tumor: malignant cells are the sum of antigen-positive
cells, antigen-low cells that of the loss clone, and so are their rates of killing. A lesion has the
share of the T cells of the tumor that it has of the tumor cells before treatment. Its resting T
cells kill too, by the bridges that they have: few bridges suffice to kill, whereas the release of
cytokines and proliferation, for which T cells become activated here, need many. Killing so depends
on beta50_kill of a molecule, and hardly on its beta50_act.

Assumed: tumor cells have no homeostasis and do not exchange with blood; T cells do not move between
lesions after treatment begins; cells of a patient that have lost the antigen are in all lesions in
the same proportion; exhaustion acts on killing and division, not on activation, the release of
cytokines or the number of T cells; lesions grow towards one common capacity.

Differs from [Hosseini2020], which has one lesion without exhaustion or loss of the antigen. Differs
from [Poels2025]: killed cells pass one compartment, not a chain of three.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.binding import BindingParameters
from qsp.model.engagement import EngagementParameters
from qsp.model.targets import TargetParameters
from qsp.model.tissues import ANTIGEN_LOW, MALIGNANT, TUMOR, TUMOR_KINDS
from qsp.typing import PerKindTissue, PerLesion, PerTissue, Scalar
from qsp.units import quantity


class LesionParameters(eqx.Module):
    """Size, killing, growth, exhaustion and loss of antigen of lesions; M-protein."""

    weight: PerLesion = quantity(
        "1", "Size of a lesion before treatment, relative to the others", dims=("lesion",)
    )
    k_kill: PerLesion = quantity(
        "1/day", "Maximum killing rate of antigen-positive cells in a lesion", dims=("lesion",)
    )
    growth_factor: PerLesion = quantity(
        "1",
        "Growth rate of a lesion, relative to that of the tumor",
        dims=("lesion",),
        symbol=r"\gamma",
    )
    weight_resting: Scalar = quantity(
        "1",
        "Killing by a resting T cell within reach of a lesion, relative to an activated one",
        symbol="w_{R}",
    )
    k_exhaust: Scalar = quantity("1/day", "Maximum rate of exhaustion of T cells in a lesion")
    k_recover: Scalar = quantity("1/day", "Rate of recovery of exhausted T cells")
    loss_share: Scalar = quantity(
        "1", "Share of tumor cells that have lost the antigen before treatment", symbol="f_{loss}"
    )
    loss_copies: Scalar = quantity(
        "1",
        "Target copies per cell of the loss clone, relative to malignant cells",
        symbol="f_{copies}",
    )
    loss_kill: Scalar = quantity(
        "1",
        "Maximum killing rate of the loss clone, relative to antigen-positive cells",
        symbol="f_{kill}",
    )
    one_cell: Scalar = quantity(
        "Mcell", "Number of cells below which a lesion does not grow", symbol="N_1"
    )
    k_new: Scalar = quantity(
        "1/day", "Hazard of new lesions at the burden before treatment", symbol="k_{new}"
    )
    m_protein_baseline: Scalar = quantity(
        "g/L", "M-protein in serum before treatment", symbol="M_{0}"
    )
    k_protein: Scalar = quantity("1/day", "Elimination rate of M-protein")


class LesionCells(eqx.Module):
    """Cells of each lesion, exhaustion, and quantities of the whole disease.

    All are None in a tumor that is one pool; the last two where the disease does not have them.
    """

    positive: Any = quantity(
        "Mcell", "Antigen-positive cells of a lesion", dims=("lesion",), symbol="N_{pos}"
    )
    loss: Any = quantity(
        "Mcell", "Cells of a lesion without antigen", dims=("lesion",), symbol="N_{loss}"
    )
    dying: Any = quantity(
        "Mcell",
        "Killed cells of a lesion not yet cleared",
        dims=("lesion",),
        symbol="D_{lesion}",
    )
    exhaustion: Any = quantity(
        "1",
        "Share of the killing by T cells of a lesion that exhaustion has removed",
        dims=("lesion",),
        symbol=r"\xi",
    )
    new_lesions: Any = quantity("1", "Cumulative hazard of new lesions", symbol="H_{new}")
    m_protein: Any = quantity("g/L", "M-protein in serum", symbol="M_{P}")


class LesionKilling(eqx.Module):
    """Killing in each lesion; None in a tumor that is one pool."""

    positive: Any = quantity(
        "Mcell/day",
        "Killing rate of antigen-positive cells of a lesion",
        dims=("lesion",),
        symbol="J_{pos}",
    )
    loss: Any = quantity(
        "Mcell/day",
        "Killing rate of the loss clone of a lesion",
        dims=("lesion",),
        symbol="J_{loss}",
    )


class Attack(eqx.Module):
    """Effector cells and the effect of their bridges; lesions share those of the tumor."""

    effectors: PerTissue = quantity("Mcell", "Effector cells", dims=("tissue",), symbol="E")
    resting: PerTissue = quantity(
        "Mcell", "Resting T cells within reach of targets", dims=("tissue",), symbol="R_{reach}"
    )
    in_reach: PerTissue = quantity(
        "Mcell", "T cells within reach of targets", dims=("tissue",), symbol="T_{reach}"
    )
    h_kill: PerKindTissue = quantity("1", "Killing per contact", dims=("kind", "tissue"))


def loss_clone_copies(b: BindingParameters, p: LesionParameters) -> Scalar:
    r"""Target copies per cell of the loss clone, which takes the place of the antigen-low clone.

    Equations:
        Eq. N19: $$n_{loss} = f_{copies} n_{target,malignant,tumor}$$
        $n_{loss}$ [molecule/cell]: target molecules per cell of the loss clone in the tumor; its
        cells have the area of the antigen-low clone.
    """
    return p.loss_copies * b.copies_target[MALIGNANT, TUMOR]


def share(weight: PerLesion) -> PerLesion:
    r"""Share of each lesion in the cells and T cells of the tumor before treatment.

    Equations:
        Eq. N1: $$s_{q} = \frac{w_{q}}{\sum_{q} w_{q}}$$
        $s$ [1]: share of a lesion.
        $w$ [1]: size of a lesion relative to the others, `lesions.weight`.

    Args:
        weight: Size of the simulated lesions, relative to each other [1]; (lesion,).
    """
    return numerics.ratio(weight, weight.sum(0))


def lesion_baseline(s: PerLesion, t: TargetParameters, p: LesionParameters) -> tuple[Any, Any]:
    r"""Antigen-positive cells and the loss clone before treatment [Mcell]; (lesion,) each.

    A patient whose loss clone would be less than one cell in a lesion has none there.

    Equations:
        Eq. N2: $$N_{pos,q}(0) = s_{q} N_{all} - N_{loss,q}(0), \quad N_{all} = \sum_{i \in clones}
            N_{0,i,tumor}$$
        Eq. N3: $$N_{loss,q}(0) = f_{loss} s_{q} N_{all} \quad (f_{loss} s_{q} N_{all} \ge N_1),
            \quad N_{loss,q}(0) = 0 \quad (f_{loss} s_{q} N_{all} < N_1)$$
        Eq. N4: $$D_{lesion,q}(0) = \xi_{q}(0) = H_{new}(0) = 0, \quad M_{P}(0) = M_{0}$$
        $s$ [1]: share of a lesion, Eq. N1.
        $N_{all}$ [Mcell]: tumor cells before treatment.

    Args:
        s: Share of each lesion [1]; (lesion,).
        t: Number of tumor cells before treatment.
        p: Loss clone.
    """
    cells = s * t.baseline[TUMOR_KINDS, TUMOR].sum(0)
    clone = p.loss_share * cells
    loss = jnp.where(clone < p.one_cell, 0.0, clone)
    return cells - loss, loss


def lesion_killing(
    x: LesionCells,
    s: PerLesion,
    k_kill: PerLesion,
    attack: Attack,
    p: LesionParameters,
    e: EngagementParameters,
) -> LesionKilling:
    r"""Killing in each lesion, as Eq. E7 and E8 for its share of the T cells of the tumor.

    Equations:
        Eq. N5: $$a_{q} = \frac{E_{q}}{E_{q} + k_{K} \max(N_{pos,q} + N_{loss,q}, 0)}, \quad E_{q} =
            s_{q} (E_{tumor} + w_{R} R_{reach,tumor})$$
        Eq. N6: $$J_{pos,q} = k_{kill,q} (1 - \xi_{q}) a_{q} h_{kill,malignant,tumor} N_{pos,q}$$
        Eq. N7: $$J_{loss,q} = f_{kill} k_{kill,q} (1 - \xi_{q}) a_{q} h_{kill,antigen_low,tumor}
            N_{loss,q}$$
        $a$ [1]: fraction of the cells of a lesion attacked.
        $E$ [Mcell]: effector cells of a tissue, Eq. E8, or of a lesion.
        $s$ [1]: share of a lesion, Eq. N1.
        $k_{kill}$ [1/day]: maximum killing rate in a lesion, `lesions.k_kill`.

    Args:
        x: Lesions.
        s: Share of each lesion [1]; (lesion,).
        k_kill: Maximum killing rate of the simulated lesions [1/day]; (lesion,).
        attack: Effector cells and killing per contact.
        p: Loss clone.
        e: Effector cells per target cell at which half of the targets are attacked.

    Returns:
        Killing rates [Mcell/day].
    """
    effectors = s * (attack.effectors[TUMOR] + p.weight_resting * attack.resting[TUMOR])
    cells = jnp.maximum(x.positive + x.loss, 0.0)
    attacked = numerics.ratio(effectors, effectors + e.k_K * cells)
    h_kill, rate = attack.h_kill, k_kill * (1.0 - x.exhaustion) * attacked
    return LesionKilling(
        positive=rate * h_kill[MALIGNANT, TUMOR] * x.positive,
        loss=p.loss_kill * rate * h_kill[ANTIGEN_LOW, TUMOR] * x.loss,
    )


def dividing(cells: PerLesion, one_cell: Scalar) -> PerLesion:
    r"""Factor of growth that is 1 in a lesion with many cells, and 0 without one.

    Equations:
        Eq. N8: $$f(x) = 1 - \frac{N_1^2}{\max(x, 0)^2 + N_1^2 + 10^{-24}}$$
        $x$ [Mcell]: cells of a lesion.
        $f$ [1]: factor of growth.
        $N_1$ [Mcell]: one cell, `lesions.one_cell`.
    """
    some, one = jnp.maximum(cells, 0.0), one_cell * one_cell
    return 1.0 - one / (some * some + one + numerics.TINY**2)


def lesion_rates(
    x: LesionCells,
    killed: LesionKilling,
    growth: PerKindTissue,
    factor: PerLesion,
    t: TargetParameters,
    p: LesionParameters,
) -> tuple[PerLesion, PerLesion, PerLesion]:
    r"""Rates of the antigen-positive, lost and dying cells of each lesion [Mcell/day].

    Equations:
        Eq. N9: $$\frac{dN_{pos,q}}{dt} = \gamma_{q} g_{growth,malignant,tumor} f(N_{pos,q})
            N_{pos,q} - J_{pos,q}$$
        Eq. N10: $$\frac{dN_{loss,q}}{dt} = \gamma_{q} g_{growth,antigen_low,tumor} f(N_{loss,q})
            N_{loss,q} - J_{loss,q}$$
        Eq. N11: $$\frac{dD_{lesion,q}}{dt} = J_{pos,q} + J_{loss,q} - k_{clear} D_{lesion,q}$$
        $g_{growth}$ [1/day]: growth per cell in the whole tumor, Eq. G2.
        $f$ [1]: factor of growth, Eq. N8.
        $\gamma$ [1]: growth rate relative to the tumor, `lesions.growth_factor`.

    Args:
        x: Lesions.
        killed: Killing in each lesion.
        growth: Growth per cell in the whole tumor [1/day]; (kind, tissue).
        factor: Growth rate of the simulated lesions, relative to the tumor [1]; (lesion,).
        t: Clearance of killed cells.
        p: One cell.
    """
    positive, loss = growth[MALIGNANT, TUMOR], growth[ANTIGEN_LOW, TUMOR]
    return (
        factor * positive * dividing(x.positive, p.one_cell) * x.positive - killed.positive,
        factor * loss * dividing(x.loss, p.one_cell) * x.loss - killed.loss,
        killed.positive + killed.loss - t.k_clear * x.dying,
    )


def exhaustion_rate(
    x: LesionCells,
    s: PerLesion,
    attack: Attack,
    p: LesionParameters,
    e: EngagementParameters,
) -> PerLesion:
    r"""Rate of exhaustion: T cells in contact with antigen-positive cells exhaust, others recover.

    Equations:
        Eq. N12: $$\frac{d\xi_{q}}{dt} = k_{exhaust} p_{pos,q} h_{kill,malignant,tumor} (1 -
            \xi_{q}) - k_{recover} \xi_{q}$$
        Eq. N13: $$p_{pos,q} = \frac{\max(N_{pos,q}, 0)}{\max(N_{pos,q}, 0) + \max(N_{loss,q}, 0) +
            k_{T,tumor} s_{q} T_{reach,tumor}}$$
        $p_{pos}$ [1]: fraction of the T cells of a lesion in contact with antigen-positive cells.
        $s$ [1]: share of a lesion, Eq. N1.

    Args:
        x: Lesions.
        s: Share of each lesion [1]; (lesion,).
        attack: T cells within reach of targets, and killing per contact.
        p: Exhaustion.
        e: Target cells per T cell at which half of the T cells are in contact.

    Returns:
        Rate [1/day]; (lesion,).
    """
    positive, loss = jnp.maximum(x.positive, 0.0), jnp.maximum(x.loss, 0.0)
    touching = numerics.ratio(positive, positive + loss + e.k_T[TUMOR] * s * attack.in_reach[TUMOR])
    exhausting = p.k_exhaust * touching * attack.h_kill[MALIGNANT, TUMOR]
    return exhausting * (1.0 - x.exhaustion) - p.k_recover * x.exhaustion


def division(x: LesionCells, s: PerLesion) -> Scalar:
    r"""Division of T cells of the tumor, relative to that without exhaustion.

    Equations:
        Eq. N14: $$\zeta = \sum_{q} s_{q} (1 - \xi_{q})$$
        $\zeta$ [1]: division of T cells of the tumor relative to that without exhaustion; a factor
        of Eq. T9.
        $s$ [1]: share of a lesion, Eq. N1.
    """
    return (s * (1.0 - x.exhaustion)).sum(0)
