"""Arms that react, between trial and engine: plans of lanes, and what came of them."""

import dataclasses
from typing import Any

import jax
import numpy as np

from qsp.engine.adaptive.state import AdaptivePlan, Ledger, Rescues, Rules, Steps
from qsp.population import Population
from qsp.population import adherence as adherence
from qsp.trial import AdministeredDoses, Trial, Widths, plan_table, plan_widths
from qsp.trial.regimen import Arm
from qsp.trial.rules import MEASURED, Reaction


def plans(trial: Trial, people: Population, seed: int) -> AdaptivePlan | None:
    """Plans of all lanes, arm by arm; None where no arm reacts.

    Args:
        trial: Arms and their rules.
        people: The patients.
        seed: Of missed visits, dropout and errors of assays.
    """
    widths = plan_widths(trial.arms)
    if widths is None:
        return None
    each = [_plan(arm, widths, trial, people, seed) for arm in trial.arms]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *each)


def _plan(arm: Arm, widths: Widths, trial: Trial, people: Population, seed: int) -> AdaptivePlan:
    covariates, reaction = people.covariates, arm.reaction or Reaction(calendar=())
    table = plan_table(arm, widths, covariates["body_weight"], covariates["body_surface"])
    there = adherence(
        people.ids,
        table.visit[0],
        seed=seed,
        missed=reaction.missed,
        dropout=reaction.dropout,
        errors=reaction.errors,
        days=trial.days,
    )
    assert there.error.shape[-1] == MEASURED
    return AdaptivePlan(
        visit=table.visit,
        decided=table.decided,
        attended=there.attended,
        error=there.error,
        steps=Steps(**_fields(table.steps)),
        rules=Rules(**_fields(table.rules)),
        rescues=Rescues(**_fields(table.rescues)),
        capacity=table.capacity,
    )


def _fields(table: Any) -> dict[str, np.ndarray]:
    return {field.name: getattr(table, field.name) for field in dataclasses.fields(table)}


def administered_doses(ledger: Ledger | None) -> AdministeredDoses | None:
    """What was given, with leading axes (arm, patient)."""
    if ledger is None:
        return None
    events = ledger.events
    return AdministeredDoses(
        time=np.asarray(events.time),
        kind=np.asarray(events.kind),
        amount=np.asarray(events.amount),
        duration=np.asarray(events.duration),
        period=np.asarray(events.period),
        visit=np.asarray(ledger.visit),
        step=np.asarray(ledger.step),
    )
