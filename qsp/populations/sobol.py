"""Quasi-random draws: points of a scrambled Sobol sequence in place of independent numbers.

The points of a Sobol sequence fill the space of the draws more evenly than independent ones, so
that a mean over patients has a smaller error. A random scramble, which the seed chooses, keeps each
point uniformly distributed; it is the affine one of Matousek, which has the variance of Owen's.

Every draw of a patient is a coordinate of the point: parameters, covariates, the component of a
mixture, sex, and the effect on the CRS thresholds. Components and sex are intervals of a standard
normal draw, so that their shares among the patients are close to those of the population as well.
Random effects of doses, missed visits and errors of measurement are no coordinates: their number
depends on the trial, not on the patient.

Source: Sobol 1967, USSR Comput Math Math Phys 7:86; Owen 1995, Lect Notes Stat 106:299; Matousek
1998, J Complexity 14:527; direction numbers of Joe and Kuo 2008, SIAM J Sci Comput 30:2635.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from qsp.errors import ConfigError

BITS = 30
"""Binary digits of a coordinate; the sequence has 2**BITS points."""
MOST_POINTS = 2**BITS


def sobol_normals(seed: int, first: int, count: int, names: Sequence[str]) -> np.ndarray:
    """Standard normal draws from a scrambled Sobol sequence.

    A point depends on the seed, its number and the names, and not on how many others are drawn.
    The first 2^m points of the sequence are balanced.

    Args:
        seed: Seed of the scramble.
        first: Number of the first point, 0 or more.
        count: Number of points.
        names: Names of the draws, in the order of the coordinates.

    Returns:
        Draws (point, name), float64. They are finite, of at most 6.3 standard deviations, as a
        coordinate is the middle of an interval of length 2**-BITS.

    Raises:
        ConfigError: If the sequence has too few points or coordinates.
    """
    _check(first + count, len(names))
    random = np.random.default_rng(seed)
    # SciPy calls this argument `rng` from version 1.15 on, and takes the old name too.
    sequence = qmc.Sobol(len(names), scramble=True, bits=BITS, seed=random)  # pyright: ignore[reportCallIssue]
    if first:
        sequence.fast_forward(first)
    with warnings.catch_warnings():
        # Points of any number are of use: those of a block, and those that pass a screen.
        warnings.filterwarnings("ignore", message="The balance properties", category=UserWarning)
        uniform = sequence.random(count)
    return ndtri(uniform + 0.5 ** (BITS + 1))


def _check(points: int, names: int) -> None:
    if points > MOST_POINTS:
        rule, todo = f"n must be at most {MOST_POINTS}", "Use several seeds"
        raise ConfigError("populate", rule, points, todo)
    if names > qmc.Sobol.MAXDIM:
        rule = f"the number of values that vary must be at most {qmc.Sobol.MAXDIM}"
        raise ConfigError("populate", rule, names, "Remove spreads from the population")
