"""CRS severity: cytokines -> an index of fever and inflammation -> ASTCT grade.

No single cytokine ranks molecules by CRS, so the index combines IL-6 signaling, TNF-alpha and
IFN-gamma. An event starts when the index rises through the threshold of grade 1, and its grade is
the number of thresholds that the rising index reaches. Two alternative links, a logistic model in
ln(peak IL-6) and a hazard in the index, are computed from the same run. None of the three is
validated against individual patients.

::

    IL-6 signal, TNF-alpha, IFN-gamma --Emax each--> Y --k_F--> F --thresholds--> grade

Assumed: the effects of the three cytokines add up, and the index follows them at one rate.

Differs from [Hibma2026]: the grade of CRS follows the cytokines over time, whereas there the
probability of any CRS follows from tumor burden and the trough of free drug on day 4. Differs from
[Hosseini2020]: IL-6 itself is the measure of CRS there; the index and its thresholds are additions.
"""

import equinox as eqx
import jax
import jax.numpy as jnp

from qsp.model.cytokines import IFN_GAMMA, IL6, TNF_ALPHA
from qsp.model.effects import Effects
from qsp.typing import PerCytokine, Scalar
from qsp.units import quantity

GRADES = 4
"""Number of grades of CRS, from 1."""


class SeverityParameters(eqx.Module):
    """Parameters of the severity index, the thresholds of the grades, and the alternative links."""

    IL6_50: Scalar = quantity("pg/mL", "IL-6 signal at half-maximum effect on the index")
    TNF_50: Scalar = quantity("pg/mL", "TNF-alpha at half-maximum effect on the index")
    IFN_50: Scalar = quantity("pg/mL", "IFN-gamma at half-maximum effect on the index")
    weight_TNF: Scalar = quantity("1", "Weight of TNF-alpha relative to IL-6", symbol="w_{TNF}")
    weight_IFN: Scalar = quantity("1", "Weight of IFN-gamma relative to IL-6", symbol="w_{IFN}")
    k_F: Scalar = quantity("1/day", "Rate at which the index follows the cytokines")
    threshold: jax.Array = quantity(
        "1", "Index at which CRS of grade 1, 2, 3 or 4 begins", dims=("grade",), symbol=r"\theta_0"
    )
    sd_patient: Scalar = quantity(
        "1", "SD of ln threshold between patients", symbol=r"\omega_{patient}"
    )
    sd_dose: Scalar = quantity(
        "1", "SD of ln threshold between the doses of a patient", symbol=r"\omega_{dose}"
    )
    logistic_intercept: Scalar = quantity("1", "Logit of CRS at a peak IL-6 of 1 pg/mL", symbol="a")
    logistic_slope: Scalar = quantity("1", "Slope of the logit of CRS in ln peak IL-6", symbol="b")
    hazard_0: Scalar = quantity("1/day", "Hazard of CRS at an index of zero", symbol=r"\lambda_0")
    hazard_slope: Scalar = quantity(
        "1", "Slope of ln hazard of CRS in the index", symbol="b_{hazard}"
    )
    IL6_unit: Scalar = quantity("pg/mL", "Unit of IL-6 in the logistic link", symbol="u_{IL6}")


