"""Base class of the stabilized Runge-Kutta methods as diffrax solvers.

A method evaluates the derivative once per stage. The last evaluation is the first one of the next
step, and is the state of the solver. Dense output is the cubic through the values and slopes at
both ends of a step.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import diffrax as dfx
import jax
import jax.numpy as jnp

from qsp.engine.interface import PyTree

Slope = Callable[[Any, Any], tuple[Any, Any]]
"""Function of c, a fraction of the step, and a state: the derivative, and the step times it."""


class AbstractStabilized(dfx.AbstractAdaptiveSolver):
    """Stabilized method; a subclass defines `advance` and the orders."""

    term_structure: ClassVar[type[dfx.AbstractTerm]] = dfx.AbstractTerm
    interpolation_cls: ClassVar[Callable[..., dfx.AbstractLocalInterpolation]] = (  # pyright: ignore
        dfx.ThirdOrderHermitePolynomialInterpolation
    )

    @abstractmethod
    def advance(
        self, slope: Slope, y0: PyTree, F0: PyTree, hF0: PyTree
    ) -> tuple[PyTree, PyTree, PyTree, PyTree]:
        """Return solution, error estimate and derivative at the end of a step, and h times it."""

    def func(self, terms: dfx.AbstractTerm, t0: Any, y0: PyTree, args: PyTree) -> Any:
        """Return the derivative at a point."""
        return terms.vf(t0, y0, args)

    def init(self, terms: dfx.AbstractTerm, t0: Any, t1: Any, y0: PyTree, args: PyTree) -> Any:
        """Return the state of the solver, the derivative at the start of the step."""
        return terms.vf(t0, y0, args)

    def step(  # noqa: PLR0913
        self,
        terms: dfx.AbstractTerm,
        t0: Any,
        t1: Any,
        y0: PyTree,
        args: PyTree,
        solver_state: PyTree,
        made_jump: Any,
    ) -> tuple[Any, Any, dict[str, Any], Any, dfx.RESULTS]:
        """Compute a step.

        Returns:
            Solution at t1, error estimate, data of the dense output, derivative at t1, success.
        """
        h, F0 = terms.contr(t0, t1), solver_state

        def slope(c: Any, Y: PyTree) -> tuple[Any, Any]:
            F = terms.vf(t0 + c.astype(jnp.result_type(t0)) * (t1 - t0), Y, args)
            return F, terms.prod(F, h)

        if made_jump is not False:  # usually known to be False while tracing
            F0 = jax.lax.cond(made_jump, lambda F0: terms.vf(t0, y0, args), lambda F0: F0, F0)
        hF0 = terms.prod(F0, h)
        y1, error, F1, hF1 = self.advance(slope, y0, F0, hF0)
        return y1, error, {"y0": y0, "y1": y1, "k0": hF0, "k1": hF1}, F1, dfx.RESULTS.successful


def third_order_error(y0: PyTree, y1: PyTree, hF0: PyTree, hF1: PyTree) -> Any:
    """Return the error estimate of RKC, of order 3: 0.8*(y0 - y1) + 0.4*h*(F0 + F1)."""
    return jax.tree.map(
        lambda y0, y1, hF0, hF1: 0.8 * (y0 - y1) + 0.4 * (hF0 + hF1), y0, y1, hF0, hF1
    )
