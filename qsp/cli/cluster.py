"""Commands for runs in shards: each calls one function of `qsp.cluster` and prints its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from qsp.cli import options as opt
from qsp.cli.output import chosen
from qsp.errors import ConfigError, SolveError

if TYPE_CHECKING:
    from qsp.cluster.backends.slurm import Queue, Resources
    from qsp.cluster.plan import Plan
    from qsp.cluster.status import Status
    from qsp.cluster.task import Task

    Backend = Callable[[Sequence[Task], Callable[[], None]], str]

INTERRUPTED = 130
"""Exit code of a command that was interrupted from the keyboard."""

app = typer.Typer()
console = Console(highlight=False)


@app.command()
def plan(
    config: opt.ConfigArg,
    out: Annotated[Path, typer.Option(help="Folder of the run; it must not exist.")],
    shards_of: Annotated[int, typer.Option(help="Patients of a shard.")],
    patients: opt.Patients = None,
    seed: opt.Seed = None,
    changes: opt.Changes = None,
    parameters: opt.ParameterFile = None,
    covariates: opt.CovariateFile = None,
    block: Annotated[
        int | None, typer.Option(help="Patients between two checkpoints.", show_default="2000")
    ] = None,
    cache: opt.Cache = True,
) -> None:
    """Cut a trial into shards and freeze the plan; submit nothing."""
    from qsp.cluster.create import create_run
    from qsp.cluster.plan import BLOCK
    from qsp.engine.cache import enable_jax_cache
    from qsp.run import Request

    options = {"patients": patients, "seed": seed}
    overrides = [f"{key}={value}" for key, value in options.items() if value is not None]
    frozen = create_run(
        Request(config, (*(changes or ()), *overrides), parameters, covariates),
        out,
        shards_of,
        block=BLOCK if block is None else block,
        enable_cache=enable_jax_cache if cache else None,
    )
    console.print(
        f"Run {frozen.id}: {frozen.patients:,} patients in {len(frozen.shards):,} shards of "
        f"{frozen.size:,}. Results hold endpoints, but no time courses of single patients (qsp run "
        f"has them).\nNext: qsp submit {out} --local, or --slurm",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def shard(
    run: opt.RunArg,
    number: Annotated[int, typer.Argument(help="Number of the shard, from 0.")],
    requeue: Annotated[
        bool, typer.Option("--requeue", help="Requeue the Slurm job if a warning stops it.")
    ] = False,
    cache: opt.Cache = True,
) -> None:
    """Compute one shard, unless it is done. A signal stops it after the current block (exit 75)."""
    from qsp.cluster import task

    ended, signal_name = task.Task(str(run), number, cache).compute()
    console.print(f"shard {number}: {ended}", markup=False)
    if ended == "stopped":
        if requeue:
            task.requeue(signal_name)
        raise typer.Exit(task.STOPPED)


@app.command("resume", help="Verify finished shards, then run missing, damaged and stopped ones.")
@app.command("submit", help="Run the shards that are not done, running or queued.")
def submit(
    context: typer.Context,
    run: opt.RunArg,
    slurm: opt.OnSlurm = False,
    local: opt.OnThisMachine = False,
    dask: opt.OnDask = "",
    workers: opt.Workers = 1,
    partition: opt.Partition = "",
    minutes: opt.Minutes = 60,
    cpus: opt.Cpus = 2,
    gpus: opt.Gpus = 0,
    memory_gb: opt.MemoryGb = 8.0,
    at_once: opt.AtOnce = 64,
    more: opt.More = None,
    max_attempts: opt.MaxAttempts = 3,
    again: opt.Again = False,
    cache: opt.Cache = True,
) -> None:
    """Submit or resume a run: to resume is to check finished shards, and to submit the others."""
    from qsp.cli.cluster_status import count_shards, print_queue, print_status
    from qsp.cluster import attempts
    from qsp.cluster.backends.slurm import Resources, read_queue, submit_arrays
    from qsp.cluster.plan import read_plan
    from qsp.cluster.status import status as read_status

    _check_backend(str(context.info_name), slurm=slurm, local=local, dask=dask)
    resources = Resources(partition, minutes, cpus, gpus, memory_gb, at_once, _pairs(more))
    _check_options(resources, workers, slurm=slurm, local=local)
    frozen = read_plan(run)
    frozen.check_unchanged()
    if context.info_name == "resume":
        _recheck(frozen)
    if again:
        for number in read_status(frozen, max_attempts=max_attempts).failed:
            attempts.forget(frozen, number)
    queue = read_queue(frozen)
    found = read_status(frozen, queue, max_attempts=max_attempts)
    if found.missing and slurm:
        jobs = submit_arrays(frozen, found.missing, resources, cache=cache)
        names = ", ".join(dict.fromkeys(job.partition("_")[0] for job in jobs))
        console.print(f"Submitted {count_shards(len(jobs))} as job {names}", markup=False)
        print_queue(found, console)
    else:
        if found.missing:
            backend = _local_backend(workers) if local else _dask_backend(dask)
            options = f"--local --workers {workers}" if local else f"--dask {dask}"
            command = f"qsp resume {run} {options}"
            found = _compute(found, backend, queue, max_attempts, cache, command)
        print_status(found, console)
    if found.failed:
        names = ", ".join(map(str, found.failed))
        raise SolveError(
            f"shards at the limit of {max_attempts} failed attempts: {names}. See qsp status, or "
            "retry with --again"
        )


@app.command()
def status(
    run: opt.RunArg,
    max_attempts: opt.MaxAttempts = 3,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Show the progress of a run. The exit code is 1 if a shard has failed for the last time."""
    from qsp.cli.cluster_status import print_status
    from qsp.cluster.backends.slurm import read_queue
    from qsp.cluster.plan import read_plan
    from qsp.cluster.status import status as read_status

    output = chosen(as_csv, as_json, to)
    frozen = read_plan(run)
    found = read_status(frozen, read_queue(frozen), max_attempts=max_attempts)
    print_status(found, console, output)
    if found.failed:
        raise typer.Exit(1)


