"""Dexamethasone: one compartment and an effect site.

Its effect is a fraction of the maximum steroid effect (TCE-42 A7, A8, [Krz21]).
"""

import equinox as eqx

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
    x: Dexamethasone, infusion: Scalar, p: DexamethasoneParameters
) -> Dexamethasone:
    """Balance; `infusion` in mg/day."""
    concentration = x.central / p.V
    return Dexamethasone(
        central=infusion - p.CL * concentration,
        effect_site=p.ke0 * (concentration - x.effect_site),
    )


def steroid(x: Dexamethasone, p: DexamethasoneParameters) -> Scalar:
    """Fraction of the maximum steroid effect: C/(IC50 + C)."""
    return x.effect_site / (p.IC50 + x.effect_site)
