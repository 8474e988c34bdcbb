"""Executors of submitit, which starts processes both on Slurm and on this machine."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from qsp.cluster.plan import LOGS
from qsp.errors import ConfigError
from qsp.version import PACKAGE


def submitit_executor(run: Path, cluster: Literal["slurm", "local"]) -> Any:
    """Return an executor of submitit that writes its files to the logs of a run.

    Raises:
        ConfigError: If submitit or sbatch is missing.
    """
    try:
        import submitit
    except ImportError:
        rule = "submitit must be installed"
        todo = "Run pip install -e '.[cluster]' in the folder of the package"
        raise ConfigError(f"--{cluster}", rule, "missing", todo) from None
    try:
        return submitit.AutoExecutor(folder=run / LOGS / "%j", cluster=cluster)
    except RuntimeError:
        rule, todo = "sbatch must be installed", "Log in to a submit host of Slurm, or use --local"
        raise ConfigError(f"--{cluster}", rule, "missing", todo) from None


@contextlib.contextmanager
def same_code() -> Iterator[None]:
    """Let processes that start in this context import qsp from where this process did."""
    root = str(PACKAGE.resolve().parent)
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    settings = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})