@app.command()
def finalize(
    run: opt.RunArg,
    netcdf: Annotated[bool, typer.Option("--netcdf", help="Write results.nc as well.")] = False,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Close the store although shards are missing.")
    ] = False,
) -> None:
    """Check all data against the receipts and close the store; fail if shards are missing."""
    from qsp.cluster.finalize import finalize as close
    from qsp.cluster.plan import read_plan

    frozen = read_plan(run)
    final = close(frozen, netcdf=netcdf, incomplete=incomplete)
    _print_repaired(final.repaired)
    _print_defects(final.defects)
    if final.defects and not incomplete:
        raise SolveError(
            f"{len(final.defects)} of {len(frozen.shards)} shards are missing or damaged. "
            f"Next: qsp resume {run}, with --local or --slurm"
        )
    state = "complete" if final.complete else "INCOMPLETE"
    failed = f"; {final.failed} simulated patients failed" if final.failed else ""
    next_step = f"Results are {state}{failed}. Next: qsp report {run}"
    console.print(next_step, markup=False, soft_wrap=True)
    if len(final.devices) > 1:
        devices = ", ".join(final.devices)
        console.print(f"Computed on {devices}: last digits may differ.", markup=False)


@app.command()
def sbatch(
    run: opt.RunArg,
    partition: opt.Partition = "",
    minutes: opt.Minutes = 60,
    cpus: opt.Cpus = 2,
    gpus: opt.Gpus = 0,
    memory_gb: opt.MemoryGb = 8.0,
    at_once: opt.AtOnce = 64,
    more: opt.More = None,
) -> None:
    """Print a file for sbatch, to be edited for the policy of your site."""
    from qsp.cluster import receipts
    from qsp.cluster.backends.slurm import Resources, sbatch_file
    from qsp.cluster.plan import read_plan

    frozen = read_plan(run)
    frozen.check_model()
    resources = Resources(partition, minutes, cpus, gpus, memory_gb, at_once, _pairs(more))
    typer.echo(sbatch_file(frozen, receipts.missing(frozen), resources), nl=False)


