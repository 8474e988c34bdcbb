"""Numerical methods: invalid ones are refused early, and every named solver exists."""

import pytest

from qsp.engine.method import EXPLICIT, IMPLICIT, SOLVERS, Method
from qsp.errors import ConfigError
from tests.engine.toy import EVERY, amounts, run, sim

GIVEN = (0.0, 0, 10.0, 0.0, 1), (1.0, 1, 6.0, 0.5, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"solver": "Tsit6"},
            "method: solver must be known, but is 'Tsit6'. Did you mean 'Tsit5'?",
        ),
        (
            {"solver": "euler"},
            "method: solver must be known, but is 'euler'. Choose from " + ", ".join(SOLVERS) + ".",
        ),
        (
            {"rtol": 0.1},
            "method: rtol must be between 1e-13 and 1e-2, but is 0.1. "
            "The default is 1e-5; 1e-9 serves as a reference.",
        ),
        (
            {"rtol": float("nan")},
            "method: rtol must be between 1e-13 and 1e-2, but is nan. "
            "The default is 1e-5; 1e-9 serves as a reference.",
        ),
    ],
)
def test_invalid_methods_are_refused(arguments, message):
    with pytest.raises(ConfigError) as error:
        Method(**arguments)
    assert str(error.value) == message


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_named_exists_and_estimates_its_error(name):
    solver = Method(name).diffrax_solver()
    assert type(solver).__name__ == name
    assert hasattr(solver, "func")


def test_a_method_is_a_key_of_a_compiled_program():
    assert Method() == Method("ROCK4", 1e-5)
    assert hash(Method()) == hash(Method("ROCK4", 1e-5))
    assert Method() != Method(rtol=1e-6)


def test_explicit_and_implicit_solvers_are_disjoint():
    assert set(EXPLICIT).isdisjoint(IMPLICIT)
    assert Method().solver in EXPLICIT


@pytest.mark.slow
def test_an_implicit_solver_needs_fewer_steps_for_a_stiff_system():
    stiff = sim(*GIVEN, k=(2e4, 1.0, 2.0))
    implicit = run(stiff, method=Method("Kvaerno5", rtol=1e-6))
    assert not implicit.failed.any()
    expected = amounts(EVERY, *GIVEN, k=(2e4, 1.0, 2.0))
    assert implicit.saved[0].amount[0] == pytest.approx(expected, rel=1e-4, abs=1e-4)
    # Stability limits an explicit solver to steps of 3.3/k, tens of thousands in six days.
    assert float(implicit.steps[0]) < 500
