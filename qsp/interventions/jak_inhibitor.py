"""Oral JAK inhibitor (ruxolitinib-like): gut and plasma.

It inhibits signaling of IFN-gamma and IL-6.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class JakInhibitorParameters(eqx.Module):
    """Pharmacokinetics and potency."""

    ka: Scalar = quantity("1/day", "Absorption")
    CL: Scalar = quantity("L/day", "Apparent clearance")
    V: Scalar = quantity("L", "Apparent volume")
    Imax: Scalar = quantity("1", "Maximum inhibition")
    IC50: Scalar = quantity("mg/L", "Concentration at half-maximum inhibition")


class JakInhibitor(eqx.Module):
    """Amounts."""

    gut: Scalar = quantity("mg", "JAK inhibitor in the gut")
    plasma: Scalar = quantity("mg", "JAK inhibitor in plasma")


def jak_inhibitor_rates(x: JakInhibitor, dosing: Scalar, p: JakInhibitorParameters) -> JakInhibitor:
    """Return the balance; `dosing` in mg/day."""
    absorption = p.ka * x.gut
    return JakInhibitor(gut=dosing - absorption, plasma=absorption - p.CL / p.V * x.plasma)


def jak(x: JakInhibitor, p: JakInhibitorParameters) -> Scalar:
    """Return the fraction of JAK signaling inhibited: Imax*C/(IC50 + C)."""
    concentration = x.plasma / p.V
    return p.Imax * concentration / (p.IC50 + concentration)


INTERVENTION = Intervention(
    JakInhibitorParameters,
    JakInhibitor,
    entry="gut",
    rates=jak_inhibitor_rates,
    acts_on="jak",
    effect=jak,
    positive=("V", "IC50"),
    fractions=("Imax",),
)
