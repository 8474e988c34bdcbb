"""The least squares of calibration: exact on linear problems, resumable, within the prior range."""

import numpy as np
import pytest

from qsp.calibration.least_squares import (
    LARGEST,
    Evaluations,
    Experiment,
    _known,
    _Point,
    _updated,
    fit,
)

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 2))
TARGET_A, TARGET_B = RNG.normal(size=5), RNG.normal(size=4)
NAMES = ("x", "y", "z", "w")


def experiments(calls=None):
    def count(name, residuals):
        def counted(z):
            if calls is not None:
                calls.append(name)
            return residuals(z)

        return counted

    return [
        Experiment("a", ("x", "y", "z"), count("a", lambda z: A @ z - TARGET_A)),
        Experiment("b", ("z", "w"), count("b", lambda z: B @ z - TARGET_B)),
    ]


def exact():
    """Solution of the linear problem, with the prior, from its normal equations."""
    j = np.zeros((9, 4))
    j[:5, :3], j[5:, 2:] = A, B
    target = np.concatenate([TARGET_A, TARGET_B])
    return np.linalg.solve(j.T @ j + np.eye(4), j.T @ target)


def test_a_linear_problem_is_solved_exactly():
    found = fit(Evaluations(experiments()), NAMES, np.zeros(4), iterations=40, tolerance=0.0)
    assert found.z == pytest.approx(exact(), abs=1e-6)
    assert list(found.history) == sorted(found.history, reverse=True)


def test_a_derivative_needs_only_the_experiments_of_its_parameter(monkeypatch):
    monkeypatch.setattr("qsp.calibration.least_squares.UPDATES", 0)
    calls = []
    fit(Evaluations(experiments(calls)), NAMES, np.zeros(4), iterations=1)
    # Start: both. Jacobian: a for x, y, z; b for z, w. One step: both.
    assert (calls.count("a"), calls.count("b")) == (1 + 3 + 1, 1 + 2 + 1)


def test_an_interrupted_fit_continues_with_the_same_bits(tmp_path):
    whole = fit(Evaluations(experiments()), NAMES, np.zeros(4))

    class Stop(Exception):
        pass

    done = []

    def interrupt(name):
        done.append(name)
        if len(done) == 6:
            raise Stop

    with pytest.raises(Stop):
        fit(Evaluations(experiments(), tmp_path, interrupt), NAMES, np.zeros(4))
    calls = []
    again = fit(Evaluations(experiments(calls), tmp_path), NAMES, np.zeros(4))
    assert np.array_equal(again.z, whole.z)
    assert again.history == whole.history
    new = []
    fit(Evaluations(experiments(new), tmp_path), NAMES, np.zeros(4))
    assert not new


def test_parameters_stay_in_the_prior_range():
    far = Experiment("far", ("x",), lambda z: 100.0 * (z - 50.0))
    found = fit(Evaluations([far]), ("x",), np.zeros(1), iterations=20)
    assert found.z[0] == LARGEST


def test_a_nonlinear_problem_recovers_its_truth():
    time = np.linspace(0.1, 4.0, 30)

    def residuals(z):
        return (
            np.exp(z[0]) * np.exp(-np.exp(0.5 * z[1]) * time) - 2.0 * np.exp(-1.3 * time)
        ) / 1e-4

    found = fit(
        Evaluations([Experiment("decay", ("c", "k"), residuals)]),
        ("c", "k"),
        np.zeros(2),
        iterations=50,
        tolerance=0.0,
    )
    assert np.exp(found.z[0]) == pytest.approx(2.0, rel=1e-4)
    assert np.exp(0.5 * found.z[1]) == pytest.approx(1.3, rel=1e-4)


def test_updated_derivatives_save_evaluations(monkeypatch):
    """Steps with updated derivatives reach the same point with fewer evaluations."""
    names = tuple("abcdefgh")
    mix = np.eye(8) + 0.2 * np.random.default_rng(5).normal(size=(8, 8))
    found, counts = [], []
    for updates in (0, 4):
        calls = []

        def residuals(z, calls=calls):
            calls.append(1)
            return (np.exp(0.5 * mix @ z) - np.linspace(1.2, 2.0, 8)) / 0.01

        monkeypatch.setattr("qsp.calibration.least_squares.UPDATES", updates)
        evaluations = Evaluations([Experiment("curved", names, residuals)])
        found.append(fit(evaluations, names, np.zeros(8), iterations=30, tolerance=1e-6))
        counts.append(len(calls))
    assert found[1].cost == pytest.approx(found[0].cost, rel=1e-4)
    assert found[1].z == pytest.approx(found[0].z, abs=1e-2)
    assert counts[1] < 0.8 * counts[0]


def test_updated_derivatives_explain_the_last_step_and_keep_known_zeros():
    at, then = np.zeros(4), np.array([0.1, 0.2, -0.1, 0.3])
    evaluations = Evaluations(experiments())
    now, later = (_Point(z, evaluations(NAMES, z)) for z in (at, then))
    known = _known(evaluations, NAMES, now)
    wrong = np.where(known, 1.0, 0.0)
    new = _updated(wrong, known, now, later)
    assert new @ then == pytest.approx(later.vector - now.vector)
    assert not new[~known].any()


def test_derivatives_of_a_linear_problem_are_not_changed_by_an_update():
    at, then = np.zeros(4), np.array([0.1, 0.2, -0.1, 0.3])
    evaluations = Evaluations(experiments())
    now, later = (_Point(z, evaluations(NAMES, z)) for z in (at, then))
    true = np.zeros((9, 4))
    true[:5, :3], true[5:, 2:] = A, B
    new = _updated(true, _known(evaluations, NAMES, now), now, later)
    assert new == pytest.approx(true, abs=1e-12)
