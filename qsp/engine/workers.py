"""Workers: threads that each drive one device, or one core of the CPU, with the next task."""

import os
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import jax

Device: TypeAlias = Any
"""A `jax.Device`, which is no type to a type checker."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def all_workers() -> tuple[Device, ...]:
    """All devices of this process; a CPU that is one device counts once for each of its cores."""
    devices = tuple(jax.local_devices())
    if len(devices) == 1 and devices[0].platform == "cpu":
        return devices * _cores()
    return devices


def _cores() -> int:
    """Cores this process may use; not every system can say which."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


class WorkerPool:
    """Threads, one a worker, from `with` to its end.

    Args:
        workers: Device of each.
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
        """Do something once on every device, at the same time."""
        return list(self._threads.map(work, dict.fromkeys(self._workers)))

    def ordered(
        self, work: Callable[[Device, Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """Results in the order of the tasks, each done by the first worker that is free.

        At most two tasks a worker are under way or waiting to be taken, whatever their number.
        """
        waiting: deque[Future[Result]] = deque()
        for task in tasks:
            waiting.append(self._threads.submit(self._take, work, task))
            if len(waiting) >= 2 * len(self._workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _take(self, work: Callable[[Device, Task], Result], task: Task) -> Result:
        device = self._free.get()
        try:
            return work(device, task)
        finally:
            self._free.put(device)
