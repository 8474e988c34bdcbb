"""The random bits of `jax.random` with the generator Threefry-2x32, computed in NumPy.

Whole numbers are the same on every machine, and NumPy needs no compilation, which took a third of a
second at the start of every process. Source: Salmon et al., SC 2011, with 20 rounds.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

Words: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Two arrays of type uint32, which broadcast against each other: a key or a counter."""

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_GROUPS = 5


def key(seed: int) -> Words:
    """Return the key of a seed, as `jax.random.key` does.

    Args:
        seed: Whole number from 0 to 2**64 - 1.
    """
    return np.array(seed >> 32, np.uint32), np.array(seed & 0xFFFFFFFF, np.uint32)


def fold_in(key: Words, number: np.ndarray) -> Words:
    """Return a key for each number, as `jax.random.fold_in` does.

    Args:
        key: Keys.
        number: Numbers of type uint32, which broadcast against the keys.
    """
    return threefry(key, (np.zeros_like(number), number))


def bits(key: Words) -> np.ndarray:
    """Return a random number of type uint64 for each key, as `jax.random.bits` does."""
    zero = np.zeros_like(key[0])
    high, low = threefry(key, (zero, zero))
    return (high.astype(np.uint64) << np.uint64(32)) | low


def threefry(key: Words, counter: Words) -> Words:
    """Return the hash of counters.

    Args:
        key: Keys.
        counter: Counters, which broadcast against the keys.
    """
    keys = (*key, key[0] ^ key[1] ^ _PARITY)
    left, right = counter[0] + keys[0], counter[1] + keys[1]
    for group in range(_GROUPS):
        for rotation in _ROTATIONS[group % 2]:
            left = left + right
            right = (right << np.uint32(rotation)) | (right >> np.uint32(32 - rotation))
            right = right ^ left
        left = left + keys[(group + 1) % 3]
        right = right + keys[(group + 2) % 3] + np.uint32(group + 1)
    return left, right
