"""Tocilizumab: two compartments with linear and saturable loss.

It blocks the IL-6 receptor (TCE-42 A8, [Frey10]).
Signaling falls and measured IL-6 rises, because the receptor also clears IL-6.
"""

import equinox as eqx

from qsp.typing import Scalar
from qsp.units import quantity


class TocilizumabParameters(eqx.Module):
    """Population pharmacokinetics and receptor affinity."""

    CL: Scalar = quantity("L/day", "Linear clearance")
    V1: Scalar = quantity("L", "Central volume")
    Q: Scalar = quantity("L/day", "Intercompartmental clearance")
    V2: Scalar = quantity("L", "Peripheral volume")
    Vmax: Scalar = quantity("mg/day", "Maximum saturable loss")
    Km: Scalar = quantity("mg/L", "Concentration at half-maximum saturable loss")
    K_ss: Scalar = quantity("mg/L", "Concentration that blocks half the IL-6 receptors")


class Tocilizumab(eqx.Module):
    """Amounts."""

    central: Scalar = quantity("mg", "Tocilizumab, central")
    peripheral: Scalar = quantity("mg", "Tocilizumab, peripheral")


def tocilizumab_rates(x: Tocilizumab, infusion: Scalar, p: TocilizumabParameters) -> Tocilizumab:
    """Balance; `infusion` in mg/day."""
    c1, c2 = x.central / p.V1, x.peripheral / p.V2
    elimination = p.CL * c1 + p.Vmax * c1 / (p.Km + c1)
    to_peripheral = p.Q * (c1 - c2)
    return Tocilizumab(central=infusion - elimination - to_peripheral, peripheral=to_peripheral)


def il6r_free(x: Tocilizumab, p: TocilizumabParameters) -> Scalar:
    """Fraction of IL-6 receptors not blocked: K/(K + C), exactly 1 if absent."""
    return 1.0 / (1.0 + x.central / (p.V1 * p.K_ss))
