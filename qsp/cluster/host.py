"""The process that computes a shard: its code and packages, its device, and its signals.

JAX is imported only when the device is asked for: a worker sets the variables that assign it a GPU
before JAX reads them.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import signal
import threading
import types
from collections.abc import Iterator, Mapping

from qsp.version import PACKAGE, __version__

PACKAGES = ("jax", "jaxlib", "diffrax", "equinox", "llvmlite", "numpy")
"""Packages whose version may change the last digits of results."""
SOURCES = (".py", ".toml")
VISIBLE = "CUDA_VISIBLE_DEVICES"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Slurm sends SIGTERM when it preempts or cancels a job, and the others as a warning that the job
asked for."""


@functools.cache
def environment() -> dict[str, str]:
    """Return package versions by name, and as `code` a digest of all source files of qsp."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"code": _code_digest(), "qsp": __version__, **versions}


def _code_digest() -> str:
    root = PACKAGE
    # An installed package has configs and populations here, a checkout does not. A plan has copies.
    data = {root / "shipped" / kind for kind in ("configs", "populations")}
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in SOURCES and path.is_file() and data.isdisjoint(path.parents):
            total.update(str(path.relative_to(root)).encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def device() -> str:
    """Return the kind of processor or accelerator; equal kinds give bitwise equal results."""
    import jax

    from qsp.native import processor

    first = jax.devices()[0]
    return processor() if first.platform == "cpu" else first.device_kind


def assigned_gpu(environment: Mapping[str, str], slot: int) -> str | None:
    """Return the GPU of a local worker process; the visible GPUs are assigned in turn.

    Args:
        environment: Environment variables of the parent process.
        slot: Index of the worker among those that run at the same time, from 0.

    Returns:
        Value of `CUDA_VISIBLE_DEVICES` for the worker; None if the parent does not set it.
    """
    if VISIBLE not in environment:
        return None
    visible = _gpus(environment)
    return visible[slot % len(visible)] if visible else ""


def worker_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to add to the environment of a worker before it imports JAX.

    A worker uses one GPU: if a Slurm task sees all GPUs of its node, it takes the one of its local
    task id. GPU memory is allocated on demand, so that workers can share a node or a GPU. Variables
    that are already set keep their values.

    Args:
        environment: Environment variables of the process.
    """
    added = {"EQX_ON_ERROR": "off", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    visible = _gpus(environment)
    local_id = environment.get("SLURM_LOCALID", "")
    if len(visible) > 1 and local_id.isdigit():
        added[VISIBLE] = visible[int(local_id) % len(visible)]
    return {
        name: value for name, value in added.items() if name == VISIBLE or name not in environment
    }


def _gpus(environment: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in environment.get(VISIBLE, "").split(",") if name.strip()]


class StopRequest:
    """Flag that is true once a signal has asked this process to stop.

    Attributes:
        signal_name: Name of the last such signal, such as "SIGTERM"; "" before one arrives.
    """

    def __init__(self) -> None:
        self.signal_name = ""

    def __bool__(self) -> bool:
        return bool(self.signal_name)

    def handle(self, number: int, frame: types.FrameType | None = None) -> None:
        """Record a signal; used as a signal handler."""
        del frame
        self.signal_name = signal.Signals(number).name


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Record the signals of a scheduler instead of ending the process.

    Python delivers signals to the main thread only: in a worker thread of dask none is recorded.

    Yields:
        The flag that a signal sets.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.handle) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
