"""Cost of adaptive dosing rules. JSON lines; about 3 minutes on 2 cores.

    .venv/bin/python benchmarks/rules.py [--patients 10000] [--repeats 3] [--config FILE --arm ARM]

The arm with rules of a config, by default of `configs/mosunetuzumab_rules.toml`, is simulated in
four forms: unchanged; with its calendar and no rule; on schedule with a dose of zero at each visit,
so that the solver stops there and nothing else happens; and on schedule without visits. The forms
take turns, without trajectories; figures are medians over the repeats, without compilation. Ratios
follow, and a row for another set of rules, which must not compile anything.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import base_case
from rows import Row, emit, per_core, ratio, row

from qsp.engine.method import Method
from qsp.run import Prepared, Request, prepare
from qsp.trial import Administration, Amount, Arm

CONFIG = Path(__file__).resolve().parent.parent / "configs/mosunetuzumab_rules.toml"
ARM = "watched"


def main() -> None:
    """Measure each form of the arm and print rows and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--arm", default=ARM)
    arguments = parser.parse_args()
    prepared = prepare(Request(arguments.config, [f"patients={arguments.patients}"]))
    forms = _arms(prepared, arguments.arm)
    cases = {name: one_arm(prepared, arm) for name, arm in forms.items()}
    last = cases.pop("other rules")
    rows = measure(cases, arguments.repeats)
    for figures in rows.values():
        emit(figures)
    for without in ("same visits", "calendar", "on schedule"):
        emit(ratio(rows["rules"], rows[without], "simulate_s"))
    emit(measure({"other rules": last}, 1)["other rules"])


def _arms(prepared: Prepared, name: str) -> Mapping[str, Arm]:
    [arm] = [arm for arm in prepared.trial.arms if arm.name == name]
    if arm.reaction is None:
        raise ValueError(f"{prepared.config.name} must have rules in the arm {name}")
    without = dataclasses.replace(arm.reaction, rules=())
    fewer = dataclasses.replace(arm.reaction, rules=arm.reaction.rules[1:])
    return {
        "rules": arm,
        "calendar": dataclasses.replace(arm, reaction=without),
        "same visits": _with_visits(arm, arm.reaction.calendar),
        "on schedule": dataclasses.replace(arm, reaction=None),
        "other rules": dataclasses.replace(arm, reaction=fewer),
    }


def _with_visits(arm: Arm, visits: Sequence[float]) -> Arm:
    """Return the arm on schedule, with a dose of zero at each visit."""
    [regimen] = arm.regimens
    zeros = [Administration(visit - arm.lead, "dexamethasone", Amount(0.0)) for visit in visits]
    doses = sorted([*regimen.administrations, *zeros], key=lambda dose: dose.time)
    return dataclasses.replace(
        arm, reaction=None, regimens=(dataclasses.replace(regimen, administrations=tuple(doses)),)
    )


def one_arm(prepared: Prepared, arm: Arm) -> Prepared:
    """Return the trial with one of its arms only."""
    return dataclasses.replace(prepared, trial=dataclasses.replace(prepared.trial, arms=(arm,)))


def measure(cases: Mapping[str, Prepared], repeats: int) -> dict[str, Row]:
    """Return a row for each case, which take turns; the first pass includes the compilation."""
    passes: dict[str, list[Row]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, prepared in cases.items():
            ds = base_case.endpoints(prepared, Method())
            passes[name].append(
                {
                    "compile_s": ds.attrs["compile_s"],
                    "simulate_s": ds.attrs["wall_s"] - ds.attrs["compile_s"],
                    "mean_steps": round(float(ds["steps"].mean()), 1),
                    "failures": int((ds["outcome"] != 0).sum()),
                }
            )
    return {name: _row(name, cases[name], each) for name, each in passes.items()}


def _row(case: str, prepared: Prepared, passes: list[Row]) -> Row:
    [arm], patients = prepared.trial.arms, prepared.trial.patients
    seconds = statistics.median(float(str(one["simulate_s"])) for one in passes)
    return row(
        "rules",
        Method().solver.lower(),
        status="ok",
        case=case,
        patients=patients,
        days=prepared.trial.days,
        visits=0 if arm.reaction is None else len(arm.reaction.calendar),
        rules=0 if arm.reaction is None else len(arm.reaction.rules),
        simulate_s=round(seconds, 3),
        patients_per_s=round(patients / seconds, 1),
        **per_core(patients / seconds, patients),
        compile_s=round(float(str(passes[0]["compile_s"])), 2),
        repeats=len(passes),
        mean_steps=passes[0]["mean_steps"],
        failures=passes[0]["failures"],
    )


if __name__ == "__main__":
    main()
