"""Intervals of paired differences: published values, an independent formula, and coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from qsp.endpoints.statistics import paired
from qsp.endpoints.statistics.paired import Cells, Sampling
from qsp.endpoints.statistics.paired_estimates import cells_of, compare_means, compare_rates
from qsp.errors import ConfigError

TABLES = [
    *((1, 1, 7, 12), (14, 5, 0, 22), (36, 12, 2, 0), (2, 12, 14, 0), (54, 0, 0, 0)),
    *((0, 0, 0, 1), (1, 0, 0, 0), (0, 1, 0, 0), (0, 29, 0, 25), (59, 6, 16, 80)),
    *((2, 97, 1, 0), (12, 3, 4, 25), (0, 0, 0, 400)),
]
FEW = Sampling(trial_size=50, replicates=400)


def swapped(cells):
    return Cells(cells.both, cells.second_only, cells.first_only, cells.neither)


def by_scores(table, level=0.95):
    """Newcombe's method 10 from its definition: Wilson bounds are the roots of the score test."""
    a, b, c, d = table
    n, z = a + b + c + d, stats.norm.ppf(0.5 + level / 2)

    def bounds(events):
        p = events / n
        return sorted(np.roots([1 + z**2 / n, -(2 * p + z**2 / n), p**2]).real)

    (l1, u1), (l2, u2) = bounds(a + b), bounds(a + c)
    p1, p2 = (a + b) / n, (a + c) / n
    margins = math.prod([a + b, c + d, a + c, b + d])
    numerator = a * d - b * c
    if numerator > n / 2:
        numerator -= n / 2
    elif numerator >= 0:
        numerator = 0
    phi = numerator / math.sqrt(margins) if margins else 0.0
    low = [p1 - l1, -(u2 - p2)]
    high = [u1 - p1, -(p2 - l2)]
    correlation = np.array([[1, phi], [phi, 1]])
    return (
        p1 - p2 - math.sqrt(max(low @ correlation @ low, 0)),
        p1 - p2 + math.sqrt(max(high @ correlation @ high, 0)),
    )


class TestNewcombe:
    # Altman, Machin, Bryant, Gardner 2000, Statistics with Confidence, chapter 6; Fagerland,
    # Lydersen, Laake 2014, Stat Med 33:2850, airway hyper-responsiveness.
    @pytest.mark.parametrize(
        ("table", "lower", "upper"),
        [((14, 5, 0, 22), 0.011, 0.226), ((1, 1, 7, 12), -0.507, -0.026)],
    )
    def test_published_examples(self, table, lower, upper):
        found = paired.newcombe(Cells(*table))
        assert found == pytest.approx((lower, upper), abs=5.1e-4)

    @pytest.mark.parametrize("table", TABLES, ids=str)
    @pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
    def test_independent_formula(self, table, level):
        found = paired.newcombe(Cells(*table), level=level)
        assert found == pytest.approx(by_scores(table, level), abs=1e-9)

    @pytest.mark.parametrize("table", TABLES, ids=str)
    def test_opposite_difference_has_opposite_bounds(self, table):
        cells = Cells(*table)
        found = paired.newcombe(cells)
        assert paired.newcombe(swapped(cells)) == pytest.approx(-found, abs=1e-12)
        difference = (cells.first - cells.second) / cells.size
        assert -1 <= found.lower <= difference <= found.upper <= 1

    @pytest.mark.parametrize(("p", "q", "phi"), [(0.4, 0.2, 0.5), (0.1, 0.05, 0.3), (0.5, 0.5, 0)])
    def test_coverage_is_near_nominal(self, p, q, phi):
        both = p * q + phi * math.sqrt(p * (1 - p) * q * (1 - q))
        shares = [both, p - both, q - both, 1 - p - q + both]
        samples = np.random.default_rng(3).multinomial(60, shares, 3000)
        bounds = [paired.newcombe(Cells(*table)) for table in samples]
        covered = np.mean([low <= p - q <= high for low, high in bounds])
        assert 0.935 <= covered <= 0.98

    def test_no_pairs_have_no_bounds(self):
        assert all(math.isnan(bound) for bound in paired.newcombe(Cells(0, 0, 0, 0)))


