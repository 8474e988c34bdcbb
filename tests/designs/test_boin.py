"""BOIN against its published boundaries, its authors' example, and every path it can take."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.designs import BOIN, operating_characteristics
from qsp.designs.design import NONE, Table, conduct
from qsp.errors import ConfigError
from tests.designs import enumeration

TARGETS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)


@pytest.mark.reproduction
@pytest.mark.parametrize(
    ("target", "up", "down"),
    [
        (0.15, 0.118, 0.179),
        (0.2, 0.157, 0.238),
        (0.25, 0.197, 0.298),
        (0.3, 0.236, 0.358),
        (0.35, 0.276, 0.419),
        (0.4, 0.316, 0.479),
    ],
)
def test_boundaries_equal_those_of_the_paper(target, up, down):
    # Liu and Yuan 2015, Table 1, from a quotation. Two of its values are truncated, not rounded:
    # 0.3585 is printed as 0.358, and 0.4797 as 0.479.
    for rate, printed in zip(BOIN(target).boundaries, (up, down), strict=True):
        assert printed in (round(rate, 3), math.floor(1000 * rate) / 1000)


@pytest.mark.reproduction
def test_boundaries_equal_those_of_another_implementation():
    # Introduction of the R package simFastBOIN 2.1.0, boin_lambda(target = 0.30).
    assert BOIN(0.3).boundaries == pytest.approx((0.2364907, 0.3585195), abs=5e-8)


@given(st.floats(0.02, 0.7))
def test_boundary_is_where_two_rates_are_equally_likely(target):
    def likely(observed, rate):
        return observed * np.log(rate) + (1 - observed) * np.log1p(-rate)

    up, down = BOIN(target).boundaries
    assert likely(up, 0.6 * target) == pytest.approx(likely(up, target))
    assert likely(down, 1.4 * target) == pytest.approx(likely(down, target))


@pytest.mark.reproduction
def test_numbers_of_toxicities_for_cohorts_of_three_are_the_published_ones():
    # Target 0.3, up to 18 patients: tests of the R package simFastBOIN, which cite the paper.
    limits = BOIN(0.3).limits
    cohorts = np.arange(3, 19, 3)
    assert limits.up[cohorts].tolist() == [0, 1, 2, 2, 3, 4]
    assert limits.down[cohorts].tolist() == [2, 3, 4, 5, 6, 7]
    assert limits.out[cohorts].tolist() == [3, 4, 5, 7, 8, 9]


def table(treated, dlts):
    return Table(np.array([treated]), np.array([dlts]), np.zeros(1, np.int64))


@pytest.mark.reproduction
def test_level_of_the_authors_example_is_selected():
    # Yan et al. 2020, J Stat Softw 94(13), and the example of R's BOIN::select.mtd: the third.
    assert BOIN(0.3).select(table([3, 3, 15, 9, 0], [0, 0, 4, 4, 0])).tolist() == [2]


@pytest.mark.reproduction
def test_shares_are_those_printed_by_another_implementation():
    # Introduction of the R package simFastBOIN 1.3.2: 1,000 trials, its default of 18 patients at a
    # level ending a trial. Rounded to one decimal; both sides have a Monte Carlo error.
    design = BOIN(0.3, largest=30, stop_at=18)
    found = operating_characteristics((0.1, 0.25, 0.4, 0.55, 0.7), design, replicates=10_000)
    wide = 4 * np.sqrt(10 + 1)  # four standard errors, theirs from ten times fewer trials
    printed = {
        "selected": ([0.108, 0.524, 0.338, 0.028, 0.001], 0.0005),
        "none_selected": (0.001, 0.0005),
        "patients": ([6.8, 11.9, 7.7, 1.8, 0.1], 0.05),
        "dlts": ([0.7, 3.0, 3.1, 1.0, 0.1], 0.05),
        "trial_size": (28.4, 0.05),
    }
    for name, (values, rounding) in printed.items():
        allowed = wide * found[f"{name}_se"].values + rounding
        assert np.all(np.abs(found[name].values - values) <= allowed), name


@pytest.mark.parametrize(
    ("target", "levels", "cohort", "largest", "stop_at"),
    [(0.3, 3, 3, 15, None), (0.25, 4, 3, 15, 6), (0.2, 2, 3, 13, 9), (0.4, 3, 1, 9, None)],
)
def test_every_path_ends_as_enumerated(target, levels, cohort, largest, stop_at):
    paths = enumeration.all_paths(enumeration.boin(target, levels, cohort, largest, stop_at))
    design = BOIN(target, cohort_size=cohort, largest=largest, stop_at=stop_at)
    trials = conduct(enumeration.potential(paths, levels, largest), design)
    totals = np.array([path.totals(levels) for path in paths])
    np.testing.assert_array_equal(trials.table.treated, totals[:, 0])
    np.testing.assert_array_equal(trials.table.dlts, totals[:, 1])
    np.testing.assert_array_equal(trials.selected, [path.selected for path in paths])


def test_shares_equal_the_exact_ones_within_their_error():
    rates = (0.1, 0.25, 0.45)
    exact = enumeration.expected(enumeration.all_paths(enumeration.boin(0.3, 3, 3, 15)), rates)
    assert exact.pop("total") == pytest.approx(1.0)
    found = operating_characteristics(rates, BOIN(0.3, largest=15), replicates=20_000, seed=5)
    for name, values in exact.items():
        error = found[f"{name}_se"].values
        assert np.all(np.abs(found[name].values - values) <= 4 * error + 1e-12), name


counts = st.lists(
    st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    min_size=1,
    max_size=6,
)


@given(counts, st.sampled_from(TARGETS))
def test_selection_equals_that_of_explicit_pooling(seen, target):
    n, y = (list(column) for column in zip(*seen, strict=True))
    out = [enumeration.too_toxic(*pair, target) for pair in seen]
    allowed = out.index(True) if any(out) else len(n)
    expected = enumeration.nearest(n[:allowed], y[:allowed], target) if allowed else NONE
    assert BOIN(target, largest=99).select(table(n, y)).tolist() == [expected]


def test_selection_of_a_trial_does_not_depend_on_the_others():
    random = np.random.default_rng(2)
    treated = random.integers(0, 7, (500, 4)) * 3
    dlts = random.binomial(treated, 0.3)
    many = Table(treated, dlts, np.zeros(500, np.int64))
    design = BOIN(0.3, largest=99)
    alone = [design.select(many.part(np.array([trial])))[0] for trial in range(500)]
    assert design.select(many).tolist() == alone


@pytest.mark.parametrize(
    ("treated", "dlts", "selected"),
    [
        ([6, 6, 0], [0, 0, 0], 1),  # below the target: the highest of equal rates
        ([3, 3, 0], [2, 2, 0], 0),  # above it: the lowest
        ([3, 0, 0], [3, 0, 0], NONE),  # eliminated
        ([0, 0, 0], [0, 0, 0], NONE),
    ],
)
def test_ties_and_trials_without_a_level(treated, dlts, selected):
    assert BOIN(0.3).select(table(treated, dlts)).tolist() == [selected]


def test_trial_ends_at_a_level_with_the_number_of_patients_to_stop_at():
    # At a target of 0.3, a trial with 1 toxicity in 3 patients stays: it stops at nine patients.
    outcome = np.zeros((1, 30, 2), bool)
    outcome[0, ::3, 0] = True
    trial = conduct(outcome, BOIN(0.3, stop_at=9))
    assert trial.table.treated.tolist() == [[9, 0]]
    assert conduct(outcome, BOIN(0.3)).table.treated.sum() == 30


def test_eliminated_level_is_left_although_its_rate_is_between_the_boundaries():
    # Under a loose rule, 1 of 3 eliminates the second level, where the rate alone would stay.
    path = enumeration.Path(((0, 3, 0), (1, 3, 1), (0, 3, 0)), 0)
    design = BOIN(0.3, largest=9, certainty=0.6)
    assert design.limits.out[3] == 1
    trial = conduct(enumeration.potential([path], 2, 9), design)
    assert trial.table.treated.tolist() == [[6, 3]]
    assert trial.selected.tolist() == [0]


def test_last_cohort_is_limited_by_the_largest_size():
    trial = conduct(np.zeros((1, 10, 5), bool), BOIN(0.3, largest=10))
    assert trial.table.treated.tolist() == [[3, 3, 3, 1, 0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 0.0}, "target rate must be between 0 and 1, but is 0.0"),
        ({"target": 25}, "Write 0.25 for 25 %"),
        ({"target": 0.8}, "0 < too low < target < too high < 1, but is 0.48, 0.8, 1.12"),
        ({"target": 0.3, "too_low": 0.3}, "too low < target"),
        ({"target": 0.3, "cohort_size": 0}, "cohort size must be at least 1"),
        ({"target": 0.3, "largest": 2}, "must be at least one cohort"),
        ({"target": 0.3, "stop_at": 0}, "stop_at must be at least 1"),
        ({"target": 0.3, "certainty": 1.0}, "certainty of an elimination"),
    ],
)
def test_invalid_design_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        BOIN(**options)
