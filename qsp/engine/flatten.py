"""A system whose state is one vector, and whose equations see many lanes at once.

A solver combines its stages state by state. Thirty small arrays cost thirty passes over memory for
each combination, one vector costs one; the equations go on seeing the tree.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.solvers.batched import batch_last


@dataclasses.dataclass(frozen=True)
class Flattened:
    """What a system shows the engine, in terms of a vector.

    Args:
        system: The system, whose state is a tree.
        tree: A state, for its structure and its shapes.
    """

    system: Any
    tree: Any

    @staticmethod
    def of(system: Any, p: Any) -> "Flattened":
        """A system with its states raveled in the order of their tree."""
        return Flattened(system, jax.eval_shape(system.initial, p))

    def unravel(self, x: Array) -> Any:
        """The tree of a vector; axes after the first are kept."""
        leaves, first = [], 0
        for leaf in jax.tree.leaves(self.tree):
            leaves.append(x[first : first + leaf.size].reshape((*leaf.shape, *x.shape[1:])))
            first += leaf.size
        return jax.tree.unflatten(jax.tree.structure(self.tree), leaves)

    def ravel(self, tree: Any) -> Array:
        """The vector of a tree; axes that its leaves have beyond those of a state are kept."""
        parts = jax.tree.map(
            lambda leaf, like: leaf.reshape((like.size, *leaf.shape[like.ndim :])), tree, self.tree
        )
        return jnp.concatenate(jax.tree.leaves(parts))

    def initial(self, p: Any) -> Array:
        """State before the first dose."""
        return self.ravel(self.system.initial(p))

    def negligible(self, x: Array, p: Any) -> Array:
        """Absolute tolerance of each state."""
        return self.ravel(self.system.negligible(self.unravel(x), p))

    def rates(self, time: Array, x: Array, p: Any, infusion: Array) -> Array:
        """Derivative."""
        return self.ravel(self.system.rates(time, self.unravel(x), p, infusion))

    def bolus(self, x: Array, p: Any, amount: Array) -> Array:
        """State after boluses."""
        return self.ravel(self.system.bolus(self.unravel(x), p, amount))

    def snapshot(self, x: Array, p: Any) -> Any:
        """What a trajectory shows."""
        return self.system.snapshot(self.unravel(x), p)

    def peaks(self, x: Array, p: Any) -> Any:
        """What is maximized inside steps."""
        return self.system.peaks(self.unravel(x), p)

    def areas(self, x: Array, p: Any) -> Any:
        """What is integrated."""
        return self.system.areas(self.unravel(x), p)

    def ends(self, x: Array, p: Any) -> tuple[Any, Any]:
        """What is taken at the ends of steps."""
        return batch_last(lambda x, p: self.system.ends(self.unravel(x), p))(x, p)

    def signal(self, peaks: Any) -> Array:
        """What crosses the thresholds."""
        return self.system.signal(peaks)

    def measured(self, snapshot: Any, first: Any, levels: Array, error: Array, p: Any) -> Array:
        """What rules look at."""
        return self.system.measured(snapshot, first, levels, error, p)