class TestRatio:
    @pytest.mark.parametrize("table", [(14, 5, 2, 22), (1, 1, 7, 12), (12, 3, 3, 25)], ids=str)
    def test_order_of_arms_gives_reciprocal_bounds(self, table):
        cells = Cells(*table)
        found = paired.ratio_interval(cells, Sampling())
        back = paired.ratio_interval(swapped(cells), Sampling(), swapped=True)
        assert (1 / back.upper, 1 / back.lower) == pytest.approx(found)
        assert found.lower < cells.first / cells.second < found.upper

    def test_bounds_are_those_of_resampled_patients(self):
        """An independent bootstrap, patient by patient, agrees up to its own error."""
        a = np.repeat([1, 1, 0, 0], [40, 10, 50, 100])
        b = np.repeat([1, 0, 1, 0], [40, 10, 50, 100])
        places = np.random.default_rng(9).integers(200, size=(20_000, 200))
        wanted = np.quantile(a[places].sum(1) / b[places].sum(1), [0.025, 0.975])
        found = paired.ratio_interval(Cells(40, 10, 50, 100), Sampling(replicates=20_000))
        assert found == pytest.approx(wanted, rel=0.02)

    @pytest.mark.parametrize("table", [(0, 0, 5, 10), (0, 5, 0, 10), (0, 0, 0, 9), (1, 0, 0, 0)])
    def test_no_bounds_without_events_in_both_arms_or_with_one_pair(self, table):
        assert all(math.isnan(b) for b in paired.ratio_interval(Cells(*table), Sampling()))

    def test_resamples_without_events_widen_the_interval(self):
        found = paired.ratio_interval(Cells(1, 0, 0, 30), Sampling())
        assert found == (0.0, math.inf)

    def test_coverage_is_near_nominal(self):
        samples = np.random.default_rng(4).multinomial(300, [0.2, 0.05, 0.15, 0.6], 400)
        sampling = Sampling(replicates=1000)
        bounds = [paired.ratio_interval(Cells(*table), sampling) for table in samples]
        covered = np.mean([low <= 0.25 / 0.35 <= high for low, high in bounds])
        assert 0.92 <= covered <= 0.98


class TestTrialOfRates:
    def test_bounds_are_those_of_simulated_trials(self):
        random = np.random.default_rng(5)
        p = random.beta([[30.5], [60.5]], [[70.5], [40.5]], (2, 200_000))
        seen = random.binomial(80, p) / 80
        wanted = np.quantile(seen[0] - seen[1], [0.025, 0.975], method="inverted_cdf")
        found = paired.trial_of_rates(Cells(20, 10, 40, 30), 80)
        assert found == pytest.approx(wanted, abs=1 / 80 + 1e-12)

    @pytest.mark.parametrize("table", TABLES, ids=str)
    def test_opposite_difference_has_opposite_bounds(self, table):
        found = paired.trial_of_rates(Cells(*table), 40)
        back = paired.trial_of_rates(swapped(Cells(*table)), 40)
        assert back == pytest.approx(-found)

    def test_it_does_not_shrink_with_more_simulated_patients(self):
        wide, narrow = (
            paired.trial_of_rates(Cells(*(scale * np.array([20, 10, 40, 30]))), 80)
            for scale in (1, 1000)
        )
        assert 0.25 < narrow.upper - narrow.lower < wide.upper - wide.lower