def _pairs(more: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in more or ():
        key, sign, value = text.partition("=")
        if not (key.strip() and sign and value.strip()):
            todo = "For example --sbatch qos=long"
            raise ConfigError("--sbatch", "the option must be KEY=VALUE", repr(text), todo)
        pairs[key.strip()] = value.strip()
    return pairs


def _check_backend(command: str, *, slurm: bool, local: bool, dask: str) -> None:
    """Check that exactly one backend is named."""
    chosen = {"--slurm": slurm, "--local": local, "--dask": bool(dask)}
    named = [option for option, is_chosen in chosen.items() if is_chosen]
    if len(named) != 1:
        rule, todo = "exactly one backend must be named", "Add --slurm, --local or --dask ADDRESS"
        raise ConfigError(command, rule, " and ".join(named) or "missing", todo)


def _check_options(resources: Resources, workers: int, *, slurm: bool, local: bool) -> None:
    """Refuse options that have no effect on the chosen backend."""
    from qsp.cluster.backends.slurm import Resources

    if slurm:
        unused = []
    else:
        defaults, names = Resources(), {"more": "sbatch"}
        fields = [n for n, value in vars(resources).items() if value != getattr(defaults, n)]
        unused = [f"--{names.get(name, name).replace('_', '-')}" for name in fields]
    if workers != 1 and not local:
        unused.append("--workers")
    if unused:
        rule = "--workers must be used with --local, and options of Slurm with --slurm"
        raise ConfigError("submit", rule, ", ".join(unused), "Remove it, or change the backend")


def _recheck(frozen: Plan) -> None:
    """Check the frame and all finished shards; print repairs and defects."""
    from qsp.cluster.finalize import recheck, repair_frame

    _print_repaired(repair_frame(frozen))
    _print_defects(recheck(frozen))


def _print_repaired(names: Sequence[str]) -> None:
    for name in names:
        console.print(f"{name}: damaged; restored from the copy in the plan", markup=False)


def _print_defects(defects: dict[int, str]) -> None:
    for number, text in defects.items():
        console.print(f"Shard {number}: {text}", markup=False)


def _compute(  # noqa: PLR0913
    found: Status, backend: Backend, queue: Queue, max_attempts: int, cache: bool, command: str
) -> Status:
    """Run the missing shards and wait; retry a shard that fails up to the limit of attempts."""
    from qsp.cli.cluster_status import Watch
    from qsp.cluster.backends.slurm import read_queue
    from qsp.cluster.plan import LOGS
    from qsp.cluster.status import status as read_status
    from qsp.cluster.task import Task

    frozen = found.plan

    def read() -> Status:
        return read_status(frozen, queue, max_attempts=max_attempts)

    with Watch(console, found, read, max_attempts) as watch:
        while found.missing:
            before = _count_attempts(frozen)
            run = str(frozen.run.resolve())
            try:
                error = backend([Task(run, shard, cache) for shard in found.missing], watch.poll)
            except KeyboardInterrupt:
                text = f"Interrupted; finished blocks are saved. Next: {command}"
                console.print(text, markup=False, soft_wrap=True)
                raise typer.Exit(INTERRUPTED) from None
            if _count_attempts(frozen) == before:
                raise SolveError(
                    f"no shard could be started: {error or f'see {frozen.run / LOGS}'}"
                )
            # The queue is read again, because shards may have left it.
            found = read_status(frozen, read_queue(frozen), max_attempts=max_attempts)
    return found


def _count_attempts(frozen: Plan) -> int:
    from qsp.cluster import attempts

    return sum(map(len, attempts.read(frozen).values()))


def _local_backend(workers: int) -> Backend:
    from qsp.cluster.backends.local import run_locally

    return lambda tasks, on_poll: run_locally(tasks, workers, on_poll)


def _dask_backend(address: str) -> Backend:
    from qsp.cluster.backends.dask import connect, run_on_dask

    def backend(tasks: Sequence[Task], on_poll: Callable[[], None]) -> str:
        with connect(address) as client:
            return run_on_dask(tasks, client, on_poll)

    return backend
