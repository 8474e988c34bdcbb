"""Oral inhibitor of a kinase of T-cell signaling that release needs and killing does not.

A stand-in for drugs such as dasatinib, or inhibitors of PI3K, mTOR and p38 MAPK at doses that hold
back release alone. Not in TCE-42.
"""

import equinox as eqx

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
    x: KinaseInhibitor, intake: Scalar, p: KinaseInhibitorParameters
) -> KinaseInhibitor:
    """Balance; `intake` in mg/day."""
    absorption = p.ka * x.gut
    return KinaseInhibitor(gut=intake - absorption, plasma=absorption - p.CL / p.V * x.plasma)


def kinase(x: KinaseInhibitor, p: KinaseInhibitorParameters) -> Scalar:
    """Fraction of release inhibited: Imax*C/(IC50 + C)."""
    concentration = x.plasma / p.V
    return p.Imax * concentration / (p.IC50 + concentration)
