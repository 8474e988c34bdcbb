"""Tocilizumab: two compartments with linear and saturable elimination [Frey2010].

It blocks the IL-6 receptor. Signaling falls and measured IL-6 rises, because the receptor also
clears IL-6.

::

    dose --> central --CL, Vmax/(Km + C)--> out
                ^
                +--Q--> peripheral

Assumed: the receptor is at equilibrium with the drug in plasma, everywhere in the body.

Differs from [Frey2010]: values from rheumatoid arthritis serve for CRS, covariates other than body
surface and sex have their reference values, and the block of the receptor is an addition.
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
from qsp.typing import Scalar
from qsp.units import quantity


class TocilizumabParameters(eqx.Module):
    """Population pharmacokinetics and receptor affinity."""

    CL: Scalar = quantity("L/day", "Linear clearance")
    V1: Scalar = quantity("L", "Central volume", symbol="V_1")
    Q: Scalar = quantity("L/day", "Intercompartmental clearance")
    V2: Scalar = quantity("L", "Peripheral volume", symbol="V_2")
    Vmax: Scalar = quantity("mg/day", "Maximum saturable loss", symbol="V_{max}")
    Km: Scalar = quantity("mg/L", "Concentration at half-maximum saturable loss", symbol="K_{m}")
    K_ss: Scalar = quantity("mg/L", "Concentration that blocks half the IL-6 receptors")


class Tocilizumab(eqx.Module):
    """Amounts of tocilizumab."""

    central: Scalar = quantity("mg", "Tocilizumab, central", symbol="A_1")
    peripheral: Scalar = quantity("mg", "Tocilizumab, peripheral", symbol="A_2")


def tocilizumab_rates(x: Tocilizumab, dosing: Scalar, p: TocilizumabParameters) -> Tocilizumab:
    r"""Return the rates of change of the amounts; `dosing` in mg/day.

    Equations:
        Eq. P1: $$\frac{dA_1}{dt} = r - CL \, c_1 - \frac{V_{max} c_1}{K_{m} + c_1} - Q (c_1 -
            c_2)$$
        Eq. P2: $$\frac{dA_2}{dt} = Q (c_1 - c_2)$$
        Eq. P3: $$c_1 = \frac{A_1}{V_1}, \quad c_2 = \frac{A_2}{V_2}$$
        $r$ [mg/day]: rate of dosing.
        $c_1$ [mg/L]: central concentration.
        $c_2$ [mg/L]: peripheral concentration.
    """
    c1, c2 = x.central / p.V1, x.peripheral / p.V2
    elimination = p.CL * c1 + p.Vmax * c1 / (p.Km + c1)
    to_peripheral = p.Q * (c1 - c2)
    return Tocilizumab(central=dosing - elimination - to_peripheral, peripheral=to_peripheral)


def il6r_free(x: Tocilizumab, p: TocilizumabParameters) -> Scalar:
    r"""Return the fraction of IL-6 receptors not blocked: K/(K + C), 1 without the drug.

    Equations:
        Eq. P4: $$\phi_{IL6R} = \frac{1}{1 + A_1 / (V_1 \, K_{ss})}$$
        $\phi_{IL6R}$ [1]: fraction of IL-6 receptors not blocked.
    """
    return 1.0 / (1.0 + x.central / (p.V1 * p.K_ss))


INTERVENTION = Intervention(
    TocilizumabParameters,
    Tocilizumab,
    entry="central",
    rates=tocilizumab_rates,
    acts_on="il6r_free",
    effect=il6r_free,
    positive=("V1", "V2", "Km", "K_ss"),
)
