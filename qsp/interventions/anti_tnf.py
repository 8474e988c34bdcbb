"""Anti-TNF antibody (infliximab-like): one compartment. It neutralizes TNF-alpha."""

import equinox as eqx

from qsp.interventions.intervention import Intervention
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


def anti_tnf_rates(x: AntiTnf, dosing: Scalar, p: AntiTnfParameters) -> AntiTnf:
    """Return the balance; `dosing` in mg/day."""
    return AntiTnf(central=dosing - p.CL / p.V * x.central)


def tnf_free(x: AntiTnf, p: AntiTnfParameters) -> Scalar:
    """Return the fraction of TNF-alpha not neutralized: KD/(KD + C), 1 without the drug."""
    return 1.0 / (1.0 + x.central / (p.V * p.KD))


INTERVENTION = Intervention(
    AntiTnfParameters,
    AntiTnf,
    entry="central",
    rates=anti_tnf_rates,
    acts_on="tnf_free",
    effect=tnf_free,
    positive=("V", "KD"),
)
