"""Tables of the page of results, in Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from page_figures import Drawn, Results, Rows, measured, number_of, power, title_of
from rows import Row

from qsp.plots.style import number

COLD_S, CACHED_S = 15.0, 4.0
TRIAL_S, TRIAL_MB = 240.0, 4000.0
AGAINST = {"lsoda": 2.0, "kvaerno5": 80.0, "tsit5": 3.0}
SPEEDUP, WITHIN = 1.8, 0.15
RULES = 1.5
SHARD_S = 100.0
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


def page(results: Results, figures: Sequence[Drawn]) -> str:
    """The part of the page that follows from results."""
    if not any(results.values()):
        return "No results yet.\n"
    parts = [
        "## Asked and measured\n",
        _table(("asked", "measured", "holds"), map(_target_line, targets(results))),
        "## Figures\n",
        *(_shown(one) for one in figures),
        *_sections(results),
        "## Circumstances\n",
        _machines(results),
        _table(("script", "date", "load", "versions", "commit", "minutes"), _scripts(results)),
    ]
    return "\n".join(parts)


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


def _target_line(target: Target) -> Sequence[str]:
    words = {True: "yes", False: "**no**", None: "–"}
    return target.asked, target.found, words[target.holds]


def _shown(drawn: Drawn) -> str:
    alt = drawn.file.removesuffix(".png")
    return (
        f"![{alt}](figures/{drawn.file})\n\n{drawn.caption} Numbers: `{drawn.script}.py`; drawn by "
        "`page.py`.\n"
    )


def _sections(results: Results) -> Iterator[str]:
    sections: tuple[tuple[str, str, Callable[[Rows], str]], ...] = (
        ("Chunks and workers", "throughput", _throughput),
        ("Precision", "accuracy", _precisions),
        ("Against others", "against_peers", _peers),
        ("Starts", "compile", _starts),
        ("Sizes", "scaling", _sizes),
    )
    for title, script, table in sections:
        if results.get(script):
            yield f"## {title}\n\nFrom `{script}.py`.\n"
            yield table(results[script])


def _throughput(rows: Rows) -> str:
    heads = {
        "computed by": "backend",
        "patients in a chunk": "lane_width",
        "workers": "workers",
        "precision": "precision",
        "tolerance": "rtol",
        "patient-arms per second": "patient_arms_per_s",
        "per core": "patients_per_s_per_core",
        "compile [s]": "compile_s",
    }
    return _columns(heads, measured(rows, "throughput"))


def _precisions(rows: Rows) -> str:
    heads = {
        "precision": "precision",
        "computed by": "backend",
        "tolerance": "rtol",
        "per second and core": "patients_per_s_per_core",
        "error: peak of IL-6": "err_il6_peak",
        "AUC": "err_auc",
        "tumor": "err_tumor",
        "grades that differ": "grades_that_differ",
        "failures": "failures",
    }
    single = {line["rtol"] for line in measured(rows, "accuracy", precision="float32")}
    lines = [line for line in measured(rows, "accuracy", method="rock4") if line["rtol"] in single]
    return _columns(heads, lines)


def _peers(rows: Rows) -> str:
    heads = {
        "method": "method",
        "tolerance": "rtol",
        "patients": "patients",
        "per second and core": "patients_per_s_per_core",
        "compile [s]": "compile_s",
        "error: peak of IL-6": "err_il6_peak",
        "AUC": "err_auc",
        "tumor": "err_tumor",
        "failures": "failures",
    }
    lines = sorted(
        measured(rows, "against_peers", chosen=True),
        key=lambda line: -number_of(line, "patients_per_s_per_core"),
    )
    named = [{**line, "method": title_of(line["method"])} for line in lines]
    absent = [
        f"{title_of(line['method'])} is absent: {line.get('reason', 'no reason given')}."
        for line in rows
        if line.get("status") == "absent"
    ]
    return "\n".join([_columns(heads, named), *(f"{text}\n" for text in absent)])


def _starts(rows: Rows) -> str:
    heads = {
        "variant": "variant",
        "method": "method",
        "start": "start",
        "to the first chunk [s]": "first_chunk_s",
        "compile [s]": "compile_s",
        "run [s]": "run_s",
        "programs kept": "kept",
        "note": "note",
    }
    lines = [
        {**line, "method": title_of(line["method"]), "note": _why(line)}
        for line in rows
        if line["bench"] == "compile"
    ]
    return _columns(heads, lines)


def _why(line: Row) -> object:
    if line.get("status") == "timeout":
        return f"not done after {line['limit_s']} s"
    return line.get("reason", line.get("note"))


def _sizes(rows: Rows) -> str:
    heads = {
        "patients": "patients",
        "doses": "doses",
        "days": "days",
        "workers": "workers",
        "per second": "patients_per_s",
        "per second and core": "patients_per_s_per_core",
        "simulate [s]": "simulate_s",
        "in all [s]": "total_s",
        "memory [MB]": "peak_memory_mb",
        "steps": "mean_steps",
        "slowest/mean": "slowest_to_mean_steps",
        "failures": "failures",
    }
    lines = [{**line, "workers": line["workers"] or "all"} for line in measured(rows, "scaling")]
    failed = [
        f"{line['patients']} patients, axis {line['axis']}: {line['status']}, {_why(line)}."
        for line in rows
        if line["bench"] == "scaling" and line["status"] != "ok"
    ]
    return "\n".join([_columns(heads, lines), *(f"{text}\n" for text in failed)])


def _machines(results: Results) -> str:
    all_rows = [line for rows in results.values() for line in rows]
    machines = sorted({f"{line['machine']}, {line['device']}" for line in _with_device(all_rows)})
    return f"Machine: {'; '.join(machines)}. All in float64 unless a row says otherwise.\n"


def _scripts(results: Results) -> Iterator[Sequence[str]]:
    for script, rows in results.items():
        about = measured(rows, "script")
        options = " ".join(["", *map(str, _list(about[0]["options"]))]) if about else ""
        minutes = f"{number_of(about[0], 'seconds') / 60.0:.1f}" if about else "–"
        loads = [number_of(line, "load") for line in rows]
        versions: dict[str, str] = {}
        for line in rows:
            versions |= {str(k): str(v) for k, v in _dict(line["versions"]).items()}
        commits = sorted({_short(str(line["commit"])) for line in rows})
        dates = sorted({str(line["date"]) for line in rows if "date" in line})
        yield (
            f"`{script}.py{options}`",
            ", ".join(dates),
            f"{min(loads):.1f} to {max(loads):.1f}",
            ", ".join(f"{name} {version}" for name, version in versions.items()),
            ", ".join(commits),
            minutes,
        )


def _short(commit: str) -> str:
    name, changed, _ = commit.partition("-")
    return f"{name[:10]}{', files changed' if changed else ''}"


def _with_device(rows: Rows) -> list[Row]:
    return [line for line in rows if "device" in line]


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _dict(value: object) -> dict[object, object]:
    return dict(value) if isinstance(value, dict) else {}


def _columns(heads: dict[str, str], lines: Sequence[Row]) -> str:
    """Columns that hold something, of rows."""
    filled = {
        head: key
        for head, key in heads.items()
        if any(_cell(line.get(key)) != "–" for line in lines)
    } or heads
    return _table(
        tuple(filled), ([_cell(line.get(key)) for key in filled.values()] for line in lines)
    )


def _table(heads: Sequence[str], lines: Iterator[Sequence[str]] | map[Sequence[str]]) -> str:
    rule = "|".join("---" for _ in heads)
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"| {' | '.join(heads)} |\n|{rule}|\n{body}\n"


def _cell(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return power(value) if 0.0 < abs(value) < 1e-2 else f"{value:,.5g}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return str(value)
