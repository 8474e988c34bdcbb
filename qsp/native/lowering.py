"""Lowering of the jaxpr of one simulation to vector instructions, primitive by primitive.

Every array becomes an array of scalars, each in a vector register. A `while` becomes a loop; scans
are unrolled, calls are inlined, and both branches of a `cond` are computed and selected from,
except for long updates (`loops.lower_optional_update`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox.internal as eqxi
import jax
import numpy as np
from jax.extend import core

from qsp import libm
from qsp.native import gather_scatter
from qsp.native.arrays import constants, contract, elementwise, reduce
from qsp.native.builder import FOLDING, ScalarBuilder
from qsp.native.instructions import Unsupported
from qsp.native.loops import (
    abstract_carry,
    find_invariants,
    flatten,
    lower_optional_update,
    lower_while,
    unflatten,
)
from qsp.native.shape_ops import SHAPE_OPS, ScalarIds

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
"""Primitives that call a jaxpr, and the parameter that holds it."""
IDENTITIES = ("copy", "copy_p", "stop_gradient", "optimization_barrier")
TOTAL_ORDER = {"le_to": "le", "lt_to": "lt"}
"""Comparisons that sort NaN last; they equal the ordinary ones for numbers."""
REDUCTIONS = {
    "reduce_sum": "add",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_or": "or",
    "reduce_and": "and",
}
ELEMENTARY: Mapping[str, Callable[..., Any]] = {
    "exp": libm.exp,
    "log": libm.log_ieee,
    "pow": libm.power,
    "nextafter": libm.next_after,
}
"""Primitives that are replaced by the jaxpr of a function in arithmetic."""


def lower_jaxpr(
    scalars: ScalarBuilder, jaxpr: Any, consts: Sequence[Any], args: Sequence[ScalarIds]
) -> list[ScalarIds]:
    """Emit a jaxpr and return its outputs.

    Args:
        scalars: Builder of the program.
        jaxpr: The jaxpr.
        consts: Values of its constants.
        args: Scalars of its arguments.

    Raises:
        Unsupported: If the jaxpr contains a primitive or a type that has no native form.
    """
    environment: dict[Any, ScalarIds] = {}

    def read(atom: Any) -> ScalarIds:
        if isinstance(atom, core.Literal):
            return _literal(scalars, atom)
        return environment[atom]

    for variable, value in zip(jaxpr.constvars, consts, strict=True):
        environment[variable] = constants(scalars, np.asarray(value))
    environment.update(zip(jaxpr.invars, args, strict=True))
    for eqn in jaxpr.eqns:
        scalars.path.append(id(eqn))
        results = _lower_equation(scalars, eqn, [read(atom) for atom in eqn.invars])
        scalars.path.pop()
        for variable, result in zip(eqn.outvars, results, strict=True):
            _check(scalars, eqn, variable.aval, result)
            environment[variable] = result
    return [read(atom) for atom in jaxpr.outvars]


def _check(scalars: ScalarBuilder, eqn: Any, aval: Any, result: ScalarIds) -> None:
    """Refuse a result of unexpected shape or type, which could write outside its memory."""
    dtype = scalars.all[int(result.flat[0])].dtype if result.size else aval.dtype
    if result.shape != aval.shape or dtype != aval.dtype:
        raise Unsupported(f"{eqn.primitive.name} of {aval.str_short()} has no native form")


def _literal(scalars: ScalarBuilder, atom: Any) -> ScalarIds:
    if np.ndim(atom.val):
        return constants(scalars, np.asarray(atom.val, atom.aval.dtype))
    return np.array(scalars.literal(atom))


def _lower_equation(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    name, params = eqn.primitive.name, eqn.params
    if name in SHAPE_OPS:
        return [SHAPE_OPS[name](params, *args)]
    if name in FOLDING:
        return [elementwise(scalars, name, args)]
    if name in TOTAL_ORDER:
        return [elementwise(scalars, TOTAL_ORDER[name], args)]
    if name in IDENTITIES:
        return args
    if name in REDUCTIONS:
        return [reduce(scalars, REDUCTIONS[name], params["axes"], *args)]
    if name in ELEMENTARY:
        return [_lower_elementary(scalars, name, args)]
    if name in SPECIAL:
        return SPECIAL[name](scalars, eqn, args)
    if name == "while":
        return lower_while(scalars, lower_jaxpr, params, args)
    inner = params[CALLS[name]] if name in CALLS else _unwrap(scalars, eqn)
    inner, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, ())
    return lower_jaxpr(scalars, inner, consts, args)


def _unwrap(scalars: ScalarBuilder, eqn: Any) -> Any:
    """Trace the implementation of an equinox primitive, which wraps primitives of JAX."""
    if eqn.primitive not in eqxi.primitive_finalisations:
        raise Unsupported(f"{eqn.primitive.name} has no native form")
    if id(eqn) not in scalars.unwrapped:
        shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars]
        with jax.enable_x64(True):
            traced = jax.make_jaxpr(lambda *args: eqn.primitive.impl(*args, **eqn.params))(*shapes)
        scalars.unwrapped[id(eqn)] = traced
    return scalars.unwrapped[id(eqn)]


# === elementary functions =======================================================================


def elementary_jaxprs() -> list[Any]:
    """The jaxprs that replace primitives."""
    return [_trace_elementary(name) for name in ELEMENTARY]


@functools.cache
def _trace_elementary(name: str) -> Any:
    count = 2 if name in ("pow", "nextafter") else 1
    with jax.enable_x64(True):
        number = jax.ShapeDtypeStruct((), np.float64)
        return jax.make_jaxpr(ELEMENTARY[name])(*[number] * count)


def _lower_elementary(scalars: ScalarBuilder, name: str, args: Sequence[ScalarIds]) -> ScalarIds:
    args = [elementwise(scalars, "convert", [x], np.float64) for x in args]
    arrays, closed = np.broadcast_arrays(*args), _trace_elementary(name)
    ids = [
        int(lower_jaxpr(scalars, closed.jaxpr, closed.consts, [np.array(i) for i in operands])[0])
        for operands in zip(*(x.ravel() for x in arrays), strict=True)
    ]
    return np.array(ids, np.int64).reshape(arrays[0].shape)


def _integer_pow(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    power, [x] = eqn.params["y"], args
    one = np.full(x.shape, scalars.constant(1, scalars.all[int(x.flat[0])].dtype))
    product = functools.reduce(
        lambda a, b: elementwise(scalars, "mul", [a, b]), [x] * abs(power), one
    )
    return [product if power >= 0 else elementwise(scalars, "div", [one, product])]


def _iota(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    along = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return [constants(scalars, np.broadcast_to(along, shape).astype(eqn.params["dtype"]))]


def _sign(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    dtype = scalars.all[int(args[0].flat[0])].dtype
    zero = np.array(scalars.constant(0, dtype))
    above, below = (
        elementwise(scalars, "convert", [elementwise(scalars, op, [*args, zero])], dtype)
        for op in ("gt", "lt")
    )
    sign = elementwise(scalars, "sub", [above, below])
    is_number = elementwise(scalars, "eq", [*args, *args])
    return [elementwise(scalars, "select_n", [is_number, *args, sign])]


def _clamp(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    low, x, high = args
    return [elementwise(scalars, "min", [elementwise(scalars, "max", [x, low]), high])]


# === control flow ===============================================================================


def _scan(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    """Unroll a scan."""
    params = eqn.params
    first, last = params["num_consts"], params["num_consts"] + params["num_carry"]
    closed, carry, rows = params["jaxpr"], args[first:last], []
    if scalars.is_abstract and params["length"] > 1:
        return _abstract_scan(scalars, params, args)
    order = range(params["length"])
    for n in reversed(order) if params["reverse"] else order:
        arguments = [*args[:first], *carry, *(x[n] for x in args[last:])]
        results = lower_jaxpr(scalars, closed.jaxpr, closed.consts, arguments)
        carry = results[: params["num_carry"]]
        rows.append(results[params["num_carry"] :])
    rows = rows[::-1] if params["reverse"] else rows
    return [*carry, *(np.stack(column) for column in zip(*rows, strict=True))]


def _abstract_scan(
    scalars: ScalarBuilder, params: Mapping[str, Any], args: list[ScalarIds]
) -> list[ScalarIds]:
    """Abstract results of a scan: invariant parts of the carry are known, all else is unknown."""
    closed, count = params["jaxpr"], params["num_carry"]
    first, last = params["num_consts"], params["num_consts"] + count
    initial, shapes = flatten(args[first:last]), [part.shape for part in args[first:last]]
    rows = [part[0] for part in args[last:]]
    flat_rows = flatten(rows)
    unknown = abstract_carry(scalars, flat_rows, [False] * len(flat_rows))
    inputs = unflatten(unknown, [x.shape for x in rows])

    def body(carry: list[int]) -> list[int]:
        arguments = [*args[:first], *unflatten(carry, shapes), *inputs]
        return flatten(lower_jaxpr(scalars, closed.jaxpr, closed.consts, arguments)[:count])

    invariant = find_invariants(scalars, params, initial, body)
    final = abstract_carry(scalars, initial, invariant)
    stacked = [
        _unknown(scalars, (params["length"], *v.aval.shape), v.aval.dtype)
        for v in closed.jaxpr.outvars[count:]
    ]
    return [*unflatten(final, shapes), *stacked]


def _unknown(scalars: ScalarBuilder, shape: tuple[int, ...], dtype: Any) -> ScalarIds:
    return np.full(shape, scalars.new(dtype, None))


def _cond(scalars: ScalarBuilder, eqn: Any, args: list[ScalarIds]) -> list[ScalarIds]:
    """Lower a `cond` to all of its branches and selects between their results.

    A branch that raises an error (`eqx.error_if`) is left out together with its check, as equinox
    does with EQX_ON_ERROR=off.
    """
    [index], operands = args[:1], args[1:]
    is_update = _at_least(scalars, int(index), 1)
    updated = lower_optional_update(scalars, lower_jaxpr, eqn.params, is_update, operands)
    if updated is not None:
        return updated
    branches = [branch for branch in eqn.params["branches"] if not _raises(branch.jaxpr)]
    outs = [lower_jaxpr(scalars, branch.jaxpr, branch.consts, operands) for branch in branches]
    if len(outs) < len(eqn.params["branches"]) and len(outs) != 1:
        raise Unsupported("a switch with an error branch has no native form")
    result = outs[0]
    for n, out in enumerate(outs[1:], 1):
        predicate = _at_least(scalars, int(index), n)
        result = [
            elementwise(scalars, "select_n", [np.array(predicate), old, new])
            for old, new in zip(result, out, strict=True)
        ]
    return result


def _raises(jaxpr: Any) -> bool:
    """Whether a branch calls Python."""
    return any(eqn.primitive.name == "pure_callback" for eqn in jaxpr.eqns)


def _at_least(scalars: ScalarBuilder, index: int, n: int) -> int:
    """Emit the predicate that the index of a `cond`, a boolean or an integer, is at least n."""
    dtype = scalars.all[index].dtype
    if dtype.kind == "b":
        return index
    return scalars.apply("ge", index, scalars.constant(n, dtype))


SPECIAL: Mapping[str, Callable[[ScalarBuilder, Any, list[ScalarIds]], list[ScalarIds]]] = {
    "integer_pow": _integer_pow,
    "square": lambda scalars, eqn, args: [elementwise(scalars, "mul", [args[0], args[0]])],
    "sign": _sign,
    "clamp": _clamp,
    "dot_general": lambda scalars, eqn, args: [
        contract(scalars, eqn.params["dimension_numbers"], *args)
    ],
    "iota": _iota,
    "scan": _scan,
    "cond": _cond,
    "gather": gather_scatter.gather,
    "scatter": gather_scatter.scatter,
    "scatter-add": gather_scatter.scatter,
    "dynamic_slice": gather_scatter.dynamic_slice,
    "dynamic_update_slice": gather_scatter.dynamic_update_slice,
    "convert_element_type": lambda scalars, eqn, args: [
        elementwise(scalars, "convert", args, eqn.params["new_dtype"])
    ],
    "bitcast_convert_type": lambda scalars, eqn, args: [
        elementwise(scalars, "bitcast", args, eqn.params["new_dtype"])
    ],
}
