"""Run a prepared trial and write its results; used by the command line and in notebooks."""

import dataclasses
import datetime
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
import xarray as xr

from qsp.endpoints.statistics.interval import TRIAL_SIZE
from qsp.endpoints.steps import with_steps
from qsp.engine.cache import CacheDir
from qsp.engine.progress import JointProgress, NoProgress, Progress
from qsp.errors import ConfigError, SolveError, suggest
from qsp.report.drawing import Draw, Pictures, in_this_process
from qsp.results import load, record_of, save, save_blocks, trajectories
from qsp.results.disk import writing
from qsp.results.model_version import OtherModelWarning, other_model
from qsp.results.zarr_store import CLOSED, Store
from qsp.run import folder, listing
from qsp.run.observed import compared
from qsp.run.parameters import with_parameters
from qsp.run.prepared import BLOCK, Prepared
from qsp.run.record import attributes, run_record
from qsp.run.response import with_response
from qsp.simulation import check_solved, simulate
from qsp.stages import Stage, unmeasured

MOST_FAILED = 0.05
"""Largest share of failed patients in a run that counts as a success."""

OnResults: TypeAlias = Callable[[xr.DataTree], None]
More: TypeAlias = Callable[[xr.DataTree], xr.DataTree]


def _ignored(results: xr.DataTree) -> None:
    """Do nothing with results."""


def _unchanged(results: xr.DataTree) -> xr.DataTree:
    """Return the same results."""
    return results


def run(
    prepared: Prepared,
    progress: Progress | None = None,
    *,
    whole: bool = True,
    cache_dir: CacheDir = "default",
    stage: Stage = unmeasured,
) -> xr.DataTree:
    """Simulate a prepared run.

    Args:
        prepared: Run, from `qsp.run.prepare`.
        progress: Receives the progress after each chunk.
        whole: Whether these are all patients of the run; in a part of it every patient may fail.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.
        stage: Entered for each stage of the simulation.

    Returns:
        Results with the tumor response and the group `parameters`; see `qsp.results.schema`.

    Raises:
        SolveError: If no patient of a whole run could be simulated.
    """
    record = run_record(prepared)
    results = simulate(
        prepared.trial,
        prepared.cohort,
        system=prepared.system,
        method=prepared.method,
        trajectories=prepared.trajectories,
        progress=progress,
        attributes=attributes(record, prepared.config),
        record=record,
        whole=whole,
        cache_dir=cache_dir,
        stage=stage,
    )
    ds = with_response(results.to_dataset(), prepared)
    results = with_parameters(xr.DataTree(ds, children=dict(results.children)), prepared)
    return compared(results, prepared, cache_dir=cache_dir)


def check_failures(results: xr.DataTree, *, allow: bool) -> float:
    """Return the share of simulated patients that failed.

    Args:
        results: Results of a run.
        allow: Whether any share is accepted.

    Raises:
        SolveError: If more than 5 % failed and `allow` is false.
    """
    failed = float(np.mean(results["outcome"].values != 0))
    if failed > MOST_FAILED and not allow:
        raise SolveError(
            f"{failed:.1%} of the simulated patients failed, more than {MOST_FAILED:.0%}: "
            "see outcome in the results, or accept it with --allow-failures"
        )
    return failed


def run_into(  # noqa: PLR0913
    out: Path,
    prepared: Prepared,
    *,
    force: bool = False,
    progress: Progress | None = None,
    block: int = BLOCK,
    cache_dir: CacheDir = "default",
    stage: Stage = unmeasured,
    draw: Draw = in_this_process,
    more: More = _unchanged,
    on_results: OnResults = _ignored,
) -> xr.DataTree:
    """Simulate block by block and write results, report and summary to a folder that appears whole.

    Args:
        out: The folder.
        prepared: Run, from `qsp.run.prepare`.
        force: Whether to replace a run in the folder.
        progress: Receives the progress after each chunk.
        block: Number of patients in memory at a time.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.
        stage: Entered for each stage of the run.
        draw: Begins to draw the figures of one block; those of several are drawn in this process.
        more: Returns the results of one block with further groups, before they are written.
        on_results: Called with the results, while the figures of one block are drawn.

    Returns:
        The results: one block as from `run`, several blocks as from `read`. A large file stays open
        until they are closed.

    Raises:
        ConfigError: If the folder exists and `force` is false.
        SolveError: If no patient of any block could be simulated.
    """
    blocks = prepared.in_blocks(block)
    if len(blocks) > 1:
        with folder.written(out, force=force) as fresh, writing(fresh):
            _write_blocks(blocks, fresh, progress or NoProgress(), cache_dir, stage)
        results = load(out / folder.RESULTS)
        on_results(results)
        return results
    with folder.written(out, force=force) as fresh, writing(fresh), ThreadPoolExecutor(1) as thread:
        results = more(run(prepared, progress, cache_dir=cache_dir, stage=stage))
        # The file is compressed without the interpreter, which draws the report meanwhile.
        saved = thread.submit(save, results, fresh / folder.RESULTS)
        figures = _begin_figures(results, draw)
        on_results(results)
        write_report(results, fresh, stage=stage, figures=figures)
        with stage("writing"):
            saved.result()
    return results


