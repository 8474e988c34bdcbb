"""One function of a simulation computed in two ways: natively, and by JAX under vmap."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from qsp.native import Program, Shape, build
from qsp.native.codegen import register_width


def program(function: Any, *arguments: Any, folder: Path | None = None) -> Program:
    """Compile a function natively; its arguments have a leading simulation axis."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(arguments)]
    shapes = [Shape(leaf.shape[1:], leaf.dtype) for leaf in leaves]
    one = [jax.ShapeDtypeStruct(shape.shape, shape.dtype) for shape in shapes]
    tree = jax.tree.structure(arguments)
    return build(function, jax.tree.unflatten(tree, one), shapes, folder)


def both(function: Any, *arguments: Any) -> tuple[Any, Any]:
    """Results by the native program and by JAX."""
    expected = jax.tree.map(np.asarray, jax.vmap(function)(*arguments))
    return natively(function, *arguments), expected


def natively(function: Any, *arguments: Any) -> Any:
    """Results of any number of simulations; repeats fill up the last vector register."""
    width = register_width()
    count = len(jax.tree.leaves(arguments)[0])
    index = np.arange(-(-count // width) * width) % count
    padded = jax.tree.map(lambda leaf: np.asarray(leaf)[index], arguments)
    result = program(function, *arguments)(*jax.tree.leaves(padded))
    return jax.tree.map(lambda leaf: leaf[:count], result)


def agree(function: Any, *arguments: Any, rtol: float = 1e-14) -> None:
    """Assert that both ways give the same structure, types, shapes and values."""
    found, expected = both(function, *arguments)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=rtol, atol=0.0)
