"""Processes of this machine, by submitit: at most so many at a time, and ended with care."""

import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from qsp.cluster.adapters import executor_of, same_code
from qsp.cluster.device import given
from qsp.cluster.task import Task

PAUSE_S = 0.2
ASK_S = 1.0
"""A process that has only begun to import hears no signal; so often it is asked again."""
MOST_MINUTES = 60 * 24 * 7


def to_processes(
    tasks: Sequence[Task], workers: int, told: Callable[[], None] = lambda: None
) -> str:
    """Run shards of one run in processes of this machine, and wait for them.

    Interrupted, it asks them to stop and waits until each has ended its block; interrupted again,
    it leaves them to that.

    Args:
        tasks: One for each shard.
        workers: Processes at a time.
        told: Called after each look.

    Returns:
        What the first process that failed said, "" where none did.

    Raises:
        ConfigError: If submitit is missing.
    """
    waiting, said = list(tasks), ""
    running: dict[int, Any] = {}  # by place, so that each GPU has one process
    executor = executor_of(Path(waiting[0].run), "local")
    executor.update_parameters(timeout_min=MOST_MINUTES)
    with _terminated() as asked:
        try:
            while waiting or running:
                if asked:
                    raise KeyboardInterrupt
                ended = {place: job for place, job in running.items() if job.done()}
                said = next(filter(None, [said, *map(_failure, ended.values())]), "")
                running = {place: job for place, job in running.items() if place not in ended}
                for place in range(workers):
                    if waiting and place not in running:
                        mine = given(os.environ, place)
                        task = dataclasses.replace(waiting.pop(0), is_local=True, device=mine)
                        with _deaf(), same_code():
                            running[place] = executor.submit(task)
                told()
                time.sleep(PAUSE_S)
        finally:
            _end(list(running.values()))
    return said


def _failure(job: Any) -> str:
    """Last line of what a process died of."""
    if not job.paths.result_pickle.exists():  # killed or stopped: submitit would wait for it
        return ""
    try:
        error = job.exception()
    except Exception as unknown:
        error = unknown
    return next(iter(reversed(str(error).strip().splitlines())), "") if error else ""


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that a Ctrl-C does not reach: it goes to all of a terminal, this one asks."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _terminated() -> Iterator[list[int]]:
    """Whether SIGTERM came, which means what Ctrl-C does: nobody leaves processes unknowingly.

    It is noted only, for it may come while a process is started that is not in the list yet.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(jobs: list[Any]) -> None:
    while jobs:
        for job in jobs:
            with contextlib.suppress(ProcessLookupError):
                job._process.send_signal(signal.SIGTERM)  # submitit hands it on
        until = time.monotonic() + ASK_S
        while jobs and time.monotonic() < until:
            jobs = [job for job in jobs if not job.done()]
            time.sleep(PAUSE_S)
