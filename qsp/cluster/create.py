"""Create the folder of a run: plan, copies of the input files, and a store without patients.

All input is validated, and the first block computed, before anything can be submitted.
"""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from qsp import shipped
from qsp.cluster.atomic import write_json
from qsp.cluster.checkpoint import COMPUTE_S
from qsp.cluster.host import environment
from qsp.cluster.plan import (
    BLOCK,
    COMPILED,
    FOLDERS,
    FRAME,
    INPUTS,
    PLAN,
    Plan,
    file_digests,
)
from qsp.cluster.shard import SECONDS, compute_block
from qsp.engine.cache import jax_cache_dir
from qsp.errors import ConfigError
from qsp.results.record import ATTRIBUTE, record_of
from qsp.run import Prepared, Request, folder, prepare
from qsp.run.record import command, request_record

MAX_SHARDS = 100_000
"""Each array of the store has a file for every shard."""


def create_run(
    request: Request,
    run: Path,
    size: int,
    *,
    block: int = BLOCK,
    enable_cache: Callable[[Path], None] | None = None,
) -> Plan:
    """Create the folder of a run in shards.

    The first block of patients is computed: an error of the model shows here rather than in every
    shard, and shards find their programs compiled.

    Args:
        request: The trial to run, as for `qsp.run.prepare`.
        run: Folder of the run; it must not exist yet, and is complete when it appears.
        size: Patients of a shard.
        block: Patients computed between two checks for a stop signal.
        enable_cache: Called with the folder for compiled programs before anything is compiled.

    Returns:
        The plan.

    Raises:
        ConfigError: If the input is invalid, or the folder exists.
    """
    folder.check(run, force=False, may_force=False)
    prepared = prepare(request, in_parts=True)
    _check(prepared, size, block)
    with folder.written(run, force=False) as fresh:
        copied, files = copy_inputs(prepared, fresh)
        asked = request_record(dataclasses.replace(request, out=None), prepared.config)
        plan = Plan(
            run=fresh,
            request=copied,
            patients=len(prepared.ids),
            size=size,
            block=min(block, size),
            files=files,
            environment=environment(),
            title=prepared.config.title or prepared.config.name,
            command=command(asked),
        )
        planned = plan.prepared()
        _check_copies(planned, fresh)
        for name in FOLDERS:
            (fresh / name).mkdir()
        if enable_cache is not None:
            enable_cache(fresh / COMPILED)
        part = planned.of(planned.ids[plan.rows(0)]).in_blocks(plan.block)[0]
        first = compute_block(plan, 0, 0, part, dict.fromkeys(SECONDS, 0.0), jax_cache_dir())
        del first.attrs[COMPUTE_S]
        # The record names the user's files, not their copies.
        record = dataclasses.replace(record_of(first), request=asked).to_json()
        recorded = first.assign_attrs({"command": plan.command, ATTRIBUTE: record})
        plan.store.create(recorded, planned.ids, size)
        plan = dataclasses.replace(plan, frame=plan.store.frame())
        shutil.copytree(plan.store.path, fresh / FRAME)
        write_json(fresh / PLAN, plan.file_content)
    return dataclasses.replace(plan, run=run)


def input_files(prepared: Prepared) -> tuple[Path, ...]:
    """Return the absolute paths of all files that a run reads, each once."""
    request, config = prepared.file_request, prepared.config
    table = config.dose_table
    optional = (
        config.molecule_file,
        request.parameters,
        request.covariates,
        None if table is None else config.source.file.parent / table.file,
        config.observed_file,
        None if config.cohort_folder is None else config.cohort_folder / folder.COHORT,
    )
    files = (config.source.file, *prepared.table.cohort.files, *(path for path in optional if path))
    return tuple(dict.fromkeys(path.resolve() for path in files))


def copy_inputs(prepared: Prepared, run: Path) -> tuple[Request, dict[str, str]]:
    """Copy the input files of a run into its folder.

    The copies keep their positions relative to each other, so that relative paths in them stay
    valid.

    Args:
        prepared: The run, from `qsp.run.prepare`.
        run: Folder of the run.

    Returns:
        The request with the paths of the copies, relative to the folder, and the digest of each
        copy by that path.
    """
    copies = _copy_paths(prepared)
    for path, copy in copies.items():
        (run / copy).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, run / copy)

    def copy_of(path: Path | None) -> Path | None:
        return None if path is None else copies[path.resolve()]

    request = prepared.file_request
    copied = dataclasses.replace(
        request,
        config=copies[prepared.config.source.file.resolve()],
        parameters=copy_of(request.parameters),
        covariates=copy_of(request.covariates),
        out=None,
    )
    return copied, file_digests(run, [str(copy) for copy in copies.values()])


def _copy_paths(prepared: Prepared) -> dict[Path, Path]:
    """Return the path of the copy of each file, relative to the folder of the run.

    A shipped population that the config names is copied to `populations/` next to the config, where
    the name is looked up before the shipped files of the machine that runs the shard.
    """
    virtual = {path: path for path in input_files(prepared)}
    if prepared.config.has_shipped_population:
        local = prepared.config.source.file.resolve().parent / "populations"
        shipped_in = shipped.folder("populations").resolve()
        for path in (path.resolve() for path in prepared.table.cohort.files):
            virtual[path] = local / path.relative_to(shipped_in)
    root = os.path.commonpath([path.parent for path in virtual.values()])
    return {file: Path(INPUTS) / path.relative_to(root) for file, path in virtual.items()}


def _check(prepared: Prepared, size: int, block: int) -> None:
    where, patients = prepared.config.source.file.name, len(prepared.ids)
    for name, value in (("--shards-of", size), ("--block", block)):
        if value < 1:
            raise ConfigError(
                where, f"{name} must be at least 1", value, f"Write {BLOCK}, for example"
            )
    if prepared.typical:
        rule = "a run in shards must have sampled patients"
        raise ConfigError(where, rule, "the typical patient", "Use qsp run")
    if size < patients and any(arm.is_individual for arm in prepared.trial.arms):
        rule = "patients with individual doses must be in one shard"
        todo = f"Write --shards-of {patients}"
        raise ConfigError(where, rule, f"shards of {size}", todo)
    if patients > size * MAX_SHARDS:
        rule = f"a run must have at most {MAX_SHARDS:,} shards"
        todo = f"Write --shards-of {-(-patients // MAX_SHARDS)} or more"
        raise ConfigError(where, rule, f"{-(-patients // size):,}", todo)


def _check_copies(planned: Prepared, run: Path) -> None:
    """Check that a run reads only files of its folder."""
    for path in input_files(planned):
        if not path.is_relative_to(run.resolve()):
            rule = "a path in it must be relative to the file, so that both are copied together"
            todo = "Write the path without a leading /"
            raise ConfigError(planned.config.source.file.name, rule, str(path), todo)
