"""Virtual patients sampled from a parameter table."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp.errors import ConfigError
from qsp.populations import nominal, read_covariates, sample, to_parameters, typical, user_file

MANY = np.arange(6000)


@pytest.fixture(scope="module")
def people(mosunetuzumab):
    return sample(mosunetuzumab, MANY, seed=1, periods=6)


def equal(one, other) -> bool:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def picked(people, where):
    return jax.tree.map(lambda leaf: leaf[where], people.parameters)


# === shape ====================================================================================


def test_population_has_a_patient_axis_everywhere(table):
    some = sample(table, [3, 9, 4], seed=1, periods=5)
    assert len(some) == 3
    assert {leaf.shape[0] for leaf in jax.tree.leaves(some.parameters)} == {3}
    assert {leaf.dtype for leaf in jax.tree.leaves(some.parameters)} == {np.dtype(np.float64)}
    assert some.xi_patient.shape == (3,)
    assert some.xi_dose.shape == (3, 5)
    assert set(some.covariates) == {"body_weight", "body_surface", "age", "sex"}
    assert all(value.shape == (3,) for value in some.covariates.values())
    np.testing.assert_array_equal(some.prevalence_weight, 1.0)
    np.testing.assert_array_equal(some.ids, [3, 9, 4])


def test_population_is_frozen(people):
    with pytest.raises(dataclasses.FrozenInstanceError):
        people.ids = np.arange(3)


def test_every_shipped_patient_is_plausible(table):
    assert sample(table, np.arange(3000), seed=2, periods=1).plausible.all()


# === a patient does not depend on the run =====================================================


@settings(max_examples=20)
@given(st.lists(st.integers(0, 5999), min_size=1, max_size=130, unique=True))
def test_patient_does_not_depend_on_the_batch(mosunetuzumab, people, ids):
    some = sample(mosunetuzumab, ids, seed=1, periods=6)
    assert equal(some.parameters, picked(people, ids))
    np.testing.assert_array_equal(some.xi_patient, people.xi_patient[ids])
    np.testing.assert_array_equal(some.xi_dose, people.xi_dose[ids])
    for name, value in some.covariates.items():
        np.testing.assert_array_equal(value, people.covariates[name][ids])


def test_more_dose_periods_change_no_parameter(mosunetuzumab, people):
    some = sample(mosunetuzumab, MANY[:50], seed=1, periods=9)
    assert equal(some.parameters, picked(people, slice(50)))
    np.testing.assert_array_equal(some.xi_dose[:, :6], people.xi_dose[:50])


def test_another_seed_gives_other_patients(mosunetuzumab, people):
    other = sample(mosunetuzumab, MANY[:50], seed=2, periods=6)
    v1 = other.parameters.model.disposition.V1
    assert not np.any(v1 == people.parameters.model.disposition.V1[:50])


def test_an_added_spread_changes_no_other_value(mosunetuzumab, people, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[binding]\nKD_CD3 = { value = "40 nmol/L", cv = "50 %" }\n'
    )
    file = user_file(tmp_path / "mine.toml")
    changed = nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [file])
    some = sample(changed, MANY[:50], seed=1, periods=6)
    assert np.std(some.parameters.model.binding.KD_CD3) > 1.0
    for path, value in some.sampled.items():
        if path != "binding.KD_CD3":
            np.testing.assert_array_equal(value, people.sampled[path][:50], err_msg=path)


def test_random_effects_on_thresholds_are_standard_normal(people):
    draws = np.column_stack([people.xi_patient, people.xi_dose])
    np.testing.assert_allclose(draws.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(np.cov(draws.T), np.eye(7), atol=0.06)


# === distributions ============================================================================


@pytest.mark.parametrize(
    ("path", "median", "cv"),
    [
        ("t_cells.k_act", 0.485 * 24, 0.88),
        ("t_cells.baseline.blood", 4000, 0.5),
        ("binding.copies_CD3", 60000, 0.35),
        ("traffic.k_off", 4.71, 0.4),
        ("antigens.CD20.copies.malignant", 30000, 1.6),
    ],
)
def test_median_and_spread(people, path, median, cv):
    values = people.sampled[path]
    assert np.median(values) == pytest.approx(median, rel=0.06)
    sd = np.log(values).std()
    assert np.sqrt(np.expm1(sd**2)) == pytest.approx(cv, rel=0.08)


def test_fixed_values_are_the_same_in_all_patients(people):
    for path in ("synapse.alpha", "synapse.beta50_act", "binding.KD_target", "disposition.Q"):
        assert np.ptp(people.sampled[path]) == 0


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        ("disposition.CL_base", "disposition.V1", 0.88),
        ("disposition.CL_ss", "disposition.half_life_CL", -0.56),
        ("cytokines.p_IL6", "cytokines.p_IFN", 0.4),
        ("cytokines.p_IL6", "cytokines.p_TNF", 0.4),
        ("t_cells.baseline.blood", "t_cells.baseline.lymphoid", 0.5),
        ("antigens.CD20.copies.normal", "antigens.CD20.copies.malignant", 0.8),
        ("supportive.tocilizumab.CL", "supportive.tocilizumab.V1", 0.6),
        ("cytokines.p_IFN", "cytokines.p_TNF", 0.0),
    ],
)
def test_correlation(people, one, other, value):
    def unexplained(path):
        """Logarithm of the sampled value minus the covariate effects."""
        models = people.table.rows[path].covariates
        effects = [model.effect(people.covariates) for model in models]
        return np.log(people.sampled[path]) - sum(np.log(effect) for effect in effects)

    found = np.corrcoef(unexplained(one), unexplained(other))[0, 1]
    assert found == pytest.approx(value, abs=0.04)


def test_mixture_of_b_cells(people):
    blood = people.sampled["targets.baseline.normal.blood"]
    lymphoid = people.sampled["targets.baseline.normal.lymphoid"]
    # log-normal CV 150 %: sd of the logarithm 1.086. P(x < 80) is 0.972 around 10, 0.032 around 600
    assert np.mean(blood < 80) == pytest.approx(0.7 * 0.9722 + 0.3 * 0.0318, abs=0.02)
    depleted = blood < 5  # nearly always the first component
    assert np.median(lymphoid[depleted]) < 0.3 * 30000
    assert np.median(lymphoid[blood > 2000]) > 30000
    assert np.median(blood[lymphoid < 4000]) < 20


def test_antigen_low_clone(people):
    share = people.sampled["tumor.antigen_low"]
    low, middle, high = np.quantile(share, [0.05, 0.5, 0.95])
    assert middle == pytest.approx(0.01, rel=0.1)
    assert low < 1e-3
    assert 0.08 < high < 0.2
    p = people.parameters.model
    np.testing.assert_allclose(
        p.targets.baseline[:, 2, 2] / p.targets.baseline[:, 1:, 2].sum(1), share
    )


def test_derived_values_follow_in_each_patient(people):
    p = people.parameters.model
    tumor = p.targets.baseline[:, 1:, 2].sum(1)
    np.testing.assert_allclose(p.tissues.volume[:, 2], 0.24 * tumor / 1e6 + 1e-3)
    b_cells = p.targets.baseline[:, 0, :2]
    np.testing.assert_allclose(p.targets.blood_ratio[:, 0, 1], b_cells[:, 0] / b_cells[:, 1])
    np.testing.assert_allclose(p.release.IL10_50, 5 * p.cytokines.IL10_50)
    low, high = p.binding.copies_target[:, 2, 2], p.binding.copies_target[:, 1, 2]
    np.testing.assert_allclose(low, 0.03 * high)


# === covariates ===============================================================================


def test_covariates_of_the_cohort(people):
    c = people.covariates
    assert np.median(c["body_weight"]) == pytest.approx(78, rel=0.02)
    assert c["sex"].mean() == pytest.approx(0.353, abs=0.02)
    assert set(c["sex"]) == {0.0, 1.0}
    assert c["age"].min() >= 18
    assert c["age"].max() <= 96
    assert np.quantile(c["body_surface"], 0.05) > 1.5
    assert np.quantile(c["body_surface"], 0.95) < 2.5
    assert np.corrcoef(c["body_weight"], c["body_surface"])[0, 1] > 0.8


def test_heavier_patients_clear_faster_and_women_slower(people):
    c = people.covariates
    names = ("disposition.CL_ss", "disposition.V1", "disposition.V2")
    design = np.column_stack([np.ones(len(people)), np.log(c["body_weight"] / 78), c["sex"]])
    found = {
        name: np.linalg.lstsq(design, np.log(people.sampled[name]), rcond=None)[0] for name in names
    }
    np.testing.assert_allclose([found[n][1] for n in names], [0.549, 0.433, 0.737], atol=0.06)
    expected = [np.log(1 - 0.128), np.log(1 - 0.126), 0.0]
    np.testing.assert_allclose([found[n][2] for n in names], expected, atol=0.03)


def test_clearance_of_blinatumomab_follows_body_surface(blinatumomab):
    some = sample(blinatumomab, np.arange(4000), seed=1, periods=1)
    surface = np.log(some.covariates["body_surface"] / 1.876)
    slope, level = np.polyfit(surface, np.log(some.sampled["disposition.CL_ss"]), 1)
    assert slope == pytest.approx(0.62, abs=0.15)
    assert np.exp(level) == pytest.approx(2.22 * 24, rel=0.03)


def test_covariates_of_a_file_override_sampled_ones(mosunetuzumab, people, tmp_path):
    (tmp_path / "mine.csv").write_text("id,body_weight,sex\n2,120,female\n0,,male\n")
    mine = read_covariates(tmp_path / "mine.csv")
    some = sample(mosunetuzumab, [0, 1, 2], seed=1, periods=6, covariates=mine)
    weight, sex = some.covariates["body_weight"], some.covariates["sex"]
    assert weight[2] == 120.0
    assert weight[0] == people.covariates["body_weight"][0]
    assert sex[0] == 0.0
    assert sex[2] == 1.0
    assert equal(jax.tree.map(lambda x: x[1], some.parameters), picked(people, 1))
    before = people.covariates
    effect = (120 / before["body_weight"][2]) ** 0.737
    np.testing.assert_allclose(
        some.sampled["disposition.V2"][2], effect * people.sampled["disposition.V2"][2]
    )


def test_body_surface_follows_the_weight_of_a_file_unless_in_the_file(
    mosunetuzumab, people, tmp_path
):
    (tmp_path / "mine.csv").write_text("id,body_weight,body_surface\n0,120,\n1,120,1.5\n")
    mine = read_covariates(tmp_path / "mine.csv")
    some = sample(mosunetuzumab, [0, 1], seed=1, periods=1, covariates=mine)
    assert some.covariates["body_surface"][1] == 1.5
    ratio = some.covariates["body_surface"][0] / people.covariates["body_surface"][0]
    assert ratio == pytest.approx(np.sqrt(120 / people.covariates["body_weight"][0]))


# === typical patient, changes of an arm, impossible values ====================================


def test_typical_patient_has_no_variability(table):
    one = typical(table, periods=4)
    assert len(one) == 1
    np.testing.assert_array_equal(one.xi_dose, np.zeros((1, 4)))
    np.testing.assert_array_equal(one.xi_patient, [0.0])
    for path, row in table.rows.items():
        if not row.covariates:
            assert one.sampled[path] == pytest.approx(row.value, rel=1e-12)
    assert one.plausible.all()


def test_typical_patient_of_mosunetuzumab_has_the_reference_covariates(mosunetuzumab):
    one = typical(mosunetuzumab, periods=1)
    assert one.covariates["body_weight"] == 78.0
    assert one.covariates["sex"] == 0.0
    assert one.parameters.model.disposition.CL_ss == pytest.approx(0.584)
    assert one.sampled["targets.baseline.normal.blood"] == pytest.approx(500)


def test_changes_of_an_arm_apply_to_all_patients_and_derived_values(tebentafusp):
    some = sample(tebentafusp, np.arange(40), seed=1, periods=1)
    without = some.changed({"targets.baseline.normal.skin": "0 Mcell"}, where="test.toml: arms.a")
    skin = without.parameters.model.targets.baseline[:, 0, 3]
    np.testing.assert_array_equal(skin, 0.0)
    assert (some.parameters.model.targets.baseline[:, 0, 3] > 0).all()
    rest = dict(without.sampled)
    rest["targets.baseline.normal.skin"] = some.sampled["targets.baseline.normal.skin"]
    assert equal(to_parameters(tebentafusp.complete(rest)), some.parameters)
    assert some.changed({}, where="test") is some


def test_change_of_tumor_cells_changes_the_tumor_volume(mosunetuzumab):
    one = typical(mosunetuzumab, periods=1)
    bigger = one.changed({"tumor.cells": "2e5 Mcell"}, where="test.toml: arms.a")
    np.testing.assert_allclose(bigger.parameters.model.tissues.volume[:, 2], 0.049)


def test_changed_value_keeps_the_deviation_of_each_patient(mosunetuzumab):
    some = sample(mosunetuzumab, np.arange(40), seed=1, periods=1)
    path = "t_cells.k_act"
    before = mosunetuzumab.rows[path]
    assert np.ptp(some.sampled[path]) > 0
    half = some.changed({path: f"{before.value / 2!r} {before.unit}"}, where="test.toml: arms.a")
    np.testing.assert_allclose(half.sampled[path], some.sampled[path] / 2, rtol=1e-12)
    for other in set(some.sampled) - {path}:
        np.testing.assert_array_equal(half.sampled[other], some.sampled[other], err_msg=other)


def test_file_of_the_user_gives_what_the_change_of_an_arm_gives(mosunetuzumab, tmp_path):
    file = tmp_path / "mine.toml"
    for path, value in (("t_cells.k_act", "1 1/day"), ("disposition.V1", "4 L")):
        group, _, name = path.partition(".")
        file.write_text(f'[{group}]\n{name} = "{value}"\n')
        some = sample(mosunetuzumab, np.arange(40), seed=1, periods=1)
        table = nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [user_file(file)])
        again = sample(table, np.arange(40), seed=1, periods=1)
        changed = some.changed({path: value}, where="test.toml: arms.a")
        assert equal(changed.parameters, again.parameters)


def test_value_without_spread_is_the_same_in_all_and_changes_no_other(mosunetuzumab, tmp_path):
    some = sample(mosunetuzumab, np.arange(40), seed=1, periods=1)
    for path, text in (
        ("disposition.V1", '[disposition]\nV1 = { value = "4 L", keep_spread = false }\n'),
        ("targets.baseline.normal.blood", '[targets.baseline.normal]\nblood = "0 Mcell"\n'),
    ):
        (tmp_path / "mine.toml").write_text(text)
        own = user_file(tmp_path / "mine.toml")
        table = nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [own])
        fixed = sample(table, np.arange(40), seed=1, periods=1)
        differ = [p for p in some.sampled if not np.array_equal(some.sampled[p], fixed.sampled[p])]
        assert differ == [path]
        assert np.ptp(fixed.sampled[path]) == 0


def test_error_for_a_wrong_change_names_the_arm(mosunetuzumab):
    some = sample(mosunetuzumab, [1, 2], seed=1, periods=1)
    with pytest.raises(ConfigError, match=r"arms\.a: disposition\.V1: the value must have the dim"):
        some.changed({"disposition.V1": "5 kg"}, where="test.toml: arms.a")
    with pytest.raises(ConfigError, match="Did you mean"):
        some.changed({"disposition.V11": "5 L"}, where="test.toml: arms.a")
    with pytest.raises(ConfigError, match="loss twice"):
        some.changed({"binding.k_int_CD3": "1 1/day"}, where="test.toml: arms.a")


def test_patient_with_an_impossible_value_is_marked_and_kept(mosunetuzumab, tmp_path):
    text = '[disposition]\nV2 = { value = "6 L", distribution = "normal", cv = "60 %" }\n'
    (tmp_path / "mine.toml").write_text(text)
    file = user_file(tmp_path / "mine.toml")
    table = nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [file])
    some = sample(table, np.arange(500), seed=1, periods=1)
    volume = some.parameters.model.disposition.V2
    np.testing.assert_array_equal(some.plausible, volume > 0)
    assert 0 < (~some.plausible).sum() < 50
    assert len(some) == 500


@pytest.mark.parametrize("ids", [[-1], [0.5], [2**32], [3, 3], []])
def test_patient_numbers_are_checked(mosunetuzumab, ids):
    with pytest.raises(ConfigError, match="patient ids must"):
        sample(mosunetuzumab, ids, seed=1, periods=1)


def test_distributions_of_mixtures_are_built_once(mosunetuzumab, monkeypatch):
    """Sampling builds no distribution: blocks of patients share those of the table."""
    assert mosunetuzumab.mixtures

    def refuse(*_):
        raise AssertionError("a distribution was built")

    monkeypatch.setattr("qsp.populations.mixtures.distribution", refuse)
    people = sample(mosunetuzumab, np.arange(4), seed=1, periods=1)
    assert people.parameters is not None
