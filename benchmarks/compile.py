"""How long a start takes: from the call of `simulate` to the end of the first chunk. JSON lines.

    .venv/bin/python benchmarks/compile.py [--variants default,relaxed] [--repeats 3]

Each start is a new process; imports are apart. The first finds an empty cache of compiled programs
(`"start": "cold"`), the second finds what the first left there (`"cached"`). The cache is set as
`qsp run` sets it, in a temporary folder; `kept` names the programs that are in it after the start:
without that of the engine, `native`, a second start is no shorter than the first. Variants
other than the default are started once each way. For gradients the figure is the compilation alone:
forward mode through a whole lane, and reverse mode through one solve of a week after a bolus.
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
import jax
from apart import is_measured, measured
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
    """Equations in another form.

    Args:
        structure: The form.
        solver: That can take them.
        days: Length of the trial.
        note: What to know of its figures.
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


class FirstChunk:
    """Reads the clock when the first patients are done."""

    def __init__(self) -> None:
        self.at: float | None = None

    def compiled(self, seconds: float) -> None:
        """Nothing: the first chunk counts."""

    def start(self, sims: int) -> None:
        """Nothing yet."""

    def advance(self, sims: int) -> None:
        """A chunk is done."""
        self.at = self.at or clock.perf_counter()


def main() -> None:
    """Measure and print."""
    names = (*VARIANTS, *MODES)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=lambda text: text.split(","))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ.setdefault("EQX_ON_ERROR", "off")  # as the command line does, for each start
    if asked.one:
        emit(_one(**json.loads(asked.one)))
        return
    for name in names if asked.variants is None else asked.variants:
        for figures in _starts(name, asked.repeats if name == "default" else 1):
            emit(figures)


def _starts(name: str, repeats: int) -> list[Row]:
    """A row for each kind of start; none of the second kind where the first takes too long."""
    found: dict[str, list[Row]] = {start: [] for start in STARTS}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for start in STARTS:
                case = {"variant": name, "start": start, "cache": cache}
                figures = measured(__file__, case, LIMIT_S)
                figures.pop("cache", None)
                found[start].append(figures)
                if not is_measured(figures):
                    return [figures]
    return [_median(rows) for rows in found.values()]


def _median(rows: Sequence[Row]) -> Row:
    seconds = {
        key: round(statistics.median(float(str(line[key])) for line in rows), 2)
        for key in ("first_chunk_s", "compile_s")
        if rows[0].get(key) is not None
    }
    return {**rows[0], **seconds, "repeats": len(rows)}


def _one(variant: str, start: str, cache: str) -> Row:
    """This process is for one start."""
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)
    if variant in MODES:
        method, figures = "rock4", _gradient(MODES[variant])
    else:
        which = VARIANTS[variant]
        prepared = base_case.prepared(PATIENTS, days=which.days)
        method, figures = which.solver.lower(), _first_chunk(prepared, which)
    kept = _kept(Path(cache))
    about = {"status": "ok", "variant": variant, "start": start}
    return row("compile", method, **about, **figures, kept=kept)


def _kept(cache: Path) -> list[str]:
    """Programs in the cache."""
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
    """Compilation and one run of a function that gives derivatives."""
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
