"""Likelihood of measurements: derivatives, Fisher information and normalization by quadrature."""

import numpy as np
import pytest
from scipy import integrate, stats

from qsp.errors import ConfigError
from qsp.twins.likelihood import LinearError, LogError, Measured, Together

ERRORS = {
    "additive": LinearError(additive=0.7),
    "proportional": LinearError(proportional=0.3),
    "combined variances": LinearError(additive=0.5, proportional=0.2),
    "combined standard deviations": LinearError(additive=0.5, proportional=0.2, adds_sd=True),
    "heavy tails": LinearError(additive=0.5, proportional=0.2, degrees=4.0),
    "logarithms": LogError(0.4, degrees=np.inf),
    "logarithms, heavy tails": LogError(0.4),
}
EACH = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


def value_of(measured, location):
    """Log-likelihood of a single measurement at a location (Eq. W2)."""
    prediction = np.exp(location) if measured.error.is_log else location
    return measured.log_likelihood(np.full((1, 1, 1), prediction))[0, 0]


def single(error, value, is_below=False):
    return Measured(np.array([[value]]), error, np.array([[is_below]]))


@EACH
@pytest.mark.parametrize("is_below", [False, True])
def test_score_is_the_derivative_of_the_log_likelihood(error, is_below):
    measured = single(error, 2.3, is_below)
    for prediction in (0.8, 2.0, 5.0):
        location = np.log(prediction) if error.is_log else prediction
        score, _ = measured.weights(np.array([[prediction]]))
        slope = (value_of(measured, location + 1e-5) - value_of(measured, location - 1e-5)) / 2e-5
        assert score[0, 0] == pytest.approx(slope, rel=1e-6, abs=1e-8)


@EACH
def test_information_is_the_expected_square_of_the_score(error):
    """Also: the density integrates to one."""
    prediction = np.array([[2.0]])
    location = np.log(2.0) if error.is_log else 2.0

    def density(x):
        return np.exp(value_of(single(error, np.exp(x) if error.is_log else x), location))

    def squared(x):
        measured = single(error, np.exp(x) if error.is_log else x)
        return density(x) * measured.weights(prediction)[0][0, 0] ** 2

    for integrand, expected in (
        (density, 1.0),
        (squared, single(error, 1.0).weights(prediction)[1][0, 0]),
    ):
        found, _ = integrate.quad(integrand, location - 60.0, location + 60.0, points=[location])
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("degrees", "law"), [(np.inf, stats.norm), (5.0, stats.t(5))])
def test_below_quantification_is_the_distribution_function(degrees, law):
    measured = single(LogError(0.4, degrees=degrees), 3.0, is_below=True)
    found = measured.log_likelihood(np.full((1, 1, 1), 8.0))[0, 0]
    assert found == pytest.approx(law.logcdf(np.log(3.0 / 8.0) / 0.4))


def test_information_below_quantification_is_the_curvature():
    """For a constant standard deviation and normal residuals, Eq. W8 is the exact curvature."""
    measured = single(LogError(0.4, degrees=np.inf), 3.0, is_below=True)
    for location in (0.0, 1.1, 2.5, 6.0):
        _, information = measured.weights(np.exp([[location]]))
        h = 1e-4
        low, mid, high = (value_of(measured, location + d) for d in (-h, 0.0, h))
        assert information[0, 0] == pytest.approx(-(high - 2 * mid + low) / h**2, rel=1e-4)


def test_values_far_below_a_prediction_stay_finite():
    for degrees in (np.inf, 5.0):
        measured = single(LogError(0.1, degrees=degrees), 1e-6, is_below=True)
        score, information = measured.weights(np.array([[1e6]]))
        assert np.isfinite(measured.log_likelihood(np.full((1, 1, 1), 1e6))).all()
        assert score < 0.0
        assert 0.0 < information < np.inf


@pytest.mark.parametrize("failed", [np.nan, np.inf, -1.0, 0.0])
def test_failed_simulation_is_impossible(failed):
    measured = Measured(np.ones((1, 2)), LogError(0.3), is_used=np.array([[True, False]]))
    prediction = np.array([[[failed, 1.0], [1.0, failed], [1.0, 1.0]]])
    found = measured.log_likelihood(prediction)
    assert found[0, 0] == -np.inf
    assert found[0, 1] == found[0, 2] > -np.inf


def test_parts_add_up_and_keep_their_columns():
    random = np.random.default_rng(1)
    first = Measured(random.lognormal(size=(3, 2)), LogError(0.3))
    second = Measured(random.normal(size=(3, 1)), LinearError(additive=1.0))
    both = Together((first, second))
    prediction = random.lognormal(size=(3, 5, 3))
    np.testing.assert_array_equal(
        both.log_likelihood(prediction),
        first.log_likelihood(prediction[..., :2]) + second.log_likelihood(prediction[..., 2:]),
    )
    assert both.width == 3
    np.testing.assert_array_equal(
        both.weights(prediction[:, 0])[0][:, 2:], second.weights(prediction[:, 0, 2:])[0]
    )
    np.testing.assert_array_equal(both.rows(prediction)[..., 2:], prediction[..., 2:])


def test_error_may_differ_between_measurements():
    sd = np.array([[0.2, 0.5]])
    measured = Measured(np.array([[1.0, 1.0]]), LogError(sd, degrees=np.inf))
    found = measured.log_likelihood(np.full((1, 1, 2), 2.0))[0, 0]
    assert found == pytest.approx(stats.norm.logpdf(-np.log(2.0), scale=sd[0]).sum())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Measured(np.array([[0.0]]), LogError(0.3)), "finite and above 0, but is 0.0"),
        (lambda: Measured(np.array([[np.nan]]), LinearError(1.0)), "finite, but is nan"),
        (lambda: Measured(np.ones(2), LinearError(1.0)), "must have the same shape"),
        (lambda: LinearError(), "one above 0"),
        (lambda: LogError(0.0), "log_sd must be above 0"),
        (lambda: LogError(0.3, degrees=0.0), "degrees must be above 0"),
    ],
)
def test_invalid_input_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        wrong()
