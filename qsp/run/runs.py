"""One run: prepare, simulate, write. What the command line calls, and what a notebook may call."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from qsp.endpoints import add_best_response
from qsp.engine.cache import CacheDir
from qsp.engine.progress import JointProgress, NoProgress, Progress
from qsp.errors import ConfigError, SolveError, suggest
from qsp.results import load, save, save_blocks, trajectories
from qsp.results.zarr_store import CLOSED, Store
from qsp.run import folder
from qsp.run.command import command_of
from qsp.run.prepared import BLOCK, Prepared, attributes
from qsp.simulation import check_solved, simulate

MOST_FAILED = 0.05
"""Share of patients that may fail before a run counts as failed."""


def run(
    prepared: Prepared,
    progress: Progress | None = None,
    *,
    whole: bool = True,
    cache_dir: CacheDir = "default",
) -> xr.DataTree:
    """Simulate what was prepared.

    Args:
        prepared: From `qsp.run.prepare`.
        progress: Told of each chunk.
        whole: Whether this is the whole run, and not a part in which everybody may fail.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.

    Returns:
        Results with `best_response`; see `qsp.results`.

    Raises:
        SolveError: If no patient of a whole run could be simulated.
    """
    results = simulate(
        prepared.trial,
        prepared.cohort,
        system=prepared.system,
        method=prepared.method,
        trajectories=prepared.trajectories,
        progress=progress,
        attributes=attributes(prepared, command_of(prepared.request, prepared.config)),
        whole=whole,
        cache_dir=cache_dir,
    )
    judged = add_best_response(results.to_dataset())
    return xr.DataTree(judged, children=dict(results.children))


def check_failures(results: xr.DataTree, *, allow: bool) -> float:
    """Share of simulated patients that failed.

    Raises:
        SolveError: If more than 5 % failed and that was not allowed.
    """
    failed = float(np.mean(results["outcome"].values != 0))
    if failed > MOST_FAILED and not allow:
        raise SolveError(
            f"{failed:.1%} of the simulated patients failed, more than {MOST_FAILED:.0%}: "
            "see outcome in the results, or accept it with --allow-failures"
        )
    return failed


def run_into(
    out: Path,
    prepared: Prepared,
    *,
    force: bool = False,
    progress: Progress | None = None,
    block: int = BLOCK,
    cache_dir: CacheDir = "default",
) -> xr.DataTree:
    """Simulate block by block; write results, report and summary to a folder that appears whole.

    Args:
        out: The folder.
        prepared: From `qsp.run.prepare`.
        force: Whether to replace a run that is there.
        progress: Told of each chunk.
        block: Patients in memory at a time.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.

    Returns:
        The results: of one block as `run` gives them, of several as `read` does. A large file is
        open until they are closed.

    Raises:
        ConfigError: If the folder exists and `force` is not given.
        SolveError: If no patient of any block could be simulated.
    """
    blocks = prepared.in_blocks(block)
    if len(blocks) > 1:
        with folder.written(out, force=force) as fresh:
            _write_blocks(blocks, fresh, progress or NoProgress(), cache_dir)
        return load(out / folder.RESULTS)
    with folder.written(out, force=force) as fresh:
        results = run(prepared, progress, cache_dir=cache_dir)
        save(results, fresh / folder.RESULTS)
        write_report(results, fresh)
    return results


def _write_blocks(
    blocks: list[Prepared], out: Path, progress: Progress, cache_dir: CacheDir
) -> None:
    sims = sum(len(part.ids) * len(part.trial.arms) for part in blocks)
    save_blocks(_parts(blocks, JointProgress(progress, sims), cache_dir), out / folder.RESULTS)
    with load(out / folder.RESULTS) as results:
        write_report(results, out)


def _parts(
    blocks: list[Prepared], progress: Progress, cache_dir: CacheDir
) -> Iterator[xr.DataTree]:
    """Results block by block; who failed is judged when the last is done.

    A block is taken off the list, for it holds its patients once they have been drawn.
    """
    outcomes = []
    while blocks:
        results = run(blocks.pop(0), progress, whole=False, cache_dir=cache_dir)
        outcomes.append(results["outcome"].values)
        yield results
        del results
    check_solved(np.concatenate(outcomes, axis=-1))


def write_report(results: xr.DataTree, out: Path) -> tuple[Path, Path]:
    """Write `report.html` and `summary.csv` of results."""
    from qsp import report  # figures take half a second to import, and a shard draws none

    recorded = results.attrs
    supplement = report.Supplement(
        dose_table=json.loads(recorded["doses"]),
        parameters=json.loads(recorded["parameters"]),
        limits=json.loads(recorded["limits"]),
        command=recorded["command"],
    )
    return report.write(results.to_dataset(), out, supplement, trajectories=trajectories(results))


def read(out: Path | str) -> xr.DataTree:
    """Results of a run folder; `.to_dataset()` of them is what `qsp.endpoints` take.

    Raises:
        ConfigError: If the folder holds no run.
    """
    out = Path(out)
    file = out / folder.RESULTS
    if (out / folder.STORE).is_dir():
        return _read_store(out)
    if not file.is_file():
        beside = [path.parent.name for path in out.parent.glob(f"*/{folder.RESULTS}")]
        todo = f"{suggest(out.name, beside)} Name the folder that qsp run wrote".strip()
        got = "without" if out.is_dir() else "missing"
        raise ConfigError(str(out), f"the folder must hold a run ({folder.RESULTS})", got, todo)
    try:
        return load(file)
    except OSError:
        rule, todo = "the file must hold the results of a run", "Run the trial again"
        raise ConfigError(str(file), rule, "not readable as such", todo) from None


def _read_store(out: Path) -> xr.DataTree:
    results = Store(out / folder.STORE).read()
    if not results.attrs.get(CLOSED):
        rule, todo = "a run in shards must be closed", f"qsp status {out}, then qsp finalize {out}"
        raise ConfigError(str(out), rule, "still open", todo)
    return results
