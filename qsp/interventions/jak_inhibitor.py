"""Oral JAK inhibitor (ruxolitinib-like): gut and plasma.

It inhibits signaling of IFN-gamma and IL-6.

::

    dose --> gut --ka--> plasma --CL--> out

Assumed: absorption is of first order, and inhibition follows plasma at once.

No publication is reproduced: structure and values are assumed.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class JakInhibitorParameters(eqx.Module):
    """Pharmacokinetics and potency."""

    ka: Scalar = quantity("1/day", "Absorption", symbol="k_{a}")
    CL: Scalar = quantity("L/day", "Apparent clearance")
    V: Scalar = quantity("L", "Apparent volume")
    Imax: Scalar = quantity("1", "Maximum inhibition", symbol="I_{max}")
    IC50: Scalar = quantity("mg/L", "Concentration at half-maximum inhibition")


class JakInhibitor(eqx.Module):
    """Amounts."""

    gut: Scalar = quantity("mg", "JAK inhibitor in the gut", symbol="A_{gut}")
    plasma: Scalar = quantity("mg", "JAK inhibitor in plasma", symbol="A_1")


def jak_inhibitor_rates(x: JakInhibitor, dosing: Scalar, p: JakInhibitorParameters) -> JakInhibitor:
    r"""Return the balance; `dosing` in mg/day.

    Equations:
        Eq. P8: $$\frac{dA_{gut}}{dt} = r - k_{a} A_{gut}$$
        Eq. P9: $$\frac{dA_1}{dt} = k_{a} A_{gut} - \frac{CL}{V} A_1$$
        $r$ [mg/day]: rate of dosing.
    """
    absorption = p.ka * x.gut
    return JakInhibitor(gut=dosing - absorption, plasma=absorption - p.CL / p.V * x.plasma)


def jak(x: JakInhibitor, p: JakInhibitorParameters) -> Scalar:
    r"""Return the fraction of JAK signaling inhibited: Imax*C/(IC50 + C).

    Equations:
        Eq. P10: $$e_{JAK} = \frac{I_{max} c_1}{IC50 + c_1}, \quad c_1 = \frac{A_1}{V}$$
        $e_{JAK}$ [1]: fraction of JAK signaling inhibited.
        $c_1$ [mg/L]: concentration in plasma.
    """
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
