"""Form of error messages: place, rule, value found, remedy."""

import pytest

from qsp.errors import ConfigError, PopulationError, QSPError, SolveError, UnitError, suggest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.toml", "x must be above 0"), "a.toml: x must be above 0."),
        (("a.toml", "x must be above 0", -1), "a.toml: x must be above 0, but is -1."),
        (("a.toml", "x must be above 0", 0), "a.toml: x must be above 0, but is 0."),
        (
            ("a.toml", "x must be above 0", -1, "Remove it"),
            "a.toml: x must be above 0, but is -1. Remove it.",
        ),
        (("a.toml", "x must exist", None, "Add it."), "a.toml: x must exist. Add it."),
    ],
)
def test_message_has_one_form(arguments, message):
    assert str(ConfigError(*arguments)) == message


def test_parts_of_a_message_are_attributes():
    error = UnitError("a.toml", "x must have a unit", "5", "Write 5 mg")
    assert (error.where, error.rule, error.got, error.todo) == (
        "a.toml",
        "x must have a unit",
        "5",
        "Write 5 mg",
    )


@pytest.mark.parametrize("kind", [ConfigError, UnitError, PopulationError])
def test_input_errors_are_value_errors_of_the_package(kind):
    assert issubclass(kind, QSPError)
    assert issubclass(kind, ValueError)


def test_a_failed_run_is_not_an_input_error():
    assert issubclass(SolveError, QSPError)
    assert not issubclass(SolveError, ValueError)


def test_suggests_only_similar_names():
    assert suggest("tsit5", ["Tsit5", "Kvaerno5"]) == "Did you mean 'Tsit5'?"
    assert suggest("zebra", ["Tsit5", "Kvaerno5"]) == ""
    assert suggest("arm", ["arms", "arm_2", "farm"]).count(" or ") == 2
