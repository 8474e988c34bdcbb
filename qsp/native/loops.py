"""Loops: each lane leaves one when its own condition says so, and the others go on without it.

What a loop carries lives in memory. A lane that is done keeps what it had, because stores are
masked. What never changes, such as the amount of a drug that nobody is given, is not carried.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from qsp.native.builder import Level, Scalars
from qsp.native.instructions import Unsupported, declared
from qsp.native.shape_ops import Indices

LONG = 12
"""Scalars of an array that is long."""
WORTH = 20
"""Equations of a change from which on it is worth a jump to skip it."""

Interpreter = Callable[[Scalars, Any, Sequence[Any], Sequence[Indices]], list[Indices]]


def looped(
    scalars: Scalars, interpreted: Interpreter, params: Mapping[str, Any], args: list[Indices]
) -> list[Indices]:
    """What a loop ends with."""
    conditions, constants = params["cond_nconsts"], params["body_nconsts"]
    of_condition = args[:conditions]
    of_body = args[conditions : conditions + constants]
    first = args[conditions + constants :]

    def goes_on(carry: list[Indices]) -> int:
        closed = params["cond_jaxpr"]
        [result] = interpreted(scalars, closed.jaxpr, closed.consts, [*of_condition, *carry])
        return int(result)

    def body(carry: list[Indices]) -> list[Indices]:
        closed = params["body_jaxpr"]
        return interpreted(scalars, closed.jaxpr, closed.consts, [*of_body, *carry])

    return _turned(scalars, params, first, goes_on, body)


def once(
    scalars: Scalars,
    interpreted: Interpreter,
    params: Mapping[str, Any],
    wanted: int,
    operands: list[Indices],
) -> list[Indices] | None:
    """What a choice comes to between leaving things as they are and changing them.

    It is a loop of one turn, which is skipped where no lane wants the change.

    Returns:
        None if it is no such choice, or so short a one that both ways are computed sooner.
    """
    given_back = _given_back(params)
    if given_back is None:
        return None
    change = params["branches"][1]
    inside = change.jaxpr
    kept = [out is inside.invars[n] for out, n in zip(inside.outvars, given_back, strict=True)]
    changed = [n for n, stays in zip(given_back, kept, strict=True) if not stays]

    def body(carry: list[Indices]) -> list[Indices]:
        given = list(operands)
        for n, part in zip(changed, carry[1:], strict=True):
            given[n] = part
        made = interpreted(scalars, inside, change.consts, given)
        done = np.array(scalars.constant(False, np.dtype(bool)), np.int64)
        return [done, *(part for part, stays in zip(made, kept, strict=True) if not stays)]

    first = [np.array(wanted, np.int64), *(operands[n] for n in changed)]
    after = iter(_turned(scalars, params, first, lambda carry: int(carry[0]), body)[1:])
    return [
        operands[n] if stays else next(after) for n, stays in zip(given_back, kept, strict=True)
    ]


def _given_back(params: Mapping[str, Any]) -> list[int] | None:
    """Operands that the first of two branches does nothing but give back; the second is long."""
    if len(params["branches"]) != 2:
        return None
    leave, change = (branch.jaxpr for branch in params["branches"])
    places = {id(var): n for n, var in enumerate(leave.invars)}
    found = [places[id(var)] for var in leave.outvars if id(var) in places]
    is_all = len(set(found)) == len(leave.outvars)
    return found if is_all and not leave.eqns and len(change.eqns) >= WORTH else None


def _turned(
    scalars: Scalars,
    loop: Mapping[str, Any],
    first: list[Indices],
    goes_on: Callable[[list[Indices]], int],
    body: Callable[[list[Indices]], list[Indices]],
) -> list[Indices]:
    begin, shapes = flat(first), [part.shape for part in first]
    constant = settled(scalars, loop, begin, lambda carry: flat(body(shaped(carry, shapes))))
    if scalars.dry:
        return shaped(opened(scalars, begin, constant), shapes)
    end = _emitted(
        scalars,
        begin,
        constant,
        _shared(scalars, first, begin),
        lambda carry: goes_on(shaped(carry, shapes)),
        lambda carry: flat(body(shaped(carry, shapes))),
    )
    return shaped(end, shapes)


def _shared(scalars: Scalars, first: Sequence[Indices], begin: Sequence[int]) -> list[int | None]:
    """Places of long arrays that the loop around this one carries: they are changed there.

    An array that is carried twice is not, for each of the two goes its own way.
    """
    times, places = collections.Counter(begin), list[int | None]()
    for x in first:
        place = scalars.own_place(x) if x.size >= LONG else None
        if place is None or any(times[int(i)] > 1 for i in x.flat):
            places += [None] * x.size
        else:
            places += range(place, place + x.size)
            scalars.give_up(x)
    return places


def flat(parts: Sequence[Indices]) -> list[int]:
    """The scalars of arrays, one after the other."""
    return [int(i) for part in parts for i in part.ravel()]


def shaped(numbers: list[int], shapes: Sequence[tuple[int, ...]]) -> list[Indices]:
    """Arrays of scalars that stand one after the other."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = np.cumsum([0, *sizes])
    return [
        np.array(numbers[ends[n] : ends[n + 1]], np.int64).reshape(shape)
        for n, shape in enumerate(shapes)
    ]


