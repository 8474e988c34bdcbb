"""What the adapters to submitit share."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import qsp
from qsp.cluster.plan import LOGS
from qsp.errors import ConfigError


def executor_of(run: Path, cluster: str) -> Any:
    """An executor of submitit that leaves its files with the logs of a run.

    Raises:
        ConfigError: If submitit or sbatch is missing.
    """
    try:
        import submitit
    except ImportError:
        rule = "submitit must be installed"
        todo = "In the folder of the package: pip install -e '.[cluster]'"
        raise ConfigError(f"--{cluster}", rule, "missing", todo) from None
    try:
        return submitit.AutoExecutor(folder=run / LOGS / "%j", cluster=cluster)
    except RuntimeError:
        rule, todo = "sbatch must be there", "Log in where jobs are submitted, or use --local"
        raise ConfigError(f"--{cluster}", rule, "missing", todo) from None


@contextlib.contextmanager
def same_code() -> Iterator[None]:
    """Processes started here import the package from where this one did, wherever they start."""
    root = str(Path(qsp.__file__).resolve().parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    wanted = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})
