"""System whose state is one vector, and whose equations see many simulations at once.

A solver combines its stages state by state. For thirty small arrays that is thirty passes over
memory, for one vector it is one. The equations still see the tree of small arrays.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from qsp.engine.interface import AbstractSystem, PyTree
from qsp.engine.solvers.batched import batch_last


@dataclasses.dataclass(frozen=True)
class Flattened:
    """The interface `AbstractSystem` of a system, with a vector as the state.

    Args:
        system: System whose state is a tree.
        tree: State, for its structure and shapes.
    """

    system: AbstractSystem
    tree: PyTree

    @staticmethod
    def of(system: AbstractSystem, p: PyTree) -> "Flattened":
        """Return a system with its state flattened in the order of the tree."""
        return Flattened(system, jax.eval_shape(system.initial, p))

    def unravel(self, x: Array) -> PyTree:
        """Return the tree of a vector; further axes of the vector are kept."""
        leaves, first = [], 0
        for leaf in jax.tree.leaves(self.tree):
            leaves.append(x[first : first + leaf.size].reshape((*leaf.shape, *x.shape[1:])))
            first += leaf.size
        return jax.tree.unflatten(jax.tree.structure(self.tree), leaves)

    def ravel(self, tree: PyTree) -> Array:
        """Return the vector of a tree; axes of its leaves beyond those of a state are kept."""
        parts = jax.tree.map(
            lambda leaf, like: leaf.reshape((like.size, *leaf.shape[like.ndim :])), tree, self.tree
        )
        return jnp.concatenate(jax.tree.leaves(parts))

    def initial(self, p: PyTree) -> Array:
        """Return the state before the first dose."""
        return self.ravel(self.system.initial(p))

    def negligible(self, x: Array, p: PyTree) -> Array:
        """Return the absolute tolerance of each state."""
        return self.ravel(self.system.negligible(self.unravel(x), p))

    def rates(self, time: Array, x: Array, p: PyTree, infusion: Array) -> Array:
        """Return the derivative."""
        return self.ravel(self.system.rates(time, self.unravel(x), p, infusion))

    def bolus(self, x: Array, p: PyTree, amount: Array) -> Array:
        """Return the state after boluses."""
        return self.ravel(self.system.bolus(self.unravel(x), p, amount))

    def snapshot(self, x: Array, p: PyTree) -> PyTree:
        """Return the quantities that are saved."""
        return self.system.snapshot(self.unravel(x), p)

    def course(self, x: Array, p: PyTree) -> PyTree:
        """Return the quantities that are saved at the times of other grids than the first."""
        return self.system.course(self.unravel(x), p)

    def peaks(self, x: Array, p: PyTree) -> PyTree:
        """Return the quantities whose maximum is taken inside steps."""
        return self.system.peaks(self.unravel(x), p)

    def areas(self, x: Array, p: PyTree) -> PyTree:
        """Return the quantities that are integrated."""
        return self.system.areas(self.unravel(x), p)

    def ends(self, x: Array, p: PyTree) -> tuple[Any, Any]:
        """Return the quantities for the ends of steps."""
        return batch_last(lambda x, p: self.system.ends(self.unravel(x), p))(x, p)

    def signals(self, peaks: PyTree) -> Array:
        """Return the quantity that is compared with the threshold of each grade."""
        return self.system.signals(peaks)

    def measured(
        self, snapshot: PyTree, first: PyTree, levels: Array, error: Array, p: PyTree
    ) -> Array:
        """Return the measurements of a visit."""
        return self.system.measured(snapshot, first, levels, error, p)
