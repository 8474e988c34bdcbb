"""Workers: threads that each run tasks on one device, or on one core of the CPU."""

import os
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import jax

Device: TypeAlias = Any
"""A `jax.Device`, which type checkers do not accept as a type."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def all_workers() -> tuple[Device, ...]:
    """Return all devices of this process; the CPU is listed once for each core."""
    devices = tuple(jax.local_devices())
    if len(devices) == 1 and devices[0].platform == "cpu":
        return devices * _cores()
    return devices


def _cores() -> int:
    """Number of cores that this process may use; not all operating systems can limit them."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


class WorkerPool:
    """Context manager with one thread for each worker.

    Args:
        workers: Device of each worker.
    """

    def __init__(self, workers: Sequence[Device]) -> None:
        self._workers = tuple(workers)
        self._free: queue.SimpleQueue[Device] = queue.SimpleQueue()
        for device in self._workers:
            self._free.put(device)
        self._threads = ThreadPoolExecutor(len(self._workers))

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(cancel_futures=True)

    def each_device(self, work: Callable[[Device], Result]) -> list[Result]:
        """Run a task once on every device, at the same time."""
        return list(self._threads.map(work, dict.fromkeys(self._workers)))

    def ordered(
        self, work: Callable[[Device, Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Yield results in the order of the tasks; each task runs on the first free worker.

        At most two tasks per worker are running or waiting, so that results do not pile up.
        """
        waiting: deque[Future[Result]] = deque()
        for task in tasks:
            waiting.append(self._threads.submit(self._run, work, task))
            if len(waiting) >= 2 * len(self._workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _run(self, work: Callable[[Device, Task], Result], task: Task) -> Result:
        device = self._free.get()
        try:
            return work(device, task)
        finally:
            self._free.put(device)
