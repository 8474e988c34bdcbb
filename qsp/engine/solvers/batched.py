"""Equations over many simulations at once, with the batch on the last axis.

`jax.vmap` puts the batch axis first: an array (4,) becomes (batch, 4), and the innermost loop of
the compiled program has length 4. With the batch axis last, the innermost loop runs over the batch
and fills the vector registers of a CPU. Equations that broadcast from the right need no change.
"""

from collections.abc import Callable
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from qsp.engine.interface import PyTree
from qsp.engine.solvers.stabilized import AbstractStabilized
from qsp.engine.solvers.wrapping import AbstractWrapping


def batch_last(equations: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that under `jax.vmap` is computed with the batch axis last.

    Args:
        equations: Function of trees of arrays that also accepts one more axis, the last, on every
            array: it broadcasts from the right and reduces over leading axes by number.

    Returns:
        The function. Its derivatives are those of `equations` under an ordinary `jax.vmap`.
    """
    batched = custom_vmap(equations)

    @batched.def_vmap
    def _(sims: int, is_batched: list[Any], *arguments: PyTree) -> tuple[Any, Any]:
        def last(leaf: PyTree, has_batch_axis: bool) -> Any:
            leaf = jnp.asarray(leaf)
            if has_batch_axis:
                return jnp.moveaxis(leaf, 0, -1)
            return jnp.broadcast_to(leaf[..., None], (*leaf.shape, sims))

        result = equations(*jax.tree.map(last, arguments, tuple(is_batched)))
        first = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), result)
        return first, jax.tree.map(lambda _: True, result)

    @jax.custom_jvp
    def function(*arguments: PyTree) -> Any:
        return batched(*arguments)

    @function.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return jax.jvp(equations, primals, tangents)

    return function


class BatchLast(AbstractWrapping):
    """Stabilized solver whose whole step is computed with the batch axis last.

    Args:
        solver: Stabilized solver; the derivative must meet the requirements of `batch_last`.
    """

    solver: AbstractStabilized

    def init(self, terms: dfx.AbstractTerm, t0: Any, t1: Any, y0: PyTree, args: PyTree) -> Any:
        """Return the state of the solver, the derivative at the start of the step."""
        return self.func(terms, t0, y0, args)

    def func(self, terms: dfx.AbstractTerm, t0: Any, y0: PyTree, args: PyTree) -> Any:
        """Return the derivative at a point."""
        arrays, rest = eqx.partition(terms, eqx.is_array)

        def derivative(arrays: Any, t0: Any, y0: PyTree, args: PyTree) -> Any:
            return self.solver.func(eqx.combine(arrays, rest), t0, y0, args)

        return batch_last(derivative)(arrays, t0, y0, args)

    def step(  # noqa: PLR0913
        self,
        terms: dfx.AbstractTerm,
        t0: Any,
        t1: Any,
        y0: PyTree,
        args: PyTree,
        solver_state: PyTree,
        made_jump: Any,
    ) -> Any:
        """Compute a step; with the ordinary batch axis if there may have been a jump."""
        if made_jump is not False:
            return self.solver.step(terms, t0, t1, y0, args, solver_state, made_jump)

        arrays, rest = eqx.partition(terms, eqx.is_array)

        def whole(
            arrays: Any, t0: Any, t1: Any, y0: PyTree, args: PyTree, solver_state: PyTree
        ) -> Any:
            whole_terms = eqx.combine(arrays, rest)
            *step, _ = self.solver.step(whole_terms, t0, t1, y0, args, solver_state, False)
            return step

        step = batch_last(whole)(arrays, t0, t1, y0, args, solver_state)
        return *step, dfx.RESULTS.successful
