"""A temporary Slurm cluster for tests, started by scripts/slurm/cluster."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_SCRIPT = Path(__file__).parents[2] / "scripts" / "slurm" / "cluster"
_COMMANDS = ("slurmctld", "slurmd", "sbatch", "munged")
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def installed() -> bool:
    """Return whether this process can start a cluster: it runs as root, and Slurm is installed."""
    path = os.environ.get("PATH", os.defpath) + ":" + _SYSTEM_FOLDERS
    return os.geteuid() == 0 and all(shutil.which(command, path=path) for command in _COMMANDS)


class SlurmError(RuntimeError):
    """A command of the cluster failed, or an expected state did not occur in time."""


class MiniSlurm:
    """One controller and nodes n1, n2, ..., each with two CPUs and one fake GPU.

    Partition ``work`` is the default; a job of partition ``urgent`` preempts those of ``work``.

    Attributes:
        folder: Folder of all files of the cluster; the logs are in ``log``.
        nodes: Names of the nodes.
        environment: Environment variables of a process that uses this cluster.
    """

    folder: Path
    nodes: tuple[str, ...]
    environment: dict[str, str]

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.folder = folder
        self.nodes = tuple(f"n{1 + i}" for i in range(nodes))
        # Slurm would read these variables as options.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        self.environment = inherited | {"SLURM_CONF": str(folder / "slurm.conf")}

    def start(self) -> None:
        """Start the cluster; return when all nodes are idle."""
        self._script("start", "--nodes", str(len(self.nodes)))

    def stop(self) -> None:
        """End the daemons and jobs of the cluster, if any."""
        self._script("stop")

    def node_down(self, name: str) -> None:
        """Kill the daemon and the jobs of a node with SIGKILL, and mark it DOWN."""
        self._script("node-down", name)

    def node_up(self, name: str) -> None:
        """Start a node again; return when it accepts jobs."""
        self._script("node-up", name)

    def run(self, *words: str, limit: float = 30) -> str:
        """Run a client command such as ``sbatch``.

        Args:
            words: The command and its arguments.
            limit: Time limit [s].

        Returns:
            Output of the command, without the final newline.
        """
        try:
            done = subprocess.run(
                words,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=limit,
            )
        except subprocess.TimeoutExpired as error:
            raise SlurmError(f"'{' '.join(words)}' did not end within {limit:g} s") from error
        if done.returncode:
            raise SlurmError(
                f"'{' '.join(words)}' ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout.rstrip("\n")

    def queue(self) -> list[tuple[str, str]]:
        """Return (job id, state) of each job that has not ended; array tasks separately."""
        lines = self.run("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return [(job, state) for job, state in map(str.split, lines)]

    def wait_until(self, condition: Callable[[], object], limit_s: float, what: str) -> None:
        """Wait for a condition.

        Args:
            condition: Called several times per second until it returns a true value.
            limit_s: Maximum waiting time [s].
            what: Description of the condition, for the error message.
        """
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                raise SlurmError(
                    f"waited {limit_s:g} s for {what}. Queue: {self.queue()}; "
                    f"logs: {self.folder / 'log'}"
                )
            time.sleep(0.2)

    def _script(self, verb: str, *words: str) -> str:
        return self.run(str(_SCRIPT), verb, str(self.folder), *words, limit=120)
