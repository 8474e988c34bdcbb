"""Settings for processes that run only qsp: the command line and cluster jobs."""

import atexit
import gc
import os

GC_THRESHOLD = 50_000
"""New objects between two garbage collections. Imports and tracing create hundreds of thousands of
permanent objects: with Python's default of 700, collections take a quarter of the start time."""


def start() -> None:
    """Reduce the time to start and to exit; call it before heavy imports."""
    # Equinox reads this on import. Otherwise the runtime checks of diffrax call back into Python,
    # and JAX does not cache such programs.
    os.environ.setdefault("EQX_ON_ERROR", "off")
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    # The last garbage collection at exit takes a second or more for the objects of JAX.
    atexit.register(gc.freeze)
