"""Settings that reduce startup time: of a process that runs only qsp, and of one call."""

import atexit
import contextlib
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

GC_THRESHOLD = 50_000
"""New objects between two garbage collections. Imports and tracing create hundreds of thousands of
permanent objects: with Python's default of 700, collections take a quarter of the start time."""


def start() -> None:
    """Reduce the time to start and to exit; call it before heavy imports."""
    # Equinox reads this on import. Otherwise the runtime checks of diffrax call back into Python,
    # and JAX does not cache such programs.
    os.environ.setdefault("EQX_ON_ERROR", "off")
    # Figures are files here. A notebook that runs the command in a cell passes on its own backend,
    # which may not be installed.
    os.environ["MPLBACKEND"] = "agg"
    _without_home()
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    # The last garbage collection at exit takes a second or more for the objects of JAX.
    atexit.register(gc.freeze)


def without(package: str) -> None:
    """Let libraries find that an optional package is not installed, unless it is imported already.

    Args:
        package: Package that a library would import only to ask whether an object is one of its.
    """
    sys.modules.setdefault(package, None)  # type: ignore[arg-type]


@contextlib.contextmanager
def fewer_collections() -> Iterator[None]:
    """Collect garbage less often within a block, such as imports and tracing.

    The settings of the process are restored afterwards. A process that collects less often, or not
    at all, is left unchanged; so is one in which another thread is within such a block.
    """
    before = gc.get_threshold()
    if not 0 < before[0] < GC_THRESHOLD:
        yield
        return
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _without_home() -> None:
    """Give matplotlib a folder for its settings where the user has no home folder."""
    try:
        Path.home()
    except RuntimeError:
        if "MPLCONFIGDIR" not in os.environ:
            folder = tempfile.mkdtemp(prefix="qsp-matplotlib-")
            os.environ["MPLCONFIGDIR"] = folder
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
