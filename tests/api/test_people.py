"""Molecules, populations and their patients from Python."""

import numpy as np
import pytest

import qsp
from qsp.version import PACKAGE
from tests.api import shipped_values

K_ACT, ALPHA = "t_cells.k_act", "synapse.alpha"
MEDIAN = shipped_values.median(K_ACT)
"""Median of K_ACT [1/hour]."""


@pytest.fixture
def nhl():
    return qsp.population("nhl")


@pytest.fixture
def drug():
    return qsp.molecule("mosunetuzumab")


def test_frames_have_patients_names_and_units(people):
    assert list(people.covariates.columns) == ["body_weight", "body_surface", "age", "sex"]
    assert people.covariates.attrs["units"]["body_weight"] == "kg"
    frame = people.parameters
    assert list(frame.index) == list(people.ids) == list(range(6))
    assert frame.attrs["units"][K_ACT] == "1/day"
    assert frame[K_ACT].nunique() == 6


def test_patient_depends_on_seed_and_number_only(nhl, drug, people):
    some = nhl.sample(2, molecule="mosunetuzumab", seed=1, ids=[5, 3])
    assert some.ids == (3, 5)
    assert some.parameters.equals(people.parameters.loc[[3, 5]])
    assert people.select([5, 3]).parameters.equals(some.parameters)
    other = nhl.sample(6, molecule=drug, seed=2)
    assert not np.allclose(other.parameters[K_ACT], people.parameters[K_ACT])


def test_typical_patient_has_the_medians(people):
    one = people.typical
    assert len(one) == 1
    assert one.parameters.loc[0, K_ACT] == pytest.approx(MEDIAN * 24)
    assert one.covariates.loc[0, "body_weight"] == 78.0


def test_patients_at_chosen_draws(people):
    three = people.at({K_ACT: [-1.0, 0.0, 1.0], "xi_patient": 0.5})
    values = three.parameters[K_ACT].to_numpy()
    assert values[1] == pytest.approx(MEDIAN * 24)
    np.testing.assert_allclose(values[0] * values[2], values[1] ** 2, rtol=1e-12)
    np.testing.assert_array_equal(three.virtual().xi_patient, 0.5)
    assert three.select([2]).parameters[K_ACT].to_numpy() == values[2]


def test_scale_keeps_the_draw_of_each_patient(nhl, drug, people):
    half = nhl.scale(K_ACT, 0.5).sample(6, molecule=drug, seed=1)
    np.testing.assert_allclose(half.parameters[K_ACT], people.parameters[K_ACT] / 2, rtol=1e-12)
    assert half == people.scale(K_ACT, 0.5)
    twice = people.scale(K_ACT, 0.5).scale(K_ACT, 2.0)
    assert twice.parameters.equals(people.parameters)


def test_set_keeps_the_spread_by_default(people):
    new = people.set(K_ACT, "0.48 1/hour")
    ratio = 0.48 / MEDIAN
    np.testing.assert_allclose(new.parameters[K_ACT], people.parameters[K_ACT] * ratio, rtol=1e-12)
    assert new.parameters.equals(people.set(K_ACT, 11.52).parameters)
    fixed = people.set(K_ACT, "0.48 1/hour", keep_spread=False).parameters
    np.testing.assert_array_equal(fixed[K_ACT], 11.52)
    rest = [path for path in fixed.columns if path != K_ACT]
    assert fixed[rest].equals(people.parameters[rest])


def test_set_replaces_a_mixture_and_scale_keeps_it(nhl):
    path = "targets.baseline.normal.blood"
    people = nhl.sample(50, molecule="mosunetuzumab", seed=1)
    values = people.parameters[path]
    assert (values < 100.0).sum() > 25  # most patients have few B cells after earlier treatment
    np.testing.assert_allclose(people.scale(path, 0.5).parameters[path], values / 2, rtol=1e-12)
    median = people.typical.parameters.loc[0, path]
    one_group = people.set(path, median).parameters[path]
    assert 0.5 * median < one_group.median() < 2.0 * median
    assert (one_group < 100.0).sum() < 10


def test_changes_of_molecule_and_population_join(nhl, drug):
    people = nhl.scale(K_ACT, 0.5).sample(2, molecule=drug.set(ALPHA, "2e-3"), seed=1)
    assert set(people.changes) == {K_ACT, ALPHA}
    assert people.typical.parameters.loc[0, ALPHA] == 2e-3


def test_own_file_of_a_molecule(tmp_path):
    shipped = PACKAGE / "molecules" / "mosunetuzumab.toml"
    (tmp_path / "mine.toml").write_text(shipped.read_text())
    mine = qsp.molecule(tmp_path / "mine.toml")
    people = qsp.population("nhl").sample(2, molecule=mine)
    again = qsp.population("nhl").sample(2, molecule="mosunetuzumab")
    assert people.parameters.equals(again.parameters)
