"""CRS severity: cytokines -> an index of fever and inflammation -> ASTCT grade.

Source: TCE-42 (g), A11, S11.

No single cytokine orders CRS across molecules, so the index combines IL-6 signaling, TNF-alpha and
IFN-gamma. A grade is the number of thresholds below the index; two further links, a logistic in
ln(peak IL-6) and a hazard in the index, are computed from the same run. None of the three is
validated against patients.
"""

import equinox as eqx
import jax
import jax.numpy as jnp

from qsp.model.cytokines import IFN_GAMMA, IL6, TNF_ALPHA
from qsp.model.effects import Effects
from qsp.typing import PerCytokine, Scalar
from qsp.units import quantity


class SeverityParameters(eqx.Module):
    """Index, thresholds and the two alternative links."""

    IL6_50: Scalar = quantity("pg/mL", "IL-6 signaling at half effect")
    TNF_50: Scalar = quantity("pg/mL", "TNF-alpha at half effect")
    IFN_50: Scalar = quantity("pg/mL", "IFN-gamma at half effect")
    weight_TNF: Scalar = quantity("1", "Weight of TNF-alpha against IL-6")
    weight_IFN: Scalar = quantity("1", "Weight of IFN-gamma against IL-6")
    k_F: Scalar = quantity("1/day", "Rate at which the index follows the cytokines")
    threshold: jax.Array = quantity("1", "Index at which grade 1, 2, 3, 4 begins", dims=("grade",))
    sd_patient: Scalar = quantity("1", "Spread of ln threshold between patients")
    sd_dose: Scalar = quantity("1", "Spread of ln threshold between the doses of a patient")
    logistic_intercept: Scalar = quantity("1", "Logit of CRS at a peak IL-6 of 1 pg/mL")
    logistic_slope: Scalar = quantity("1", "Logit of CRS per ln unit of peak IL-6")
    hazard_0: Scalar = quantity("1/day", "Hazard of CRS at index zero")
    hazard_slope: Scalar = quantity("1", "Gain of ln hazard per unit of the index")
    IL6_unit: Scalar = quantity("pg/mL", "Unit of IL-6 in the logistic link")


def inflammation(blood: PerCytokine, effects: Effects, p: SeverityParameters) -> Scalar:
    """Y: what the cytokines add up to; TCE-42 (g).

    IL-6 counts by its signal, which tocilizumab, siltuximab and JAK inhibition block. Differs from
    TCE-42: TNF-alpha counts by its signal too, or an anti-TNF antibody could not lower fever.
    """
    signal = blood[IL6] * effects.il6_free * effects.il6r_free * (1.0 - effects.jak)
    tnf, ifn = blood[TNF_ALPHA] * effects.tnf_free, blood[IFN_GAMMA]
    return (
        signal / (p.IL6_50 + signal)
        + p.weight_TNF * tnf / (p.TNF_50 + tnf)
        + p.weight_IFN * ifn / (p.IFN_50 + ifn)
    )


def severity_rate(
    severity: Scalar, blood: PerCytokine, effects: Effects, p: SeverityParameters
) -> Scalar:
    """dF = k_F*(Y - F); TCE-42 (g)."""
    return p.k_F * (inflammation(blood, effects, p) - severity)


def thresholds(xi_patient: Scalar, xi_dose: jax.Array, p: SeverityParameters) -> jax.Array:
    """Thresholds of a patient at each dose: ln theta = ln theta_0 + sd_p*xi_p + sd_d*xi_d.

    Both draws are shared by the grades, so that the grades keep their order. Source: TCE-42 S11.

    Args:
        xi_patient: Standard normal draw of the patient.
        xi_dose (dose_period,): Standard normal draws of his doses.
        p: Parameters.

    Returns:
        (dose_period, grade): Thresholds of the index [1].
    """
    shift = jnp.exp(p.sd_patient * xi_patient + p.sd_dose * xi_dose)
    return shift[:, None] * p.threshold


def hazard(severity: Scalar, at_rest: Scalar, p: SeverityParameters) -> Scalar:
    """Hazard of CRS in excess of that without treatment [1/day]: lambda_0*(e^(b*F) - e^(b*F_0)).

    Differs from TCE-42 (g), whose lambda_0*exp(b*F) gives CRS to the untreated, the more the longer
    a period is.

    Args:
        severity: Index F.
        at_rest: Index before treatment; below it the hazard is zero.
        p: Parameters.
    """
    above = jnp.maximum(severity, at_rest)
    return p.hazard_0 * (jnp.exp(p.hazard_slope * above) - jnp.exp(p.hazard_slope * at_rest))


def logistic(il6_peak: jax.Array, p: SeverityParameters) -> jax.Array:
    """Probability of CRS from the peak of IL-6: logit = a + b*ln(peak); TCE-42 (g)."""
    return jax.nn.sigmoid(p.logistic_intercept + p.logistic_slope * jnp.log(il6_peak / p.IL6_unit))


NORMAL_TEMPERATURE = 37.0
"""Of the body [degC]; assumed."""


def fever(severity: Scalar, threshold: Scalar) -> Scalar:
    """Rise of body temperature [degC]: log2(1 + F/theta_1); not in TCE-42, assumed.

    It is 1, that is 38 degC, where grade 1 begins, which ASTCT defines by that temperature, and
    rises by half a degree or less with each further grade.

    Args:
        severity: Index F.
        threshold: Of grade 1, of the patient and the dose.
    """
    return jnp.log2(1.0 + severity / threshold)
