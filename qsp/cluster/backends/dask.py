"""Run shards on the workers of a dask cluster."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from qsp.cluster.task import Task
from qsp.errors import ConfigError

PAUSE_S = 0.2


def connect(address: str) -> Any:
    """Connect to a dask scheduler, and return its `dask.distributed.Client`.

    Raises:
        ConfigError: If dask.distributed is not installed.
    """
    try:
        from distributed import Client
    except ImportError:
        rule = "dask.distributed must be installed"
        todo = "Run pip install -e '.[cluster]' in the folder of the package"
        raise ConfigError("--dask", rule, "missing", todo) from None
    return Client(address)


def run_on_dask(
    tasks: Sequence[Task], client: Any, on_poll: Callable[[], None] = lambda: None
) -> str:
    """Run shards on the workers of a dask client, and wait for them.

    All workers must see the folder of the run at the same path. If a worker dies, dask moves its
    shards to others; a shard that fails records the reason in its attempts.

    Args:
        tasks: One task for each shard.
        client: A `dask.distributed.Client`.
        on_poll: Called after each check for finished tasks.

    Returns:
        Message of the first error, or "" if no task raised an error.
    """
    futures = [client.submit(_compute, task, pure=False, retries=0) for task in tasks]
    while not all(future.done() for future in futures):
        on_poll()
        time.sleep(PAUSE_S)
    on_poll()
    errors = [future.exception() for future in futures if future.status == "error"]
    return str(errors[0]).strip() if errors else ""


def _compute(task: Task) -> str:
    return task.compute()[0]
