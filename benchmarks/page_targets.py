"""What was asked of the speed, and what was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from page_figures import Results, Rows, measured, number_of

from qsp.plots.style import number

COLD_S, CACHED_S = 15.0, 4.0
TRIAL_S, TRIAL_MB = 240.0, 4000.0
AGAINST = {"lsoda": 2.0, "kvaerno5": 80.0, "tsit5": 3.0}
SPEEDUP, WITHIN = 1.8, 0.15
RULES = 1.5
SHARD_S = 110.0
"""Shards that last at least so long are those of two minutes."""
LARGE, HUGE = 100_000, 1_000_000
MOST_MINUTES = {"against_peers": 8, "scaling": 30}


@dataclasses.dataclass(frozen=True)
class Target:
    """What was asked, and what was measured.

    Args:
        asked: In words.
        found: In words.
        holds: Whether that is enough; None where it was not measured, or nothing was asked.
    """

    asked: str
    found: str
    holds: bool | None


def targets(results: Results) -> list[Target]:
    """Each target with what it came to."""
    scaling, compiling = results.get("scaling", ()), results.get("compile", ())
    return [
        *(
            _against(results.get("against_peers", ()), other, most)
            for other, most in AGAINST.items()
        ),
        _speedup(scaling),
        _start(compiling, "cold", COLD_S),
        _start(compiling, "cached", CACHED_S),
        *_large_trial(scaling),
        _linear(scaling),
        _flat(scaling),
        *(_gradient(compiling, mode) for mode in ("forward", "reverse")),
        *_rules(results.get("rules", ())),
        _overhead(results.get("sharding", ())),
        *(_minutes(results, script, most) for script, most in MOST_MINUTES.items()),
    ]


def _against(rows: Rows, other: str, least: float) -> Target:
    """ROCK4, the default, over another method at the same error of the IL-6 peak."""
    asked = f"ROCK4 against {other} on one core at equal error: {least:g}x"
    found = _ratio(rows, "rock4", other, "patients_per_s_per_core")
    return _missing(asked) if found is None else Target(asked, f"{found:.2f}x", found >= least)


def _speedup(rows: Rows) -> Target:
    asked = f"two cores against one: {SPEEDUP:g}x"
    found = _ratio(rows, "2 workers", "1 worker", "patients_per_s")
    return _missing(asked) if found is None else Target(asked, f"{found:.2f}x", found >= SPEEDUP)


def _start(rows: Rows, start: str, most: float) -> Target:
    asked = f"start to the first chunk, {start}: {most:g} s at most"
    lines = measured(rows, "compile", variant="default", start=start)
    if not lines:
        return _missing(asked)
    seconds = number_of(lines[0], "first_chunk_s")
    return Target(asked, f"{seconds:.1f} s", seconds <= most)


def _large_trial(rows: Rows) -> Iterator[Target]:
    lines = measured(rows, "scaling", axis="patients", patients=LARGE)
    where = f"{LARGE:,} patients for 84 days, endpoints only, 2 cores"
    for key, most, unit in (
        ("total_s", TRIAL_S, "s"),
        ("peak_memory_mb", TRIAL_MB, "MB"),
    ):
        asked = f"{where}: under {number(most)} {unit}"
        if not lines:
            yield _missing(asked)
            continue
        found = number_of(lines[0], key)
        yield Target(asked, f"{number(round(found))} {unit}", found < most)


def _linear(rows: Rows) -> Target:
    asked = f"cost of a patient from 1,000 to {HUGE:,}: the same within {WITHIN:.0%}"
    return _growth(rows, asked, "1,000 patients", "ms_per_patient", both_ways=True)


def _flat(rows: Rows) -> Target:
    asked = f"memory from 10,000 to {HUGE:,} patients: flat (read as within {WITHIN:.0%})"
    return _growth(rows, asked, "10,000 patients", "peak_memory_mb", both_ways=False)


def _growth(rows: Rows, asked: str, base: str, key: str, *, both_ways: bool) -> Target:
    """The largest size against the base; to a smaller size than was asked, nothing is judged."""
    for size in (HUGE, LARGE):
        found = _ratio(rows, f"{size:,} patients", base, key)
        if found is None:
            continue
        holds = found <= 1.0 + WITHIN and (not both_ways or found >= 1.0 - WITHIN)
        text = f"{found:.2f} times"
        if size == HUGE:
            return Target(asked, text, holds)
        return Target(asked, f"{text}, to {size:,} only", None if holds else False)
    return _missing(asked)


def _gradient(rows: Rows, mode: str) -> Target:
    asked = f"compilation of a gradient, {mode} mode: reported"
    lines = measured(rows, "compile", variant=f"gradient, {mode}", start="cold")
    if not lines:
        return _missing(asked)
    return Target(asked, f"{number_of(lines[0], 'compile_s'):.1f} s", True)


def _minutes(results: Results, script: str, most: int) -> Target:
    asked = f"`{script}.py` without arguments: {most} minutes at most"
    lines = measured(results.get(script, ()), "script", options=[])
    if not lines:
        return _missing(asked)
    minutes = number_of(lines[0], "seconds") / 60.0
    return Target(asked, f"{minutes:.1f} minutes", minutes <= most)


def _rules(rows: Rows) -> Iterator[Target]:
    """Arms with rules against the same arm without; only the same visits were asked about."""
    asked = f"rules, against the same visits without any: {RULES:g}x the time at most"
    found = _ratio(rows, "rules", "same visits", "simulate_s")
    yield _missing(asked) if found is None else Target(asked, f"{found:.2f}x", found <= RULES)
    found = _ratio(rows, "rules", "on schedule", "simulate_s")
    if found is not None:
        yield Target("rules, against the same doses without visits", f"{found:.2f}x", None)


def _overhead(rows: Rows) -> Target:
    """Of the shards that last longest."""
    asked = f"overhead of shards of two minutes, the queue apart: {WITHIN:.0%} at most"
    lines = [line for line in measured(rows, "sharding") if number_of(line, "shard_s") >= SHARD_S]
    if not lines:
        return _missing(asked)
    found = number_of(lines[-1], "overhead")
    return Target(asked, f"{found:.1%}", found <= WITHIN)


def _missing(asked: str) -> Target:
    return Target(asked, "not measured", None)


def _ratio(rows: Rows, above: str, below: str, key: str) -> float | None:
    lines = measured(rows, "ratio", numerator=above, denominator=below, key=key)
    return number_of(lines[0], "value") if lines else None
