"""Lowering of loops: each lane leaves a loop by its own condition, and the others continue.

The carry of a loop is kept in spill slots, and its stores are masked so that lanes that have left
keep their values. Constants that no iteration changes, such as the amount of a drug that the trial
does not contain, are found by abstract interpretation and stay constants.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from qsp.native.builder import LoopLevel, ScalarBuilder
from qsp.native.instructions import Unsupported, declare
from qsp.native.shape_ops import ScalarIds

MIN_IN_PLACE = 12
"""Minimum size of an array that an inner loop updates in the slots of the outer one."""
MIN_SKIPPED = 20
"""Minimum number of equations of a branch that is skipped with a jump."""

Lowering = Callable[[ScalarBuilder, Any, Sequence[Any], Sequence[ScalarIds]], list[ScalarIds]]
"""Lowers a jaxpr: builder, jaxpr, values of its constants, arguments."""


def lower_while(
    scalars: ScalarBuilder, lower: Lowering, params: Mapping[str, Any], args: list[ScalarIds]
) -> list[ScalarIds]:
    """Lower a `while` primitive and return its final carry."""
    cond_count, body_count = params["cond_nconsts"], params["body_nconsts"]
    cond_consts = args[:cond_count]
    body_consts = args[cond_count : cond_count + body_count]
    initial = args[cond_count + body_count :]

    def condition(carry: list[ScalarIds]) -> int:
        closed = params["cond_jaxpr"]
        [result] = lower(scalars, closed.jaxpr, closed.consts, [*cond_consts, *carry])
        return int(result)

    def body(carry: list[ScalarIds]) -> list[ScalarIds]:
        closed = params["body_jaxpr"]
        return lower(scalars, closed.jaxpr, closed.consts, [*body_consts, *carry])

    return _lower_loop(scalars, params, initial, condition, body)


def lower_optional_update(
    scalars: ScalarBuilder,
    lower: Lowering,
    params: Mapping[str, Any],
    predicate: int,
    operands: list[ScalarIds],
) -> list[ScalarIds] | None:
    """Lower `cond(predicate, update, identity)` as a masked loop of one iteration.

    The update is skipped when no lane needs it.

    Returns:
        The results; None if the branches have another form, or the update is so short that
        computing both branches is faster.
    """
    passed = _passed_operands(params)
    if passed is None:
        return None
    update = params["branches"][1]
    jaxpr = update.jaxpr
    unchanged = [out is jaxpr.invars[n] for out, n in zip(jaxpr.outvars, passed, strict=True)]
    changed = [n for n, is_same in zip(passed, unchanged, strict=True) if not is_same]

    def body(carry: list[ScalarIds]) -> list[ScalarIds]:
        arguments = list(operands)
        for n, part in zip(changed, carry[1:], strict=True):
            arguments[n] = part
        results = lower(scalars, jaxpr, update.consts, arguments)
        stop = np.array(scalars.constant(False, np.dtype(bool)), np.int64)
        return [stop, *(x for x, is_same in zip(results, unchanged, strict=True) if not is_same)]

    initial = [np.array(predicate, np.int64), *(operands[n] for n in changed)]
    final = iter(_lower_loop(scalars, params, initial, lambda carry: int(carry[0]), body)[1:])
    return [
        operands[n] if is_same else next(final)
        for n, is_same in zip(passed, unchanged, strict=True)
    ]


def _passed_operands(params: Mapping[str, Any]) -> list[int] | None:
    """Operands returned by the first of two branches, if it computes nothing and the other is long.

    Each may be returned once only.
    """
    if len(params["branches"]) != 2:
        return None
    identity, update = (branch.jaxpr for branch in params["branches"])
    places = {id(var): n for n, var in enumerate(identity.invars)}
    passed = [places[id(var)] for var in identity.outvars if id(var) in places]
    is_complete = len(set(passed)) == len(identity.outvars)
    is_long = len(update.eqns) >= MIN_SKIPPED
    return passed if is_complete and not identity.eqns and is_long else None


def _lower_loop(
    scalars: ScalarBuilder,
    loop: Mapping[str, Any],
    initial: list[ScalarIds],
    condition: Callable[[list[ScalarIds]], int],
    body: Callable[[list[ScalarIds]], list[ScalarIds]],
) -> list[ScalarIds]:
    flat, shapes = flatten(initial), [part.shape for part in initial]

    def flat_body(carry: list[int]) -> list[int]:
        return flatten(body(unflatten(carry, shapes)))

    invariant = find_invariants(scalars, loop, flat, flat_body)
    if scalars.is_abstract:
        return unflatten(abstract_carry(scalars, flat, invariant), shapes)
    final = _emit_loop(
        scalars,
        flat,
        invariant,
        _in_place_slots(scalars, initial, flat),
        lambda carry: condition(unflatten(carry, shapes)),
        flat_body,
    )
    return unflatten(final, shapes)


def _in_place_slots(
    scalars: ScalarBuilder, initial: Sequence[ScalarIds], flat: Sequence[int]
) -> list[int | None]:
    """Slots of long arrays in the carry of the outer loop, which this loop updates in place.

    An array that is carried twice is copied, because the two may come to differ.
    """
    uses, slots = collections.Counter(flat), list[int | None]()
    for x in initial:
        slot = scalars.owned_slot(x) if x.size >= MIN_IN_PLACE else None
        if slot is None or any(uses[int(i)] > 1 for i in x.flat):
            slots += [None] * x.size
        else:
            slots += range(slot, slot + x.size)
            scalars.detach(x)
    return slots


def flatten(parts: Sequence[ScalarIds]) -> list[int]:
    """Concatenate the scalars of arrays."""
    return [int(i) for part in parts for i in part.ravel()]


def unflatten(flat: list[int], shapes: Sequence[tuple[int, ...]]) -> list[ScalarIds]:
    """Split concatenated scalars into arrays of these shapes."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = np.cumsum([0, *sizes])
    return [
        np.array(flat[ends[n] : ends[n + 1]], np.int64).reshape(shape)
        for n, shape in enumerate(shapes)
    ]


