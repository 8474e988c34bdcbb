"""From a config to a plan: everything that is wrong is found before anything is submitted."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from qsp.cluster import inputs
from qsp.cluster.atomic import write_json
from qsp.cluster.environment import environment
from qsp.cluster.partial import COMPUTE_S
from qsp.cluster.plan import BLOCK, COMPILED, FOLDERS, FRAME, PLAN, Plan
from qsp.cluster.shard import SECONDS, block_of
from qsp.engine.cache import jax_cache_dir
from qsp.errors import ConfigError
from qsp.run import Prepared, Request, folder, prepare
from qsp.run.command import command_of

MOST_SHARDS = 100_000
"""Each array has a file for every shard."""


def freeze(
    request: Request,
    run: Path,
    size: int,
    *,
    block: int = BLOCK,
    compiled_in: Callable[[Path], None] | None = None,
) -> Plan:
    """Make the folder of a run: plan, copies of its input, and a store without patients.

    The first block of patients is computed: what fails there fails before it fails in every shard,
    and shards find programs compiled.

    Args:
        request: What to run, as for `qsp.run.prepare`.
        run: Folder; it does not exist yet, and appears whole.
        size: Patients of a shard.
        block: Patients computed between two looks at the signals of a scheduler.
        compiled_in: Told the folder for compiled programs before anything is compiled.

    Raises:
        ConfigError: If anything is wrong with the input, or the folder exists.
    """
    folder.check(run, force=False, may_force=False)
    prepared = prepare(request, in_parts=True)
    _check(prepared, size, block)
    with folder.written(run, force=False) as fresh:
        moved, files = inputs.copied(prepared, fresh)
        plan = Plan(
            run=fresh,
            request=moved,
            patients=len(prepared.ids),
            size=size,
            block=min(block, size),
            files=files,
            environment=environment(),
            title=prepared.config.title or prepared.config.name,
            command=command_of(dataclasses.replace(request, out=None), prepared.config),
        )
        planned = plan.prepared()
        _check_copies(planned, fresh)
        for name in FOLDERS:
            (fresh / name).mkdir()
        if compiled_in is not None:
            compiled_in(fresh / COMPILED)
        part = planned.of(planned.ids[plan.rows(0)]).in_blocks(plan.block)[0]
        first = block_of(plan, 0, 0, part, dict.fromkeys(SECONDS, 0.0), jax_cache_dir())
        del first.attrs[COMPUTE_S]
        plan.store.create(first.assign_attrs(command=plan.command), planned.ids, size)
        plan = dataclasses.replace(plan, frame=plan.store.frame())
        shutil.copytree(plan.store.path, fresh / FRAME)
        write_json(fresh / PLAN, plan.written)
    return dataclasses.replace(plan, run=run)


def _check(prepared: Prepared, size: int, block: int) -> None:
    where, patients = prepared.config.source.file.name, len(prepared.ids)
    for name, value in (("--shards-of", size), ("--block", block)):
        if value < 1:
            raise ConfigError(
                where, f"{name} must be at least 1", value, f"Write {BLOCK}, for example"
            )
    if prepared.request.typical:
        raise ConfigError(where, "a run in shards must have patients", "--typical", "Use qsp run")
    if size < patients and any(arm.is_individual for arm in prepared.trial.arms):
        rule = "patients with doses of their own must be in one shard"
        todo = f"Write --shards-of {patients}"
        raise ConfigError(where, rule, f"shards of {size}", todo)
    if patients > size * MOST_SHARDS:
        rule = f"a run must have at most {MOST_SHARDS:,} shards"
        todo = f"Write --shards-of {-(-patients // MOST_SHARDS)} or more"
        raise ConfigError(where, rule, f"{-(-patients // size):,}", todo)


def _check_copies(planned: Prepared, run: Path) -> None:
    """Whatever is read lies in the folder of the run."""
    for path in inputs.files_of(planned):
        if not path.is_relative_to(run.resolve()):
            rule = "a path in it must be counted from its file, so that copies of both go together"
            todo = "Write the path without a leading /"
            raise ConfigError(planned.config.source.file.name, rule, str(path), todo)
