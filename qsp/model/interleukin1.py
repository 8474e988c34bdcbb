"""IL-1 in blood, at quasi-steady state with the myeloid cells that produce it (assumed).

::

    myeloid cells --> IL-1 --> IL-1 receptor --> IL-6 of myeloid cells
                        |            ^
                      loss       anakinra

The balance of IL-1 is ``d IL1/dt = p_IL1 * myeloid - k_IL1 * (IL1 - baseline)``. IL-1 is lost
within minutes (half-life 20 minutes, assumed), whereas myeloid cells and IL-6 change over hours, so
that IL-1 is at quasi-steady state and needs no state variable::

    IL1 = baseline + p_IL1 * myeloid / k_IL1

The IL-6 that depends on IL-1 is proportional to the rise of IL-1 and to the fraction of free IL-1
receptors: concentrations of IL-1 are far below saturation of the receptor. With all myeloid cells
active the rise is ``p_IL1 / k_IL1`` and causes a share s (`cytokines.share_IL1`) of their IL-6::

    production of IL-6 = p_IL6 * ((1 - s) * myeloid + s * free * (IL1 - baseline) / (p_IL1 / k_IL1))
                       = p_IL6 * myeloid * (1 - s * (1 - free))

Production and loss of IL-1 cancel: they set the reported IL-1, whereas the share alone sets the
reduction of IL-6 by anakinra. With IL-1 integrated as a state, peaks of IL-6 differ by less than
1 % and are 20 minutes later (60 mg of mosunetuzumab; 6 % with a half-life of one hour).

Not modeled: effects of IL-1 on fever, endothelium and further myeloid cells, and receptor-mediated
loss of IL-1, so that anakinra does not raise IL-1.

Differs from [Hosseini2020]: IL-6 is the only cytokine there; IL-1 and the share of IL-6 that
depends on it are additions.
"""

import equinox as eqx

from qsp.typing import Scalar
from qsp.units import quantity


class Interleukin1Parameters(eqx.Module):
    """Production of IL-1 by active myeloid cells, and its loss."""

    baseline: Scalar = quantity("pg/mL", "IL-1 concentration before treatment", symbol="IL1_0")
    p_IL1: Scalar = quantity("pg/mL/day", "Production of IL-1 by myeloid cells")
    k_IL1: Scalar = quantity("1/day", "Elimination rate of IL-1")


def il1(myeloid: Scalar, p: Interleukin1Parameters) -> Scalar:
    r"""IL-1 in blood at quasi-steady state: baseline + p_IL1 * myeloid / k_IL1.

    Equations:
        Eq. I1: $$IL1 = IL1_0 + \frac{p_{IL1} M_{eff}}{k_{IL1}}, \quad M_{eff} = M_{a} \eta$$
        $IL1$ [pg/mL]: IL-1 in blood.
        $M_{eff}$ [1]: activity of all myeloid cells.
        $M_{a}$ [1]: active fraction of myeloid cells, `cytokines.myeloid`.
        $\eta$ [1]: activity of myeloid cells under a steroid, Eq. C13.

    Args:
        myeloid: Activity of all myeloid cells, M_eff [1].
        p: Parameters.

    Returns:
        Concentration [pg/mL].
    """
    return p.baseline + p.p_IL1 * myeloid / p.k_IL1


def il6_factor(il1r_free: Scalar, share: Scalar) -> Scalar:
    r"""Production of IL-6 relative to that without IL-1 blockade: 1 - s * (1 - free).

    Equations:
        Eq. I2: $$f_{IL6} = 1 - share_{IL1} (1 - \phi_{IL1R})$$
        $f_{IL6}$ [1]: production of IL-6 relative to that without blockade.
        $share_{IL1}$ [1]: share of IL-6 that depends on IL-1, `cytokines.share_IL1`.
        $\phi_{IL1R}$ [1]: fraction of the effect of IL-1 not blocked.

    Args:
        il1r_free: Fraction of the effect of IL-1 not blocked [1]; 1 without a blocker.
        share: Share of the IL-6 of myeloid cells that depends on IL-1, s [1].

    Returns:
        Factor [1]; exactly 1 without a blocker.
    """
    return 1.0 - share * (1.0 - il1r_free)
