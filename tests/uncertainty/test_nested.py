"""Intervals over parameter sets x patients, on made-up estimates."""

import numpy as np
import pytest

from qsp.endpoints.resampled import QUANTITIES, Estimates, resamples
from qsp.endpoints.statistics.nested import interval, probability_best, share_of_members
from qsp.errors import SolveError
from qsp.uncertainty.summary import summarized

RANDOM = np.random.default_rng(0)


def test_interval_has_the_variance_of_parameters_and_patients():
    member, patient = RANDOM.normal(size=(400, 1)), RANDOM.normal(size=(1, 400))
    values = (3.0 * member + 4.0 * patient)[..., None]
    middle, low, high = interval(values)
    assert (high - low)[0] == pytest.approx(2 * 1.645 * 5.0, rel=0.1)
    assert abs(middle[0]) < 0.5
    assert share_of_members(values)[0] == pytest.approx(9.0 / 25.0, abs=0.07)


def test_one_member_has_no_interval_and_no_share():
    middle, low, high = interval(np.array([[[0.2], [0.4]]]))
    assert middle == pytest.approx([0.3])
    assert np.isnan([low, high, share_of_members(np.zeros((1, 2, 1)))]).all()


def test_probability_best_shares_ties_and_knows_the_better_direction():
    values = np.array([[[0.1, 0.2, 0.3], [0.2, 0.2, 0.3]]])
    assert probability_best(values, lower_is_better=True) == pytest.approx([0.75, 0.25, 0.0])
    assert probability_best(values, lower_is_better=False) == pytest.approx([0.0, 0.0, 1.0])


def test_resamples_have_as_many_patients_and_a_seed():
    counts = resamples(7, 5, seed=1)
    assert (counts.sum(axis=1) == 7).all()
    assert np.array_equal(counts, resamples(7, 5, seed=1))


def made(value, *, failed=0, has_patients=True):
    whole = np.full((2, len(QUANTITIES)), value)
    return Estimates(whole, np.stack([whole, whole]), np.array([failed, 0]), has_patients)


def test_a_member_without_patients_is_counted_but_not_used():
    fine, lost = made(0.25), made(np.nan, failed=9, has_patients=False)
    found = summarized(fine, [fine, lost, fine], ["a", "b"], "a")
    assert found["failed"].sel(arm="a").values.tolist() == [0, 9, 0]
    assert (found["median"].sel(of="arm") == 0.25).all()
    assert (found["median"].sel(of="difference") == 0.0).all()
    with pytest.raises(SolveError, match="in any parameter set"):
        summarized(fine, [lost], ["a", "b"], "a")
