"""Subcutaneous anakinra: depot and plasma. It blocks the IL-1 receptor.

IL-1 is computed in `qsp.model.interleukin1`: myeloid cells secrete it, its half-life is minutes,
and part of the IL-6 of these cells depends on it (assumed).

::

    dose --> depot --ka--> plasma --CL--> out

Assumed: absorption is of first order, and the receptor is at equilibrium with plasma.

No publication is reproduced: structure and values are assumed.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class AnakinraParameters(eqx.Module):
    """Pharmacokinetics and potency."""

    ka: Scalar = quantity("1/day", "Absorption", symbol="k_{a}")
    CL: Scalar = quantity("L/day", "Apparent clearance")
    V: Scalar = quantity("L", "Apparent volume")
    KD: Scalar = quantity("mg/L", "Concentration that blocks half the effect of IL-1")


class Anakinra(eqx.Module):
    """Amounts."""

    depot: Scalar = quantity("mg", "Anakinra under the skin", symbol="A_{sc}")
    plasma: Scalar = quantity("mg", "Anakinra in plasma", symbol="A_1")


def anakinra_rates(x: Anakinra, dosing: Scalar, p: AnakinraParameters) -> Anakinra:
    r"""Return the balance; `dosing` in mg/day.

    Equations:
        Eq. P15: $$\frac{dA_{sc}}{dt} = r - k_{a} A_{sc}$$
        Eq. P16: $$\frac{dA_1}{dt} = k_{a} A_{sc} - \frac{CL}{V} A_1$$
        $r$ [mg/day]: rate of dosing.
    """
    absorption = p.ka * x.depot
    return Anakinra(depot=dosing - absorption, plasma=absorption - p.CL / p.V * x.plasma)


def il1r_free(x: Anakinra, p: AnakinraParameters) -> Scalar:
    r"""Return the fraction of the effect of IL-1 not blocked: KD/(KD + C), 1 without the drug.

    Equations:
        Eq. P17: $$\phi_{IL1R} = \frac{1}{1 + A_1 / (V \, KD)}$$
        $\phi_{IL1R}$ [1]: fraction of the effect of IL-1 not blocked.
    """
    return 1.0 / (1.0 + x.plasma / (p.V * p.KD))


INTERVENTION = Intervention(
    AnakinraParameters,
    Anakinra,
    entry="depot",
    rates=anakinra_rates,
    acts_on="il1r_free",
    effect=il1r_free,
    positive=("V", "KD"),
)
