"""Siltuximab: antibody against IL-6, one compartment.

Bound IL-6 does not signal and is cleared as slowly as the antibody, so that measured IL-6 rises.

::

    dose --> central --CL--> out

Assumed: IL-6 is far below the drug in concentration, so that binding does not use up drug.

No publication is reproduced: structure and values are assumed.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class SiltuximabParameters(eqx.Module):
    """Pharmacokinetics and affinity."""

    CL: Scalar = quantity("L/day", "Clearance")
    V: Scalar = quantity("L", "Volume")
    KD: Scalar = quantity("mg/L", "Concentration that binds half the IL-6")


class Siltuximab(eqx.Module):
    """Amount."""

    central: Scalar = quantity("mg", "Siltuximab", symbol="A_1")


def siltuximab_rates(x: Siltuximab, dosing: Scalar, p: SiltuximabParameters) -> Siltuximab:
    r"""Return the balance; `dosing` in mg/day.

    Equations:
        Eq. P13: $$\frac{dA_1}{dt} = r - \frac{CL}{V} A_1$$
        $r$ [mg/day]: rate of dosing.
    """
    return Siltuximab(central=dosing - p.CL / p.V * x.central)


def il6_free(x: Siltuximab, p: SiltuximabParameters) -> Scalar:
    r"""Return the fraction of IL-6 not bound: KD/(KD + C), 1 without the drug.

    Equations:
        Eq. P14: $$\phi_{IL6} = \frac{1}{1 + A_1 / (V \, KD)}$$
        $\phi_{IL6}$ [1]: fraction of IL-6 not bound.
    """
    return 1.0 / (1.0 + x.central / (p.V * p.KD))


INTERVENTION = Intervention(
    SiltuximabParameters,
    Siltuximab,
    entry="central",
    rates=siltuximab_rates,
    acts_on="il6_free",
    effect=il6_free,
    positive=("V", "KD"),
)
