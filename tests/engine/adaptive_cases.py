"""Simulations of the toy system with rules: arms of a trial, and their doses and decisions."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.trial import Amount, Arm, Dose, plan_table, plan_widths, prescribe
from qsp.trial.rule_text import parse_conditions
from qsp.trial.rules import DECISIONS, Reaction, Rescue, Rule
from tests.engine.toy import run, sim, sim_of

DAYS = 20.0
MG_IS_NMOL = 1000.0
"""Molecular weight [kDa] at which a mg is a nmol."""
DAILY = tuple(float(day) for day in range(20))
STOPS = (0.0, 3.0, 7.0, 14.0, 17.0)
"""Times of snapshots; the same number in every test, so that all share one program."""
PERIODS = 16
DRUG = Rescue("antibody", "tocilizumab", Amount(3.0), duration=0.25)


def rule(when: str, act: Any, **more: Any) -> Rule:
    """A rule from text; the name is the act."""
    return Rule(f"{act} {when}", parse_conditions(when, where="rule"), act, **more)


def arm(
    *doses: tuple[float, float],
    rules: Sequence[Rule] = (),
    calendar: Sequence[float] = DAILY,
    rescues: Sequence[Rescue] = (DRUG,),
    duration: float = 0.0,
    ahead: Sequence[Dose] = (),
    min_interval: dict[int, float] | None = None,
) -> Arm:
    """An arm with doses (day, mg) of the first drug, each a period."""
    gaps = min_interval or {}
    planned = [
        Dose("drug_iv", day, Amount(mg), duration, f"D{n + 1}", min_interval=gaps.get(n))
        for n, (day, mg) in enumerate(doses)
    ]
    regimen = prescribe([*ahead, *planned], molecular_weight_kda=MG_IS_NMOL, days=DAYS, where="arm")
    return Arm("arm", (regimen,), reaction=Reaction(tuple(calendar), tuple(rules), tuple(rescues)))


def reacting(of: Arm, *, attended: Any = None, error: Any = None, **toy: Any) -> Simulation:
    """A simulation of an arm with rules; `toy` are parameters of the toy system."""
    one, widths = np.ones(1), plan_widths([of])
    assert widths is not None
    plan = jax.tree.map(lambda leaf: leaf[0], plan_table(of, widths, one, one))
    if attended is not None:
        came = np.ones(len(plan.visit), bool)
        came[: len(attended)] = attended
        plan = plan._replace(attended=came)
    if error is not None:
        plan = plan._replace(error=error)
    bare = sim(begin=-of.lead, end=DAYS, **toy)
    levels = np.broadcast_to(bare.thresholds[:1], (PERIODS, 4))
    return dataclasses.replace(bare, plan=plan, thresholds=levels)


def solved(*sims: Simulation, grids: Any = (STOPS,)) -> list[SimulationResult]:
    """Results, one for each simulation."""
    result = run(*sims, grids=grids)
    assert not np.any(result.failed)
    return [sim_of(result, n) for n in range(len(sims))]


def administered(result: SimulationResult, kind: int = 0) -> list[tuple[float, float]]:
    """Time and amount of the administrations of a kind, in the order of the ledger."""
    assert result.ledger is not None
    events = jax.tree.map(np.asarray, result.ledger.events)
    rows = np.flatnonzero(events.kind == kind)
    return [(float(events.time[n]), float(events.amount[n])) for n in rows]


def decisions(result: SimulationResult) -> list[str]:
    """Decision at each visit."""
    assert result.log is not None
    return [DECISIONS[n] if n >= 0 else "" for n in np.asarray(result.log.decision)]
