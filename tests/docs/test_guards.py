"""The guards of the numerics page have the equations and the users that it states."""

import importlib
import inspect
import re

import jax.numpy as jnp
import numpy as np
import pytest

from qsp.explain.equations import collect, functions, modules
from qsp.model import numerics
from tests.docs.latex_value import Evaluator, solve
from tests.docs.test_equations import of, symbols

GUARDS = {
    "ratio": "y",
    "reciprocal": "y",
    "positive_concentration": "",
    "geometric_mean": "y",
    "hill": "y n",
    "root": "",
    "softplus_gain": "y s",
    "positive_part": "",
    "capped": "y",
    "bounded": "x_min x_max",
}
"""Arguments of each guard after the variable x, as symbols."""


@pytest.mark.parametrize("name", GUARDS)
def test_guards(double_precision, name):
    """The equation of each guard gives its value, at zero and below too."""
    x = np.array(
        [0.0, 1e-13, 1e-3, 0.4, 2.0] + ([] if name in ("geometric_mean", "root") else [-0.3])
    )
    at = {"y": 0.7, "n": 3.0, "s": 0.02, "x_min": 0.1, "x_max": 1.0}
    y = np.array([0.0, 0.7]) if name in ("ratio", "reciprocal") else at["y"]
    y = np.array([-0.1, 0.1]) if name == "softplus_gain" else y
    x, y = np.broadcast_arrays(x[:, None], y)
    values = {**at, "x": x, "y": y}
    first, *others = (
        of(f"numerics.{name}")[0].replace(r"\left", "").replace(r"\right", "").split(r", \quad")
    )
    body = first.partition("=")[2]
    known = solve(others, symbols(**values))
    expected = Evaluator(body, known).value()
    arguments = GUARDS[name].split() if name == "reciprocal" else ["x", *GUARDS[name].split()]
    ours = getattr(numerics, name)(*(jnp.asarray(values[each]) for each in arguments))
    np.testing.assert_allclose(
        ours, np.broadcast_to(expected, np.shape(ours)), rtol=1e-9, atol=1e-15
    )


def test_each_guard_names_the_functions_that_use_it():
    by_label = {each.label: (each.module, each.function) for each in collect()}
    texts = {
        (module, name): inspect.getsource(function)
        for module in modules()
        for function, name in functions(importlib.import_module(module))
    }
    assert set(GUARDS) == {name for _, name in functions(numerics)}
    for name in GUARDS:
        words = inspect.getdoc(getattr(numerics, name)) or ""
        found = re.search(r"Used in (?:the iteration of )?Eq. ([A-Z0-9, ]*\d)", words)
        assert found is not None, name
        users = {by_label[label] for label in found[1].split(", ")}
        assert users == {where for where, text in texts.items() if f"numerics.{name}(" in text}
