"""Anti-TNF antibody (infliximab-like): one compartment.

It neutralizes TNF-alpha signaling (TCE-42 A10).
"""

import equinox as eqx

from qsp.typing import Scalar
from qsp.units import quantity


class AntiTnfParameters(eqx.Module):
    """Pharmacokinetics and affinity."""

    CL: Scalar = quantity("L/day", "Clearance")
    V: Scalar = quantity("L", "Volume")
    KD: Scalar = quantity("mg/L", "Concentration that neutralizes half the TNF-alpha")


class AntiTnf(eqx.Module):
    """Amount."""

    central: Scalar = quantity("mg", "Anti-TNF antibody")


def anti_tnf_rates(x: AntiTnf, infusion: Scalar, p: AntiTnfParameters) -> AntiTnf:
    """Balance; `infusion` in mg/day."""
    return AntiTnf(central=infusion - p.CL / p.V * x.central)


def tnf_free(x: AntiTnf, p: AntiTnfParameters) -> Scalar:
    """Fraction of TNF-alpha not neutralized: KD/(KD + C), exactly 1 if absent."""
    return 1.0 / (1.0 + x.central / (p.V * p.KD))
