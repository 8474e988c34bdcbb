"""Orthogonal Runge-Kutta-Chebyshev methods of order 2 and 4: explicit, for mildly stiff systems.

Up to a finishing factor, the stability polynomials are orthogonal and follow a three-term
recurrence. The stability interval on the real axis is nearly the longest possible for the order.

Sources. ROCK2: A. Abdulle, A. A. Medovikov, Second order Chebyshev methods based on orthogonal
polynomials, Numerische Mathematik 90 (2001) 1-18. ROCK4: A. Abdulle, Fourth order Chebyshev methods
with recurrence relation, SIAM Journal on Scientific Computing 23 (2002) 2041-2054. Coefficients
are those of the authors' rock2.f and rock4.f, as distributed with AMReX-Astro Microphysics
(integration/ROCK/rock2_coefficients.H and rock4_coefficients.H).
"""

import dataclasses
from typing import Any, NamedTuple

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from qsp.engine.interface import PyTree
from qsp.engine.solvers.stabilized import AbstractStabilized, Slope, third_order_error
from qsp.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class _Recurrence:
    """Recurrence Y_j = mu_j*h*F_(j-1) + (1 + kappa_j)*Y_(j-1) - kappa_j*Y_(j-2)."""

    mu: tuple[float, ...]
    kappa: tuple[float, ...]  # kappa_1 is 0: the first stage is an Euler step

    @property
    def c(self) -> list[float]:
        """Positions of the stages as fractions of the step, from the recurrence for y' = 1."""
        c = [0.0, 0.0]
        for mu, kappa in zip(self.mu, self.kappa, strict=True):
            c.append(mu + (1 + kappa) * c[-1] - kappa * c[-2])
        return c[2:]


@dataclasses.dataclass(frozen=True)
class _Finish:
    """The last four stages of ROCK4, with the weights of the embedded method of order 3."""

    a2: tuple[float, ...]
    a3: tuple[float, ...]
    a4: tuple[float, ...]
    b: tuple[float, ...]
    b_hat: tuple[float, ...]
    b_hat_5: float  # weight of the slope at the new value

    @property
    def weights(self) -> np.ndarray:
        """(stage, slope): Weights of the four stages and of the new value."""
        rows = ((), self.a2, self.a3, self.a4, self.b)
        return np.array([[*row, *[0.0] * (5 - len(row))] for row in rows])


def _rock2(mu: tuple[float, ...], kappa: tuple[float, ...], sigma: float, rest: float) -> Any:
    """Recurrence of ROCK2 with its last two stages, written as two more rows.

    g_(s-1) = u + sigma*h*f(u), and
    g_s = g_(s-1) + sigma*h*f(g_(s-1)) + rest*h*(f(g_(s-1)) - f(u)), rest = tau/sigma - sigma.
    """
    return _Recurrence((*mu, sigma, sigma + rest), (*kappa, 0.0, -rest / sigma))


ROCK2_TABLES = {
    3: _rock2((0.1794612899156781,), (0.0,), 0.4102693550421609, 0.4495196112243335),
    4: _rock2(
        (0.09326607661089206, 0.1268473641290642),
        (0.0, 0.02103378190528467),
        0.3889624104727243,
        0.4219428123056774,
    ),
    5: _rock2(
        (0.05786627125519110, 0.07776456841673992, 0.09528922876588625),
        (0.0, 0.02157791817707098, 0.08723622960881585),
        0.3804692420283886,
        0.4084335547255627,
    ),
    6: _rock2(
        (0.03957407527591189, 0.05338681630900877, 0.06393794866013653, 0.07433164225960258),
        (0.0, 0.02247986572029358, 0.08616759602466630, 0.1608966052260327),
        0.3760815680865637,
        0.4009301129475925,
    ),
}
"""Coefficients by the number of stages, from 3 to 6."""

