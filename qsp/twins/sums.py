"""Sums whose bits do not depend on the batch.

Patients with few measurements are padded to the width of the batch. NumPy and BLAS choose the order
of a sum by its length and memory layout, so that padding would change the last bits. Here terms are
added one after another, and zeros at the end change nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sum_in_order(terms: Array) -> Array:
    """Return the sum over the last axis, from the first term to the last."""
    total = np.zeros(terms.shape[:-1])
    for k in range(terms.shape[-1]):
        total = total + terms[..., k]
    return total


def weighted_rows(rows: Array, weights: Array) -> Array:
    """Return the weighted sum of rows (patient, column).

    Args:
        rows: (patient, row, column).
        weights: (patient, row).
    """
    total = np.zeros((rows.shape[0], rows.shape[2]))
    for k in range(rows.shape[1]):
        total = total + weights[:, k, None] * rows[:, k]
    return total


def weighted_gram(rows: Array, weights: Array) -> Array:
    """Return the weighted sum of the outer products of rows (patient, column, column).

    Args:
        rows: (patient, row, column).
        weights: (patient, row).
    """
    total = np.zeros((rows.shape[0], rows.shape[2], rows.shape[2]))
    for k in range(rows.shape[1]):
        row = rows[:, k]
        total = total + (weights[:, k, None] * row)[:, :, None] * row[:, None, :]
    return 0.5 * (total + np.swapaxes(total, 1, 2))  # rounding differs above and below the diagonal
