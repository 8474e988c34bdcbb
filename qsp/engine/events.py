"""Administrations of a lane, as arrays."""

from typing import TypeAlias

import equinox as eqx
import numpy as np
from jax import Array

Leaf: TypeAlias = Array | np.ndarray
"""On the device, or before it gets there."""


class Events(eqx.Module):
    """Administrations of one lane, sorted by time; `kind` is -1 and `time` inf where padded."""

    time: Leaf
    kind: Leaf
    amount: Leaf
    rate: Leaf
    duration: Leaf
    period: Leaf
