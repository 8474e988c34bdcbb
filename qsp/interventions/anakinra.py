"""Subcutaneous anakinra: depot and plasma. It blocks the IL-1 receptor.

IL-1 is computed in `qsp.model.interleukin1`: myeloid cells secrete it, its half-life is minutes,
and part of the IL-6 of these cells depends on it (assumed).
"""

import equinox as eqx

from qsp.interventions.intervention import Intervention
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


def anakinra_rates(x: Anakinra, dosing: Scalar, p: AnakinraParameters) -> Anakinra:
    """Return the balance; `dosing` in mg/day."""
    absorption = p.ka * x.depot
    return Anakinra(depot=dosing - absorption, plasma=absorption - p.CL / p.V * x.plasma)


def il1r_free(x: Anakinra, p: AnakinraParameters) -> Scalar:
    """Return the fraction of the effect of IL-1 not blocked: KD/(KD + C), 1 without the drug."""
    return 1.0 / (1.0 + x.plasma / (p.V * p.KD))


INTERVENTION = Intervention(
    AnakinraParameters,
    Anakinra,
    entry="depot",
    rates=anakinra_rates,
    acts_on="il1r_free",
    effect=il1r_free,
    positive=("V", "KD"),
)
