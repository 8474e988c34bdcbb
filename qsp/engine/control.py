"""Step size control with an absolute tolerance of its own for each state.

A system of cells (1e5 Mcell), drug (1e-3 nmol/L) and fractions (0 to 1) has no single absolute
tolerance. States are measured in units of what is negligible in them, then handed to a PID
controller with atol 1.
"""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp


def worst(tree: Any) -> Any:
    """Largest error of any state: a mean over sixty states would let one be off many times."""
    return jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree)]).max()


class PerStateTolerance(dfx.AbstractStepSizeController):
    """err_i / (atol_i + rtol*|y_i|) for each state i.

    Args:
        controller: Controller with atol 1 and the relative tolerance of the run.
        atol: Absolute tolerances, a tree like the state; inf where a state must not bound the step.
    """

    controller: dfx.PIDController
    atol: Any

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
        return self.controller.init(terms, t0, t1, y0, dt0, args, func, error_order)

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
        # An infinite state would turn the scale of the error into nan; one that is no number is
        # known to the controller as a failed step.
        y1_candidate = jax.tree.map(
            lambda leaf: jnp.where(jnp.isfinite(leaf), leaf, jnp.nan), y1_candidate
        )
        y0, y1, error = (self._relative(tree) for tree in (y0, y1_candidate, y_error))
        return self.controller.adapt_step_size(
            t0, t1, y0, y1, args, error, error_order, controller_state
        )

    def _relative(self, tree: Any) -> Any:
        # Not a plain division: the infinite error of a failed step over an infinite tolerance is
        # nan, from which the controller does not recover.
        return jax.tree.map(
            lambda leaf, scale: jnp.where(jnp.isinf(scale), 0.0, leaf / scale), tree, self.atol
        )
