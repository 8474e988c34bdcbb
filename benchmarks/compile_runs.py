"""Time of a whole `qsp run` by stage: cold, cached, and with other parameter values.

Each start is a new process that does what `qsp run CONFIG --patients 100` does, with a stopwatch
(`qsp.stages`). `total_s` is from the start of the interpreter to its exit, and `other_s` is the
rest of it: start and exit of the interpreter, thresholds, folders. A cold start has an empty cache
of programs, which the next starts use. A parameter file needs no other program as long as it
changes no zero.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Iterator, Sequence
from pathlib import Path

from rows import Row, row

CONFIG, PATIENTS = "mosunetuzumab_step_up_vs_flat", 100
PARAMETERS = '[t_cells]\nk_act = "0.4 1/hour"\n\n[synapse]\nalpha = "1e-3"\n'
ANOTHER_ZERO = '[traffic.k_exit]\nskin = "0 1/day"\n'

CODE = """
import time
began = time.perf_counter()
from qsp import process
process.start()
from qsp.stages import Stopwatch
stage = Stopwatch()
import json, sys
from pathlib import Path
import qsp.cli.app
process.without("dask")
from qsp.report.drawing import in_second_process
second = in_second_process()
draw = second.__enter__()
from qsp import run
from qsp.cli.preview import announced
from qsp.cli import tables
from qsp.cli.output import Output
from qsp.engine.cache import default_cache_dir, enable_jax_cache
run.prepare, run.run_into
from rich.console import Console
seconds = {{"imports": time.perf_counter() - began}}
parameters = {parameters!r}
with stage("reading"):
    own = Path(parameters) if parameters else None
    prepared = run.prepare(run.Request({config!r}, ("patients={patients}",), own))
enable_jax_cache(default_cache_dir())
def show(results):
    with stage("printing"):
        Output().show(tables.results(results), Console(file=sys.stderr))
options = {{"force": True, "stage": stage, "draw": draw, "on_results": show}}
run.run_into(Path({out!r}), prepared, **options)
second.__exit__(None, None, None)
print(json.dumps({{**seconds, **stage.seconds}}))
"""


@dataclasses.dataclass(frozen=True)
class Start:
    """A start of the command.

    Args:
        name: Name.
        parameters: Content of its parameter file; "" for none.
    """

    name: str
    parameters: str = ""


STARTS = (
    Start("cold"),
    Start("cached"),
    Start("other parameters", PARAMETERS),
    Start("a parameter becomes 0", ANOTHER_ZERO),
)


def measure_runs(repeats: int) -> Iterator[Row]:
    """Yield a row for each kind of start; times are medians."""
    found: dict[str, list[dict[str, float]]] = {start.name: [] for start in STARTS}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for start in STARTS:
                found[start.name].append(_measure(start, Path(folder)))
    for name, times in found.items():
        seconds = _medians(times)
        case = {"status": "ok", "case": f"qsp run, {name}", "config": CONFIG, "patients": PATIENTS}
        yield row("run", "rock4", **case, **seconds, repeats=repeats)


def _medians(times: Sequence[dict[str, float]]) -> dict[str, float]:
    stages = dict.fromkeys(stage for each in times for stage in each)
    return {
        f"{stage}_s": round(statistics.median(each.get(stage, 0.0) for each in times), 2)
        for stage in stages
    }


def _measure(start: Start, folder: Path) -> dict[str, float]:
    """Time one start by stage, and in total [s]."""
    file = folder / "parameters.toml"
    file.write_text(start.parameters)
    code = CODE.format(
        parameters=str(file) if start.parameters else "",
        config=CONFIG,
        patients=PATIENTS,
        out=str(folder / "run"),
    )
    caches = ("QSP_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")
    environment = {key: value for key, value in os.environ.items() if key not in caches}
    environment["QSP_CACHE_DIR"] = str(folder / "cache")
    began = clock.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        check=True,
    )
    total = clock.perf_counter() - began
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**seconds, "other": total - sum(seconds.values()), "total": total}
