"""Tables of the page of results, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from page_figures import PageFigure, Results, Rows, measured, number_of, power, title_of
from page_targets import MIN_SHARD_S, Target, targets
from rows import Row


def page(results: Results, figures: Sequence[PageFigure]) -> str:
    """Return the generated part of the page."""
    if not any(results.values()):
        return "No results yet.\n"
    parts = [
        "## Targets\n",
        _table(("target", "measured", "met"), map(_target_line, targets(results))),
        "## Figures\n",
        *(_embed(figure) for figure in figures),
        *_sections(results),
        "## Conditions of measurement\n",
        _machines(results),
        _table(("script", "date", "load", "versions", "commit", "minutes"), _scripts(results)),
    ]
    return "\n".join(parts)


def _target_line(target: Target) -> Sequence[str]:
    words = {True: "yes", False: "**no**", None: "–"}
    return target.text, target.measured, words[target.is_met]


def _embed(figure: PageFigure) -> str:
    alt = figure.file.removesuffix(".png")
    return (
        f"![{alt}](figures/{figure.file})\n\n{figure.caption} "
        f"Numbers: `{figure.script}.py`; drawn by `page.py`.\n"
    )


def _sections(results: Results) -> Iterator[str]:
    sections: tuple[tuple[str, str, Callable[[Rows], str]], ...] = (
        ("Chunks and workers", "throughput", _throughput),
        ("Precision", "accuracy", _precisions),
        ("Comparison with other solvers", "against_peers", _peers),
        ("Starts", "compile", _starts),
        ("Stages of a run", "compile", _stages),
        ("Starts from Python", "from_python", _from_python),
        ("Scaling", "scaling", _sizes),
        ("Shards", "sharding", _shards),
        ("The first model, and rescue", "against_first_model", _first_model),
        ("Conservation, derivatives and states", "invariants", _invariants),
    )
    for title, script, table in sections:
        if results.get(script):
            yield f"## {title}\n\nFrom `{script}.py`.\n"
            yield table(results[script])


def _throughput(rows: Rows) -> str:
    heads = {
        "backend": "backend",
        "patients per chunk": "chunk_size",
        "workers": "workers",
        "precision": "precision",
        "tolerance": "rtol",
        "patient-arms per second": "patient_arms_per_s",
        "per second and core": "patients_per_s_per_core",
        "compile [s]": "compile_s",
    }
    return _columns(heads, measured(rows, "throughput"))


def _precisions(rows: Rows) -> str:
    heads = {
        "precision": "precision",
        "backend": "backend",
        "tolerance": "rtol",
        "per second and core": "patients_per_s_per_core",
        "error of IL-6 peak": "err_il6_peak",
        "error of AUC": "err_auc",
        "error of tumor volume": "err_tumor",
        "share of grades that differ": "grades_that_differ",
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
        "error of IL-6 peak": "err_il6_peak",
        "error of AUC": "err_auc",
        "error of tumor volume": "err_tumor",
        "failures": "failures",
    }
    lines = sorted(
        measured(rows, "against_peers", chosen=True),
        key=lambda line: -number_of(line, "patients_per_s_per_core"),
    )
    named = [{**line, "method": title_of(line["method"])} for line in lines]
    absent = [
        f"{title_of(line['method'])} was not measured: {line.get('reason', 'no reason recorded')}."
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
        "programs in the cache": "kept",
        "note": "note",
    }
    lines = [
        {**line, "method": title_of(line["method"]), "note": _note(line)}
        for line in rows
        if line["bench"] == "compile"
    ]
    return _columns(heads, lines)


def _stages(rows: Rows) -> str:
    lines = measured(rows, "run")
    stages = [key for line in lines for key in line if key.endswith("_s") and key != "process_s"]
    heads = {f"{key.removesuffix('_s')} [s]": key for key in dict.fromkeys(stages)}
    return _columns({"start": "case", **heads, "repeats": "repeats"}, lines)


def _from_python(rows: Rows) -> str:
    heads = {
        "code": "case",
        "start": "start",
        "from the start of the interpreter [s]": "seconds",
        "limit [s]": "limit_s",
        "time of all cores [s]": "cpu_s",
        "peak memory [MB]": "peak_memory_mb",
        "limit [MB]": "limit_mb",
        "repeats": "repeats",
    }
    return _columns(heads, measured(rows, "from_python"))


def _note(line: Row) -> object:
    if line.get("status") == "timeout":
        return f"exceeded the limit of {line['limit_s']} s"
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
        "total [s]": "total_s",
        "peak memory [MB]": "peak_memory_mb",
        "tumor": "tumor",
        "bytes per patient": "bytes_per_patient",
        "states": "states",
        "steps": "mean_steps",
        "slowest trajectory/mean": "slowest_to_mean_steps",
        "failures": "failures",
    }
    lines = [{**line, "workers": line["workers"] or "all"} for line in measured(rows, "scaling")]
    failed = [
        f"{line['patients']} patients, axis {line['axis']}: {line['status']}, {_note(line)}."
        for line in rows
        if line["bench"] == "scaling" and line["status"] != "ok"
    ]
    return "\n".join([_columns(heads, lines), *(f"{text}\n" for text in failed)])


def _shards(rows: Rows) -> str:
    heads = {
        "patients": "patients",
        "arms": "arms",
        "shards": "shards",
        "time per shard [s]": "shard_s",
        "compute [s]": "compute_s",
        "plan [s]": "plan_s",
        "start [s]": "start_s",
        "prepare [s]": "prepare_s",
        "compile [s]": "compile_s",
        "checkpoint [s]": "keep_s",
        "write [s]": "write_s",
        "finalize [s]": "finalize_s",
        "bytes per patient": "bytes_per_patient",
        "report [s]": "report_s",
        "memory of report [MB]": "report_mb",
    }
    lines = [
        line for line in measured(rows, "sharding") if number_of(line, "shard_s") >= MIN_SHARD_S
    ]
    return _columns(heads, lines)


def _first_model(rows: Rows) -> str:
    heads = {
        "case": "case",
        "patients": "patients",
        "days": "days",
        "rules": "rules",
        "per second": "patients_per_s",
        "simulate [s]": "simulate_s",
        "fastest [s]": "fastest_s",
        "slowest [s]": "slowest_s",
        "steps": "mean_steps",
        "failures": "failures",
        "repeats": "repeats",
    }
    return _columns(heads, [line for line in rows if "case" in line])


def _machines(results: Results) -> str:
    all_rows = [line for rows in results.values() for line in rows]
    machines = sorted({f"{line['machine']}, {line['device']}" for line in _with_device(all_rows)})
    precision = "Arithmetic is in float64 unless a row gives another precision."
    return f"Machine: {'; '.join(machines)}. {precision}\n"


def _invariants(rows: Rows) -> str:
    heads = {
        "disease": "case",
        "molecule": "molecule",
        "patients": "patients",
        "days": "days",
        "conservation": "conservation",
        "lowest state [tolerance]": "lowest",
        "state": "lowest_state",
        "derivatives not finite": "not_finite",
        "failures": "failures",
    }
    return _columns(heads, measured(rows, "invariants"))


def _scripts(results: Results) -> Iterator[Sequence[str]]:
    for script, rows in results.items():
        runs = measured(rows, "script")
        options = " ".join(["", *map(str, _list(runs[0]["options"]))]) if runs else ""
        minutes = f"{number_of(runs[0], 'seconds') / 60.0:.1f}" if runs else "–"
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
    return f"{name[:10]}{', with local changes' if changed else ''}"


def _with_device(rows: Rows) -> list[Row]:
    return [line for line in rows if "device" in line]


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _dict(value: object) -> dict[object, object]:
    return dict(value) if isinstance(value, dict) else {}


def _columns(heads: dict[str, str], lines: Sequence[Row]) -> str:
    """Format rows as a table without its empty columns."""
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