def inflammation(blood: PerCytokine, effects: Effects, p: SeverityParameters) -> Scalar:
    r"""Steady-state severity index Y for the cytokines in blood: a weighted sum of Emax terms.

    IL-6 acts by its signal, which tocilizumab, siltuximab and JAK inhibition reduce. TNF-alpha acts
    by its signal too (assumed), so that an anti-TNF antibody lowers fever.

    Equations:
        Eq. V1: $$Y = \frac{y_{IL6}}{IL6_{50} + y_{IL6}} + \frac{w_{TNF} y_{TNF}}{TNF_{50} +
            y_{TNF}} + \frac{w_{IFN} c_{IFN}}{IFN_{50} + c_{IFN}}$$
        Eq. V2: $$y_{IL6} = c_{IL6} \phi_{IL6} \phi_{IL6R} (1 - e_{JAK}), \quad y_{TNF} = c_{TNF}
            \phi_{TNF}$$
        $Y$ [1]: steady-state severity index.
        $y_{IL6}$ [pg/mL]: signal of IL-6.
        $y_{TNF}$ [pg/mL]: signal of TNF-alpha.
        $c$ [pg/mL]: cytokine in blood, `cytokines.blood`.

    Args:
        blood: Cytokines in blood [pg/mL]; (cytokine,).
        effects: Effects of the supportive drugs.
        p: Parameters.

    Returns:
        Index [1].
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
    r"""Rate of the severity index F, which follows `inflammation` with a delay: k_F*(Y - F).

    Equations:
        Eq. V3: $$\frac{dF}{dt} = k_{F} (Y - F)$$
        $Y$ [1]: steady-state severity index, Eq. V1.

    Args:
        severity: Severity index, F [1].
        blood: Cytokines in blood [pg/mL]; (cytokine,).
        effects: Effects of the supportive drugs.
        p: Parameters.

    Returns:
        Rate [1/day].
    """
    return p.k_F * (inflammation(blood, effects, p) - severity)


def thresholds(xi_patient: Scalar, xi_dose: jax.Array, p: SeverityParameters) -> jax.Array:
    r"""Thresholds of one patient at each dose: ln theta = ln theta_0 + sd_p*xi_p + sd_d*xi_d.

    The grades share both random effects, so that their thresholds keep their order.

    Equations:
        Eq. V4: $$\theta_{d,g} = \theta_{0,g} \exp(\omega_{patient} \xi_{patient} + \omega_{dose}
            \xi_{dose,d})$$
        $\theta$ [1]: threshold of grade g at dose d.
        $\xi_{patient}$ [1]: random effect of the patient.
        $\xi_{dose}$ [1]: random effect of the dose.

    Args:
        xi_patient: Standard normal random effect of the patient.
        xi_dose: Standard normal random effect of each dose; (dose_period,).
        p: Parameters.

    Returns:
        Thresholds of the index [1]; (dose_period, grade).
    """
    shift = jnp.exp(p.sd_patient * xi_patient + p.sd_dose * xi_dose)
    return shift[:, None] * p.threshold


def hazard(severity: Scalar, at_rest: Scalar, p: SeverityParameters) -> Scalar:
    r"""Hazard of CRS in excess of that before treatment: lambda_0*(exp(b*F) - exp(b*F_0)).

    Without the second term, untreated patients would have CRS, more of it in longer periods.

    Equations:
        Eq. V5: $$\lambda = \lambda_0 \left(\exp(b_{hazard} \max(F, F_0)) - \exp(b_{hazard}
            F_0)\right)$$
        $\lambda$ [1/day]: hazard of CRS.
        $F_0$ [1]: severity index before treatment.

    Args:
        severity: Severity index, F [1].
        at_rest: Index before treatment, F_0 [1]; at or below it the hazard is zero.
        p: Parameters.

    Returns:
        Hazard [1/day].
    """
    above = jnp.maximum(severity, at_rest)
    return p.hazard_0 * (jnp.exp(p.hazard_slope * above) - jnp.exp(p.hazard_slope * at_rest))


def logistic(il6_peak: jax.Array, p: SeverityParameters) -> jax.Array:
    r"""Probability of CRS from the peak of IL-6: logit = a + b*ln(peak).

    Equations:
        Eq. V6: $$\ln \frac{P}{1 - P} = a + b \ln \frac{c_{max}}{u_{IL6}}$$
        $P$ [1]: probability of CRS.
        $c_{max}$ [pg/mL]: peak IL-6 in blood.

    Args:
        il6_peak: Peak IL-6 in blood [pg/mL].
        p: Parameters.
    """
    return jax.nn.sigmoid(p.logistic_intercept + p.logistic_slope * jnp.log(il6_peak / p.IL6_unit))


NORMAL_TEMPERATURE = 37.0
"""Body temperature without fever [degC]; assumed."""


def fever(severity: Scalar, threshold: Scalar) -> Scalar:
    r"""Rise of body temperature from the severity index, log2(1 + F/theta_1); assumed.

    The rise is 1 degC at the threshold of grade 1, because ASTCT defines grade 1 by a temperature
    of 38 degC, and increases by half a degree or less with each further grade.

    Equations:
        Eq. V7: $$\Delta_{temp} = \log_2\left(1 + \frac{F}{\theta_1}\right)$$
        $\Delta_{temp}$ [degC]: rise of temperature.
        $\theta_1$ [1]: threshold of grade 1.

    Args:
        severity: Severity index, F [1].
        threshold: Threshold of grade 1 for the patient and dose, theta_1 [1].

    Returns:
        Rise of temperature [degC].
    """
    return jnp.log2(1.0 + severity / threshold)
