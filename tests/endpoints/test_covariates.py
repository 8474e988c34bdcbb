"""Share of the variance between patients that covariates explain, for known patients."""

import numpy as np
import pytest

from qsp.endpoints.covariates import STATUS, explained_variance
from qsp.errors import ConfigError
from tests import synthetic

PATIENTS = 400


@pytest.fixture
def patients():
    """Patients whose log IL-6 peak is log volume + half of log age (standardized) + noise.

    The three are orthogonal with variance 1, 1/4 and 1/4, so that the volume explains 2/3 and the
    age 1/6 of the variance.
    """
    random = np.random.default_rng(2)
    raw = random.normal(size=(PATIENTS, 3))
    volume, age, noise = np.linalg.qr(raw - raw.mean(0))[0].T * np.sqrt(PATIENTS)
    peak = np.exp(3.0 + volume + 0.5 * age + 0.5 * noise)
    ds = synthetic.neutral(arms=("a", "b"), patients=PATIENTS)
    ds = synthetic.put(ds, tumor_volume_baseline=50.0 * np.exp(volume), age=60 * np.exp(0.1 * age))
    ds["il6_peak"].values[..., 0] = 1e-3
    ds["il6_peak"].values[..., 1] = peak
    return ds


def of(found, name, arm="a", **at):
    return found[name].sel(arm=arm, signal="il6_peak", **at).values.tolist()


def test_shares_of_orthogonal_covariates_add_up(patients):
    found = explained_variance(patients)
    assert of(found, "value") == pytest.approx(5 / 6)
    for name in ("alone", "added"):
        assert of(found, name, covariate="tumor_volume_baseline") == pytest.approx(2 / 3)
        assert of(found, name, covariate="age") == pytest.approx(1 / 6)
    assert of(found, "lower") < 5 / 6 < of(found, "upper")
    assert found["signal"].values.tolist() == ["il6_peak", "fever_peak"]
    without = explained_variance(patients.drop_vars("fever_peak"))
    assert without["signal"].values.tolist() == ["il6_peak"]


def test_covariates_that_cannot_explain_are_left_out_and_named(patients):
    shape = ("arm", "patient")
    target = np.zeros((2, PATIENTS))
    patients["soluble_target_baseline"] = (shape, target, {"units": "nmol/L"})
    found = explained_variance(patients)
    named = dict(zip(found["covariate"].values, of(found, "status"), strict=True))
    assert {name: STATUS[code] for name, code in named.items()} == {
        "tumor_volume_baseline": "used",
        "soluble_target_baseline": "missing_or_zero",
        "effector_to_target_baseline": "not_in_results",
        "age": "used",
        "body_weight": "constant",
    }
    left_out = [name for name, code in named.items() if code]
    assert np.isnan(of(found, "alone", covariate=left_out)).all()


def test_each_arm_has_its_own_share(patients):
    patients["il6_peak"].values[1] = 30.0 * np.random.default_rng(3).lognormal(size=(PATIENTS, 2))
    found = explained_variance(patients)
    assert of(found, "value") == pytest.approx(5 / 6)
    assert of(found, "value", arm="b") < 0.05
    assert of(found, "lower", arm="b") < 0.001


def test_failed_patients_are_left_out_and_counted(patients):
    patients["il6_peak"].values[0, 7] = 1e9  # would change the share
    found = explained_variance(synthetic.fail(patients, 0, 7))
    others = patients.isel(patient=np.delete(np.arange(PATIENTS), 7))
    assert of(found, "value") == pytest.approx(of(explained_variance(others), "value"), rel=1e-10)
    assert [of(found, name) for name in ("evaluable", "failed", "unassessed")] == [399, 1, 0]


def test_patients_without_fever_are_unassessed(patients):
    fever = np.broadcast_to(patients["tumor_volume_baseline"].values[..., None] ** 2, (2, 400, 2))
    fever = np.where(np.arange(400)[:, None] < 10, 0.0, fever)
    dims = ("arm", "patient", "dose_period")
    patients["fever_peak"] = (dims, fever, {"units": "1"})
    found = explained_variance(patients).sel(signal="fever_peak", arm="a")
    assert float(found["value"]) == pytest.approx(1.0)
    assert [int(found[name]) for name in ("evaluable", "unassessed")] == [390, 10]


def test_weight_counts_a_patient_as_often_as_its_copies(patients):
    weight = np.where(np.arange(PATIENTS) < 100, 3.0, 1.0)
    weighted = explained_variance(synthetic.put(patients, prevalence_weight=weight))
    copies = patients.isel(patient=np.repeat(np.arange(PATIENTS), weight.astype(int)))
    copies = copies.assign_coords(patient=np.arange(copies.sizes["patient"]))
    expected = explained_variance(copies)
    assert of(weighted, "value") == pytest.approx(of(expected, "value"), rel=1e-10)
    # Weights carry less information than copies: the effective number is 600^2 / 1200.
    effective = 600.0**2 / 1200.0
    share = of(weighted, "value")
    adjusted = 1 - (1 - share) * (effective - 1) / (effective - 3)
    assert of(weighted, "adjusted") == pytest.approx(adjusted, rel=1e-10)


def test_too_few_patients_have_no_share(patients):
    """Two covariates need 20 patients."""
    few, enough = (explained_variance(patients.isel(patient=slice(n))) for n in (19, 20))
    assert np.isnan(of(few, "value"))
    assert np.isfinite(of(enough, "value"))
    assert of(few, "evaluable") == 19


def test_constant_response_has_no_share(patients):
    patients["il6_peak"].values[0] = 30.0
    found = explained_variance(patients)
    assert np.isnan(of(found, "value"))
    assert np.isfinite(of(found, "value", arm="b"))


def test_unit_of_a_covariate_is_checked(patients):
    patients["age"].attrs["units"] = "day"
    with pytest.raises(ConfigError, match="results: age: the unit must be year, but is 'day'"):
        explained_variance(patients)