def find_invariants(
    scalars: ScalarBuilder, loop: Any, initial: list[int], body: Callable[[list[int]], list[int]]
) -> list[bool]:
    """Find the carried scalars that keep their constant initial value in every iteration.

    A fixed-point iteration: all constants are assumed invariant, an abstract iteration of the body
    rejects some, and the rest is checked again. A scalar rejected under stronger assumptions stays
    rejected, so that the result for an inner loop starts from that of the previous visit.

    Args:
        scalars: Builder of the program.
        loop: Object that identifies the loop.
        initial: Initial carry.
        body: Maps the carry to that of the next iteration.
    """
    invariant = [scalars.is_constant(i) for i in initial]
    key = (id(loop), *scalars.path)  # one jaxpr may be called from several places
    if key in scalars.invariants:
        previous = scalars.invariants[key]
        invariant = [a and b for a, b in zip(invariant, previous, strict=True)]
        if not scalars.is_abstract:
            return invariant  # the last abstract iteration of the outer loop assumed the same
    while any(invariant):
        with scalars.abstract_iteration():
            final = body(abstract_carry(scalars, initial, invariant))
        remaining = [
            is_same and old == new
            for is_same, old, new in zip(invariant, initial, final, strict=True)
        ]
        is_fixed_point, invariant = remaining == invariant, remaining
        if is_fixed_point:
            break
    scalars.invariants[key] = invariant
    return invariant


def abstract_carry(scalars: ScalarBuilder, initial: list[int], invariant: list[bool]) -> list[int]:
    """Carry at the start of an arbitrary iteration: invariant constants and unknown scalars."""
    return [
        i if is_same else scalars.new(scalars.all[i].dtype, None)
        for i, is_same in zip(initial, invariant, strict=True)
    ]


def _emit_loop(
    scalars: ScalarBuilder,
    initial: list[int],
    invariant: list[bool],
    in_place: list[int | None],
    condition: Callable[[list[int]], int],
    body: Callable[[list[int]], list[int]],
) -> list[int]:
    """Emit the basic blocks of a loop (condition, body, exit) and return the final carry."""
    outer = scalars.builder
    head, inside, after = (outer.function.append_basic_block() for _ in range(3))
    slots = _store_initial(scalars, initial, invariant, in_place)
    dtypes = [scalars.all[i].dtype for i in initial]

    def load_carry() -> list[int]:
        return [
            i if slot is None else scalars.from_slot(dtype, slot)
            for i, slot, dtype in zip(initial, slots, dtypes, strict=True)
        ]

    scalars.levels.append(LoopLevel(ir.IRBuilder(head)))
    carry = load_carry()
    mask = _active_lanes(scalars, condition(carry))
    scalars.builder.cbranch(_any_lane(scalars.builder, mask), inside, after)
    scalars.builder.position_at_end(inside)
    scalars.masks.append(mask)
    _store_carry(scalars, body(carry), initial, slots)
    scalars.builder.branch(head)
    scalars.masks.pop()
    scalars.levels.pop()
    outer.branch(head)
    outer.position_at_end(after)
    return load_carry()


def _store_initial(
    scalars: ScalarBuilder,
    initial: list[int],
    invariant: list[bool],
    in_place: list[int | None],
) -> list[int | None]:
    """Store the initial carry and return the slot of each scalar; None for invariant ones."""
    slots: list[int | None] = []
    for i, is_same, shared in zip(initial, invariant, in_place, strict=True):
        slot = None if is_same else scalars.allocate() if shared is None else shared
        if slot is not None and shared is None:
            scalars.types.store(scalars.builder, scalars.register(i), scalars.memory, slot)
        slots.append(slot)
    return slots


def _active_lanes(scalars: ScalarBuilder, condition: int) -> Any:
    """Mask of the lanes in this iteration.

    The condition of a lane that the outer loop has masked is undefined and is ignored.
    """
    active, outer = scalars.register(condition), scalars.masks[-1]
    if outer is None:
        return active
    none = scalars.types.splat(False, np.dtype(bool))
    return scalars.builder.select(outer, active, none)


def _store_carry(
    scalars: ScalarBuilder, carry: list[int], initial: list[int], slots: Sequence[int | None]
) -> None:
    """Store the carry of an iteration, after all of it has been computed."""
    changed = []
    for i, first, slot in zip(carry, initial, slots, strict=True):
        if slot is None and i != first:
            raise Unsupported("a loop that changes a scalar found invariant has no native form")
        if slot is not None and not scalars.is_in_slot(i, slot):
            changed.append((scalars.register(i), slot))
    for register, slot in changed:
        scalars.types.store(scalars.builder, register, scalars.memory, slot, scalars.masks[-1])


def _any_lane(builder: Any, mask: Any) -> Any:
    width = mask.type.count
    name, bit = f"llvm.vector.reduce.or.v{width}i1", ir.IntType(1)
    return builder.call(declare(builder, name, ir.FunctionType(bit, [mask.type])), [mask])
