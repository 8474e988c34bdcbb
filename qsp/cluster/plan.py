"""A plan: a run cut into shards, frozen. Its digest is the id of the run.

::

    RUN/plan.json           what is computed, by which code, in which shards
    RUN/inputs/             copies of all files it was made from
    RUN/results.zarr        one store; a shard owns whole chunks of it
    RUN/frame/              a copy of it without patients
    RUN/receipts/00007.json shard 7 is done: digests of its chunks
    RUN/partial/00007/      blocks of patients of a shard that runs or was stopped
    RUN/attempts/           one file for each start of a shard
    RUN/submitted/          one file for each job of Slurm: the shards of its tasks
    RUN/logs/, RUN/compiled/
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qsp
from qsp.cluster import inputs
from qsp.cluster.atomic import read_json
from qsp.cluster.environment import environment
from qsp.errors import ConfigError
from qsp.run import folder
from qsp.run.request import Request

if TYPE_CHECKING:  # what only reads a plan starts at once
    from qsp.results.zarr_store import Store
    from qsp.run import Prepared

PLAN, RECEIPTS, PARTIAL, ATTEMPTS, LOGS, COMPILED, FRAME = (
    *("plan.json", "receipts", "partial", "attempts", "logs", "compiled", "frame"),
)
FOLDERS = (RECEIPTS, PARTIAL, ATTEMPTS, LOGS)
BLOCK = 2000
"""Patients computed between two looks at the signals; lost when a process is killed."""
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run cut into shards.

    Args:
        run: Its folder.
        request: What was asked for, with paths in the folder.
        patients: Number of patients.
        size: Patients of a shard; the last one may have fewer.
        block: Patients computed at a time.
        files: Digest of each input.
        environment: What it is computed with; see `qsp.cluster.environment`.
        title: Of the run.
        command: That makes the run on one machine.
        frame: Digest of each file of the store that is not of patients, as it was made.
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
        """Digest of all that the results follow from."""
        text = json.dumps(self.content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def content(self) -> dict[str, Any]:
        """The plan as it is written, without its id."""
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
    def closed(self) -> str:
        """How the run was closed: "complete", "incomplete", or "" where it is open."""
        found = read_json(self.run / folder.STORE / "zarr.json") or {}
        attributes = found.get("attributes", {})
        if not attributes.get("plan_id"):
            return ""
        return "complete" if attributes.get("complete") else "incomplete"

    @functools.cached_property
    def store(self) -> "Store":
        """The results of all shards."""
        from qsp.results.zarr_store import Store

        return Store(self.run / folder.STORE)

    @property
    def written(self) -> dict[str, Any]:
        """What its file holds: beside the content its id, the frame, and a digest of that."""
        frame = dict(sorted(self.frame.items()))
        text = json.dumps(frame, sort_keys=True)
        seal = hashlib.sha256(text.encode()).hexdigest()
        return {**self.content, "id": self.id, "frame": frame, "frame_sha256": seal}

    def path(self, *parts: str) -> Path:
        """A path in the folder of the run."""
        return self.run.joinpath(*parts)

    def rows(self, shard: int) -> slice:
        """Places of a shard's patients among all."""
        first = shard * self.size
        return slice(first, min(first + self.size, self.patients))

    def check_shard(self, shard: int) -> None:
        """Refuse a number that no shard has.

        Raises:
            ConfigError: If it is none of `shards`.
        """
        if shard not in self.shards:
            rule = f"the shard must be from 0 to {self.shards[-1]}"
            raise ConfigError(str(self.run), rule, shard, "See qsp status")

    def check_unchanged(self) -> None:
        """Refuse to compute with other inputs or other code.

        Raises:
            ConfigError: If inputs or code are not what they were when the plan was made.
        """
        for name in inputs.changed(self.run, self.files):
            todo = "A plan is frozen: make a new one with qsp plan"
            raise ConfigError(str(self.run / name), "it must be as planned", "changed", todo)
        now = environment()
        other = [name for name in now if now[name] != self.environment.get(name)]
        if other:
            rule = "code and packages must be those the plan was made with"
            got = ", ".join(
                f"{n} {now[n][:12]}, not {self.environment.get(n)!s:.12}" for n in other
            )
            todo = f"This is {Path(qsp.__file__).parent}: use that of the plan, or make a new plan"
            raise ConfigError(str(self.run), rule, got, todo)

    def prepared(self) -> "Prepared":
        """The run, ready to be computed from the inputs of the plan.

        Raises:
            ConfigError: If inputs or code are not what they were when the plan was made.
        """
        import numpy as np

        from qsp.run import prepare

        self.check_unchanged()
        request = dataclasses.replace(
            self.request,
            config=self.run / self.request.config,
            parameters=_within(self.run, self.request.parameters),
            covariates=_within(self.run, self.request.covariates),
        )
        prepared = prepare(request, in_parts=True)
        return dataclasses.replace(prepared, trajectories=np.array([], int))


def read_plan(run: Path) -> Plan:
    """The plan of a run.

    Raises:
        ConfigError: If the folder holds none, or it was changed by hand.
    """
    found = read_json(run / PLAN)
    if found is None and (run / PLAN).exists():
        todo = "Plans are not edited: make a new one with qsp plan"
        raise ConfigError(str(run / PLAN), "the plan must be as it was made", "no JSON", todo)
    if found is None:
        todo = "Make one with qsp plan CONFIG --shards-of N --out RUN"
        raise ConfigError(str(run), f"the folder must hold a plan ({PLAN})", "none", todo)
    try:
        plan = _plan(run, found)
    except (KeyError, TypeError, ValueError):
        plan = None
    if plan is None or found.get("version") != VERSION or found != plan.written:
        todo = "Plans are not edited: make a new one with qsp plan"
        raise ConfigError(str(run / PLAN), "the plan must be as it was made", "changed", todo)
    return plan


def _plan(run: Path, found: dict[str, Any]) -> Plan:
    request = Request(
        config=Path(found["config"]),
        overrides=tuple(found["overrides"]),
        parameters=_path(found["parameters"]),
        covariates=_path(found["covariates"]),
    )
    same = ("patients", "size", "block", "files", "environment", "title", "command", "frame")
    return Plan(run, request, **{name: found[name] for name in same})


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _within(run: Path, path: Path | None) -> Path | None:
    return None if path is None else run / path
