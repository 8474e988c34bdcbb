"""Settings of a process that is the package's own: the command line, and a job of a cluster."""

import atexit
import gc
import os

OBJECTS = 50_000
"""New objects between two looks for cycles. Imports and tracing make hundreds of thousands that
stay: at Python's 700 a quarter of a start goes by with looking; results are few and large."""


def start() -> None:
    """Make a process start and end sooner; called before anything heavy is imported."""
    # Read when equinox is imported. JAX keeps no compiled program that calls back into Python, as
    # the checks that diffrax makes of its arguments while it runs do.
    os.environ.setdefault("EQX_ON_ERROR", "off")
    gc.set_threshold(OBJECTS, 20, 20)
    # At its end a process looks for cycles in all that there is: a second or more for what JAX has.
    atexit.register(gc.freeze)
