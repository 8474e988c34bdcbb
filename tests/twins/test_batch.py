"""A patient has the same bits alone, in a batch and in another order; draws follow the id."""

import numpy as np
import pytest

from qsp.calibration.grade_probability import GradeThresholds
from qsp.twins.esmda import esmda
from qsp.twins.gpcn import Sampling, gpcn
from qsp.twins.grades import NOT_OBSERVED, Grades
from qsp.twins.likelihood import LinearError, LogError, Together
from qsp.twins.map_estimate import Search
from qsp.twins.mixture import fit_mixture
from qsp.twins.random_numbers import RandomNumbers
from tests.twins.closed_forms import one_compartment_oral, padded, study

DRAWS = 12
IDS = np.array([7, 1, 4_000_000_000, 30, 2])
TIMES = ([1.0, 4.0, 9.0], [2.0], [], list(np.linspace(0.5, 40.0, 23)), [1.0, 2.0, 30.0, 55.0])
GRADES = ([1], [0, 2], [0], [NOT_OBSERVED, 3, 1], [0])
THRESHOLDS = GradeThresholds(np.array([0.5, 0.8, 1.2, 2.0]), sd_patient=0.2, sd_event=0.3)


def data(chosen):
    """Doses, samples (some below quantification) and grades of some patients."""
    doses = [[(24.0 * k, 100.0 + 10.0 * p) for k in range(len(GRADES[p]))] for p in chosen]
    samples = [[(t, 1.0 + np.sin(t + p) ** 2) for t in TIMES[p]] for p in chosen]
    found = study(doses, samples)
    grade, _, given = padded([[(g, 0.0) for g in GRADES[p]] for p in chosen])
    return found, np.where(given, grade, NOT_OBSERVED).astype(int)


def simulator(found, doses):
    def predict(z, component):
        scale = np.exp(0.3 * z[..., :4] + 0.05 * z[..., 4:8])
        ka = (1.0 + component) * scale[..., 0]
        drug = one_compartment_oral(found, ka, 5.0 * scale[..., 1], 60.0 * scale[..., 2]) + 0.01
        peak = (0.7 * scale[..., 3] * scale[..., 1])[..., None] * np.ones(doses)
        return np.concatenate([drug, 0.1 * peak, peak, 1.1 * peak], axis=-1)

    return predict


def fitted(chosen, error):
    """Everything that is computed for some patients, in their order."""
    found, grade = data(chosen)
    drug = found.measured(error, found.value < 1.2)
    whole = Together((drug, Grades(grade, THRESHOLDS)))
    predict = simulator(found, grade.shape[1])
    start = np.zeros((len(chosen), DRAWS))
    fit = fit_mixture(predict, whole, (0.6, 0.4), start, search=Search(iterations=4))
    chains = gpcn(predict, whole, fit, IDS[chosen], 9, Sampling(8, 5, 4))
    quantified = found.measured(error)
    ensemble = esmda(
        lambda z: predict(z, np.zeros(z.shape[:2], int))[..., : drug.width],
        quantified,
        DRAWS,
        IDS[chosen],
        9,
        steps=2,
    )
    return {
        "estimate": fit.estimates[1].z,
        "objective": fit.estimates[1].objective,
        "steps": fit.estimates[1].steps,
        "directions": fit.approximations[0].directions,
        "covariance": fit.approximations[0].covariance,
        "probability": fit.probability,
        "evidence": fit.log_evidence,
        "samples": chains.z,
        "components": chains.component,
        "log-likelihood": chains.log_likelihood,
        "beta": chains.beta,
        "ensemble": ensemble,
    }


@pytest.mark.parametrize("error", [LogError(0.3), LinearError(0.2, 0.2)], ids=["log", "linear"])
def test_a_patient_does_not_depend_on_the_batch(error):
    """Padding, the number of patients and their order differ."""
    batch = fitted(np.arange(5), error)
    order = np.array([3, 0, 2])
    for chosen in (*([p] for p in range(5)), order):
        own = fitted(np.array(chosen), error)
        for name, values in own.items():
            np.testing.assert_array_equal(values, batch[name][chosen], err_msg=f"{name} {chosen}")


def test_patient_without_measurements_stays_at_the_prior():
    found, _ = data([2])
    predict = simulator(found, 1)
    fit = fit_mixture(
        lambda z, c: predict(z, c)[..., :0],
        found.measured(LogError(0.3)),
        (0.6, 0.4),
        np.zeros((1, DRAWS)),
    )
    np.testing.assert_array_equal(fit.estimates[0].z, 0.0)
    np.testing.assert_array_equal(fit.approximations[0].precision[0], np.eye(DRAWS))
    np.testing.assert_allclose(fit.probability, [[0.6, 0.4]])


def test_random_numbers_follow_seed_id_and_purpose():
    numbers = RandomNumbers(3, IDS, "gpcn").normals(2, 4, 5)
    np.testing.assert_array_equal(RandomNumbers(3, IDS[[2]], "gpcn").normals(2, 4, 5), numbers[[2]])
    np.testing.assert_array_equal(
        RandomNumbers(3, IDS, "gpcn").normals(2, 4, 3).reshape(5, -1),
        numbers.reshape(5, -1)[:, :12],
    )
    others = [
        RandomNumbers(4, IDS, "gpcn").normals(2, 4, 5),
        RandomNumbers(3, IDS, "esmda").normals(2, 4, 5),
        RandomNumbers(3, IDS, "gpcn").normals(3, 4, 5),
    ]
    assert all((each != numbers).all() for each in others)
    many = RandomNumbers(3, np.arange(1000), "gpcn").normals(0, 100)
    assert abs(many.mean()) < 0.01
    assert many.std() == pytest.approx(1.0, abs=0.01)
