"""Commands for runs in shards: each is a thin call of one function of `qsp.cluster`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from qsp.errors import ConfigError, SolveError

if TYPE_CHECKING:
    from qsp.cluster.plan import Plan
    from qsp.cluster.queued import Queue
    from qsp.cluster.status import Status
    from qsp.cluster.submit import Resources
    from qsp.cluster.task import Task

    Place = Callable[[Sequence[Task], Callable[[], None]], str]

INTERRUPTED = 130
"""Exit code of a command that was interrupted from the keyboard."""

app = typer.Typer()
console = Console(highlight=False)

RunArg = Annotated[Path, typer.Argument(help="Folder of a run in shards.")]
Partition = Annotated[str, typer.Option(help="Partition of Slurm.")]
Minutes = Annotated[int, typer.Option(min=3, help="Most minutes of a shard.")]
Cpus = Annotated[int, typer.Option(min=1, help="Cores of a shard.")]
Gpus = Annotated[int, typer.Option(min=0, max=1, help="GPUs of a shard: 0 or 1.")]
AdaptiveState = Annotated[float, typer.Option("--memory-gb", help="Memory of a shard [GB].")]
AtOnce = Annotated[
    int, typer.Option(min=1, help="Shards of a submission that run at the same time.")
]
More = Annotated[
    list[str] | None,
    typer.Option("--sbatch", metavar="KEY=VALUE", help="A further option of sbatch."),
]
Cache = Annotated[
    bool, typer.Option("--cache/--no-cache", help="Keep compiled programs in the folder.")
]
Most = Annotated[int, typer.Option("--attempts", min=1, help="Times a shard may fail.")]
OnSlurm = Annotated[bool, typer.Option("--slurm", help="As a job array of Slurm.")]
OnHere = Annotated[bool, typer.Option("--local", help="In processes of this machine; waits.")]
OnDask = Annotated[str, typer.Option("--dask", help="Address of a scheduler of dask; waits.")]
Again = Annotated[
    bool, typer.Option("--again", help="Also shards that failed as often as they may.")
]
Workers = Annotated[int, typer.Option(min=1, help="Processes of --local.")]


@app.command()
def plan(
    config: Annotated[Path, typer.Argument(help="Config of a trial (TOML).")],
    out: Annotated[Path, typer.Option(help="Folder of the run; it must not exist.")],
    shards_of: Annotated[int, typer.Option(help="Patients of a shard.")],
    patients: Annotated[int | None, typer.Option(help="Number of virtual patients.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the population.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the config."),
    ] = None,
    parameters: Annotated[
        Path | None, typer.Option(help="TOML file of your own parameter values.")
    ] = None,
    covariates: Annotated[Path | None, typer.Option(help="CSV file of your own patients.")] = None,
    block: Annotated[int | None, typer.Option(help="Patients computed at a time.")] = None,
    cache: Cache = True,
) -> None:
    """Cut a trial into shards and freeze it; nothing is submitted."""
    from qsp.cluster.freeze import freeze
    from qsp.cluster.plan import BLOCK
    from qsp.run import Request
    from qsp.run.compile_cache import enable_compile_cache

    options = {"patients": patients, "seed": seed}
    asked = [f"{key}={value}" for key, value in options.items() if value is not None]
    made = freeze(
        Request(config, (*(changes or ()), *asked), parameters, covariates),
        out,
        shards_of,
        block=BLOCK if block is None else block,
        compiled_in=enable_compile_cache if cache else None,
    )
    console.print(
        f"Run {made.id}: {made.patients:,} patients in {len(made.shards):,} shards of "
        f"{made.size:,}. Results hold endpoints; for trajectories of single patients, name them in "
        f"qsp run.\nNext: qsp submit {out} --local, or --slurm",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def shard(
    run: RunArg,
    number: Annotated[int, typer.Argument(help="Number of the shard, from 0.")],
    requeue: Annotated[
        bool, typer.Option("--requeue", help="Asked to stop, go back into the queue of Slurm.")
    ] = False,
    cache: Cache = True,
) -> None:
    """Compute one shard, unless it is done; asked to stop, keep what there is and exit with 75."""
    from qsp.cluster import task

    ended, asked_by = task.Task(str(run), number, cache).attempted()
    console.print(f"shard {number}: {ended}", markup=False)
    if ended == "stopped":
        if requeue:
            task.requeue(asked_by)
        raise typer.Exit(task.STOPPED)


@app.command("resume", help="Check what is there, and run what is missing, broken or was stopped.")
@app.command("submit", help="Run the shards that are neither done, running nor queued.")
def submit(
    context: typer.Context,
    run: RunArg,
    slurm: OnSlurm = False,
    local: OnHere = False,
    dask: OnDask = "",
    workers: Workers = 1,
    partition: Partition = "",
    minutes: Minutes = 60,
    cpus: Cpus = 2,
    gpus: Gpus = 0,
    memory_gb: AdaptiveState = 8.0,
    at_once: AtOnce = 64,
    more: More = None,
    attempts: Most = 3,
    again: Again = False,
    cache: Cache = True,
) -> None:
    """Both commands: to resume is to submit after what is there was checked."""
    from qsp.cli.cluster_status import print_queue, print_status
    from qsp.cluster import receipts
    from qsp.cluster import submit as adapters
    from qsp.cluster.finalize import recheck
    from qsp.cluster.frame import mend
    from qsp.cluster.plan import read_plan
    from qsp.cluster.queued import ask
    from qsp.cluster.status import status as state

    places = slurm + local + bool(dask)
    if places != 1:
        todo = "Add one of --slurm, --local, --dask ADDRESS"
        got = f"in {places} places" if places else "nowhere"
        raise ConfigError(str(context.info_name), "it must be said where to compute", got, todo)
    resources = adapters.Resources(partition, minutes, cpus, gpus, memory_gb, at_once, _pairs(more))
    _check_options(resources, workers, slurm=slurm, local=local)
    made = read_plan(run)
    made.check_unchanged()
    if context.info_name == "resume":
        _say_mended(mend(made))
        for number, what in recheck(made).items():
            console.print(f"Shard {number}: {what}", markup=False)
    if again:
        for number in state(made, most_attempts=attempts).failed:
            receipts.forgive(made, number)
    queue = ask(made)
    found = state(made, queue, most_attempts=attempts)
    if found.missing and slurm:
        jobs = adapters.to_slurm(made, found.missing, resources, cache=cache)
        names = ", ".join(dict.fromkeys(job.partition("_")[0] for job in jobs))
        console.print(f"{len(jobs)} shards are job {names}", markup=False)
        print_queue(found, console)
    else:
        if found.missing:
            place = _here(workers) if local else _on(dask)
            where = f"--local --workers {workers}" if local else f"--dask {dask}"
            next_time = f"qsp resume {run} {where}"
            found = _computed(found, place, queue, attempts, cache, next_time)
        print_status(found, console)
    if found.failed:
        names = ", ".join(map(str, found.failed))
        raise SolveError(f"shards failed as often as they may ({names}): see qsp status, --again")


@app.command()
def status(run: RunArg, attempts: Most = 3) -> None:
    """Show where a run stands; exit code 1 where a shard failed as often as it may."""
    from qsp.cli.cluster_status import print_status
    from qsp.cluster.plan import read_plan
    from qsp.cluster.queued import ask
    from qsp.cluster.status import status as state

    made = read_plan(run)
    found = state(made, ask(made), most_attempts=attempts)
    print_status(found, console)
    if found.failed:
        raise typer.Exit(1)


@app.command()
def finalize(
    run: RunArg,
    netcdf: Annotated[bool, typer.Option("--netcdf", help="Write results.nc as well.")] = False,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Close a store from which shards are missing.")
    ] = False,
) -> None:
    """Check every byte against the receipts and close the store; refuse what is incomplete."""
    from qsp.cluster.finalize import finalize as close
    from qsp.cluster.plan import read_plan

    made = read_plan(run)
    final = close(made, netcdf=netcdf, incomplete=incomplete)
    _say_mended(final.mended)
    for number, what in final.wrong.items():
        console.print(f"Shard {number}: {what}", markup=False)
    if final.wrong and not incomplete:
        raise SolveError(
            f"{len(final.wrong)} of {len(made.shards)} shards are missing or broken. "
            f"Next: qsp resume {run}, with --local or --slurm"
        )
    state = "complete" if final.complete else "INCOMPLETE"
    failed = f"; {final.failed} simulated patients failed" if final.failed else ""
    console.print(f"Results are {state}{failed}. Next: qsp report {run}", markup=False)
    if len(final.devices) > 1:
        devices = ", ".join(final.devices)
        console.print(f"Computed on {devices}: last digits may differ.", markup=False)


@app.command()
def sbatch(
    run: RunArg,
    partition: Partition = "",
    minutes: Minutes = 60,
    cpus: Cpus = 2,
    gpus: Gpus = 0,
    memory_gb: AdaptiveState = 8.0,
    at_once: AtOnce = 64,
    more: More = None,
) -> None:
    """Print the file for sbatch, for sites with a policy of their own."""
    from qsp.cluster import receipts
    from qsp.cluster.plan import read_plan
    from qsp.cluster.script import sbatch as script
    from qsp.cluster.submit import Resources

    made = read_plan(run)
    resources = Resources(partition, minutes, cpus, gpus, memory_gb, at_once, _pairs(more))
    typer.echo(script(made, receipts.missing(made), resources), nl=False)


def _pairs(more: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in more or ():
        key, sign, value = text.partition("=")
        if not (key.strip() and sign and value.strip()):
            raise ConfigError("--sbatch", "it must be KEY=VALUE", repr(text), "As qos=long")
        pairs[key.strip()] = value.strip()
    return pairs


def _check_options(resources: Resources, workers: int, *, slurm: bool, local: bool) -> None:
    """Refuse options that would say nothing where shards are computed."""
    from qsp.cluster.submit import Resources

    if not slurm:
        plain, names = Resources(), {"more": "sbatch"}
        said = [name for name, value in vars(resources).items() if value != getattr(plain, name)]
        idle = [f"--{names.get(name, name).replace('_', '-')}" for name in said]
    else:
        idle = []
    if workers != 1 and not local:
        idle.append("--workers")
    if idle:
        rule = "--workers must be with --local, and what is asked of a cluster with --slurm"
        todo = "Leave it out, or name the other place"
        raise ConfigError("submit", rule, ", ".join(idle), todo)


def _say_mended(names: Sequence[str]) -> None:
    for name in names:
        console.print(f"{name}: broken, and taken from the copy of the plan", markup=False)


def _computed(  # noqa: PLR0913
    found: Status, place: Place, queue: Queue, attempts: int, cache: bool, again: str
) -> Status:
    """Compute what is missing and wait; a shard that fails is tried again, as often as it may."""
    from qsp.cli.cluster_status import Watch
    from qsp.cluster.plan import LOGS
    from qsp.cluster.queued import ask
    from qsp.cluster.status import status as state
    from qsp.cluster.task import Task

    made = found.plan

    def now() -> Status:
        return state(made, queue, most_attempts=attempts)

    with Watch(console, found, now, attempts) as watch:
        while found.missing:
            before = _begun(made)
            run = str(made.run.resolve())
            try:
                said = place([Task(run, shard, cache) for shard in found.missing], watch.look)
            except KeyboardInterrupt:
                todo = f"Interrupted; blocks that were done are kept. Next: {again}"
                console.print(todo, markup=False, soft_wrap=True)
                raise typer.Exit(INTERRUPTED) from None
            if _begun(made) == before:
                raise SolveError(f"no shard could be started: {said or f'see {made.run / LOGS}'}")
            found = state(made, ask(made), most_attempts=attempts)  # some may have left the queue
    return found


def _begun(made: Plan) -> int:
    from qsp.cluster import receipts

    return sum(map(len, receipts.attempts(made).values()))


def _here(workers: int) -> Place:
    from qsp.cluster.local import to_processes

    return lambda tasks, told: to_processes(tasks, workers, told)


def _on(address: str) -> Place:
    from qsp.cluster.submit import to_dask

    try:
        from distributed import Client
    except ImportError:
        rule, todo = (
            "dask.distributed must be installed",
            "In the folder of the package: pip install -e '.[cluster]'",
        )
        raise ConfigError("--dask", rule, "missing", todo) from None

    def workers(tasks: Sequence[Task], told: Callable[[], None]) -> str:
        with Client(address) as client:
            return to_dask(tasks, client, told)

    return workers