def settled(
    scalars: Scalars, loop: Any, first: list[int], body: Callable[[list[int]], list[int]]
) -> list[bool]:
    """Which carried scalars keep the known value they begin with, whatever happens to the others.

    All that begin known are thought to stay; the body shows which do not; and so on with the rest.
    What did not stay when more was known does not stay now, so a loop inside another is not
    settled from the beginning each time.

    Args:
        scalars: What is being built.
        loop: Whatever identifies the loop.
        first: What is carried into the loop.
        body: What is carried on, of what was carried.
    """
    constant = [scalars.is_constant(i) for i in first]
    where = (id(loop), *scalars.path)  # one program may be called from several places
    if where in scalars.settled:
        constant = [a and b for a, b in zip(constant, scalars.settled[where], strict=True)]
        if not scalars.dry:
            return constant  # the loop around it was gone through with the same knowledge
    while any(constant):
        with scalars.trial():
            after = body(opened(scalars, first, constant))
        still = [
            stays and old == new for stays, old, new in zip(constant, first, after, strict=True)
        ]
        done, constant = still == constant, still
        if done:
            break
    scalars.settled[where] = constant
    return constant


def opened(scalars: Scalars, first: list[int], constant: list[bool]) -> list[int]:
    """What is carried at the start of any turn."""
    return [
        i if stays else scalars.new(scalars.all[i].dtype, None)
        for i, stays in zip(first, constant, strict=True)
    ]


def _emitted(
    scalars: Scalars,
    first: list[int],
    constant: list[bool],
    shared: list[int | None],
    goes_on: Callable[[list[int]], int],
    body: Callable[[list[int]], list[int]],
) -> list[int]:
    """What is carried after the loop: `head` asks each lane, `inside` is one turn."""
    outside = scalars.builder
    head, inside, after = (outside.function.append_basic_block() for _ in range(3))
    slots = _begun(scalars, first, constant, shared)
    kinds = [scalars.all[i].dtype for i in first]

    def carried() -> list[int]:
        return [
            i if slot is None else scalars.carried(kind, slot)
            for i, slot, kind in zip(first, slots, kinds, strict=True)
        ]

    scalars.levels.append(Level(ir.IRBuilder(head)))
    carry = carried()
    mask = _still(scalars, goes_on(carry))
    scalars.builder.cbranch(_any(scalars.builder, mask), inside, after)
    scalars.builder.position_at_end(inside)
    scalars.masks.append(mask)
    _kept(scalars, body(carry), first, slots)
    scalars.builder.branch(head)
    scalars.masks.pop()
    scalars.levels.pop()
    outside.branch(head)
    outside.position_at_end(after)
    return carried()


def _begun(
    scalars: Scalars, first: list[int], constant: list[bool], shared: list[int | None]
) -> list[int | None]:
    """Where in memory each carried scalar is, with what the loop begins with; none if constant."""
    slots: list[int | None] = []
    for i, stays, place in zip(first, constant, shared, strict=True):
        slot = None if stays else scalars.room() if place is None else place
        if slot is not None and place is None:
            scalars.types.store(scalars.builder, scalars.register(i), scalars.memory, slot)
        slots.append(slot)
    return slots


def _still(scalars: Scalars, goes_on: int) -> Any:
    """Lanes in this turn. Where a lane is in no turn around it, its condition may be anything."""
    wanted, around = scalars.register(goes_on), scalars.masks[-1]
    if around is None:
        return wanted
    nowhere = scalars.types.splat(False, np.dtype(bool))
    return scalars.builder.select(around, wanted, nowhere)


def _kept(scalars: Scalars, new: list[int], first: list[int], slots: Sequence[int | None]) -> None:
    """What a turn carries on, in memory. All is computed before anything of it is replaced."""
    changed = []
    for i, begun, slot in zip(new, first, slots, strict=True):
        if slot is None and i != begun:
            raise Unsupported("a loop changes what was found to stay as it is")
        if slot is not None and not scalars.is_at(i, slot):
            changed.append((scalars.register(i), slot))
    for register, slot in changed:
        scalars.types.store(scalars.builder, register, scalars.memory, slot, scalars.masks[-1])


def _any(builder: Any, mask: Any) -> Any:
    width = mask.type.count
    name, bit = f"llvm.vector.reduce.or.v{width}i1", ir.IntType(1)
    return builder.call(declared(builder, name, ir.FunctionType(bit, [mask.type])), [mask])
