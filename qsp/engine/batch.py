"""Batches of simulations: chunks of one size, computed by one compiled program on all workers.

All chunks have the same shape; the last one is padded with idle simulations. A run therefore
compiles once, and the bits of a patient do not depend on the other patients of the chunk. Each
worker takes the next chunk when it has finished one, and runs the program of a single device: a
program for several devices (`jax.shard_map`) rounds differently, and makes every device wait for
the slowest. Results leave the device chunk by chunk.
"""

import dataclasses
import time as clock
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from qsp.engine.backends import Backend, ProgramSpec, compile_chunks, is_cached
from qsp.engine.cache import CacheDir, chosen
from qsp.engine.interface import AbstractSystem
from qsp.engine.method import Method
from qsp.engine.progress import NoProgress, Progress
from qsp.engine.segments import max_segments
from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.engine.workers import Device, WorkerPool, all_workers
from qsp.errors import SolveError
from qsp.stages import Stage, unmeasured

CHUNK_SIZE = 64
"""Simulations in one chunk, a multiple of 64; recorded with the results of a run."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """Simulations to solve.

    Args:
        sims: Simulations with a leading axis, in NumPy and float64.
        grids: Times of snapshots [day], one sorted array for each grid.
    """

    sims: Simulation
    grids: tuple[np.ndarray, ...]

    @property
    def size(self) -> int:
        """Number of simulations."""
        return self.sims.begin.shape[0]


@dataclasses.dataclass(frozen=True)
class Timing:
    """Duration and backend of a run.

    Args:
        compile_s: Time until the first chunk was started [s].
        run_s: Time from then on [s].
        backend: Backend that computed the chunks.
    """

    compile_s: float
    run_s: float
    backend: Backend

    def add(self, other: "Timing") -> "Timing":
        """Return the timing of two calls in sequence."""
        compile_s, run_s = self.compile_s + other.compile_s, self.run_s + other.run_s
        return Timing(compile_s, run_s, self.backend)


def simulate(  # noqa: PLR0913
    batch: Batch,
    system: AbstractSystem,
    method: Method,
    *,
    kinds: int,
    progress: Progress | None = None,
    workers: Sequence[Device] | None = None,
    cache_dir: CacheDir = "default",
    stage: Stage = unmeasured,
) -> tuple[SimulationResult, Timing]:
    """Solve all simulations of a batch.

    Args:
        batch: Simulations and grids.
        system: System that is integrated.
        method: Numerical method.
        kinds: Number of kinds of dose.
        progress: Receives the progress after each chunk.
        workers: Devices that compute chunks at the same time; by default `all_workers()`. A device
            may be listed several times.
        cache_dir: Folder of compiled native programs; see `qsp.engine.cache`. None disables the
            cache.
        stage: Entered for each stage: those of a compilation, and the simulation.

    Returns:
        Results in NumPy with a leading simulation axis, and their timing.

    Raises:
        SolveError: If an array of the parameters is not float64.
        ConfigError: If the method asks for `backend="native"` but it is not supported.
    """
    _check_precision(batch.sims)
    progress, workers = progress or NoProgress(), workers or all_workers()
    spec = _spec(batch, system, method, kinds)
    began = clock.perf_counter()
    folder = chosen(cache_dir)
    compute, backend = compile_chunks(batch.sims, spec, workers, folder, stage=stage)
    with WorkerPool(workers) as pool:
        idle = _idle(_slice(batch.sims, 0))
        pool.each_device(lambda device: compute(device, idle))
        compiled = clock.perf_counter()
        progress.compiled(compiled - began)
        progress.start(batch.size)
        firsts = range(0, batch.size, CHUNK_SIZE)
        results = []
        chunks = pool.ordered(lambda device, n: compute(device, _slice(batch.sims, n)), firsts)
        with stage("simulation"):
            for first, chunk in zip(firsts, chunks, strict=True):
                count = min(CHUNK_SIZE, batch.size - first)
                results.append(jax.tree.map(lambda leaf, n=count: leaf[:n], chunk))
                progress.advance(count)
    timing = Timing(compiled - began, clock.perf_counter() - compiled, backend)
    return _concatenate(results), timing


def is_compiled(
    batch: Batch, system: AbstractSystem, method: Method, *, kinds: int, cache_dir: Path
) -> bool:
    """Return whether `simulate` would load a native program from the cache on a CPU.

    Args:
        batch: Simulations and grids.
        system: System that is integrated.
        method: Numerical method.
        kinds: Number of kinds of dose.
        cache_dir: Folder of compiled native programs.
    """
    if not method.is_native:
        return False
    return is_cached(batch.sims, _spec(batch, system, method, kinds), cache_dir)


def _spec(batch: Batch, system: AbstractSystem, method: Method, kinds: int) -> ProgramSpec:
    sims = batch.sims
    segments = max_segments(sims.events, sims.begin, sims.end, batch.grids, sims.plan)
    return ProgramSpec(system, method, kinds, batch.grids, np.int32(segments))


def _slice(sims: Simulation, first: int) -> Simulation:
    """One chunk from index `first`, padded with idle copies of its first simulation."""
    count = min(CHUNK_SIZE, sims.begin.shape[0] - first)
    index = np.concatenate([np.arange(first, first + count), np.full(CHUNK_SIZE - count, first)])
    chunk = jax.tree.map(lambda leaf: leaf[index], sims)
    idle = np.arange(CHUNK_SIZE) >= count
    return dataclasses.replace(chunk, end=np.where(idle, chunk.begin, chunk.end))


def _idle(sims: Simulation) -> Simulation:
    return dataclasses.replace(sims, end=sims.begin)


def _concatenate(results: Sequence[SimulationResult]) -> SimulationResult:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *results)


def _check_precision(sims: Simulation) -> None:
    for path, leaf in jax.tree.leaves_with_path(sims.parameters):
        if leaf.dtype != np.float64:
            raise SolveError(
                f"parameter {jax.tree_util.keystr(path)} must be float64, but is {leaf.dtype}"
            )
