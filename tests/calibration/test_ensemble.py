"""Ensemble of parameter sets: Laplace approximation, draws, file, and refusal of an old file."""

import dataclasses

import numpy as np
import pytest

from qsp.calibration import unseen
from qsp.calibration.ensemble import MEMBERS, SHIPPED, Ensemble, draw, read_ensemble, text
from qsp.calibration.identifiability import alpha_beta50, sentences, table
from qsp.calibration.laplace import Laplace
from qsp.calibration.parameters import Parameter, read
from qsp.calibration.problem import FILE
from qsp.errors import ConfigError

TABLES, PARAMETERS = read(FILE)
NAMES = tuple(each.name for each in PARAMETERS)


def fitted(seed=0, rows=200, size=0.3):
    """A fit at the prior medians with a random Jacobian."""
    jacobian = np.random.default_rng(seed).normal(size=(rows, len(NAMES)), scale=size)
    return Laplace(NAMES, np.zeros(len(NAMES)), jacobian)


def test_covariance_is_the_inverse_of_information_and_prior():
    found = fitted(rows=12)
    whole = np.linalg.inv(found.jacobian.T @ found.jacobian + np.eye(len(NAMES)))
    assert found.covariance == pytest.approx(whole, abs=1e-12)
    assert found.sd == pytest.approx(np.sqrt(np.diag(whole)))


def test_draws_have_mean_and_covariance_of_the_approximation():
    found = fitted(rows=20)
    z = found.at(np.random.default_rng(1).normal(size=(40_000, len(NAMES))))
    assert np.cov(z.T) == pytest.approx(found.covariance, abs=0.03)
    assert found.at(np.zeros(len(NAMES))) == pytest.approx(found.z)


def test_a_measured_parameter_is_known_as_well_as_its_measurement_and_the_prior_tell():
    jacobian = np.array([[3.0, 0.0]])
    found = Laplace(("a", "b"), np.zeros(2), jacobian)
    assert found.sd == pytest.approx([1.0 / np.sqrt(10.0), 1.0])
    sd, vectors = found.directions
    assert sd == pytest.approx([1.0 / np.sqrt(10.0), 1.0])
    assert abs(vectors[:, 0]) == pytest.approx([1.0, 0.0])


def test_two_parameters_in_one_sum_are_a_ridge():
    alpha = Parameter("alpha_m", "synapse.alpha", 1e-3, 1.5, molecules=("m",))
    beta = Parameter("beta50_m", "synapse.beta50_act", 100.0, 1.0, molecules=("m",))
    found = Laplace(("alpha_m", "beta50_m"), np.zeros(2), np.array([[20.0, -20.0]]))
    ((molecule, correlation),) = alpha_beta50((alpha, beta), found)
    assert molecule == "m"
    assert correlation > 0.99
    said = " ".join(sentences((alpha, beta), found))
    assert "Learned directions: 1 of 2" in said
    assert "m 1.00" in said
    assert table((alpha, beta), found).splitlines()[1].startswith("alpha_m,log,1.5,1.06,0.70")


def test_members_depend_on_the_seed_and_their_number_only():
    found = fitted()
    few, more = draw(found, members=2), draw(found, members=4)
    assert np.array_equal(few.values, more.values[:2])
    assert not np.array_equal(few.values, draw(found, members=2, seed=2).values)


def test_thresholds_of_grades_increase_in_every_member():
    vague = draw(Laplace(NAMES, np.zeros(len(NAMES)), fitted(rows=1).jacobian), members=20)
    by_name = dict(zip((each.name for each in vague.parameters), vague.values.T, strict=True))
    assert (by_name["leak"] < by_name["leak_3"]).all()
    assert by_name["grade_4"] == pytest.approx(TABLES["ratios"][0]["factor"] * by_name["leak_3"])


def test_a_molecule_without_data_is_drawn_around_the_mean_with_the_spread_between_others():
    known = tuple(Parameter(f"alpha_{n}", "synapse.alpha", 1.0, 0.5) for n in range(4))
    mean = unseen.Mean(dataclasses.replace(known[0], name="alpha_new"), known)
    values = {each.name: value for each, value in zip(known, (1e-4, 1e-2, 1e-4, 1e-2), strict=True)}
    assert mean.value(values, 0.0) == pytest.approx(1e-3)
    spread = np.std(np.log(list(values.values())), ddof=1) * np.sqrt(1.25)
    assert np.log(mean.value(values, 1.0) / 1e-3) == pytest.approx(spread)
    same = dict.fromkeys(values, 1e-3)
    assert np.log(mean.value(same, 1.0) / 1e-3) == pytest.approx(0.5 * np.sqrt(1.25))


def test_a_fit_without_jacobian_or_of_other_parameters_is_refused():
    zeros = np.zeros((3, len(NAMES)))
    with pytest.raises(ConfigError, match="must have a Jacobian"):
        draw(Laplace(NAMES, zeros[0], zeros))
    with pytest.raises(ConfigError, match=r"parameters of calibration\.toml"):
        draw(Laplace(NAMES[:1], np.zeros(1), np.ones((1, 1))))


def test_the_shipped_ensemble_is_small_and_of_the_shipped_values():
    ensemble = read_ensemble()
    assert len(ensemble) == MEMBERS
    assert SHIPPED.stat().st_size < 200_000
    assert text(ensemble) == SHIPPED.read_text(encoding="utf-8")
    assert np.isfinite(ensemble.values).all()


@pytest.mark.parametrize(
    ("line", "other", "rule"),
    [
        ("values_sha256", '#: values_sha256 = "0"', "values in the parameter files"),
        ("model_version", '#: model_version = "0.1"', "must be of model"),
        ("format", "#: format = 0", "must have format"),
        ("member", "member,other", "columns must be the parameters"),
    ],
)
def test_an_ensemble_of_other_values_is_refused_with_the_command_that_renews_it(
    tmp_path, line, other, rule
):
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    starts = (f"#: {line} ", f"{line},")
    file = tmp_path / "ensemble.csv"
    file.write_text("\n".join(other if each.startswith(starts) else each for each in lines))
    with pytest.raises(ConfigError, match=rule) as found:
        read_ensemble(file)
    assert "scripts/calibrate --stage ensemble --write" in str(found.value)


def test_a_missing_ensemble_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must exist"):
        read_ensemble(tmp_path / "ensemble.csv")


def test_a_member_has_the_values_of_its_molecule_and_the_product_of_its_disease():
    shared = Parameter("p", "cytokines.p_IL6", 1.0, 1.0, unit="pg/mL/hour")
    factor = Parameter("f", "cytokines.p_IL6", 1.0, 1.0, diseases=("NHL",))
    own = Parameter("a", "synapse.alpha", 1.0, 1.0, molecules=("drug",))
    other = Parameter("b", "synapse.alpha", 1.0, 1.0, molecules=("else",))
    ensemble = Ensemble((shared, factor, own, other), np.array([[2.0, 3.0, 5.0, 7.0]]), 1, "")
    entries = ensemble.file(0, "drug", "NHL").entries
    assert {path: entry.value for path, entry in entries.items()} == {
        "cytokines.p_IL6": "6.0 pg/mL/hour",
        "synapse.alpha": "5.0",
    }
    assert list(ensemble.file(0, "new", "ALL").entries) == ["cytokines.p_IL6"]
