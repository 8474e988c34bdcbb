"""Oral inhibitor of a T-cell kinase that cytokine release needs and killing does not.

It represents drugs such as dasatinib, or inhibitors of PI3K, mTOR or p38 MAPK, at doses that reduce
release alone.

::

    dose --> gut --ka--> plasma --CL--> out

Assumed: absorption is of first order, and inhibition follows plasma at once; killing
and activation are not inhibited.

No publication is reproduced: structure and values are assumed.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class KinaseInhibitorParameters(eqx.Module):
    """Pharmacokinetics and potency."""

    ka: Scalar = quantity("1/day", "Absorption", symbol="k_{a}")
    CL: Scalar = quantity("L/day", "Apparent clearance")
    V: Scalar = quantity("L", "Apparent volume")
    Imax: Scalar = quantity("1", "Maximum inhibition of release", symbol="I_{max}")
    IC50: Scalar = quantity("mg/L", "Concentration at half-maximum inhibition")


class KinaseInhibitor(eqx.Module):
    """Amounts."""

    gut: Scalar = quantity("mg", "Kinase inhibitor in the gut", symbol="A_{gut}")
    plasma: Scalar = quantity("mg", "Kinase inhibitor in plasma", symbol="A_1")


def kinase_inhibitor_rates(
    x: KinaseInhibitor, dosing: Scalar, p: KinaseInhibitorParameters
) -> KinaseInhibitor:
    r"""Return the balance; `dosing` in mg/day.

    Equations:
        Eq. P18: $$\frac{dA_{gut}}{dt} = r - k_{a} A_{gut}$$
        Eq. P19: $$\frac{dA_1}{dt} = k_{a} A_{gut} - \frac{CL}{V} A_1$$
        $r$ [mg/day]: rate of dosing.
    """
    absorption = p.ka * x.gut
    return KinaseInhibitor(gut=dosing - absorption, plasma=absorption - p.CL / p.V * x.plasma)


def kinase(x: KinaseInhibitor, p: KinaseInhibitorParameters) -> Scalar:
    r"""Return the fraction of release inhibited: Imax*C/(IC50 + C).

    Equations:
        Eq. P20: $$e_{kinase} = \frac{I_{max} c_1}{IC50 + c_1}, \quad c_1 = \frac{A_1}{V}$$
        $e_{kinase}$ [1]: fraction of release inhibited.
        $c_1$ [mg/L]: concentration in plasma.
    """
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
