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

from qsp.engine.cache import CacheDir, chosen
from qsp.engine.method import Method
from qsp.engine.programs import Backend, Setting, chunks
from qsp.engine.progress import Progress, Silent
from qsp.engine.solve import AbstractSystem, Lane, LaneResult
from qsp.engine.stretches import most_stretches
from qsp.engine.team import Device, Team, everywhere
from qsp.errors import SolveError

LANE_WIDTH = 64
"""Lanes of one chunk; part of the record of a run. A multiple of 64."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """Lanes to solve: every array has a leading lane axis.

    Args:
        lanes: Parameters, events, thresholds, begin and end.
        grids: Times of snapshots, one sorted array per grid.
    """

    lanes: Lane
    grids: tuple[np.ndarray, ...]

    @property
    def size(self) -> int:
        return self.lanes.begin.shape[0]


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
) -> tuple[LaneResult, Timing]:
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
    _check_precision(batch.lanes)
    progress, workers = progress or Silent(), workers or everywhere()
    lanes = batch.lanes
    stretches = most_stretches(lanes.events, lanes.begin, lanes.end, batch.grids, lanes.plan)
    setting = Setting(system, method, kinds, batch.grids, np.int32(stretches))
    began = clock.perf_counter()
    chunk_of, backend = chunks(batch.lanes, setting, workers, chosen(cache_dir))
    with Team(workers) as team:
        idle = _idle(_slice(batch.lanes, 0))
        team.each_device(lambda device: chunk_of(device, idle))
        compiled = clock.perf_counter()
        progress.compiled(compiled - began)
        progress.start(batch.size)
        firsts = range(0, batch.size, LANE_WIDTH)
        results = []
        for first, chunk in zip(
            firsts,
            team.ordered(lambda device, n: chunk_of(device, _slice(batch.lanes, n)), firsts),
            strict=True,
        ):
            count = min(LANE_WIDTH, batch.size - first)
            results.append(jax.tree.map(lambda leaf, n=count: leaf[:n], chunk))
            progress.advance(count)
    timing = Timing(compiled - began, clock.perf_counter() - compiled, backend)
    return _concatenate(results), timing


def _slice(lanes: Lane, first: int) -> Lane:
    """One chunk; where the lanes run out, the first of the chunk fills up, idle."""
    count = min(LANE_WIDTH, lanes.begin.shape[0] - first)
    index = np.concatenate([np.arange(first, first + count), np.full(LANE_WIDTH - count, first)])
    chunk = jax.tree.map(lambda leaf: leaf[index], lanes)
    idle = np.arange(LANE_WIDTH) >= count
    return dataclasses.replace(chunk, end=np.where(idle, chunk.begin, chunk.end))


def _idle(lanes: Lane) -> Lane:
    return dataclasses.replace(lanes, end=lanes.begin)


def _concatenate(results: Sequence[LaneResult]) -> LaneResult:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *results)


def _check_precision(lanes: Lane) -> None:
    for path, leaf in jax.tree.leaves_with_path(lanes.parameters):
        if leaf.dtype != np.float64:
            raise SolveError(
                f"parameter {jax.tree_util.keystr(path)} must be float64, but is {leaf.dtype}"
            )
