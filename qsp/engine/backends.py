"""What computes a chunk of lanes: machine code of this package's own, or a program of XLA.

Both are made from `solve_simulation`. XLA computes any solver, on any device, in any precision. The
native program is for the processor: lanes fill its vector registers, each leaves a loop when it is
done, and what is absent in the whole population is not computed at all.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jax
import numpy as np

from qsp.engine.method import Method
from qsp.engine.precision import scope
from qsp.engine.trajectory import AbstractSystem, Simulation, SimulationResult, solve_simulation
from qsp.engine.workers import Device
from qsp.errors import BackendWarning, ConfigError
from qsp.native import Program, Shape, Unsupported, build

Backend: TypeAlias = Literal["native", "xla"]
Chunk: TypeAlias = Callable[[Device, Simulation], SimulationResult]
"""Results of lanes in numpy, computed on a device."""
Absent: TypeAlias = tuple[frozenset[int], ...]
"""Of each array of a lane, the elements that are zero in every lane."""


@dataclasses.dataclass(frozen=True)
class ProgramSpec:
    """What a program is made of and computes with, besides lanes.

    Args:
        system: What is integrated.
        method: How.
        kinds: Number of kinds of dose.
        grids: Times of snapshots.
        segments: At least as many as any lane has.
    """

    system: AbstractSystem
    method: Method
    kinds: int
    grids: tuple[np.ndarray, ...]
    segments: np.int32


def chunks(
    sims: Simulation, spec: ProgramSpec, workers: Sequence[Device], cache_dir: Path | None = None
) -> tuple[Chunk, Backend]:
    """What computes chunks of lanes, and which of the two it is.

    Args:
        sims: All lanes there are.
        spec: What they are computed with.
        workers: Where.
        cache_dir: Folder of compiled native programs; None caches nothing.

    Raises:
        ConfigError: If native code was asked for and cannot be had.
    """
    method, problem = spec.method, "the device is no CPU"
    if method.is_native and all(device.platform == "cpu" for device in workers):
        try:
            return _native(sims, spec, cache_dir), "native"
        except Unsupported as unsupported:
            problem = str(unsupported)
            if method.backend == "auto":
                warn_of_fallback(problem)
    if method.backend == "native":
        rule = "backend must be auto or xla here"
        raise ConfigError("method", rule, f"native, and {problem}", "Leave it out")
    return _xla(spec), "xla"


@functools.cache
def warn_of_fallback(problem: str) -> None:
    """Warn, once in a process, that XLA computes what a native program was meant to.

    Args:
        problem: What has no native form.
    """
    warnings.warn(
        f"{problem}: XLA computes this system, and takes several times as long",
        BackendWarning,
        stacklevel=2,
    )


def _xla(spec: ProgramSpec) -> Chunk:
    def chunk(device: Device, sims: Simulation) -> SimulationResult:
        # Both hold for one thread only.
        with scope(spec.method.precision), jax.default_device(device):
            result = _vmapped(
                spec.grids,
                spec.segments,
                sims,
                system=spec.system,
                method=spec.method,
                kinds=spec.kinds,
            )
            return jax.tree.map(np.asarray, result)

    return chunk


@functools.partial(
    jax.jit,
    static_argnames=("system", "method", "kinds"),
    compiler_options={"xla_cpu_prefer_vector_width": 512},
)
def _vmapped(
    grids: tuple[Any, ...],
    segments: Any,
    sims: Simulation,
    *,
    system: AbstractSystem,
    method: Method,
    kinds: int,
) -> SimulationResult:
    solve = functools.partial(solve_simulation, system=system, method=method, kinds=kinds)
    return jax.vmap(lambda sim: solve(sim, grids, segments))(sims)


def _native(sims: Simulation, spec: ProgramSpec, cache_dir: Path | None) -> Chunk:
    of_trial = (spec.grids, spec.segments)
    shapes = [
        *(_of_simulations(path, leaf) for path, leaf in jax.tree.leaves_with_path(sims)),
        *(Shape(np.shape(leaf), leaf.dtype) for leaf in jax.tree.leaves(of_trial)),
    ]
    structure = jax.tree.structure((sims, *of_trial))
    whole = tuple(dataclasses.replace(shape, absent=frozenset()) for shape in shapes)
    programs = _programs(spec.system, spec.method, spec.kinds, structure, whole)
    program = programs.without(tuple(shape.absent for shape in shapes), cache_dir)

    def chunk(device: Device, sims: Simulation) -> SimulationResult:
        count = len(sims.begin)
        shared = (
            np.broadcast_to(leaf, (count, *np.shape(leaf))) for leaf in jax.tree.leaves(of_trial)
        )
        return program(*jax.tree.leaves(sims), *shared)

    return chunk


def _of_simulations(path: Any, leaf: np.ndarray) -> Shape:
    """An array of a lane; a parameter that is zero in all lanes makes a program without it."""
    zero = np.all((leaf == 0) & ~np.signbit(leaf), axis=0)
    is_parameter = path[0] == jax.tree_util.GetAttrKey("parameters")
    absent = np.flatnonzero(zero) if is_parameter else ()
    return Shape(leaf.shape[1:], leaf.dtype, frozenset(int(n) for n in absent))


class _ProgramCache:
    """Programs of lanes of one shape, each without something that is absent.

    Args:
        build: Makes one, with a folder of compiled programs.
    """

    def __init__(self, build: Callable[[Absent, Path | None], Program]) -> None:
        self._build = build
        self._built: list[tuple[Absent, Program]] = []

    def without(self, absent: Absent, cache_dir: Path | None) -> Program:
        """A program that leaves out nothing but what is absent, and as much of it as any has."""
        fit = [
            (sum(map(len, left_out)), n)
            for n, (left_out, _) in enumerate(self._built)
            if all(a <= b for a, b in zip(left_out, absent, strict=True))
        ]
        if fit:
            return self._built[max(fit)[1]][1]
        self._built.append((absent, self._build(absent, cache_dir)))
        return self._built[-1][1]


@functools.lru_cache(maxsize=64)
def _programs(
    system: AbstractSystem, method: Method, kinds: int, structure: Any, shapes: tuple[Shape, ...]
) -> _ProgramCache:
    leaves = [jax.ShapeDtypeStruct(shape.shape, shape.dtype) for shape in shapes]
    arguments = jax.tree.unflatten(structure, leaves)
    solve = functools.partial(solve_simulation, system=system, method=method, kinds=kinds)

    def built(absent: Absent, cache_dir: Path | None) -> Program:
        known = (
            dataclasses.replace(shape, absent=zero)
            for shape, zero in zip(shapes, absent, strict=True)
        )
        return build(solve, arguments, tuple(known), cache_dir)

    return _ProgramCache(built)
