"""Figures of a report, drawn in this process or meanwhile in a second one.

`qsp run` starts the second process before it imports JAX. That process imports matplotlib, receives
the results from this one and draws with `qsp.report.pictures` while this one makes the tables. Both
draw the same figures, byte for byte.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from qsp import process

if TYPE_CHECKING:
    import xarray as xr

LARGEST = 100_000_000
"""Size of results above which they are not copied to a second process [byte]."""


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Args:
        title: Title, and alternative text.
        caption: Caption.
        data: File in base64.
        kind: Subtype of the media type, "svg+xml" or "png".
    """

    title: str
    caption: str
    data: str
    kind: str


Pictures: TypeAlias = dict[str, Picture]
Draw: TypeAlias = "Callable[[xr.Dataset, xr.Dataset | None, int], Callable[[], Pictures]]"
"""Begins to draw the figures of results; see `qsp.report.pictures.pictures` for the arguments.

Returns a function that waits for the figures.
"""


def in_this_process(
    ds: xr.Dataset, trajectories: xr.Dataset | None, trial_size: int
) -> Callable[[], Pictures]:
    """Return a function that draws the figures when it is called."""

    def draw() -> Pictures:
        from qsp.report.pictures import pictures  # matplotlib takes half a second to import

        return pictures(ds, trajectories, trial_size)

    return draw


@contextlib.contextmanager
def in_second_process() -> Iterator[Draw]:
    """Start a process that draws figures; it ends with the block, also after an error.

    The figures are drawn in this process instead if the machine has one core, if the results are
    large, or if the second process fails or warns, so that the error or warning occurs here.
    """
    if _cores() < 2:
        yield in_this_process
        return
    try:
        second = _started()
    except OSError:  # no memory or no further process
        yield in_this_process
        return
    with second, ThreadPoolExecutor(1) as thread:  # closes the pipes and waits for both
        try:
            yield functools.partial(_begin, second, thread)
        finally:
            second.kill()


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _started() -> subprocess.Popen[bytes]:
    """Start the second process, which imports the same packages from the same folders."""
    folders = [str(Path(folder).absolute()) for folder in sys.path]
    return subprocess.Popen(
        # Without -P, files in the working directory would come before the packages.
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
    )


def _begin(
    second: subprocess.Popen[bytes],
    thread: ThreadPoolExecutor,
    ds: xr.Dataset,
    trajectories: xr.Dataset | None,
    trial_size: int,
) -> Callable[[], Pictures]:
    """Send results to the second process and return a function that waits for the figures."""
    here = in_this_process(ds, trajectories, trial_size)
    if ds.nbytes + (0 if trajectories is None else trajectories.nbytes) > LARGEST:
        return here
    answer = thread.submit(_ask, second, (ds, trajectories, trial_size))
    return lambda: answer.result() or here()


def _ask(second: subprocess.Popen[bytes], arguments: tuple[Any, ...]) -> Pictures | None:
    """Return the figures that the second process draws; None if it cannot."""
    try:
        answer, _ = second.communicate(pickle.dumps(arguments, pickle.HIGHEST_PROTOCOL))
        return pickle.loads(answer) if second.returncode == 0 else None
    except (OSError, ValueError, EOFError, pickle.PickleError):
        return None


def main() -> None:
    """Draw the figures of the results on standard input, and write them to standard output."""
    # The process that started this one ends it, and an interrupt concerns both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.start()
    process.without("dask")
    from qsp.report.pictures import load_fonts, pictures

    load_fonts()
    arguments = sys.stdin.buffer.read()
    if not arguments:
        return
    with warnings.catch_warnings(record=True) as warned:
        found = pictures(*pickle.loads(arguments))
    if warned:
        sys.exit(1)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(pickle.dumps(found, pickle.HIGHEST_PROTOCOL))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
