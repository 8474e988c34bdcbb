"""Public names of `qsp.run`, which are imported on first use."""

import inspect

import pytest

from qsp import run as runs


@pytest.mark.parametrize("name", runs.__all__)
def test_every_name_is_defined_in_the_module_it_is_listed_under(name):
    found = getattr(runs, name)
    assert found.__name__ == name
    assert inspect.getmodule(found).__name__ == f"qsp.run.{runs._WHERE[name]}"


def test_other_names_are_refused_as_python_does():
    with pytest.raises(AttributeError, match=r"'qsp\.run' has no attribute 'simulate'"):
        _ = runs.simulate
