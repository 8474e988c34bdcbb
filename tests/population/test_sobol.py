"""Candidates: points of a scrambled Sobol sequence as standard normal draws."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import qmc

from qsp.errors import ConfigError
from qsp.populations.draws import normals
from qsp.populations.sobol import MOST_POINTS, sobol_normals


def names(count):
    return [f"draw {n}" for n in range(count)]


def test_a_candidate_depends_on_seed_and_number_only():
    z = sobol_normals(1, 0, 128, names(40))
    np.testing.assert_array_equal(sobol_normals(1, 0, 64, names(40)), z[:64])
    np.testing.assert_array_equal(sobol_normals(1, 50, 30, names(40)), z[50:80])
    assert np.isfinite(z).all()
    assert not np.isclose(sobol_normals(2, 0, 128, names(40)), z).any(axis=1).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_candidates_are_more_even_than_independent_draws(seed):
    even = qmc.discrepancy(ndtr(sobol_normals(seed, 0, 256, names(6))))
    random = qmc.discrepancy(ndtr(normals(seed, np.arange(256), names(6))))
    assert even < random / 3


def test_every_coordinate_of_the_first_points_is_balanced():
    """Shares of a mixture and of sexes are those of the population, up to one patient."""
    z = sobol_normals(7, 0, 256, names(120))
    for quantile, share in ((-0.3, ndtr(-0.3)), (0.52, ndtr(0.52))):
        np.testing.assert_allclose((z < quantile).mean(0), share, atol=1 / 256)


@pytest.mark.parametrize(("first", "count"), [(MOST_POINTS, 1), (MOST_POINTS - 3, 4)])
def test_too_many_candidates_are_refused(first, count):
    with pytest.raises(ConfigError, match=f"n must be at most {MOST_POINTS}"):
        sobol_normals(1, first, count, names(2))


def test_too_many_draws_are_refused():
    with pytest.raises(ConfigError, match="number of values that vary must be at most"):
        sobol_normals(1, 0, 1, names(30_000))