def _write_blocks(
    blocks: list[Prepared], out: Path, progress: Progress, cache_dir: CacheDir, stage: Stage
) -> None:
    sims = sum(len(part.ids) * len(part.trial.arms) for part in blocks)
    parts = _parts(blocks, JointProgress(progress, sims), cache_dir, stage)
    save_blocks(parts, out / folder.RESULTS)
    with load(out / folder.RESULTS) as results:
        write_report(results, out, stage=stage)


def _parts(
    blocks: list[Prepared], progress: Progress, cache_dir: CacheDir, stage: Stage
) -> Iterator[xr.DataTree]:
    """Results block by block; the number of failures is checked after the last one.

    Blocks are removed from the list, because a block holds its patients once they are sampled.
    """
    outcomes = []
    while blocks:
        results = run(blocks.pop(0), progress, whole=False, cache_dir=cache_dir, stage=stage)
        outcomes.append(results["outcome"].values)
        yield results
        del results
    check_solved(np.concatenate(outcomes, axis=-1))


def _begin_figures(results: xr.DataTree, draw: Draw) -> Callable[[], Pictures]:
    """Begin to draw the figures of results; the returned function waits for them."""
    return draw(with_steps(results.to_dataset()), trajectories(results), TRIAL_SIZE)


def write_report(
    results: xr.DataTree,
    out: Path,
    *,
    stage: Stage = unmeasured,
    figures: Callable[[], Pictures] | None = None,
) -> tuple[Path, Path]:
    """Write `report.html` and `summary.csv` of results.

    Args:
        results: Results of a run, from this version or an earlier one.
        out: Folder of the run.
        stage: Entered for each stage of the report.
        figures: Returns the figures, which may be drawn meanwhile; None to draw them here.

    Returns:
        The two files.
    """
    from qsp import report  # imported here, because a shard writes none

    record, sampled = record_of(results), results.children.get("parameters")
    uncertain = results.children.get("uncertainty")
    supplement = report.Supplement(
        dose_table=listing.dose_rows(record),
        parameters=[dataclasses.asdict(row) for row in record.parameters],
        limits=record.limits,
        command=str(results.attrs.get("command", "")),
        sampled=None if sampled is None else sampled.to_dataset(inherit=False),
        uncertainty=None if uncertain is None else uncertain.to_dataset(),
        date=datetime.date.today().isoformat(),
    )
    ds, single = results.to_dataset(), trajectories(results)
    return report.write(ds, out, supplement, trajectories=single, stage=stage, figures=figures)


def read(out: Path | str) -> xr.DataTree:
    """Read the results in the folder of a run; `qsp.endpoints` takes `.to_dataset()` of them.

    Results of another major version of the model are read with an `OtherModelWarning`.

    Raises:
        ConfigError: If the folder holds no run.
    """
    out = Path(out)
    results = _read_store(out) if (out / folder.STORE).is_dir() else _read_file(out)
    if (other := other_model(record_of(results))) is not None:
        warnings.warn(f"{other.heading}. {other.advice}", OtherModelWarning, stacklevel=2)
    return results


def _read_file(out: Path) -> xr.DataTree:
    file = out / folder.RESULTS
    if not file.is_file():
        known = [path.parent.name for path in out.parent.glob(f"*/{folder.RESULTS}")]
        todo = f"{suggest(out.name, known)} Name the folder that qsp run wrote".strip()
        got = "a folder without one" if out.is_dir() else "missing"
        raise ConfigError(str(out), f"the folder must hold a run ({folder.RESULTS})", got, todo)
    try:
        return load(file)
    except OSError:
        rule, todo = "the file must hold the results of a run", "Run the trial again"
        raise ConfigError(str(file), rule, "unreadable", todo) from None


def _read_store(out: Path) -> xr.DataTree:
    results = Store(out / folder.STORE).read()
    if not results.attrs.get(CLOSED):
        rule, todo = "a run in shards must be closed", f"qsp status {out}, then qsp finalize {out}"
        raise ConfigError(str(out), rule, "still open", todo)
    return results
