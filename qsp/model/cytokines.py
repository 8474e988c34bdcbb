"""Activation of myeloid cells and the cytokines in blood.

::

    release --> IFN-gamma, TNF-alpha, IL-2 --> myeloid cells --> IL-6, IL-10, TNF-alpha
                IFN-gamma --> CXCL10              ^ | |             ^
                                      tolerance --+ | +--> IL-1 ----+
                                                    +-- IL-10 (inhibits)

Assumed: one well-mixed pool of cytokines in blood. The cytokines share one array axis; the
production term of each is written separately.

Differs from [Hosseini2020]: IL-6 comes from myeloid cells that T-cell cytokines and contact
activate, not from activated T cells, and blood is its only compartment. Differs from [Poels2025]:
cytokines have sources of their own; there one cytokine comes from the trimers in the marrow.
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.effects import Effects
from qsp.model.interleukin1 import il6_factor
from qsp.typing import PerCytokine, Scalar
from qsp.units import quantity

CYTOKINES = ("ifn_gamma", "tnf_alpha", "il2", "il6", "il10", "cxcl10")
IFN_GAMMA, TNF_ALPHA, IL2, IL6, IL10, CXCL10 = range(6)


class CytokineParameters(eqx.Module):
    """Production by T cells (per Mcell) and by active myeloid cells, loss, and potencies."""

    baseline: PerCytokine = quantity(
        "pg/mL", "Cytokine concentration before treatment", dims=("cytokine",), symbol="c_0"
    )
    k_loss: PerCytokine = quantity("1/day", "Elimination rate of a cytokine", dims=("cytokine",))
    p_IFN: Scalar = quantity("pg/mL/day/Mcell", "Production of IFN-gamma by T cells")
    p_TNF: Scalar = quantity("pg/mL/day/Mcell", "Production of TNF-alpha by T cells")
    p_TNF_myeloid: Scalar = quantity("pg/mL/day", "Production of TNF-alpha by myeloid cells")
    p_IL2: Scalar = quantity("pg/mL/day/Mcell", "Production of IL-2 by T cells")
    p_IL6: Scalar = quantity("pg/mL/day", "Production of IL-6 by myeloid cells")
    p_IL10: Scalar = quantity("pg/mL/day", "Production of IL-10 by myeloid cells")
    p_IL10_T: Scalar = quantity("pg/mL/day/Mcell", "Production of IL-10 by T cells")
    p_CXCL10: Scalar = quantity("pg/mL/day", "Maximum production of CXCL10")
    IFN50_CXCL10: Scalar = quantity(
        "pg/mL", "Rise of IFN-gamma at half-maximum production of CXCL10"
    )
    k_IL6_receptor: Scalar = quantity("1/day", "Elimination rate of IL-6 by its receptor")
    k_IL6_bound: Scalar = quantity("1/day", "Elimination rate of IL-6 bound to an antibody")
    share_IL1: Scalar = quantity("1", "Share of the IL-6 of myeloid cells that depends on IL-1")
    k_myeloid_on: Scalar = quantity("1/day", "Maximum rate of activation of myeloid cells")
    u50_myeloid: Scalar = quantity(
        "1", "Stimulus at half-maximum activation of myeloid cells", symbol="u_{50}"
    )
    hill_myeloid: Scalar = quantity(
        "1", "Hill coefficient of the activation of myeloid cells", symbol="n_{myeloid}"
    )
    k_myeloid_off: Scalar = quantity("1/day", "Deactivation rate of myeloid cells")
    f_tolerant: Scalar = quantity("1", "Fraction of deactivated myeloid cells that become tolerant")
    k_recovery: Scalar = quantity("1/day", "Recovery rate of myeloid cells from tolerance")
    IFN50: Scalar = quantity(
        "pg/mL", "Rise of IFN-gamma at half-maximum activation of myeloid cells"
    )
    TNF50: Scalar = quantity(
        "pg/mL", "Rise of TNF-alpha at half-maximum activation of myeloid cells"
    )
    contact50: Scalar = quantity(
        "Mcell", "Release drive at half-maximum activation of myeloid cells by contact"
    )
    IL10_50: Scalar = quantity("pg/mL", "Rise of IL-10 that halves the stimulus of myeloid cells")
    steroid_stimulus: Scalar = quantity(
        "1",
        "Maximum inhibition of the stimulus of myeloid cells by glucocorticoids",
        symbol=r"\sigma_{stimulus}",
    )
    steroid_production: Scalar = quantity(
        "1",
        "Maximum inhibition of the production of cytokines by myeloid cells by glucocorticoids",
        symbol=r"\sigma_{production}",
    )


class Cytokines(eqx.Module):
    """Cytokines in blood and the states of the myeloid cells."""

    blood: PerCytokine = quantity("pg/mL", "Cytokine in blood", dims=("cytokine",), symbol="c")
    myeloid: Scalar = quantity("1", "Active fraction of myeloid cells", symbol="M_{a}")
    tolerant: Scalar = quantity("1", "Tolerant fraction of myeloid cells", symbol="M_{tol}")


def cytokine_rates(
    x: Cytokines,
    release: Scalar,
    effects: Effects,
    p: CytokineParameters,
    memory_factor: Scalar,
) -> Cytokines:
    r"""Activation and tolerance of myeloid cells, and production and loss of the six cytokines.

    IFN-gamma, TNF-alpha and contact activate resting myeloid cells; IL-10 inhibits them; a fraction
    of the deactivated cells is tolerant for a time. Steroids inhibit the production by active cells
    (steroid_production), and may inhibit their activation (the shipped steroid_stimulus is 0).
    Cytokines act by their rise above baseline. The IL-6 receptor clears IL-6, so that blocking it
    (il6r_free < 1) raises the measured IL-6.

    Assumed: IL-6 on an antibody is lost only as the complex; a share of the IL-6 of myeloid cells
    depends on IL-1 (`interleukin1`); steroids do not inhibit the production of IL-10 by active
    myeloid cells (no eta in Eq. C9).

    Equations:
        Eq. C1: $$\frac{dc_{i}}{dt} = P_{i} - L_{i}$$
        Eq. C2: $$\frac{dM_{a}}{dt} = k_{myeloid,on}
            \frac{u^{n_{myeloid}}}{u_{50}^{n_{myeloid}} + u^{n_{myeloid}}} (1 - M_{a} - M_{tol}) -
            k_{myeloid,off} M_{a}$$
        Eq. C3: $$\frac{dM_{tol}}{dt} = \min(f_{m} f_{tolerant}, 1) k_{myeloid,off} M_{a} -
            k_{recovery} M_{tol}$$
        Eq. C4: $$u = \left(\frac{\Delta_{IFN} (1 - e_{JAK})}{IFN50} + \frac{\Delta_{TNF}
            \phi_{TNF}}{TNF50} + \frac{z_2}{contact50}\right) \frac{\eta_{u}}{1 + \Delta_{IL10} /
            IL10_{50}}, \quad \Delta_{i} = c_{i} - c_{0,i}$$
        Eq. C15: $$\eta_{u} = 1 - \sigma_{stimulus} e_{steroid}$$
        Eq. C5: $$P_{IFN} = p_{IFN} z_2$$
        Eq. C6: $$P_{TNF} = p_{TNF} z_2 + p_{TNF,myeloid} M_{a} \eta$$
        Eq. C7: $$P_{IL2} = p_{IL2} z_2$$
        Eq. C8: $$P_{IL6} = p_{IL6} M_{a} \eta f_{IL6} + (k_{loss,IL6} + k_{IL6,receptor})
            c_{0,IL6}$$
        Eq. C9: $$P_{IL10} = p_{IL10} M_{a} + p_{IL10,T} z_2$$
        Eq. C10: $$P_{CXCL10} = \frac{p_{CXCL10} \Delta_{IFN} (1 - e_{JAK})}{IFN50_{CXCL10} +
            \Delta_{IFN} (1 - e_{JAK})} \eta$$
        Eq. C11: $$L_{i} = k_{loss,i} \Delta_{i} \quad (i \ne IL6)$$
        Eq. C12: $$L_{IL6} = \left((k_{loss,IL6} + k_{IL6,receptor} \phi_{IL6R}) \phi_{IL6} +
            k_{IL6,bound} (1 - \phi_{IL6})\right) c_{IL6}$$
        $P$ [pg/mL/day]: production of a cytokine.
        $L$ [pg/mL/day]: loss of a cytokine.
        $u$ [1]: stimulus of myeloid cells.
        $\Delta$ [pg/mL]: rise of a cytokine above baseline.
        $z_2$ [Mcell]: delayed release drive, `release.transit_2`.
        $\eta_{u}$ [1]: stimulus of myeloid cells under a steroid, Eq. C15.
        $\eta$ [1]: production of myeloid cells under a steroid, Eq. C13.
        $f_{m}$ [1]: correction of memories for a steroid, Eq. M8.
        $f_{IL6}$ [1]: effect of an IL-1 blocker on IL-6, Eq. I2.

    Args:
        x: State.
        release: Release drive that reaches blood [Mcell].
        effects: Effects of the supportive drugs.
        p: Parameters.
        memory_factor: Correction of memories for a steroid, f_m [1].
    """
    rise = x.blood - p.baseline
    ifn_signal = rise[IFN_GAMMA] * (1.0 - effects.jak)
    uninhibited = steroid_factor(effects, p)
    signal = (
        ifn_signal / p.IFN50 + rise[TNF_ALPHA] / p.TNF50 * effects.tnf_free + release / p.contact50
    )
    unstimulated = 1.0 - p.steroid_stimulus * effects.steroid
    stimulus = signal * unstimulated / (1.0 + rise[IL10] / p.IL10_50)

    resting = 1.0 - x.myeloid - x.tolerant
    activation = p.k_myeloid_on * numerics.hill(stimulus, p.u50_myeloid, p.hill_myeloid) * resting
    deactivation = p.k_myeloid_off * x.myeloid
    recovery = p.k_recovery * x.tolerant

    myeloid = x.myeloid * uninhibited
    baseline_il6 = (p.k_loss[IL6] + p.k_IL6_receptor) * p.baseline[IL6]
    production = jnp.stack(
        [
            p.p_IFN * release,
            p.p_TNF * release + p.p_TNF_myeloid * myeloid,
            p.p_IL2 * release,
            p.p_IL6 * myeloid * il6_factor(effects.il1r_free, p.share_IL1) + baseline_il6,
            p.p_IL10 * x.myeloid + p.p_IL10_T * release,
            p.p_CXCL10 * ifn_signal / (p.IFN50_CXCL10 + ifn_signal) * uninhibited,
        ]
    )
    free, bound = effects.il6_free * x.blood[IL6], (1.0 - effects.il6_free) * x.blood[IL6]
    loss_il6 = p.k_loss[IL6] * free + p.k_IL6_receptor * effects.il6r_free * free
    loss = (p.k_loss * rise).at[IL6].set(loss_il6 + p.k_IL6_bound * bound)
    return Cytokines(
        blood=production - loss,
        myeloid=activation - deactivation,
        tolerant=jnp.minimum(memory_factor * p.f_tolerant, 1.0) * deactivation - recovery,
    )


def steroid_factor(effects: Effects, p: CytokineParameters) -> Scalar:
    r"""Production of cytokines by myeloid cells under a steroid, relative to that without.

    It is exactly 1 without a steroid.

    Equations:
        Eq. C13: $$\eta = 1 - \sigma_{production} e_{steroid}$$
        $\eta$ [1]: production relative to that without a steroid.
    """
    return 1.0 - p.steroid_production * effects.steroid


def cytokine_baseline(p: CytokineParameters) -> Cytokines:
    r"""State before treatment: cytokines at baseline, all myeloid cells resting.

    Equations:
        Eq. C14: $$c_{i}(0) = c_{0,i}, \quad M_{a}(0) = M_{tol}(0) = 0$$
    """
    zero = jnp.zeros_like(p.p_IFN)
    return Cytokines(blood=p.baseline, myeloid=zero, tolerant=zero)
