"""Signals by which a scheduler asks a process to make room: noted, and obeyed between blocks."""

import contextlib
import signal
import threading
import types
from collections.abc import Iterator

ASKING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Slurm sends the first when it preempts or cancels, the others where a job asked for a warning."""


class Stop:
    """Whether somebody has asked this process to stop."""

    def __init__(self) -> None:
        self.asked_by = ""

    def __bool__(self) -> bool:
        return bool(self.asked_by)

    def ask(self, number: int, frame: types.FrameType | None = None) -> None:
        """A handler of signals."""
        del frame
        self.asked_by = signal.Signals(number).name


@contextlib.contextmanager
def noted() -> Iterator[Stop]:
    """Note the signals of schedulers and go on. A thread of a worker of dask gets none.

    Yields:
        What is true once one has come.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in ASKING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
