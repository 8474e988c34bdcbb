"""Second-order Runge-Kutta-Chebyshev: explicit, with a long stability interval on the real axis.

Its s stages go into stability instead of order: the interval grows as 0.65*s**2. That suits states
of which some relax fast towards slow ones, without linear algebra and at one cost for every lane.

Source: B. P. Sommeijer, L. F. Shampine, J. G. Verwer, RKC: an explicit solver for parabolic PDEs,
Journal of Computational and Applied Mathematics 88 (1998) 315-326. Symbols are those of the paper.
"""

from collections.abc import Callable
from typing import Any, ClassVar, cast

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.polynomial.chebyshev import Chebyshev

from qsp.errors import ConfigError

DAMPING = 2 / 13
"""Epsilon of the paper: a step damps every mode inside the interval to 1 - epsilon/3, about."""

Row = tuple[Any, Any, Any, Any, Any]
"""mu, nu, mu~, gamma~ and c of one stage."""


class RKC2(dfx.AbstractAdaptiveSolver):
    """Runge-Kutta-Chebyshev method of order 2 with a fixed number of stages.

    It needs no bound on the eigenvalues: where the step leaves the stability interval the fast
    modes grow, the error test sees them and shortens the step. One evaluation of the derivative
    per stage, the last of which serves the next step. Dense output is the cubic through the values
    and slopes at both ends of the step.

    Args:
        stages: s, 2 or more. The interval is [-beta, 0] with beta = 2.0, 5.2, 9.8, 15.7 and 22.9
            for s = 2 to 6, divided by the step.

    Raises:
        ConfigError: If there are fewer than two stages.
    """

    stages: int = eqx.field(static=True, default=4)

    term_structure: ClassVar[type[dfx.AbstractTerm]] = dfx.AbstractTerm
    interpolation_cls: ClassVar[Callable[..., dfx.AbstractLocalInterpolation]] = (  # pyright: ignore
        dfx.ThirdOrderHermitePolynomialInterpolation
    )

    def __check_init__(self) -> None:
        if self.stages < 2:
            todo = "The default is 4"
            raise ConfigError("RKC2", "stages must be 2 or more", self.stages, todo)

    def order(self, terms: Any) -> int:
        """Order of the solution."""
        return 2

    def error_order(self, terms: Any) -> int:
        """Power of the step in the error estimate."""
        return 3

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """Derivative at a point."""
        return terms.vf(t0, y0, args)

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> Any:
        """State of the solver: the derivative at the start of the step."""
        return terms.vf(t0, y0, args)

    def step(  # noqa: PLR0913
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        args: Any,
        solver_state: Any,
        made_jump: Any,
    ) -> tuple[Any, Any, dict[str, Any], Any, dfx.RESULTS]:
        """One step.

        Returns:
            Solution at t1, error estimate, what dense output needs, derivative at t1, success.
        """
        h = terms.contr(t0, t1)
        F0 = solver_state
        if made_jump is not False:  # known not to be one while tracing, as a rule
            F0 = jax.lax.cond(made_jump, lambda: terms.vf(t0, y0, args), lambda: solver_state)
        hF0 = terms.prod(F0, h)

        def stage(carry: tuple[Any, Any, Any, Any], row: Row) -> tuple[Any, None]:
            Y_before, Y, hF, _ = carry
            *weights, c = row
            Y_next = jax.tree.map(lambda *parts: _stage(weights, *parts), y0, Y_before, Y, hF, hF0)
            F = terms.vf(t0 + c * (t1 - t0), Y_next, args)
            return (Y, Y_next, terms.prod(F, h), F), None

        # Unrolled stages took 1.5 times as long to compile, and 1.6 (s = 4) to 2.5 times (s = 6) as
        # long to run: 64 lanes of 60 states on one core.
        rows = jnp.asarray(coefficients(self.stages), jnp.result_type(t0, t1))
        (_, y1, hF1, F1), _ = jax.lax.scan(stage, (y0, y0, hF0, F0), cast(Row, tuple(rows.T)))
        error = jax.tree.map(
            lambda y0, y1, hF0, hF1: 0.8 * (y0 - y1) + 0.4 * (hF0 + hF1), y0, y1, hF0, hF1
        )
        dense = {"y0": y0, "y1": y1, "k0": hF0, "k1": hF1}
        return y1, error, dense, F1, dfx.RESULTS.successful


def _stage(  # noqa: PLR0913
    weights: list[Array], y0: Array, Y_before: Array, Y: Array, hF: Array, hF0: Array
) -> Array:
    """Y_j = (1 - mu - nu)*y0 + mu*Y_(j-1) + nu*Y_(j-2) + mu~*h*F_(j-1) + gamma~*h*F_0."""
    mu, nu, mu_tilde, gamma_tilde = (weight.astype(y0.dtype) for weight in weights)
    return (1 - mu - nu) * y0 + mu * Y + nu * Y_before + mu_tilde * hF + gamma_tilde * hF0


def coefficients(s: int, damping: float = DAMPING) -> np.ndarray:
    """Coefficients of the stages.

    The first stage is an Euler step of length c_1*h, written as the others: Y_0 and Y_-1 are y0.

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
