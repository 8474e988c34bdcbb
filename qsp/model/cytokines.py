"""Myeloid activation and the cytokines in blood (TCE-42 (f), A10).

::

    release --> IFN-gamma, TNF-alpha, IL-2 --> myeloid cells --> IL-6, IL-10, TNF-alpha
                IFN-gamma --> CXCL10              ^ | |             ^
                                      tolerance --+ | +--> IL-1 ----+
                                                    +-- IL-10 holds back

Cytokines are pooled in blood and share one axis in memory; the equations name each.
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.model.effects import Effects
from qsp.model.interleukin1 import il6_left
from qsp.typing import PerCytokine, Scalar
from qsp.units import quantity

CYTOKINES = ("ifn_gamma", "tnf_alpha", "il2", "il6", "il10", "cxcl10")
IFN_GAMMA, TNF_ALPHA, IL2, IL6, IL10, CXCL10 = range(6)


class CytokineParameters(eqx.Module):
    """Production by the release (per Mcell) or by myeloid cells (per fraction active), and loss."""

    baseline: PerCytokine = quantity("pg/mL", "Cytokine before treatment", dims=("cytokine",))
    k_loss: PerCytokine = quantity("1/day", "Loss", dims=("cytokine",))
    p_IFN: Scalar = quantity("pg/mL/day/Mcell", "IFN-gamma from T cells")
    p_TNF: Scalar = quantity("pg/mL/day/Mcell", "TNF-alpha from T cells")
    p_TNF_myeloid: Scalar = quantity("pg/mL/day", "TNF-alpha from myeloid cells")
    p_IL2: Scalar = quantity("pg/mL/day/Mcell", "IL-2 from T cells")
    p_IL6: Scalar = quantity("pg/mL/day", "IL-6 from myeloid cells")
    p_IL10: Scalar = quantity("pg/mL/day", "IL-10 from myeloid cells")
    p_IL10_T: Scalar = quantity("pg/mL/day/Mcell", "IL-10 from T cells")
    p_CXCL10: Scalar = quantity("pg/mL/day", "CXCL10 at high IFN-gamma")
    IFN50_CXCL10: Scalar = quantity("pg/mL", "IFN-gamma rise at half-maximum CXCL10")
    k_IL6_receptor: Scalar = quantity("1/day", "Loss of IL-6 through its receptor")
    k_IL6_bound: Scalar = quantity("1/day", "Loss of IL-6 that an antibody holds")
    share_IL1: Scalar = quantity("1", "Part of the IL-6 of myeloid cells that IL-1 makes them make")
    k_myeloid_on: Scalar = quantity("1/day", "Activation of myeloid cells")
    k_myeloid_off: Scalar = quantity("1/day", "Deactivation of myeloid cells")
    f_tolerant: Scalar = quantity("1", "Fraction of deactivated cells that turn tolerant")
    k_recovery: Scalar = quantity("1/day", "Recovery from tolerance")
    IFN50: Scalar = quantity("pg/mL", "IFN-gamma rise that half activates myeloid cells")
    TNF50: Scalar = quantity("pg/mL", "TNF-alpha rise that half activates myeloid cells")
    contact50: Scalar = quantity("Mcell", "Release that half activates myeloid cells by contact")
    IL10_50: Scalar = quantity("pg/mL", "IL-10 rise that halves myeloid activation")
    steroid_myeloid: Scalar = quantity("1", "Maximum inhibition of myeloid cells by a steroid")


class Cytokines(eqx.Module):
    """Cytokines in blood and the cells that make them."""

    blood: PerCytokine = quantity("pg/mL", "Cytokine in blood", dims=("cytokine",))
    myeloid: Scalar = quantity("1", "Active fraction of myeloid cells")
    tolerant: Scalar = quantity("1", "Tolerant fraction of myeloid cells")


def cytokine_rates(
    x: Cytokines, release: Scalar, effects: Effects, p: CytokineParameters
) -> Cytokines:
    """Myeloid activation, tolerance, and the six cytokines; TCE-42 (f).

    Differs from TCE-42: an antibody against IL-6 keeps it from all other loss, and IL-1 stands
    behind a share of the IL-6 of myeloid cells (`interleukin1`, assumed).

    The IL-6 receptor clears IL-6: blocking it (il6r_free < 1) raises what is measured. IL-10 acts
    by its rise (A10).

    Args:
        x: State.
        release: Release that reaches blood [Mcell].
        effects: Supportive drugs.
        p: Parameters.
    """
    rise = x.blood - p.baseline
    ifn_seen = rise[IFN_GAMMA] * (1.0 - effects.jak)
    uninhibited = spared_by_steroid(effects, p)
    signal = (
        ifn_seen / p.IFN50 + rise[TNF_ALPHA] / p.TNF50 * effects.tnf_free + release / p.contact50
    )
    stimulus = signal * uninhibited / (1.0 + rise[IL10] / p.IL10_50)

    resting = 1.0 - x.myeloid - x.tolerant
    activation = p.k_myeloid_on * stimulus / (1.0 + stimulus) * resting
    deactivation = p.k_myeloid_off * x.myeloid
    recovery = p.k_recovery * x.tolerant

    myeloid = x.myeloid * uninhibited
    baseline_il6 = (p.k_loss[IL6] + p.k_IL6_receptor) * p.baseline[IL6]
    production = jnp.stack(
        [
            p.p_IFN * release,
            p.p_TNF * release + p.p_TNF_myeloid * myeloid,
            p.p_IL2 * release,
            p.p_IL6 * myeloid * il6_left(effects.il1r_free, p.share_IL1) + baseline_il6,
            p.p_IL10 * x.myeloid + p.p_IL10_T * release,
            p.p_CXCL10 * ifn_seen / (p.IFN50_CXCL10 + ifn_seen) * uninhibited,
        ]
    )
    free, bound = effects.il6_free * x.blood[IL6], (1.0 - effects.il6_free) * x.blood[IL6]
    loss_il6 = p.k_loss[IL6] * free + p.k_IL6_receptor * effects.il6r_free * free
    own_loss = (p.k_loss * rise).at[IL6].set(loss_il6 + p.k_IL6_bound * bound)
    return Cytokines(
        blood=production - own_loss,
        myeloid=activation - deactivation,
        tolerant=p.f_tolerant * deactivation - recovery,
    )


def spared_by_steroid(effects: Effects, p: CytokineParameters) -> Scalar:
    """What a steroid leaves of the activity of myeloid cells; exactly 1 without one."""
    return 1.0 - p.steroid_myeloid * effects.steroid


def quiet(p: CytokineParameters) -> Cytokines:
    """Before treatment."""
    zero = jnp.zeros_like(p.p_IFN)
    return Cytokines(blood=p.baseline, myeloid=zero, tolerant=zero)
