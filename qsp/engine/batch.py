"""Many lanes: chunks of one width through one compiled program, on every core and device there is.

Every chunk has the same shape (the last is padded with idle lanes), so a run compiles once, and a
patient's bits do not depend on which others are beside him. Workers take the next chunk when they
have done one, each with the program of a single device: one program for several devices
(`jax.shard_map`) rounds otherwise than that for one, and makes every device wait for the slowest.
Results leave the device chunk by chunk.
"""

import dataclasses
import time as clock
from collections.abc import Sequence

import jax
import numpy as np

from qsp.engine.backends import Backend, ProgramSpec, chunks
from qsp.engine.cache import CacheDir, chosen
from qsp.engine.method import Method
from qsp.engine.progress import NoProgress, Progress
from qsp.engine.segments import max_segments
from qsp.engine.trajectory import AbstractSystem, Simulation, SimulationResult
from qsp.engine.workers import Device, WorkerPool, all_workers
from qsp.errors import SolveError

CHUNK_SIZE = 64
"""Lanes of one chunk; part of the record of a run. A multiple of 64."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """Lanes to solve: every array has a leading lane axis.

    Args:
        sims: Parameters, events, thresholds, begin and end.
        grids: Times of snapshots, one sorted array per grid.
    """

    sims: Simulation
    grids: tuple[np.ndarray, ...]

    @property
    def size(self) -> int:
        return self.sims.begin.shape[0]


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds, and what took them.

    Args:
        compile_s: Until the first chunk was begun.
        run_s: From then on.
        backend: What computed the chunks.
    """

    compile_s: float
    run_s: float
    backend: Backend

    def joined(self, other: "Timing") -> "Timing":
        """Of two calls, one after the other."""
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
) -> tuple[SimulationResult, Timing]:
    """Solve every lane.

    Args:
        batch: Lanes and grids, in numpy, float64.
        system: What is integrated.
        method: How.
        kinds: Number of kinds of dose.
        progress: Told of each chunk.
        workers: Where chunks are computed, at the same time; by default `everywhere()`. A device
            may stand there several times.
        cache_dir: Folder of compiled native programs; see `qsp.engine.cache`. None caches nothing.

    Returns:
        Results in numpy with a leading lane axis, and seconds of compilation and of the run.

    Raises:
        SolveError: If a leaf of the parameters is not float64.
    """
    _check_precision(batch.sims)
    progress, workers = progress or NoProgress(), workers or all_workers()
    sims = batch.sims
    segments = max_segments(sims.events, sims.begin, sims.end, batch.grids, sims.plan)
    spec = ProgramSpec(system, method, kinds, batch.grids, np.int32(segments))
    began = clock.perf_counter()
    chunk_of, backend = chunks(batch.sims, spec, workers, chosen(cache_dir))
    with WorkerPool(workers) as pool:
        idle = _idle(_slice(batch.sims, 0))
        pool.each_device(lambda device: chunk_of(device, idle))
        compiled = clock.perf_counter()
        progress.compiled(compiled - began)
        progress.start(batch.size)
        firsts = range(0, batch.size, CHUNK_SIZE)
        results = []
        for first, chunk in zip(
            firsts,
            pool.ordered(lambda device, n: chunk_of(device, _slice(batch.sims, n)), firsts),
            strict=True,
        ):
            count = min(CHUNK_SIZE, batch.size - first)
            results.append(jax.tree.map(lambda leaf, n=count: leaf[:n], chunk))
            progress.advance(count)
    timing = Timing(compiled - began, clock.perf_counter() - compiled, backend)
    return _concatenate(results), timing


def _slice(sims: Simulation, first: int) -> Simulation:
    """One chunk; where the lanes run out, the first of the chunk fills up, idle."""
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
