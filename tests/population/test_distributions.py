"""Distributions, correlations, mixtures and random draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.errors import ConfigError, PopulationError
from qsp.molecules import Component, Correlation, Entry, Mixture
from qsp.populations.correlations import correlated, groups
from qsp.populations.distributions import Fixed, LogNormal, distribution
from qsp.populations.draws import normals, purpose
from qsp.populations.mixtures import choices

Z = np.random.default_rng(7).standard_normal(200_000)


def entry(value: str, **texts: str) -> Entry:
    return Entry("disposition.V1", value, "test.toml", "assumed", **texts)


@given(
    value=st.floats(1e-6, 1e6),
    cv=st.floats(1.0, 300.0),
)
def test_log_normal_has_the_given_median_and_cv(value, cv):
    law = distribution(entry(f"{value!r} L", cv=f"{cv!r} %"), "L")
    assert isinstance(law, LogNormal)
    assert law.at(np.zeros(1))[0] == pytest.approx(value)
    assert law.cv == pytest.approx(cv / 100)


def test_log_normal_by_simulation():
    law = distribution(entry("5 L", cv="60 %"), "L")
    values = law.at(Z)
    assert np.median(values) == pytest.approx(5.0, rel=0.01)
    assert values.std() / values.mean() == pytest.approx(0.6, rel=0.03)


def test_sd_of_the_logarithm():
    law = distribution(entry("5 L", distribution="log_normal", sd="0.653"), "L")
    assert np.log(law.at(Z)).std() == pytest.approx(0.653, rel=0.01)


def test_logit_normal_stays_between_0_and_1():
    law = distribution(entry("0.01", distribution="logit_normal", sd="1.7"), "1")
    values = law.at(np.linspace(-8, 8, 1001))
    assert law.at(np.zeros(1))[0] == pytest.approx(0.01)
    assert 0 < values.min() < values.max() < 1
    low, high = np.quantile(law.at(Z), [0.05, 0.95])
    assert 3e-4 < low < 1e-3
    assert 0.1 < high < 0.2


def test_normal_sd_may_have_another_unit_than_the_value():
    law = distribution(entry("2 mL", distribution="normal", sd="500 uL"), "L")
    assert law.at(np.ones(1))[0] == pytest.approx(2.5e-3)


def test_values_are_clipped_to_bounds():
    law = distribution(entry("5 L", cv="100 %", low="2 L", high="9 L"), "L")
    values = law.at(Z)
    assert values.min() == 2.0
    assert values.max() == 9.0
    assert np.median(values) == pytest.approx(5.0, rel=0.01)


def test_value_without_spread_is_fixed():
    assert distribution(entry("5 L"), "L") == Fixed(5.0)


def test_correlated_draws_have_the_given_correlations():
    rng = np.random.default_rng(1)
    draws = {name: rng.standard_normal(100_000) for name in "abcd"}
    expected = [Correlation(("a", "b"), 0.88, ""), Correlation(("b", "c"), -0.3, "")]
    out = correlated(draws, expected)
    found = np.corrcoef([out[name] for name in "abcd"])
    assert found[0, 1] == pytest.approx(0.88, abs=0.01)
    assert found[1, 2] == pytest.approx(-0.3, abs=0.01)
    assert found[0, 2] == pytest.approx(0.0, abs=0.01)
    np.testing.assert_allclose([z.std() for z in out.values()], 1.0, atol=0.01)
    np.testing.assert_array_equal(out["d"], draws["d"])
    np.testing.assert_array_equal(out["a"], draws["a"])


def test_names_linked_indirectly_are_one_group():
    expected = [Correlation(pair, 0.1, "") for pair in (("a", "c"), ("d", "e"), ("c", "e"))]
    assert groups("abcde", expected) == [["a", "c", "d", "e"]]


def test_error_if_correlations_are_not_positive_definite():
    draws = {name: np.zeros(3) for name in "abc"}
    pairs = (("a", "b"), ("b", "c"), ("a", "c"))
    values = (0.9, 0.9, -0.9)
    expected = [Correlation(p, v, "test.toml") for p, v in zip(pairs, values, strict=True)]
    with pytest.raises(PopulationError, match="must be positive definite"):
        correlated(draws, expected)


def test_components_of_a_mixture_have_their_weights():
    parts = tuple(Component(str(w), w, {}) for w in (0.5, 0.3, 0.2))
    counts = np.bincount(choices(Mixture("kind", parts, ""), Z), minlength=3) / len(Z)
    np.testing.assert_allclose(counts, [0.5, 0.3, 0.2], atol=0.005)


def test_component_of_weight_zero_or_one():
    parts = (Component("all", 1.0, {}), Component("none", 0.0, {}))
    assert set(choices(Mixture("kind", parts, ""), Z)) == {0}
    assert set(choices(Mixture("kind", parts[::-1], ""), Z)) == {1}


def test_draws_are_standard_normal_and_independent():
    ids = np.arange(4000)
    z = normals(3, ids, ["disposition.V1", "disposition.V2", "xi_patient"])
    np.testing.assert_allclose(z.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(z.std(0), 1, atol=0.04)
    np.testing.assert_allclose(np.corrcoef(z.T), np.eye(3), atol=0.05)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=70, unique=True))
def test_draw_of_a_patient_does_not_depend_on_the_others(ids):
    together = normals(5, np.array(ids), ["a", "b"])
    alone = normals(5, np.array(ids[-1:]), ["b"])
    assert together[-1, 1] == alone[0, 0]


def test_draw_does_not_depend_on_the_other_names():
    names = [f"name_{i}" for i in range(40)]
    all_names = normals(5, np.arange(3), names)
    np.testing.assert_array_equal(all_names[:, [17, 3]], normals(5, np.arange(3), names[17:2:-14]))


def test_seed_changes_every_draw():
    first, second = (normals(seed, np.arange(5), ["a", "b"]) for seed in (1, 2))
    assert not np.any(first == second)


def test_number_of_a_name_is_stable():
    assert purpose("xi_patient") == 2103735066
    assert purpose("disposition.V1") == 1050142925
    assert len({purpose(name) for name in ("xi_dose.1", "xi_dose.2", "xi_dose.11")}) == 3


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"cv": "-5 %"}, "cv must not be negative"),
        ({"sd": "1"}, "sd must be given with distribution"),
        ({"cv": "5 %", "distribution": "gamma"}, "distribution must be one of"),
        ({"distribution": "normal"}, "the spread of a normal distribution must be given"),
        ({"cv": "20 %", "distribution": "logit_normal"}, "must lie between 0 and 1"),
        ({"cv": "20 L"}, "must have the dimension of 1"),
        ({"low": "6 L"}, "the value must lie between low and high"),
    ],
)
def test_error_for_a_malformed_spread(texts, message):
    with pytest.raises(ConfigError, match=message):
        distribution(entry("5 L", **texts), "L")


def test_error_if_the_median_of_a_log_normal_is_zero():
    with pytest.raises(ConfigError, match="must be positive"):
        distribution(entry("0 L", cv="10 %"), "L")