ROCK4_TABLES = {
    5: (
        _Recurrence((0.1762962957651941,), (0.0,)),
        _Finish(
            (-0.149352078672699,),
            (0.629768962985252, -0.355201061573650),
            (0.0146745996307541, -0.0558517281602565, 0.590312931352706),
            (0.934502625489809, -0.426556402801135, -0.428612609028723, 0.744370090574855),
            (1.13509972110540, -0.584333360989720, -0.319172911177732, 0.482853558185876),
            0.109256697110981,
        ),
    ),
    6: (
        _Recurrence((0.1067131485543800, 0.1296319693918818), (0.0, 0.006097984609869632)),
        _Finish(
            (-0.179313593132677,),
            (0.522354978881996, -0.268020263243268),
            (0.0410644459848542, -0.0673692676033641, 0.534974252895965),
            (0.727428506710284, -0.281882500610754, -0.366883181811475, 0.684341322628128),
            (1.00479199674788, -0.436644602461537, -0.423443966877378, 0.538770645909717),
            0.0795300735974956,
        ),
    ),
    7: (
        _Recurrence(
            (0.07296375286357569, 0.08749824867149327, 0.1026802330400501),
            (0.0, 0.006126949805354446, 0.03026744779900850),
        ),
        _Finish(
            (-0.182428104178289,),
            (0.488581974232839, -0.243999027372673),
            (0.0403844469216897, -0.0621100542563179, 0.510891501054959),
            (0.671969568061243, -0.247327027296030, -0.348410422675722, 0.657516722491004),
            (0.984907410167693, -0.403297625005343, -0.485090625106059, 0.576309835350610),
            0.0609198451735942,
        ),
    ),
    8: (
        _Recurrence(
            (0.05345766591735225, 0.06421114488497465, 0.07361067001944596, 0.08450213007949955),
            (0.0, 0.006297251335072349, 0.02954244012876854, 0.06370198138618569),
        ),
        _Finish(
            (-0.177747282156689,),
            (0.475598890858970, -0.236544145857569),
            (0.0357873367680739, -0.0561802405454197, 0.498502393780149),
            (0.655616700297981, -0.238808679740035, -0.342918097601918, 0.643274312048176),
            (0.980171201303714, -0.394437889689979, -0.517381582925487, 0.601142288908999),
            0.0476702174069568,
        ),
    ),
}
"""Coefficients by the number of stages, from 5 to 8; all but four are of the recurrence."""


class Tableau(NamedTuple):
    """Explicit Runge-Kutta method: k_i = f(t + c_i*h, y + h*sum_j a_ij*k_j).

    Args:
        a: (stage, stage): Coefficients; the last stage is the solution at the end of the step.
        c: (stage,): Positions of the stages as fractions of the step.
        error: (stage,): Weights of the error estimate.
    """

    a: np.ndarray
    c: np.ndarray
    error: np.ndarray


class ROCK2(AbstractStabilized):
    """Orthogonal Runge-Kutta-Chebyshev method of order 2 with a fixed number of stages.

    The derivative is evaluated once per stage; the last evaluation is the first one of the next
    step. Dense output is the cubic through the values and slopes at both ends of the step. The
    error estimate is that of `RKC2`, of order 3; the embedded formula of the paper has only order 2
    and would require shorter steps than the method needs. Inside the stability interval a mode may
    change sign.

    Args:
        stages: s, from 3 to 6. The interval is [-beta, 0] with beta = 6.1, 11.8, 19.0 and 27.9,
            divided by the step.

    Raises:
        ConfigError: If there is no table for that many stages.
    """

    stages: int = eqx.field(static=True, default=4)

    def __check_init__(self) -> None:
        _check("ROCK2", self.stages, ROCK2_TABLES)

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
        y1, F1, hF1 = _recur(slope, ROCK2_TABLES[self.stages], y0, F0, hF0)
        return y1, third_order_error(y0, y1, hF0, hF1), F1, hF1


