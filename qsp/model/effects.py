"""Effects of supportive drugs on the model, as numbers between 0 and 1.

`qsp.interventions` computes them from the pharmacokinetics of each supportive drug; the equations
of the model depend on the effects alone, not on the drug.

::

    dexamethasone     steroid     inhibits release and the cytokines of myeloid cells
    JAK inhibitor     jak         inhibits the signals of IFN-gamma and IL-6
    tocilizumab       il6r_free   lowers the signal of IL-6 and its loss by the receptor
    siltuximab        il6_free    lowers the signal of IL-6 and its loss
    anti-TNF          tnf_free    lowers the signal of TNF-alpha
    anakinra          il1r_free   lowers the IL-6 of myeloid cells
    kinase inhibitor  kinase      inhibits release

Differs from [Hosseini2020]: supportive drugs are an addition.
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.typing import Scalar
from qsp.units import quantity


class Effects(eqx.Module):
    """Effects of supportive drugs at one time."""

    steroid: Scalar = quantity(
        "1", "Glucocorticoid effect, as a fraction of its maximum", symbol="e_{steroid}"
    )
    jak: Scalar = quantity("1", "Fraction of JAK signaling inhibited", symbol="e_{JAK}")
    il6r_free: Scalar = quantity(
        "1", "Fraction of IL-6 receptors not blocked", symbol=r"\phi_{IL6R}"
    )
    tnf_free: Scalar = quantity("1", "Fraction of TNF-alpha not neutralized", symbol=r"\phi_{TNF}")
    il6_free: Scalar = quantity(
        "1", "Fraction of IL-6 not bound by an antibody", symbol=r"\phi_{IL6}"
    )
    il1r_free: Scalar = quantity(
        "1", "Fraction of the effect of IL-1 not blocked", symbol=r"\phi_{IL1R}"
    )
    kinase: Scalar = quantity(
        "1", "Fraction of cytokine release inhibited, without loss of killing", symbol="e_{kinase}"
    )


def no_effects() -> Effects:
    r"""Effects without supportive drugs.

    Equations:
        Eq. X1: $$e_{steroid} = e_{JAK} = e_{kinase} = 0, \quad \phi_{IL6R} = \phi_{TNF} =
            \phi_{IL6} = \phi_{IL1R} = 1$$
    """
    zero, one = jnp.asarray(0.0), jnp.asarray(1.0)
    return Effects(
        steroid=zero,
        jak=zero,
        il6r_free=one,
        tnf_free=one,
        il6_free=one,
        il1r_free=one,
        kinase=zero,
    )
