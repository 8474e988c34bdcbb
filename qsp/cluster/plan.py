"""The plan of a run: a trial cut into shards, and frozen. Its digest is the id of the run.

::

    RUN/plan.json           request, versions of the code, and sizes of the shards
    RUN/inputs/             copies of all input files
    RUN/results.zarr        the store; each shard owns whole chunks of it
    RUN/frame/              copy of the store without patients
    RUN/receipts/00007.json shard 7 is done: digests of its chunks
    RUN/partial/00007/      finished blocks of a shard that is running or was stopped
    RUN/attempts/           one file for each start of a shard
    RUN/submitted/          one file for each Slurm job: the shards of its tasks
    RUN/logs/, RUN/compiled/
"""

import dataclasses
import functools
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsp.cluster.atomic import read_json
from qsp.cluster.host import environment
from qsp.errors import ConfigError
from qsp.results.model_version import other_model
from qsp.results.record import ATTRIBUTE, RunRecord
from qsp.run import folder
from qsp.run.record import Request
from qsp.version import PACKAGE

if TYPE_CHECKING:  # reading a plan must not import the solver
    from qsp.results.zarr_store import Store
    from qsp.run import Prepared

PLAN, INPUTS, RECEIPTS, PARTIAL, ATTEMPTS, LOGS, COMPILED, FRAME = (
    *("plan.json", "inputs", "receipts", "partial", "attempts", "logs", "compiled", "frame"),
)
FOLDERS = (RECEIPTS, PARTIAL, ATTEMPTS, LOGS)
BLOCK = 2000
"""Patients computed between two checks for a stop signal; a killed process loses at most these."""
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run cut into shards.

    Args:
        run: Folder of the run.
        request: The requested trial, with paths relative to the folder.
        patients: Number of patients.
        size: Patients of a shard; the last one may have fewer.
        block: Patients computed at a time.
        files: Digest of each input file, by path relative to the folder.
        environment: Versions of code and packages; see `qsp.cluster.host.environment`.
        title: Title of the trial.
        command: Command that computes the same run on one machine.
        frame: Digest of each file of the store that holds no patients (metadata, coordinates).
    """

    run: Path
    request: Request
    patients: int
    size: int
    block: int
    files: dict[str, str]
    environment: dict[str, str]
    title: str
    command: str
    frame: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def shards(self) -> range:
        """Numbers of all shards."""
        return range(-(-self.patients // self.size))

    @property
    def id(self) -> str:
        """Digest of everything that determines the results."""
        text = json.dumps(self.content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def content(self) -> dict[str, Any]:
        """The fields of the plan from which its id follows."""
        request = self.request
        return {
            "version": VERSION,
            "config": str(request.config),
            "overrides": list(request.overrides),
            "parameters": _text(request.parameters),
            "covariates": _text(request.covariates),
            "patients": self.patients,
            "size": self.size,
            "block": self.block,
            "files": dict(sorted(self.files.items())),
            "environment": dict(sorted(self.environment.items())),
            "title": self.title,
            "command": self.command,
        }

    @property
    def file_content(self) -> dict[str, Any]:
        """Content of `plan.json`: `content`, the id, the frame, and a digest of the frame."""
        frame = dict(sorted(self.frame.items()))
        text = json.dumps(frame, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {**self.content, "id": self.id, "frame": frame, "frame_sha256": digest}

    @property
    def closed_as(self) -> str:
        """Whether the store was closed "complete" or "incomplete"; "" while it is open."""
        found = read_json(self.run / folder.STORE / "zarr.json") or {}
        attributes = found.get("attributes", {})
        if not attributes.get("plan_id"):
            return ""
        return "complete" if attributes.get("complete") else "incomplete"

    @functools.cached_property
    def store(self) -> "Store":
        """The store with the results of all shards."""
        from qsp.results.zarr_store import Store

        return Store(self.run / folder.STORE)

    def path(self, *parts: str) -> Path:
        """Return a path in the folder of the run."""
        return self.run.joinpath(*parts)

    def rows(self, shard: int) -> slice:
        """Return the slice of the patients of a shard among all patients."""
        first = shard * self.size
        return slice(first, min(first + self.size, self.patients))

    def check_shard(self, shard: int) -> None:
        """Check that a shard exists.

        Raises:
            ConfigError: If the number is not in `shards`.
        """
        if shard not in self.shards:
            rule = f"the shard must be from 0 to {self.shards[-1]}"
            raise ConfigError(str(self.run), rule, shard, "See qsp status")

    def check_model(self) -> None:
        """Check that the model of this package is of the major version that made the plan.

        Raises:
            ConfigError: If it is of another, with which no shard may be computed or combined.
        """
        if environment()["code"] == self.environment.get("code"):
            return  # the same code has the same model, which need not be loaded
        if (other := other_model(self._record)) is not None:
            raise other.refusal(str(self.run), "the plan must", "make a new plan with qsp plan")

    @property
    def _record(self) -> RunRecord:
        """Record of the run in the frame of its store; plans of qsp 0.1.0 have none."""
        found = read_json(self.path(FRAME, "zarr.json")) or {}
        text = found.get("attributes", {}).get(ATTRIBUTE)
        if text is None:
            return RunRecord(qsp_version=self.environment.get("qsp", ""))
        return RunRecord.from_json(str(text))

    def check_unchanged(self) -> None:
        """Check that inputs, code and packages are those of the plan.

        Raises:
            ConfigError: If one of them changed after the plan was made.
        """
        self.check_model()
        now = environment()
        changed = [name for name in now if now[name] != self.environment.get(name)]
        if changed:
            made_with = (
                f"qsp {self.environment.get('qsp')}, code {self.environment.get('code', '')[:12]}"
            )
            rule = f"code and packages must be those that made the plan ({made_with})"
            got = ", ".join(
                f"{n} {now[n][:12]} (plan: {self.environment.get(n)!s:.12})" for n in changed
            )
            todo = f"This is {PACKAGE}: use the version of the plan, or make a new plan"
            raise ConfigError(str(self.run), rule, got, todo)
        found = file_digests(self.run, list(self.files))
        for name in (name for name in self.files if found[name] != self.files[name]):
            todo = "A plan is frozen: make a new one with qsp plan"
            raise ConfigError(str(self.run / name), "the file must match the plan", "changed", todo)

    def prepared(self) -> "Prepared":
        """Prepare the run from the input files of the plan.

        Raises:
            ConfigError: If inputs, code or packages changed after the plan was made.
        """
        import numpy as np

        from qsp.config import RenamedKeyWarning
        from qsp.run import prepare

        self.check_unchanged()
        request = dataclasses.replace(
            self.request,
            config=self.run / self.request.config,
            parameters=_within(self.run, self.request.parameters),
            covariates=_within(self.run, self.request.covariates),
        )
        with warnings.catch_warnings():
            # `qsp plan` has warned of old keys; a copy of a config is never edited.
            warnings.simplefilter("ignore", RenamedKeyWarning)
            prepared = prepare(request, in_parts=True)
        return dataclasses.replace(prepared, trajectories=np.array([], int))


def read_plan(run: Path) -> Plan:
    """Read the plan of a run.

    Raises:
        ConfigError: If the folder holds no plan, or the plan was edited.
    """
    found = read_json(run / PLAN)
    if found is None and not (run / PLAN).exists():
        todo = "Make one with qsp plan CONFIG --shards-of N --out RUN"
        raise ConfigError(str(run), f"the folder must hold a plan ({PLAN})", "without one", todo)
    plan = None if found is None else _parsed(run, found)
    if plan is None:
        got = "not a JSON object" if found is None else "edited"
        todo = "Plans are frozen: make a new one with qsp plan"
        raise ConfigError(str(run / PLAN), "the plan must be unmodified", got, todo)
    return plan


def file_digests(run: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the digest of each file by its path relative to the run; "" for a missing file."""
    return {name: _digest(run / name) for name in names}


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _parsed(run: Path, found: dict[str, Any]) -> Plan | None:
    """Return the plan with this content; None if `qsp plan` cannot have written it."""
    names = ("patients", "size", "block", "files", "environment", "title", "command", "frame")
    try:
        request = Request(
            config=Path(found["config"]),
            overrides=tuple(found["overrides"]),
            parameters=_path(found["parameters"]),
            covariates=_path(found["covariates"]),
        )
        plan = Plan(run, request, **{name: found[name] for name in names})
        return plan if found == plan.file_content else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _within(run: Path, path: Path | None) -> Path | None:
    return None if path is None else run / path
