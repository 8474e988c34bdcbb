"""Anakinra under the skin: depot and plasma. Blocks the IL-1 receptor.

Myeloid cells make IL-1, it lasts minutes, and part of the IL-6 they make is made because of it
(`qsp.model.interleukin1`, assumed). Not in TCE-42.
"""

import equinox as eqx

from qsp.typing import Scalar
from qsp.units import quantity


class AnakinraParameters(eqx.Module):
    """Pharmacokinetics and potency."""

    ka: Scalar = quantity("1/day", "Absorption")
    CL: Scalar = quantity("L/day", "Apparent clearance")
    V: Scalar = quantity("L", "Apparent volume")
    KD: Scalar = quantity("mg/L", "Concentration that blocks half the effect of IL-1")


class Anakinra(eqx.Module):
    """Amounts."""

    depot: Scalar = quantity("mg", "Anakinra under the skin")
    plasma: Scalar = quantity("mg", "Anakinra in plasma")


def anakinra_rates(x: Anakinra, intake: Scalar, p: AnakinraParameters) -> Anakinra:
    """Balance; `intake` in mg/day."""
    absorption = p.ka * x.depot
    return Anakinra(depot=intake - absorption, plasma=absorption - p.CL / p.V * x.plasma)


def il1r_free(x: Anakinra, p: AnakinraParameters) -> Scalar:
    """Fraction of the effect of IL-1 that is left: KD/(KD + C), exactly 1 if absent."""
    return 1.0 / (1.0 + x.plasma / (p.V * p.KD))
