"""Siltuximab: an antibody that binds IL-6, one compartment.

IL-6 that is bound does not signal, and is lost as slowly as the antibody: measured IL-6 rises. Not
in TCE-42.
"""

import equinox as eqx

from qsp.typing import Scalar
from qsp.units import quantity


class SiltuximabParameters(eqx.Module):
    """Pharmacokinetics and affinity."""

    CL: Scalar = quantity("L/day", "Clearance")
    V: Scalar = quantity("L", "Volume")
    KD: Scalar = quantity("mg/L", "Concentration that binds half the IL-6")


class Siltuximab(eqx.Module):
    """Amount."""

    central: Scalar = quantity("mg", "Siltuximab")


def siltuximab_rates(x: Siltuximab, infusion: Scalar, p: SiltuximabParameters) -> Siltuximab:
    """Balance; `infusion` in mg/day."""
    return Siltuximab(central=infusion - p.CL / p.V * x.central)


def il6_free(x: Siltuximab, p: SiltuximabParameters) -> Scalar:
    """Fraction of IL-6 that is not bound: KD/(KD + C), exactly 1 if absent."""
    return 1.0 / (1.0 + x.central / (p.V * p.KD))
