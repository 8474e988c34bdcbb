"""Oral inhibitor of a T-cell kinase that cytokine release needs and killing does not.

It represents drugs such as dasatinib, or inhibitors of PI3K, mTOR or p38 MAPK, at doses that reduce
release alone.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class KinaseInhibitorParameters(eqx.Module):
    """Pharmacokinetics and potency."""

    ka: Scalar = quantity("1/day", "Absorption")
    CL: Scalar = quantity("L/day", "Apparent clearance")
    V: Scalar = quantity("L", "Apparent volume")
    Imax: Scalar = quantity("1", "Maximum inhibition of release")
    IC50: Scalar = quantity("mg/L", "Concentration at half-maximum inhibition")


class KinaseInhibitor(eqx.Module):
    """Amounts."""

    gut: Scalar = quantity("mg", "Kinase inhibitor in the gut")
    plasma: Scalar = quantity("mg", "Kinase inhibitor in plasma")


def kinase_inhibitor_rates(
    x: KinaseInhibitor, dosing: Scalar, p: KinaseInhibitorParameters
) -> KinaseInhibitor:
    """Return the balance; `dosing` in mg/day."""
    absorption = p.ka * x.gut
    return KinaseInhibitor(gut=dosing - absorption, plasma=absorption - p.CL / p.V * x.plasma)


def kinase(x: KinaseInhibitor, p: KinaseInhibitorParameters) -> Scalar:
    """Return the fraction of release inhibited: Imax*C/(IC50 + C)."""
    concentration = x.plasma / p.V
    return p.Imax * concentration / (p.IC50 + concentration)


INTERVENTION = Intervention(
    KinaseInhibitorParameters,
    KinaseInhibitor,
    entry="gut",
    rates=kinase_inhibitor_rates,
    acts_on="kinase",
    effect=kinase,
    positive=("V", "IC50"),
    fractions=("Imax",),
)
