"""Backends that compute a chunk of simulations: native machine code of this package, or XLA.

Both compile `solve_simulation`. XLA computes any solver, on any device, in any precision. A native
program is for CPUs: simulations fill the vector registers, each leaves a loop when it is done, and
terms whose parameters are zero in the whole population are left out.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jax
import numpy as np

from qsp.engine.fingerprint import fingerprint
from qsp.engine.interface import AbstractSystem
from qsp.engine.method import Method
from qsp.engine.precision import scope
from qsp.engine.trajectory import Simulation, SimulationResult, solve_simulation
from qsp.engine.workers import Device
from qsp.errors import BackendWarning, ConfigError
from qsp.native import Program, Shape, Unsupported, build
from qsp.native import is_cached as is_program_cached
from qsp.stages import Stage, unmeasured

Backend: TypeAlias = Literal["native", "xla"]
Chunk: TypeAlias = Callable[[Device, Simulation], SimulationResult]
"""Computes simulations with a leading axis on a device; results are NumPy arrays."""
Absent: TypeAlias = tuple[frozenset[int], ...]
"""For each input array, the flat indices of elements that are zero in every simulation."""


@dataclasses.dataclass(frozen=True)
class ProgramSpec:
    """Everything that a program depends on besides its simulations.

    Args:
        system: System that is integrated.
        method: Numerical method.
        kinds: Number of kinds of dose.
        grids: Times of snapshots [day], one sorted array for each grid.
        segments: Upper bound of the number of segments of any simulation.
    """

    system: AbstractSystem
    method: Method
    kinds: int
    grids: tuple[np.ndarray, ...]
    segments: np.int32


def compile_chunks(
    sims: Simulation,
    spec: ProgramSpec,
    workers: Sequence[Device],
    cache_dir: Path | None = None,
    *,
    stage: Stage = unmeasured,
) -> tuple[Chunk, Backend]:
    """Return a function that computes chunks of simulations, and its backend.

    Args:
        sims: All simulations of the run, with a leading axis.
        spec: Specification of the program.
        workers: Devices that will compute chunks.
        cache_dir: Folder of compiled native programs; None disables the cache.
        stage: Entered for each stage of a compilation.

    Raises:
        ConfigError: If the method asks for `backend="native"` but it is not supported.
    """
    method, problem = spec.method, "the device is no CPU"
    if method.is_native and all(device.platform == "cpu" for device in workers):
        try:
            return _native(sims, spec, cache_dir, stage), "native"
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
    """Warn, once in a process, that XLA is used instead of a native program.

    Args:
        problem: Operation that native programs do not support.
    """
    warnings.warn(
        f"{problem}: XLA computes this system, and takes several times as long",
        BackendWarning,
        stacklevel=2,
    )


def _xla(spec: ProgramSpec) -> Chunk:
    def chunk(device: Device, sims: Simulation) -> SimulationResult:
        # Both settings are local to a thread.
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


def is_cached(sims: Simulation, spec: ProgramSpec, cache_dir: Path) -> bool:
    """Return whether the native program of a run is in the cache, without tracing it.

    Args:
        sims: All simulations of the run, with a leading axis.
        spec: Specification of the program.
        cache_dir: Folder of compiled native programs.
    """
    shapes, structure = _inputs(sims, spec)
    name = fingerprint(*_static(spec.system, spec.method, spec.kinds, structure), tuple(shapes))
    return name is not None and is_program_cached(cache_dir, name)


def _inputs(sims: Simulation, spec: ProgramSpec) -> tuple[list[Shape], Any]:
    """Return the shape of each input of a program, and the structure of its arguments."""
    shared = (spec.grids, spec.segments)
    shapes = [
        *(_input_shape(path, leaf) for path, leaf in jax.tree.leaves_with_path(sims)),
        *(Shape(np.shape(leaf), leaf.dtype) for leaf in jax.tree.leaves(shared)),
    ]
    return shapes, jax.tree.structure((sims, *shared))


def _static(system: AbstractSystem, method: Method, kinds: int, structure: Any) -> tuple[Any, ...]:
    """Return what a fingerprint covers apart from the shapes of the inputs."""
    return system, method, kinds, str(structure)


def _native(sims: Simulation, spec: ProgramSpec, cache_dir: Path | None, stage: Stage) -> Chunk:
    shared = (spec.grids, spec.segments)
    shapes, structure = _inputs(sims, spec)
    full_shapes = tuple(dataclasses.replace(shape, absent=frozenset()) for shape in shapes)
    programs = _programs(spec.system, spec.method, spec.kinds, structure, full_shapes)
    program = programs.find_or_build(tuple(shape.absent for shape in shapes), cache_dir, stage)

    def chunk(device: Device, sims: Simulation) -> SimulationResult:
        count = len(sims.begin)
        repeated = (
            np.broadcast_to(leaf, (count, *np.shape(leaf))) for leaf in jax.tree.leaves(shared)
        )
        return program(*jax.tree.leaves(sims), *repeated)

    return chunk


def _input_shape(path: Any, leaf: np.ndarray) -> Shape:
    """Shape of an input array; parameters that are zero in all simulations are marked absent."""
    zero = np.all((leaf == 0) & ~np.signbit(leaf), axis=0)
    is_parameter = path[0] == jax.tree_util.GetAttrKey("parameters")
    absent = np.flatnonzero(zero) if is_parameter else ()
    return Shape(leaf.shape[1:], leaf.dtype, frozenset(int(n) for n in absent))


class _ProgramCache:
    """Native programs for simulations of one shape, which differ in the elements they leave out.

    Args:
        build: Builds a program without the absent elements, given a folder of compiled programs and
            a context for each stage.
    """

    def __init__(self, build: Callable[[Absent, Path | None, Stage], Program]) -> None:
        self._build = build
        self._built: list[tuple[Absent, Program]] = []

    def find_or_build(self, absent: Absent, cache_dir: Path | None, stage: Stage) -> Program:
        """Return the program that leaves out the most elements, all of them absent."""
        usable = [
            (sum(map(len, left_out)), n)
            for n, (left_out, _) in enumerate(self._built)
            if all(a <= b for a, b in zip(left_out, absent, strict=True))
        ]
        if usable:
            return self._built[max(usable)[1]][1]
        self._built.append((absent, self._build(absent, cache_dir, stage)))
        return self._built[-1][1]


@functools.lru_cache(maxsize=64)
def _programs(
    system: AbstractSystem, method: Method, kinds: int, structure: Any, shapes: tuple[Shape, ...]
) -> _ProgramCache:
    leaves = [jax.ShapeDtypeStruct(shape.shape, shape.dtype) for shape in shapes]
    arguments = jax.tree.unflatten(structure, leaves)

    def build_program(absent: Absent, cache_dir: Path | None, stage: Stage) -> Program:
        # JAX keeps the trace of a function as long as the function: 100 MB.
        solve = functools.partial(solve_simulation, system=system, method=method, kinds=kinds)
        inputs = tuple(
            dataclasses.replace(shape, absent=zero)
            for shape, zero in zip(shapes, absent, strict=True)
        )
        static = _static(system, method, kinds, structure)
        with stage("program"):
            name = None if cache_dir is None else fingerprint(*static, inputs)
        return build(solve, arguments, inputs, cache_dir, name, stage=stage)

    return _ProgramCache(build_program)
