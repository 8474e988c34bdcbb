"""Anti-TNF antibody (infliximab-like): one compartment. It neutralizes TNF-alpha.

::

    dose --> central --CL--> out

Assumed: TNF-alpha is far below the drug in concentration, so that binding does not use up drug.

No publication is reproduced: structure and values are assumed.
"""

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

    central: Scalar = quantity("mg", "Anti-TNF antibody", symbol="A_1")


def anti_tnf_rates(x: AntiTnf, dosing: Scalar, p: AntiTnfParameters) -> AntiTnf:
    r"""Return the balance; `dosing` in mg/day.

    Equations:
        Eq. P11: $$\frac{dA_1}{dt} = r - \frac{CL}{V} A_1$$
        $r$ [mg/day]: rate of dosing.
    """
    return AntiTnf(central=dosing - p.CL / p.V * x.central)


def tnf_free(x: AntiTnf, p: AntiTnfParameters) -> Scalar:
    r"""Return the fraction of TNF-alpha not neutralized: KD/(KD + C), 1 without the drug.

    Equations:
        Eq. P12: $$\phi_{TNF} = \frac{1}{1 + A_1 / (V \, KD)}$$
        $\phi_{TNF}$ [1]: fraction of TNF-alpha not neutralized.
    """
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
