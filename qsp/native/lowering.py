"""From the traced program of one lane to instructions that compute many lanes side by side.

A JAX program of one patient is read primitive by primitive; each array becomes the scalars it is
made of. What JAX calls a loop stays one; everything else is laid out flat.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox.internal as eqxi
import jax
import numpy as np
from jax.extend import core

from qsp.native import indexing
from qsp.native import libm as elementary
from qsp.native.arrays import constants, contracted, elementwise, reduced
from qsp.native.builder import FOLDED, Scalars
from qsp.native.instructions import Unsupported
from qsp.native.loops import flat, looped, once, opened, settled, shaped
from qsp.native.shape_ops import MOVES, Indices

CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vmap_call": "call",
}
"""Primitives that stand for a program, and the parameter that holds it."""
SAME = ("copy", "copy_p", "stop_gradient", "optimization_barrier")
ORDERED = {"le_to": "le", "lt_to": "lt"}
"""Comparisons that put what is no number at the end; of numbers they are the ordinary ones."""
REDUCTIONS = {
    "reduce_sum": "add",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_or": "or",
    "reduce_and": "and",
}
WRITTEN_OUT: Mapping[str, Callable[..., Any]] = {
    "exp": elementary.exp,
    "log": elementary.log,
    "pow": elementary.power,
    "nextafter": elementary.next_after,
}


def interpreted(
    scalars: Scalars, jaxpr: Any, consts: Sequence[Any], args: Sequence[Indices]
) -> list[Indices]:
    """Outputs of a traced program.

    Args:
        scalars: What is being built.
        jaxpr: The program.
        consts: Values of its constants.
        args: Its arguments.

    Raises:
        Unsupported: If it holds something that has no native form.
    """
    known: dict[Any, Indices] = {}

    def read(atom: Any) -> Indices:
        if isinstance(atom, core.Literal):
            return _literal(scalars, atom)
        return known[atom]

    for variable, value in zip(jaxpr.constvars, consts, strict=True):
        known[variable] = constants(scalars, np.asarray(value))
    known.update(zip(jaxpr.invars, args, strict=True))
    for eqn in jaxpr.eqns:
        scalars.path.append(id(eqn))
        results = _results(scalars, eqn, [read(atom) for atom in eqn.invars])
        scalars.path.pop()
        for variable, result in zip(eqn.outvars, results, strict=True):
            _check(scalars, eqn, variable.aval, result)
            known[variable] = result
    return [read(atom) for atom in jaxpr.outvars]


def _check(scalars: Scalars, eqn: Any, wanted: Any, result: Indices) -> None:
    """Whatever else is wrong with a primitive, it is not to write where it should not."""
    kind = scalars.all[int(result.flat[0])].dtype if result.size else wanted.dtype
    if result.shape != wanted.shape or kind != wanted.dtype:
        raise Unsupported(f"{eqn.primitive.name} of {wanted.str_short()} has no native form")


def _literal(scalars: Scalars, atom: Any) -> Indices:
    if np.ndim(atom.val):
        return constants(scalars, np.asarray(atom.val, atom.aval.dtype))
    return np.array(scalars.literal(atom))


def _results(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    name, params = eqn.primitive.name, eqn.params
    if name in MOVES:
        return [MOVES[name](params, *args)]
    if name in FOLDED:
        return [elementwise(scalars, name, args)]
    if name in ORDERED:
        return [elementwise(scalars, ORDERED[name], args)]
    if name in SAME:
        return args
    if name in REDUCTIONS:
        return [reduced(scalars, REDUCTIONS[name], params["axes"], *args)]
    if name in WRITTEN_OUT:
        return [_written_out(scalars, name, args)]
    if name in SPECIAL:
        return SPECIAL[name](scalars, eqn, args)
    if name == "while":
        return looped(scalars, interpreted, params, args)
    inner = params[CALLS[name]] if name in CALLS else _wrapped(scalars, eqn)
    inner, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, ())
    return interpreted(scalars, inner, consts, args)


def _wrapped(scalars: Scalars, eqn: Any) -> Any:
    """What a primitive of equinox comes to for one lane: it wraps other primitives."""
    if eqn.primitive not in eqxi.primitive_finalisations:
        raise Unsupported(f"{eqn.primitive.name} has no native form")
    if id(eqn) not in scalars.wrapped:
        shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars]
        with jax.enable_x64(True):
            traced = jax.make_jaxpr(lambda *args: eqn.primitive.impl(*args, **eqn.params))(*shapes)
        scalars.wrapped[id(eqn)] = traced
    return scalars.wrapped[id(eqn)]


def elementary_programs() -> list[Any]:
    """Traced programs that stand for primitives."""
    return [_traced(name) for name in WRITTEN_OUT]


@functools.cache
def _traced(name: str) -> Any:
    count = 2 if name in ("pow", "nextafter") else 1
    with jax.enable_x64(True):
        number = jax.ShapeDtypeStruct((), np.float64)
        return jax.make_jaxpr(WRITTEN_OUT[name])(*[number] * count)


def _written_out(scalars: Scalars, name: str, args: Sequence[Indices]) -> Indices:
    args = [elementwise(scalars, "convert", [x], np.float64) for x in args]
    whole, closed = np.broadcast_arrays(*args), _traced(name)
    numbers = [
        int(interpreted(scalars, closed.jaxpr, closed.consts, [np.array(i) for i in each])[0])
        for each in zip(*(part.ravel() for part in whole), strict=True)
    ]
    return np.array(numbers, np.int64).reshape(whole[0].shape)


def _powers(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    power, [x] = eqn.params["y"], args
    one = np.full(x.shape, scalars.constant(1, scalars.all[int(x.flat[0])].dtype))
    product = functools.reduce(
        lambda a, b: elementwise(scalars, "mul", [a, b]), [x] * abs(power), one
    )
    return [product if power >= 0 else elementwise(scalars, "div", [one, product])]


def _iota(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    along = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return [constants(scalars, np.broadcast_to(along, shape).astype(eqn.params["dtype"]))]


def _scanned(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    """A scan has a fixed length, and is laid out flat."""
    params = eqn.params
    consts, carried = params["num_consts"], params["num_consts"] + params["num_carry"]
    closed, carry, rows = params["jaxpr"], args[consts:carried], []
    if scalars.dry and params["length"] > 1:
        return _any_turn(scalars, params, args)
    order = range(params["length"])
    for n in reversed(order) if params["reverse"] else order:
        given = [*args[:consts], *carry, *(x[n] for x in args[carried:])]
        out = interpreted(scalars, closed.jaxpr, closed.consts, given)
        carry = out[: params["num_carry"]]
        rows.append(out[params["num_carry"] :])
    rows = rows[::-1] if params["reverse"] else rows
    return [*carry, *(np.stack(column) for column in zip(*rows, strict=True))]


def _any_turn(scalars: Scalars, params: Mapping[str, Any], args: list[Indices]) -> list[Indices]:
    """What a scan ends with, as far as it is the same after any number of turns."""
    closed, count = params["jaxpr"], params["num_carry"]
    consts, carried = params["num_consts"], params["num_consts"] + count
    parts = args[consts:carried]
    first, shapes = flat(parts), [part.shape for part in parts]
    rows = [part[0] for part in args[carried:]]
    varied = shaped(opened(scalars, flat(rows), [False] * len(flat(rows))), [x.shape for x in rows])

    def turn(carry: list[int]) -> list[Indices]:
        given = [*args[:consts], *shaped(carry, shapes), *varied]
        return interpreted(scalars, closed.jaxpr, closed.consts, given)

    constant = settled(scalars, params, first, lambda carry: flat(turn(carry)[:count]))
    after = opened(scalars, first, constant)
    stacked = [
        _unknown(scalars, (params["length"], *v.aval.shape), v.aval.dtype)
        for v in closed.jaxpr.outvars[count:]
    ]
    return [*shaped(after, shapes), *stacked]


def _unknown(scalars: Scalars, shape: tuple[int, ...], dtype: Any) -> Indices:
    return np.full(shape, scalars.new(dtype, None))


def _branches(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    """Every branch is computed, and the one that was asked for is taken; see also `loops.once`.

    A branch that would end the program with an error (`eqx.error_if`) is left out with the check
    before it, as equinox does with EQX_ON_ERROR=off.
    """
    [which], rest = args[:1], args[1:]
    changed = once(scalars, interpreted, eqn.params, _at_least(scalars, int(which), 1), rest)
    if changed is not None:
        return changed
    branches = [branch for branch in eqn.params["branches"] if not _raises(branch.jaxpr)]
    outs = [interpreted(scalars, branch.jaxpr, branch.consts, rest) for branch in branches]
    if len(outs) < len(eqn.params["branches"]) and len(outs) != 1:
        raise Unsupported("a choice that may end in an error has no native form")
    result = outs[0]
    for n, out in enumerate(outs[1:], 1):
        here = _at_least(scalars, int(which), n)
        result = [
            elementwise(scalars, "select_n", [np.array(here), old, new])
            for old, new in zip(result, out, strict=True)
        ]
    return result


def _raises(jaxpr: Any) -> bool:
    """Whether a branch calls back into Python."""
    return any(eqn.primitive.name == "pure_callback" for eqn in jaxpr.eqns)


def _at_least(scalars: Scalars, which: int, n: int) -> int:
    dtype = scalars.all[which].dtype
    if dtype.kind == "b":
        return which
    return scalars.apply("ge", which, scalars.constant(n, dtype))


def _signs(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    dtype = scalars.all[int(args[0].flat[0])].dtype
    zero = np.array(scalars.constant(0, dtype))
    above, below = (
        elementwise(scalars, "convert", [elementwise(scalars, op, [*args, zero])], dtype)
        for op in ("gt", "lt")
    )
    sign = elementwise(scalars, "sub", [above, below])
    is_number = elementwise(scalars, "eq", [*args, *args])
    return [elementwise(scalars, "select_n", [is_number, *args, sign])]


def _clamped(scalars: Scalars, eqn: Any, args: list[Indices]) -> list[Indices]:
    low, x, high = args
    return [elementwise(scalars, "min", [elementwise(scalars, "max", [x, low]), high])]


SPECIAL: Mapping[str, Callable[[Scalars, Any, list[Indices]], list[Indices]]] = {
    "integer_pow": _powers,
    "square": lambda scalars, eqn, args: [elementwise(scalars, "mul", [args[0], args[0]])],
    "sign": _signs,
    "clamp": _clamped,
    "dot_general": lambda scalars, eqn, args: [
        contracted(scalars, eqn.params["dimension_numbers"], *args)
    ],
    "iota": _iota,
    "scan": _scanned,
    "cond": _branches,
    "gather": indexing.gather,
    "scatter": indexing.scatter,
    "scatter-add": indexing.scatter,
    "dynamic_slice": indexing.dynamic_slice,
    "dynamic_update_slice": indexing.dynamic_update,
    "convert_element_type": lambda scalars, eqn, args: [
        elementwise(scalars, "convert", args, eqn.params["new_dtype"])
    ],
    "bitcast_convert_type": lambda scalars, eqn, args: [
        elementwise(scalars, "bitcast", args, eqn.params["new_dtype"])
    ],
}
