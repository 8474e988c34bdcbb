"""The 3+3 design against an independent enumeration of all its paths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.designs import ThreePlusThree, operating_characteristics
from qsp.designs.design import conduct
from tests.designs import enumeration

RATES = (0.08, 0.2, 0.35, 0.5)


@pytest.mark.reproduction
def test_number_of_paths_over_four_levels_equals_the_published_one():
    # The R package precautionary, help of `exact`: 442 paths over four levels, with six patients at
    # the recommended level and de-escalation.
    assert len(enumeration.all_paths(enumeration.three_plus_three(4, six=True))) == 442


@pytest.mark.parametrize("six", [True, False])
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_every_path_ends_as_enumerated(levels, six):
    paths = enumeration.all_paths(enumeration.three_plus_three(levels, six=six))
    design = ThreePlusThree(six=six)
    trials = conduct(enumeration.potential(paths, levels, design.most_patients(levels)), design)
    totals = np.array([path.totals(levels) for path in paths])
    np.testing.assert_array_equal(trials.table.treated, totals[:, 0])
    np.testing.assert_array_equal(trials.table.dlts, totals[:, 1])
    np.testing.assert_array_equal(trials.selected, [path.selected for path in paths])


@pytest.mark.parametrize("six", [True, False])
def test_shares_equal_the_exact_ones_within_their_error(six):
    paths = enumeration.all_paths(enumeration.three_plus_three(4, six=six))
    exact = enumeration.expected(paths, RATES)
    assert exact.pop("total") == pytest.approx(1.0)
    found = operating_characteristics(RATES, ThreePlusThree(six=six), replicates=20_000, seed=3)
    for name, values in exact.items():
        error = found[f"{name}_se"].values
        assert np.all(np.abs(found[name].values - values) <= 4 * error + 1e-12), name


@given(st.floats(0.0, 1.0))
def test_enumerated_probability_of_escalation_equals_the_formula(p):
    # The second level is certainly toxic, so that a trial that escalates treats three there.
    paths = enumeration.all_paths(enumeration.three_plus_three(2, six=False))
    up = enumeration.expected(paths, (p, 1.0))["patients"][1] / 3
    assert up == pytest.approx((1 - p) ** 3 + 3 * p * (1 - p) ** 2 * (1 - p) ** 3)


@pytest.mark.parametrize("p", [0.05, 0.2, 1 / 3, 0.5])
def test_share_of_escalating_trials_equals_the_formula(p):
    found = operating_characteristics((p, 1.0), ThreePlusThree(), replicates=20_000)
    up = (1 - p) ** 3 + 3 * p * (1 - p) ** 2 * (1 - p) ** 3
    error = float(found["patients_se"][1])
    assert float(found["patients"][1]) == pytest.approx(3 * up, abs=4 * error)


def test_recommended_level_has_six_patients_or_three():
    outcome = np.zeros((1, 12, 2), bool)
    outcome[..., 1] = True  # the second level is certainly toxic
    six = conduct(outcome, ThreePlusThree())
    three = conduct(outcome, ThreePlusThree(six=False))
    assert six.table.treated.tolist() == [[6, 3]]
    assert three.table.treated.tolist() == [[3, 3]]
    assert six.selected.tolist() == three.selected.tolist() == [0]


def test_trial_de_escalates_from_a_level_whose_second_cohort_is_toxic():
    # 0/3, 0/3, 2/3 at the third level; then 2 of the next three at the second, 0/3 at the first.
    path = enumeration.Path(((0, 3, 0), (1, 3, 0), (2, 3, 2), (1, 3, 2), (0, 3, 0)), 0)
    trial = conduct(enumeration.potential([path], 3, 18), ThreePlusThree())
    assert trial.table.treated.tolist() == [[6, 6, 3]]
    assert trial.selected.tolist() == [0]
