"""Performance targets, compared with the recorded results."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from page_figures import Results, Rows, measured, number_of, title_of

from qsp.plots.style import number

MAX_COLD_S, MAX_CACHED_S = 15.0, 4.0
MAX_TRIAL_S, MAX_TRIAL_MB = 240.0, 4000.0
MIN_SPEEDUPS = {"lsoda": 2.0, "kvaerno5": 80.0, "tsit5": 3.0}
MIN_PARALLEL_SPEEDUP, TOLERANCE = 1.8, 0.15
MAX_RULES_RATIO = 1.5
MIN_SPEED, AIM_SPEED = 0.6, 0.8
"""Speed of the current model over that of the first model."""
MAX_RESCUE_RATIO, AIM_RESCUE_RATIO = 2.0, 1.5
MIN_SHARD_S = 110.0
"""Minimum duration of the shards for which the target of two-minute shards is evaluated."""
LARGE, HUGE = 100_000, 1_000_000
MAX_MINUTES = {"against_peers": 8, "scaling": 30}


@dataclasses.dataclass(frozen=True)
class Target:
    """A target and its measurement.

    Args:
        text: The target.
        measured: The measurement.
        is_met: Whether the target is met; None if it was not measured, or if there is none.
    """

    text: str
    measured: str
    is_met: bool | None


def targets(results: Results) -> list[Target]:
    """Return every target with its measurement."""
    scaling, compiling = results.get("scaling", ()), results.get("compile", ())
    return [
        *(
            _against(results.get("against_peers", ()), other, limit)
            for other, limit in MIN_SPEEDUPS.items()
        ),
        _speedup(scaling),
        _start(compiling, "cold", MAX_COLD_S),
        _start(compiling, "cached", MAX_CACHED_S),
        *_from_python(results.get("from_python", ())),
        *_large_trial(scaling),
        _linear(scaling),
        _flat(scaling),
        *(_gradient(compiling, mode) for mode in ("forward", "reverse")),
        *_rules(results.get("rules", ())),
        *_first_model(results.get("against_first_model", ())),
        _overhead(results.get("sharding", ())),
        *(_minutes(results, script, limit) for script, limit in MAX_MINUTES.items()),
    ]


def _against(rows: Rows, other: str, least: float) -> Target:
    """Compare ROCK4, the default, with another method at the same error of the IL-6 peak."""
    text = f"ROCK4 over {title_of(other)} on one core at equal error: at least {least:g}x"
    found = _ratio(rows, "rock4", other, "patients_per_s_per_core")
    return _missing(text) if found is None else Target(text, f"{found:.2f}x", found >= least)


def _speedup(rows: Rows) -> Target:
    text = f"two cores over one: at least {MIN_PARALLEL_SPEEDUP:g}x"
    found = _ratio(rows, "2 workers", "1 worker", "patients_per_s")
    return (
        _missing(text)
        if found is None
        else Target(text, f"{found:.2f}x", found >= MIN_PARALLEL_SPEEDUP)
    )


def _start(rows: Rows, start: str, limit: float) -> Target:
    text = f"time to the first chunk, {start} start: at most {limit:g} s"
    lines = measured(rows, "compile", variant="default", start=start)
    if not lines:
        return _missing(text)
    seconds = number_of(lines[0], "first_chunk_s")
    return Target(text, f"{seconds:.1f} s", seconds <= limit)


def _from_python(rows: Rows) -> Iterator[Target]:
    """Compare starts of the Python API with the limits in their rows."""
    for line in measured(rows, "from_python"):
        what = f"{line['case']}, {line['start']} start, from the start of the interpreter"
        for key, limit, unit in (("seconds", "limit_s", "s"), ("peak_memory_mb", "limit_mb", "MB")):
            if line[limit] is not None:
                found, most = number_of(line, key), number_of(line, limit)
                shown = f"{found:.1f}" if unit == "s" else number(round(found))
                text = f"{what}: under {number(most)} {unit}"
                yield Target(text, f"{shown} {unit}", found < most)


def _large_trial(rows: Rows) -> Iterator[Target]:
    lines = measured(rows, "scaling", axis="patients", patients=LARGE)
    where = f"{LARGE:,} patients for 84 days, endpoints only, 2 cores"
    for key, limit, unit in (
        ("total_s", MAX_TRIAL_S, "s"),
        ("peak_memory_mb", MAX_TRIAL_MB, "MB"),
    ):
        text = f"{where}: under {number(limit)} {unit}"
        if not lines:
            yield _missing(text)
            continue
        found = number_of(lines[0], key)
        yield Target(text, f"{number(round(found))} {unit}", found < limit)


def _linear(rows: Rows) -> Target:
    text = f"time per patient from 1,000 to {HUGE:,} patients: constant within {TOLERANCE:.0%}"
    return _growth(rows, text, "1,000 patients", "ms_per_patient", both_ways=True)


def _flat(rows: Rows) -> Target:
    text = f"memory from 10,000 to {HUGE:,} patients: constant within {TOLERANCE:.0%}"
    return _growth(rows, text, "10,000 patients", "peak_memory_mb", both_ways=False)


def _growth(rows: Rows, text: str, base: str, key: str, *, both_ways: bool) -> Target:
    """Compare the largest size with the base; a smaller size can fail the target, not meet it."""
    for size in (HUGE, LARGE):
        found = _ratio(rows, f"{size:,} patients", base, key)
        if found is None:
            continue
        is_met = found <= 1.0 + TOLERANCE and (not both_ways or found >= 1.0 - TOLERANCE)
        ratio = f"ratio {found:.2f}"
        if size == HUGE:
            return Target(text, ratio, is_met)
        return Target(text, f"{ratio}, to {size:,} only", None if is_met else False)
    return _missing(text)


def _gradient(rows: Rows, mode: str) -> Target:
    text = f"compilation of a gradient, {mode} mode: no limit"
    lines = measured(rows, "compile", variant=f"gradient, {mode}", start="cold")
    if not lines:
        return _missing(text)
    return Target(text, f"{number_of(lines[0], 'compile_s'):.1f} s", None)


def _minutes(results: Results, script: str, limit: int) -> Target:
    text = f"`{script}.py` without arguments: at most {limit} minutes"
    lines = measured(results.get(script, ()), "script", options=[])
    if not lines:
        return _missing(text)
    minutes = number_of(lines[0], "seconds") / 60.0
    return Target(text, f"{minutes:.1f} minutes", minutes <= limit)


def _rules(rows: Rows) -> Iterator[Target]:
    """Compare rules with the same arm without them; the target is about the same visits."""
    text = f"time with rules against the same visits without rules: at most {MAX_RULES_RATIO:g}x"
    found = _ratio(rows, "rules", "same visits", "simulate_s")
    yield (
        _missing(text) if found is None else Target(text, f"{found:.2f}x", found <= MAX_RULES_RATIO)
    )
    found = _ratio(rows, "rules", "on schedule", "simulate_s")
    if found is not None:
        yield Target("time with rules against the same doses without visits", f"{found:.2f}x", None)


def _first_model(rows: Rows) -> Iterator[Target]:
    """Compare the current model with the first model, and rescue with the same doses alone."""
    text = f"speed over that of the first model: at least {MIN_SPEED:g}x (aim {AIM_SPEED:g}x)"
    found = _ratio(rows, "current model", "model-1", "patients_per_s")
    yield _missing(text) if found is None else Target(text, f"{found:.2f}x", found >= MIN_SPEED)
    text = (
        "time with rescue against the same doses without: "
        f"at most {MAX_RESCUE_RATIO:g}x (aim {AIM_RESCUE_RATIO:g}x)"
    )
    found = _ratio(rows, "rescue on", "rescue off", "simulate_s")
    yield (
        _missing(text)
        if found is None
        else Target(text, f"{found:.2f}x", found <= MAX_RESCUE_RATIO)
    )


def _overhead(rows: Rows) -> Target:
    """Overhead of the largest measured run."""
    text = f"overhead of two-minute shards, without the queue: at most {TOLERANCE:.0%}"
    lines = [
        line for line in measured(rows, "sharding") if number_of(line, "shard_s") >= MIN_SHARD_S
    ]
    if not lines:
        return _missing(text)
    found = number_of(lines[-1], "overhead")
    return Target(text, f"{found:.1%}", found <= TOLERANCE)


def _missing(text: str) -> Target:
    return Target(text, "not measured", None)


def _ratio(rows: Rows, above: str, below: str, key: str) -> float | None:
    lines = measured(rows, "ratio", numerator=above, denominator=below, key=key)
    return number_of(lines[0], "value") if lines else None
