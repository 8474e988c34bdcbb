"""Step size control with one absolute tolerance for each state.

Numbers of cells (1e5), concentrations (1e-3) and fractions (0 to 1) have no common absolute
tolerance. The error of a step is that of the worst state, in units of its tolerance, and a PID
controller with a tolerance of 1 accepts or rejects it.
"""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp

from qsp.engine.interface import PyTree
from qsp.engine.solvers.batched import batch_last


class PerStateTolerance(dfx.AbstractStepSizeController):
    """Step size controller for the error max_i err_i / (atol_i + rtol*|y_i|) over the states i.

    Args:
        controller: Controller with atol 1 and rtol 0.
        rtol: Relative tolerance.
        atol: Absolute tolerances, an array like the state; inf where a state must not limit the
            step.
        first_step: Length of the first step. `diffeqsolve` would check its argument `dt0` by a
            callback into Python, and JAX does not cache compiled programs with callbacks.
    """

    controller: dfx.PIDController
    rtol: float = eqx.field(static=True)
    atol: PyTree
    first_step: Any

    def wrap(self, direction: Any) -> "PerStateTolerance":
        return eqx.tree_at(lambda c: c.controller, self, self.controller.wrap(direction))

    def init(  # noqa: PLR0913
        self,
        terms: dfx.AbstractTerm,
        t0: Any,
        t1: Any,
        y0: PyTree,
        dt0: Any,
        args: PyTree,
        func: Any,
        error_order: Any,
    ) -> Any:
        """Return the end of the first step and the state of the controller."""
        return self.controller.init(terms, t0, t1, y0, self.first_step, args, func, error_order)

    def adapt_step_size(  # noqa: PLR0913
        self,
        t0: Any,
        t1: Any,
        y0: PyTree,
        y1_candidate: PyTree,
        args: PyTree,
        y_error: PyTree,
        error_order: Any,
        controller_state: PyTree,
    ) -> Any:
        """Accept or reject the step, and choose the length of the next."""
        error = batch_last(self._worst)(y0, y1_candidate, y_error, self.atol)
        zero = jnp.zeros_like(error)
        return self.controller.adapt_step_size(
            t0, t1, zero, zero, args, error, error_order, controller_state
        )

    def _worst(self, y0: PyTree, y1: PyTree, error: PyTree, atol: PyTree) -> Any:
        """Error of the worst state in units of its tolerance; inf if a state is not finite.

        A mean over sixty states would allow a large error in one of them.
        """
        scale = atol + self.rtol * jnp.maximum(jnp.abs(y0), jnp.abs(y1))
        # An infinite error over an infinite tolerance would be NaN.
        relative = jnp.where(jnp.isinf(atol), 0.0, jnp.abs(error) / scale)
        return jnp.where(jnp.isfinite(y1), relative, jnp.inf).max(0)
