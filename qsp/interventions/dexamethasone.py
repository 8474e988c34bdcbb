"""Dexamethasone: one compartment and an effect site [Krzyzanski2021].

Its effect is a fraction of the maximum glucocorticoid effect.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class DexamethasoneParameters(eqx.Module):
    """Pharmacokinetics and potency."""

    CL: Scalar = quantity("L/day", "Clearance")
    V: Scalar = quantity("L", "Volume")
    ke0: Scalar = quantity("1/day", "Equilibration of the effect site")
    IC50: Scalar = quantity("mg/L", "Effect-site concentration at half-maximum effect")


class Dexamethasone(eqx.Module):
    """Amount and effect site."""

    central: Scalar = quantity("mg", "Dexamethasone")
    effect_site: Scalar = quantity("mg/L", "Dexamethasone at the effect site")


def dexamethasone_rates(
    x: Dexamethasone, dosing: Scalar, p: DexamethasoneParameters
) -> Dexamethasone:
    """Return the balance; `dosing` in mg/day."""
    concentration = x.central / p.V
    return Dexamethasone(
        central=dosing - p.CL * concentration,
        effect_site=p.ke0 * (concentration - x.effect_site),
    )


def steroid(x: Dexamethasone, p: DexamethasoneParameters) -> Scalar:
    """Return the fraction of the maximum steroid effect: C/(IC50 + C)."""
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
