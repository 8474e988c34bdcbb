r"""Kinetics of the M-protein in serum, which myeloma cells secrete.

Secretion follows the number of living myeloma cells M and balances elimination at baseline, so that
it has no parameter of its own:

$$\frac{dP}{dt} = k_{el} \left(\frac{M}{M_0} P_0 - P\right)$$

Between two times a step h apart, with M linear in time between them, the solution is exact:

$$P(t + h) = e^{-x} P(t) + \left(\phi - e^{-x}\right) S(t) + \left(1 - \phi\right) S(t + h), \quad
x = k_{el} h, \quad \phi = \frac{1 - e^{-x}}{x}, \quad S = \frac{M}{M_0} P_0$$

An immunoglobulin G of which all cells die falls with its half-life, weeks; a free light chain is
cleared by the kidney within hours. Values of IgG and light chain are those of [Poels2025].
"""

import math
from enum import IntEnum

import jax.numpy as jnp

from qsp.typing import Scalar


class Isotype(IntEnum):
    """Isotype of the M-protein, by which a patient is followed."""

    IGG = 0
    IGA = 1
    LIGHT_CHAIN = 2


ELIMINATION = (0.0504, math.log(2.0) / 6.0, 4.16)
"""Elimination rates of IgG, IgA and light chain [1/day]; Poels 2025, but IgA assumed (half-life
of 6 days)."""


def m_protein_step(
    m_protein: Scalar, secretion: Scalar, next_secretion: Scalar, k_el: Scalar, step: Scalar
) -> Scalar:
    """Return the M-protein one step later, exact for cells that change linearly [g/L].

    Args:
        m_protein: M-protein in serum at the start of the step [g/L].
        secretion: Level at which secretion balances elimination, ``M/M0*P0``, at its start [g/L].
        next_secretion: The same at its end [g/L].
        k_el: Elimination rate [1/day].
        step: Length of the step [day]; may be zero.
    """
    x = k_el * step
    rest = jnp.exp(-x)
    positive = jnp.where(x > 0.0, x, 1.0)
    mean = jnp.where(x > 0.0, -jnp.expm1(-x) / positive, 1.0)
    return rest * m_protein + (mean - rest) * secretion + (1.0 - mean) * next_secretion
