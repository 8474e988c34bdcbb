"""Startup time, from the call of `simulate` to the end of the first chunk. JSON lines.

    .venv/bin/python benchmarks/compile.py [--variants default,relaxed] [--repeats 3]

Each start is a new process, and imports are excluded. The first start has an empty cache of
compiled programs (`"start": "cold"`); the second has the cache that the first filled (`"cached"`).
The cache is configured as by `qsp run`, in a temporary folder. `kept` lists the programs in the
cache after the start; only if it contains `native`, the program of the engine, is the second start
shorter. Variants other than the default are started once each way. For gradients, the figure is
compilation alone: forward mode through a whole simulation, and reverse mode through one solve of a
week after a bolus. `--variants run` measures a whole `qsp run` by stage; see `compile_runs.py`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
import time as clock
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import base_case
import compile_gradients
import compile_runs
import jax
from isolated import is_complete, run_isolated
from rows import Row, emit, row

from qsp.engine.method import Method
from qsp.engine.precision import double
from qsp.model import ModelStructure
from qsp.model.synapse import Equilibrium, Kinetic, Relaxed
from qsp.model.t_cells import MassAction
from qsp.run import Prepared
from qsp.run.prepared import REFINEMENTS
from qsp.simulation import simulate
from qsp.system import System

PATIENTS = 64
LIMIT_S = 120.0


@dataclasses.dataclass(frozen=True)
class Variant:
    """A variant of the model.

    Args:
        structure: Structure of the equations.
        solver: A solver suited to them.
        days: Length of the trial [day].
        note: Note on the figures.
    """

    structure: ModelStructure
    solver: str = "ROCK4"
    days: int = base_case.DAYS
    note: str = ""


ONE_ARMED = "parameters of a molecule with one target arm"
VARIANTS = {
    "default": Variant(ModelStructure()),
    "relaxed": Variant(ModelStructure(synapse=Relaxed())),
    "two target arms": Variant(ModelStructure(synapse=Equilibrium(REFINEMENTS)), note=ONE_ARMED),
    "mass action": Variant(ModelStructure(recruitment=MassAction())),
    "kinetic": Variant(
        ModelStructure(synapse=Kinetic()), "Kvaerno5", days=1, note="one dose, one day"
    ),
}
MODES = {
    "gradient, forward": compile_gradients.forward,
    "gradient, reverse": compile_gradients.reverse,
}
STARTS = ("cold", "cached")
RUN = "run"
"""Name of a whole `qsp run` among the variants."""


class FirstChunk:
    """Progress that records when the first chunk ends."""

    def __init__(self) -> None:
        self.at: float | None = None

    def compiled(self, seconds: float) -> None:
        """Ignore the end of compilation."""

    def start(self, sims: int) -> None:
        """Ignore the start."""

    def advance(self, sims: int) -> None:
        """Record the end of the first chunk."""
        self.at = self.at or clock.perf_counter()


def main() -> None:
    """Measure the starts of each variant and print one row per variant and kind of start."""
    names = (*VARIANTS, *MODES, RUN)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=lambda text: text.split(","))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("EQX_ON_ERROR", "off")  # as the command line does, for each start
    if arguments.one:
        emit(_measure(**json.loads(arguments.one)))
        return
    for name in names if arguments.variants is None else arguments.variants:
        if name == RUN:
            found = compile_runs.measure_runs(arguments.repeats)
        else:
            found = _measure_starts(name, arguments.repeats if name == "default" else 1)
        for figures in found:
            emit(figures)


def _measure_starts(name: str, repeats: int) -> list[Row]:
    """Return a row for each kind of start, or only the first if a start fails or is too slow."""
    rows_by_start: dict[str, list[Row]] = {start: [] for start in STARTS}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for start in STARTS:
                case = {"variant": name, "start": start, "cache": cache}
                figures = run_isolated(__file__, case, LIMIT_S)
                figures.pop("cache", None)
                rows_by_start[start].append(figures)
                if not is_complete(figures):
                    return [figures]
    return [_median(rows) for rows in rows_by_start.values()]


def _median(rows: Sequence[Row]) -> Row:
    seconds = {
        key: round(statistics.median(float(str(line[key])) for line in rows), 2)
        for key in ("first_chunk_s", "compile_s")
        if rows[0].get(key) is not None
    }
    return {**rows[0], **seconds, "repeats": len(rows)}


def _measure(variant: str, start: str, cache: str) -> Row:
    """Measure one start, in this process."""
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)
    if variant in MODES:
        method, figures = "rock4", _gradient(MODES[variant])
    else:
        settings = VARIANTS[variant]
        prepared = base_case.prepared(PATIENTS, days=settings.days)
        method, figures = settings.solver.lower(), _first_chunk(prepared, settings)
    cached = _cached_programs(Path(cache))
    case = {"status": "ok", "variant": variant, "start": start}
    return row("compile", method, **case, **figures, kept=cached)


def _cached_programs(cache: Path) -> list[str]:
    """Names of the programs in the cache."""
    return sorted({path.name.split("-")[0] for path in cache.iterdir() if path.suffix != "-atime"})


def _first_chunk(prepared: Prepared, variant: Variant) -> Row:
    progress, began = FirstChunk(), clock.perf_counter()
    ds = simulate(
        prepared.trial,
        prepared.cohort,
        system=System(variant.structure),
        method=Method(variant.solver),
        progress=progress,
    ).to_dataset()
    return {
        "first_chunk_s": None if progress.at is None else round(progress.at - began, 2),
        "compile_s": round(ds.attrs["compile_s"], 2),
        "patients": PATIENTS,
        "days": variant.days,
        "failures": int((ds["outcome"] != 0).sum()),
        "note": variant.note,
    }


def _gradient(prepared: Callable[[], tuple[Callable[[Any], Any], Any]]) -> Row:
    """Time the compilation and one run of a gradient."""
    with double():
        function, at = prepared()
        began = clock.perf_counter()
        program = jax.jit(function).lower(at).compile()
        compiled = clock.perf_counter()
        result = jax.block_until_ready(program(at))
        ended = clock.perf_counter()
    finite = all(bool(jax.numpy.isfinite(leaf).all()) for leaf in jax.tree.leaves(result))
    return {
        "compile_s": round(compiled - began, 2),
        "run_s": round(ended - compiled, 3),
        "patients": 1,
        "finite": finite,
    }


if __name__ == "__main__":
    main()
