"""Step size control with an absolute tolerance of its own for each state.

A system of cells (1e5 Mcell), drug (1e-3 nmol/L) and fractions (0 to 1) has no single absolute
tolerance. The error of a step is one number, that of the worst state in units of its tolerance, and
a PID controller with a tolerance of 1 decides on it.
"""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp

from qsp.engine.solvers.batched import batch_last


class PerStateTolerance(dfx.AbstractStepSizeController):
    """max_i err_i / (atol_i + rtol*|y_i|) over the states i.

    Args:
        controller: Controller with atol 1 and rtol 0.
        rtol: Relative tolerance.
        atol: Absolute tolerances, an array like the state; inf where a state must not bound the
            step.
        first_step: Length of the first step. It is given here and not to the solve, which would
            check it by a call back into Python; JAX keeps no compiled program that makes one.
    """

    controller: dfx.PIDController
    rtol: float = eqx.field(static=True)
    atol: Any
    first_step: Any

    def wrap(self, direction: Any) -> "PerStateTolerance":
        return eqx.tree_at(lambda c: c.controller, self, self.controller.wrap(direction))

    def init(  # noqa: PLR0913
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        dt0: Any,
        args: Any,
        func: Any,
        error_order: Any,
    ) -> Any:
        """First step and state of the controller."""
        return self.controller.init(terms, t0, t1, y0, self.first_step, args, func, error_order)

    def adapt_step_size(  # noqa: PLR0913
        self,
        t0: Any,
        t1: Any,
        y0: Any,
        y1_candidate: Any,
        args: Any,
        y_error: Any,
        error_order: Any,
        controller_state: Any,
    ) -> Any:
        """Accept or reject the step, and choose the next."""
        error = batch_last(self._worst)(y0, y1_candidate, y_error, self.atol)
        none = jnp.zeros_like(error)
        return self.controller.adapt_step_size(
            t0, t1, none, none, args, error, error_order, controller_state
        )

    def _worst(self, y0: Any, y1: Any, error: Any, atol: Any) -> Any:
        """The largest: a mean over sixty states would let one be off many times.

        A step to a state that is no number or infinite is infinitely wrong.
        """
        scale = atol + self.rtol * jnp.maximum(jnp.abs(y0), jnp.abs(y1))
        # No plain division: an infinite error over an infinite tolerance is nan.
        relative = jnp.where(jnp.isinf(atol), 0.0, jnp.abs(error) / scale)
        return jnp.where(jnp.isfinite(y1), relative, jnp.inf).max(0)
