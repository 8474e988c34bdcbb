"""Alternative links from cytokines to CRS, and body temperature.

::

    peak IL-6 --logistic--> probability of CRS        index --hazard--> probability of CRS
    signal of grade 1 --logarithm--> body temperature

Both probabilities are computed from the same run as the grades (`qsp.model.severity`).

Assumed: temperature is a function of the signal of grade 1.

Differs from [Hibma2026]: the probability of CRS follows from peak IL-6 or from the index over time,
whereas there it follows from tumor burden and the trough of free drug on day 4.
"""

import jax
import jax.numpy as jnp

from qsp.model.severity import SeverityParameters
from qsp.typing import Scalar


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


def temperature_rise(signal: Scalar, threshold: Scalar) -> Scalar:
    r"""Rise of body temperature from the signal of grade 1, log2(1 + F/theta_1); assumed.

    The signal is the severity index, or fever where the form of severity has it. The rise is 1 degC
    at the threshold of grade 1, because ASTCT defines grade 1 by a temperature of 38 degC, and with
    the severity index it increases by half a degree or less with each further grade.

    Equations:
        Eq. V7: $$\Delta_{temp} = \log_2\left(1 + \frac{\max(y, 0)}{\theta_1}\right)$$
        $\Delta_{temp}$ [degC]: rise of temperature.
        $y$ [1]: signal of grade 1.
        $\theta_1$ [1]: threshold of grade 1.

    Args:
        signal: Signal of grade 1 [1].
        threshold: Threshold of grade 1 for the patient and event, theta_1 [1].

    Returns:
        Rise of temperature [degC].
    """
    return jnp.log2(1.0 + jnp.maximum(signal, 0.0) / threshold)