class ROCK4(AbstractStabilized):
    """Orthogonal Runge-Kutta-Chebyshev method of order 4 with a fixed number of stages.

    The derivative is evaluated once per stage; the last evaluation is the first one of the next
    step. The error estimate is the difference from the embedded method of order 3. Dense output is
    the cubic through the values and slopes at both ends of the step. Inside the stability interval
    a mode may change sign.

    Args:
        stages: s, from 5 to 8. The interval is [-beta, 0] with beta = 6.0, 9.8, 14.4 and 19.7,
            divided by the step.

    Raises:
        ConfigError: If there is no table for that many stages.
    """

    stages: int = eqx.field(static=True, default=6)

    def __check_init__(self) -> None:
        _check("ROCK4", self.stages, ROCK4_TABLES)

    def order(self, terms: dfx.AbstractTerm) -> int:
        """Return the order of the solution."""
        return 4

    def error_order(self, terms: dfx.AbstractTerm) -> int:
        """Return the power of the step in the error estimate."""
        return 4

    def tableau(self) -> Tableau:
        """Return the method as an explicit Runge-Kutta method, with the stages in one loop."""
        recurrence, finish = ROCK4_TABLES[self.stages]
        size, rows = len(recurrence.mu) + 5, []
        slopes = np.eye(size)
        last = before = np.zeros(size)
        for n, (mu, kappa) in enumerate(zip(recurrence.mu, recurrence.kappa, strict=True)):
            before, last = last, last + mu * slopes[n] + kappa * (last - before)
            rows.append(last)
        tail = slopes[-5:]
        rows += [last + weights @ tail for weights in finish.weights[1:]]
        a = np.stack([np.zeros(size), *rows])
        c = a.sum(1)
        c[-1] = 1.0  # exact; the sum differs by rounding
        gap = np.array([*finish.b_hat, finish.b_hat_5]) - finish.weights[4]
        return Tableau(a, c, gap @ tail)

    def advance(
        self, slope: Slope, y0: PyTree, F0: PyTree, hF0: PyTree
    ) -> tuple[PyTree, PyTree, PyTree, PyTree]:
        """Return solution, error estimate and derivative at the end of a step, and h times it."""
        recurrence, finish = ROCK4_TABLES[self.stages]
        u, F, hF = _recur(slope, recurrence, y0, F0, hF0)

        weights = finish.weights
        c = recurrence.c[-1] + weights.sum(1)
        c[4] = 1.0  # exact; the sum differs by rounding

        def stage(carry: tuple[Any, Any, Any], row: Any) -> tuple[Any, None]:
            i, weight, c = row
            slopes = carry[2]
            Y = jax.tree.map(lambda u, k: u + _weighted(weight, k), u, slopes)
            F, hF = slope(c, Y)
            return (Y, F, jax.tree.map(lambda k, hF: k.at[i].set(hF), slopes, hF)), None

        slopes = jax.tree.map(lambda k: jnp.zeros((5, *k.shape), k.dtype).at[0].set(k), hF)
        (y1, F1, slopes), _ = jax.lax.scan(
            stage, (u, F, slopes), (jnp.arange(1, 5), jnp.asarray(weights[1:]), jnp.asarray(c[1:]))
        )
        gap = jnp.asarray(np.array([*finish.b_hat, finish.b_hat_5]) - weights[4])
        error = jax.tree.map(lambda k: _weighted(gap, k), slopes)
        return y1, error, F1, jax.tree.map(lambda k: k[4], slopes)


def _check(name: str, stages: int, tables: dict[int, Any]) -> None:
    if stages not in tables:
        rule = f"stages must be from {min(tables)} to {max(tables)}"
        raise ConfigError(name, rule, stages, "There is no table for more or fewer")


def _recur(slope: Slope, recurrence: _Recurrence, y0: PyTree, F0: PyTree, hF0: PyTree) -> Any:
    """Last stage of a recurrence, the derivative there, and h times it."""

    def stage(carry: tuple[PyTree, PyTree, PyTree, PyTree], row: Any) -> tuple[Any, None]:
        before, last, _, hF = carry
        *weights, c = row

        def next_stage(before: PyTree, last: PyTree, hF: PyTree) -> Any:
            mu, kappa = (weight.astype(hF.dtype) for weight in weights)
            return last + (mu * hF + kappa * (last - before))  # exact for a constant

        Y = jax.tree.map(next_stage, before, last, hF)
        return (last, Y, *slope(c, Y)), None

    rows = (jnp.asarray(row) for row in (recurrence.mu, recurrence.kappa, recurrence.c))
    (_, Y, F, hF), _ = jax.lax.scan(stage, (y0, y0, F0, hF0), tuple(rows))
    return Y, F, hF


def _weighted(weights: Any, slopes: PyTree) -> Any:
    """Sum of slopes (stage, ...) times weights (stage,)."""
    return sum(w * k for w, k in zip(weights.astype(slopes.dtype), slopes, strict=True))
