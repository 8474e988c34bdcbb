"""Dexamethasone: one compartment and an effect site [Krzyzanski2021].

Its effect is a fraction of the maximum glucocorticoid effect.

::

    dose --> central --CL--> out
                |
                +--ke0--> effect site

Assumed: oral and intravenous doses enter the central compartment at once, and the effect depends on
total drug.

Differs from [Krzyzanski2021]: central and peripheral volume are one compartment, there is no
absorption, and the effect site is an addition.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class DexamethasoneParameters(eqx.Module):
    """Pharmacokinetics and potency."""

    CL: Scalar = quantity("L/day", "Clearance")
    V: Scalar = quantity("L", "Volume")
    ke0: Scalar = quantity("1/day", "Equilibration of the effect site", symbol="k_{e0}")
    IC50: Scalar = quantity("mg/L", "Effect-site concentration at half-maximum effect")


class Dexamethasone(eqx.Module):
    """Amount and effect site."""

    central: Scalar = quantity("mg", "Dexamethasone", symbol="A_1")
    effect_site: Scalar = quantity("mg/L", "Dexamethasone at the effect site", symbol="c_{e}")


def dexamethasone_rates(
    x: Dexamethasone, dosing: Scalar, p: DexamethasoneParameters
) -> Dexamethasone:
    r"""Return the balance; `dosing` in mg/day.

    Equations:
        Eq. P5: $$\frac{dA_1}{dt} = r - CL \frac{A_1}{V}$$
        Eq. P6: $$\frac{dc_{e}}{dt} = k_{e0} \left(\frac{A_1}{V} - c_{e}\right)$$
        $r$ [mg/day]: rate of dosing.
    """
    concentration = x.central / p.V
    return Dexamethasone(
        central=dosing - p.CL * concentration,
        effect_site=p.ke0 * (concentration - x.effect_site),
    )


def steroid(x: Dexamethasone, p: DexamethasoneParameters) -> Scalar:
    r"""Return the fraction of the maximum steroid effect: C/(IC50 + C).

    Equations:
        Eq. P7: $$e_{steroid} = \frac{c_{e}}{IC50 + c_{e}}$$
        $e_{steroid}$ [1]: fraction of the maximum glucocorticoid effect.
    """
    return x.effect_site / (p.IC50 + x.effect_site)


INTERVENTION = Intervention(
    DexamethasoneParameters,
    Dexamethasone,
    entry="central",
    rates=dexamethasone_rates,
    acts_on="steroid",
    effect=steroid,
    positive=("V", "IC50"),
)
