"""A system whose state is one vector.

A solver combines its stages state by state. Thirty small arrays cost thirty passes over memory for
each combination, one vector costs one; the equations go on seeing the tree.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from jax import Array
from jax.flatten_util import ravel_pytree


@dataclasses.dataclass(frozen=True)
class Raveled:
    """What a system shows the engine, in terms of a vector.

    Args:
        system: The system, whose state is a tree.
        unravel: The tree of a vector.
    """

    system: Any
    unravel: Callable[[Array], Any]

    @staticmethod
    def of(system: Any, p: Any) -> "Raveled":
        """A system with its states raveled in the order of their tree."""
        return Raveled(system, ravel_pytree(system.initial(p))[1])

    def initial(self, p: Any) -> Array:
        """State before the first dose."""
        return _vector(self.system.initial(p))

    def negligible(self, x: Array, p: Any) -> Array:
        """Absolute tolerance of each state."""
        return _vector(self.system.negligible(self.unravel(x), p))

    def rates(self, time: Array, x: Array, p: Any, infusion: Array) -> Array:
        """Derivative."""
        return _vector(self.system.rates(time, self.unravel(x), p, infusion))

    def bolus(self, x: Array, p: Any, amount: Array) -> Array:
        """State after boluses."""
        return _vector(self.system.bolus(self.unravel(x), p, amount))

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
        return self.system.ends(self.unravel(x), p)

    def signal(self, peaks: Any) -> Array:
        """What crosses the thresholds."""
        return self.system.signal(peaks)


def _vector(tree: Any) -> Array:
    return ravel_pytree(tree)[0]
