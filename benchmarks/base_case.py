"""Base case of the sweeps, the step-up arm of the main job, and variations of it."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from qsp import units
from qsp.engine.method import Method
from qsp.run import Prepared, Request, prepare
from qsp.simulation import simulate

CONFIG = Path(__file__).resolve().parent.parent / "configs/mosunetuzumab_step_up_vs_flat.toml"
ARM = "step_up"
DAYS = 84


def prepared(
    patients: int, *, doses: int | None = None, days: int = DAYS, tumor: str | None = None
) -> Prepared:
    """Prepare the base case or a variation of it, without trajectories.

    Args:
        patients: Number of patients.
        doses: Number of weekly doses, which replace those of the arm: amounts of the arm in turn,
            then its last amount. None keeps the doses of the arm.
        days: Length of the trial [day]; later doses and visits are left out.
        tumor: Form of the tumor, `pool` or `lesions`; None for that of the config.
    """
    file = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    arm = file["arms"][ARM]
    scheduled = arm["doses"] if doses is None else _weekly(arm["doses"], doses)
    arm["doses"] = [dose for dose in scheduled if _day(dose["time"]) < days]
    visits = [visit for visit in file["visits"] if _day(visit) < days]
    changes = {
        "patients": patients,
        "days": days,
        "visits": [*visits, f"{days} day"],
        "arms": {ARM: arm},
        **({} if tumor is None else {"method.tumor": tumor}),
    }
    run = prepare(Request(CONFIG, [f"{key}={_toml(value)}" for key, value in changes.items()]))
    return dataclasses.replace(run, trajectories=np.array([], int))


def endpoints(case: Prepared, method: Method) -> xr.Dataset:
    """Simulate a case with a method and return its endpoints, without trajectories."""
    return simulate(
        case.trial,
        case.cohort,
        system=case.system,
        method=method,
        trajectories=np.array([], int),
    ).to_dataset()


def _weekly(doses: list[dict[str, str]], count: int) -> list[dict[str, str]]:
    last = len(doses) - 1
    return [
        {**doses[min(week, last)], "period": f"W{week + 1}", "time": f"{7 * week} day"}
        for week in range(count)
    ]


def _day(text: str) -> float:
    return units.parse(text, "day", where="time")


def _toml(value: Any) -> str:
    """A value as TOML on one line; only tables differ from JSON."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)