class TestMeans:
    first = np.random.default_rng(6).gamma(2.0, 1.0, 200)
    second = first * 0.5 + np.random.default_rng(7).gamma(1.0, 0.5, 200)
    weight = np.ones(200)

    def test_bounds_are_those_of_a_normal_approximation(self):
        found = compare_means(self.first, self.second, self.weight, ("a", "b"), Sampling())
        pairs = self.first - self.second
        error = pairs.std() / math.sqrt(pairs.size)
        assert found.standard_error == pytest.approx(error)
        assert found.lower == pytest.approx(pairs.mean() - 1.96 * error, abs=0.15 * error)
        assert found.upper == pytest.approx(pairs.mean() + 1.96 * error, abs=0.15 * error)
        assert found.ratio_lower < self.first.mean() / self.second.mean() < found.ratio_upper

    def test_trial_has_other_patients_in_each_arm(self):
        found = compare_means(self.first, self.second, self.weight, ("a", "b"), Sampling(30))
        variance = sum(each.var() * (1 / 30) for each in (self.first, self.second))
        variance += (self.first - self.second).var() / 200  # the population is not known exactly
        wanted = 2 * 1.96 * math.sqrt(variance)
        assert found.trial_upper - found.trial_lower == pytest.approx(wanted, rel=0.08)

    def test_order_of_arms_gives_opposite_bounds(self):
        one = compare_means(self.first, self.second, self.weight, ("a", "b"), FEW)
        two = compare_means(self.second, self.first, self.weight, ("b", "a"), FEW)
        assert (two.lower, two.upper) == pytest.approx((-one.upper, -one.lower))
        assert (two.trial_lower, two.trial_upper) == pytest.approx(
            (-one.trial_upper, -one.trial_lower)
        )
        assert (1 / two.ratio_upper, 1 / two.ratio_lower) == pytest.approx(
            (one.ratio_lower, one.ratio_upper)
        )

    def test_many_patients_are_resampled_in_groups(self):
        first = np.random.default_rng(8).gamma(2.0, 1.0, 12_345)
        found = compare_means(first, 0.5 * first, np.ones(12_345), ("a", "b"), FEW)
        error = (0.5 * first).std() / math.sqrt(12_345)
        assert found.upper - found.lower == pytest.approx(2 * 1.96 * error, rel=0.15)

    def test_weights_count_as_patients(self):
        """A patient with weight 2 has the mean of two patients with weight 1."""
        weight = np.repeat([2.0, 1.0], 100)
        twice = np.repeat([self.first, self.second], np.repeat([2, 1], 100), axis=1)
        found = compare_means(self.first, self.second, weight, ("a", "b"), FEW)
        wanted = compare_means(*twice, np.ones(300), ("a", "b"), FEW)
        assert found[:3] == pytest.approx(wanted[:3])
        assert found.standard_error > wanted.standard_error

    def test_one_pair_has_values_without_bounds(self):
        one = np.array([2.0])
        found = compare_means(one, one / 2, np.ones(1), ("a", "b"), FEW)
        assert found[:3] == (2.0, 1.0, 1.0)
        assert all(map(math.isnan, (found.lower, found.ratio_lower, found.trial_upper)))

    def test_no_pair_has_no_values(self):
        none = np.array([])
        assert all(map(math.isnan, compare_means(none, none, none, ("a", "b"), FEW)))


def test_weighted_table_has_the_effective_size():
    a, b = np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool)
    weight = np.array([1.0, 2.0, 1.0, 4.0])
    cells = cells_of(a, b, weight)
    assert cells.size == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert cells.first / cells.size == pytest.approx(3 / 8)
    assert cells_of(a, b, np.ones(4)) == (1, 1, 1, 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_bootstrap_has_a_seed(seed):
    cells, sampling = Cells(14, 5, 2, 22), Sampling(seed=seed)
    found = compare_rates(cells, ("a", "b"), sampling)
    assert compare_rates(cells, ("a", "b"), sampling) == found
    other = compare_rates(cells, ("a", "b"), Sampling(seed=3, replicates=1999))
    assert (other.ratio_lower, other.ratio_upper) != (found.ratio_lower, found.ratio_upper)
    assert other[:6] == found[:6]


@pytest.mark.parametrize(
    ("options", "found"), [({"trial_size": 0}, "0"), ({"replicates": 99}, "99")]
)
def test_impossible_sampling_is_refused(options, found):
    with pytest.raises(ConfigError, match=f"must be at least .*, but is {found}"):
        Sampling(**options)
