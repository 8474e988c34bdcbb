"""Second-order Runge-Kutta-Chebyshev: explicit, with a long stability interval on the real axis.

The s stages serve stability instead of order: the interval grows as 0.65*s**2. This suits systems
in which some states relax fast towards slow ones. It needs no linear algebra, and a step costs the
same in every simulation.

Source: B. P. Sommeijer, L. F. Shampine, J. G. Verwer, RKC: an explicit solver for parabolic PDEs,
Journal of Computational and Applied Mathematics 88 (1998) 315-326. Symbols are those of the paper.
"""

from typing import Any, cast

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.polynomial.chebyshev import Chebyshev

from qsp.engine.interface import PyTree
from qsp.engine.solvers.stabilized import AbstractStabilized, Slope, third_order_error
from qsp.errors import ConfigError

DAMPING = 2 / 13
"""Epsilon of the paper: a step damps every mode inside the interval to about 1 - epsilon/3."""

Row = tuple[Any, Any, Any, Any, Any]
"""mu, nu, mu~, gamma~ and c of one stage."""


class RKC2(AbstractStabilized):
    """Runge-Kutta-Chebyshev method of order 2 with a fixed number of stages.

    It needs no bound on the eigenvalues: if the step exceeds the stability interval, fast modes
    grow, and the error test rejects the step. The derivative is evaluated once per stage; the last
    evaluation is the first one of the next step. Dense output is the cubic through the values and
    slopes at both ends of the step.

    Args:
        stages: s, 2 or more. The interval is [-beta, 0] with beta = 2.0, 5.2, 9.8, 15.7 and 22.9
            for s = 2 to 6, divided by the step.

    Raises:
        ConfigError: If there are fewer than two stages.
    """

    stages: int = eqx.field(static=True, default=4)

    def __check_init__(self) -> None:
        if self.stages < 2:
            todo = "The default is 4"
            raise ConfigError("RKC2", "stages must be 2 or more", self.stages, todo)

    def order(self, terms: dfx.AbstractTerm) -> int:
        """Return the order of the solution."""
        return 2

    def error_order(self, terms: dfx.AbstractTerm) -> int:
        """Return the power of the step in the error estimate."""
        return 3

    def advance(
        self, slope: Slope, y0: PyTree, F0: PyTree, hF0: PyTree
    ) -> tuple[PyTree, PyTree, PyTree, PyTree]:
        """Return solution, error estimate and derivative at the end of a step, and h times it."""

        def stage(carry: tuple[PyTree, PyTree, PyTree, PyTree], row: Row) -> tuple[Any, None]:
            Y_before, Y, _, hF = carry
            *weights, c = row
            Y_next = jax.tree.map(lambda *parts: _stage(weights, *parts), y0, Y_before, Y, hF, hF0)
            return (Y, Y_next, *slope(c, Y_next)), None

        # Unrolled stages took 1.5 times as long to compile, and 1.6 (s = 4) to 2.5 times (s = 6) as
        # long to run: 64 simulations of 60 states on one core.
        rows = jnp.asarray(coefficients(self.stages))
        (_, y1, F1, hF1), _ = jax.lax.scan(stage, (y0, y0, F0, hF0), cast(Row, tuple(rows.T)))
        return y1, third_order_error(y0, y1, hF0, hF1), F1, hF1


def _stage(  # noqa: PLR0913
    weights: list[Array], y0: Array, Y_before: Array, Y: Array, hF: Array, hF0: Array
) -> Array:
    """Y_j = (1 - mu - nu)*y0 + mu*Y_(j-1) + nu*Y_(j-2) + mu~*h*F_(j-1) + gamma~*h*F_0."""
    mu, nu, mu_tilde, gamma_tilde = (weight.astype(y0.dtype) for weight in weights)
    return (1 - mu - nu) * y0 + mu * Y + nu * Y_before + mu_tilde * hF + gamma_tilde * hF0


def coefficients(s: int, damping: float = DAMPING) -> np.ndarray:
    """Return the coefficients of the stages.

    The first stage is an Euler step of length c_1*h, in the form of the others with
    Y_0 = Y_-1 = y0.

    Args:
        s: Number of stages, 2 or more.
        damping: Epsilon of the paper.

    Returns:
        Rows of mu_j, nu_j, mu~_j, gamma~_j, c_j for j = 1 to s, of shape (s, 5), without units.
    """
    w0 = 1 + damping / s**2
    T = [Chebyshev.basis(j) for j in range(s + 1)]
    T0 = np.array([p(w0) for p in T])
    T1 = np.array([p.deriv()(w0) for p in T])
    T2 = np.array([p.deriv(2)(w0) for p in T])
    w1 = T1[s] / T2[s]

    b = np.empty(s + 1)
    b[2:] = T2[2:] / T1[2:] ** 2
    b[:2] = b[2]
    a = 1 - b * T0

    mu, nu, mu_tilde, gamma_tilde, c = np.zeros((5, s + 1))
    mu[1], mu_tilde[1], c[1] = 1, b[1] * w1, b[1] * w1
    mu[2:] = 2 * b[2:] * w0 / b[1:-1]
    nu[2:] = -b[2:] / b[:-2]
    mu_tilde[2:] = 2 * b[2:] * w1 / b[1:-1]
    gamma_tilde[2:] = -a[1:-1] * mu_tilde[2:]
    c[2:] = w1 * T2[2:] / T1[2:]
    return np.stack([mu, nu, mu_tilde, gamma_tilde, c], axis=1)[1:]
