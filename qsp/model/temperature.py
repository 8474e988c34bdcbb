"""Body temperature during CRS.

::

    fever --logarithm--> body temperature

Assumed: temperature is a function of fever, and its rise is 1 degC at the threshold of grade 1 in
the patient and event. It is an observable for rules, and acts on nothing.

Differs from [Hibma2026] and [Hosseini2020]: neither has a temperature.
"""

import jax.numpy as jnp

from qsp.typing import Scalar

NORMAL_TEMPERATURE = 37.0
"""Body temperature without fever [degC]; assumed."""


def temperature_rise(signal: Scalar, threshold: Scalar) -> Scalar:
    r"""Rise of body temperature from fever; assumed.

    The rise is 1 degC at the threshold of grade 1, because ASTCT defines grade 1 by a temperature
    of 38 degC.

    Equations:
        Eq. V12: $$\Delta_{temp} = \log_2\left(1 + \frac{\max(x, 0)}{\theta_1}\right)$$
        $\Delta_{temp}$ [degC]: rise of temperature.
        $x$ [1]: fever, Eq. V5.
        $\theta_1$ [1]: threshold of grade 1.

    Args:
        signal: Fever, x [1].
        threshold: Threshold of grade 1 for the patient and event, theta_1 [1].

    Returns:
        Rise of temperature [degC].
    """
    return jnp.log2(1.0 + jnp.maximum(signal, 0.0) / threshold)
