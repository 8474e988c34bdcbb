"""Processes of this machine, started by submitit: a fixed number at a time, stopped at a block."""

import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from qsp.cluster.backends.executor import same_code, submitit_executor
from qsp.cluster.host import assigned_gpu
from qsp.cluster.task import Task

PAUSE_S = 0.2
ASK_AGAIN_S = 1.0
"""Time after which a process is asked to stop again: early in its imports it ignores signals."""
MAX_MINUTES = 60 * 24 * 7


def run_locally(
    tasks: Sequence[Task], workers: int, on_poll: Callable[[], None] = lambda: None
) -> str:
    """Run shards of one run in processes of this machine, and wait for them.

    On Ctrl-C or SIGTERM it asks the processes to stop, and waits until each has finished its block;
    on a second one it returns without waiting.

    Args:
        tasks: One task for each shard.
        workers: Processes at a time.
        on_poll: Called after each check for finished processes.

    Returns:
        Message of the first process that failed; "" if none did.

    Raises:
        ConfigError: If submitit is not installed.
        KeyboardInterrupt: If it was interrupted.
    """
    waiting, failure = list(tasks), ""
    running: dict[int, Any] = {}  # job by slot: each slot has its own GPU
    executor = submitit_executor(Path(waiting[0].run), "local")
    executor.update_parameters(timeout_min=MAX_MINUTES)
    with _terminations() as terminations:
        try:
            while waiting or running:
                if terminations:
                    raise KeyboardInterrupt
                ended = {slot: job for slot, job in running.items() if job.done()}
                failure = next(filter(None, [failure, *map(_failure, ended.values())]), "")
                running = {slot: job for slot, job in running.items() if slot not in ended}
                for slot in range(workers):
                    if waiting and slot not in running:
                        gpu = assigned_gpu(os.environ, slot)
                        task = dataclasses.replace(waiting.pop(0), is_local=True, device=gpu)
                        with _ignoring_interrupts(), same_code():
                            running[slot] = executor.submit(task)
                on_poll()
                time.sleep(PAUSE_S)
        finally:
            _stop(list(running.values()))
    return failure


def _failure(job: Any) -> str:
    """Return the last line of the error of a process; "" if it raised none."""
    if not job.paths.result_pickle.exists():  # killed or stopped; submitit would wait for the file
        return ""
    try:
        error = job.exception()
    except Exception as unknown:
        error = unknown
    return next(iter(reversed(str(error).strip().splitlines())), "") if error else ""


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C: a terminal sends it to all, but this process handles it.

    Processes inherit ignored signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _terminations() -> Iterator[list[int]]:
    """Record SIGTERM, so that it stops the processes as Ctrl-C does instead of orphaning them.

    The handler does not raise, because the signal may arrive while a process is being started that
    is not in the list yet.
    """
    arrived: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield arrived
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: arrived.append(number))
    try:
        yield arrived
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(jobs: list[Any]) -> None:
    while jobs:
        for job in jobs:
            with contextlib.suppress(ProcessLookupError):
                job._process.send_signal(signal.SIGTERM)  # submitit forwards it
        until = time.monotonic() + ASK_AGAIN_S
        while jobs and time.monotonic() < until:
            jobs = [job for job in jobs if not job.done()]
            time.sleep(PAUSE_S)
