"""The part of a trial that repeats one dose at one interval, in which lesions may be alone.

From `Trial.lesions_alone_after` on, a map advances the lesions (`qsp.model.lesion_map`), and the
equations of the drug, T cells and CRS are solved for the doses before that time only. This is right
if the doses from the one before that time on are equal, at one interval, until the end of the
trial, and if no rule and no competitor can act on patients any more.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from qsp.drugs import COMPETITOR, MOLECULE_KINDS
from qsp.errors import ConfigError
from qsp.trial.regimen import Administration, Arm, Regimen
from qsp.trial.rules import Reaction, Rule

WHERE = "method.lesions_alone_after"
SAME_TIME = 1e-6
"""Times closer than this are the same time [day]; times in different units differ by rounding."""


def check_steady(arms: Sequence[Arm], days: float, time: float) -> None:
    """Check that a trial repeats one dose at one interval from the dose before a time on.

    Args:
        arms: Arms of the trial.
        days: Length of the trial [day].
        time: Time from which lesions are alone [day].

    Raises:
        ConfigError: If a dose, a rule or the calendar of an arm does not allow it.
    """
    if not (math.isfinite(time) and 0.0 < time < days):
        rule = f"the value must be after the first dose and before the end (day {days:g})"
        raise ConfigError(WHERE, rule, f"day {time:g}", "Name the time of a later dose")
    for arm in arms:
        for regimen in arm.regimens:
            _check_doses(arm, regimen, days, time)
        if arm.reaction is not None:
            _check_reaction(arm, arm.reaction, time)


def notes(time: float | None) -> tuple[str, ...]:
    """Return sentences that a user of results with lesions alone should know.

    Args:
        time: Time from which lesions are alone [day]; None for none.
    """
    if time is None:
        return ()
    return (
        f"From {time:g} days after the first dose on only lesions are computed, with the mean "
        "attack by T cells of the last dosing interval: later doses are assumed, but CRS, "
        "cytokines and concentrations are those of earlier doses.",
    )


def arms_before(arms: Sequence[Arm], time: float) -> tuple[Arm, ...]:
    """Return the arms with their doses and visits before a time.

    A supportive drug that is given ahead of a later dose is left out with that dose.

    Args:
        arms: Arms of a trial.
        time: Time from which lesions are alone [day].
    """
    return tuple(
        dataclasses.replace(
            arm,
            regimens=tuple(_regimen_before(regimen, time) for regimen in arm.regimens),
            reaction=arm.reaction and _reaction_before(arm.reaction, time),
        )
        for arm in arms
    )


def _regimen_before(regimen: Regimen, time: float) -> Regimen:
    doses = tuple(
        dose for dose in regimen.administrations if dose.time + dose.lead < time - SAME_TIME
    )
    periods = max((dose.period for dose in doses), default=0)
    return Regimen(doses, regimen.labels[:periods])


def _reaction_before(reaction: Reaction, time: float) -> Reaction:
    calendar = tuple(visit for visit in reaction.calendar if visit < time - SAME_TIME)
    return dataclasses.replace(reaction, calendar=calendar)


def _check_doses(arm: Arm, regimen: Regimen, days: float, time: float) -> None:
    doses = [dose for dose in regimen.administrations if dose.kind in MOLECULE_KINDS]
    earlier = [dose for dose in doses if dose.time < time - SAME_TIME]
    later = [dose for dose in doses if dose.time >= time - SAME_TIME]
    if not later or not earlier or abs(later[0].time - time) > SAME_TIME:
        at = ", ".join(f"{dose.time:g}" for dose in doses[1:]) or "none"
        rule = f"the value must be the time of a dose of arm {arm.name!r} after the first"
        raise ConfigError(WHERE, rule, f"day {time:g}", f"Doses after the first, on days: {at}")
    last, interval = earlier[-1], time - earlier[-1].time
    if sum(dose.period == last.period for dose in doses) > 1:
        rule = f"the value must follow a dose of arm {arm.name!r} with a dose period of its own"
        got = f"{regimen.labels[last.period - 1]!r} has several doses"
        raise ConfigError(WHERE, rule, got, "Give each dose a period in its arm")
    for before, dose in zip([last, *later], later, strict=False):
        gap = dose.time - before.time
        if _content(dose) != _content(last) or abs(gap - interval) > SAME_TIME:
            rule = f"the value must be after the last change of dose or interval in {arm.name!r}"
            raise ConfigError(WHERE, rule, f"a change on day {dose.time:g}", "Choose a later dose")
    if later[-1].time + interval < days - SAME_TIME:
        rule = f"the value must be followed by equal doses of arm {arm.name!r} until the end"
        got = f"the last one on day {later[-1].time:g} of {days:g}, every {interval:g} days"
        raise ConfigError(WHERE, rule, got, "Repeat the dose up to the end, or leave the key out")
    competing = [d.time for d in regimen.administrations if d.kind == COMPETITOR.name]
    if competing and competing[-1] >= time - SAME_TIME:
        rule = f"the value must be after the last {COMPETITOR.name} of arm {arm.name!r}"
        raise ConfigError(WHERE, rule, f"day {competing[-1]:g}", "Choose a later dose")


def _content(dose: Administration) -> tuple[Any, ...]:
    return dose.kind, dose.amount, round(dose.duration, 6)


def _check_reaction(arm: Arm, reaction: Reaction, time: float) -> None:
    rule = f"the value must only be given if every patient of arm {arm.name!r} gets every dose"
    todo = "Leave the key out, or remove this from the trial"
    if reaction.missed or reaction.dropout:
        got = f"missed {reaction.missed:g} and dropout {reaction.dropout:g}"
        raise ConfigError(WHERE, rule, got, todo)
    for each in reaction.rules:
        if not each.gives:
            raise ConfigError(WHERE, rule, f"rule {each.name!r} may {each.act}", todo)
        if not _ends_before(each, time):
            ended = f"the value must be after the last day of every rule of arm {arm.name!r}"
            remedy = f'Add "and day < {time:g} day" to the conditions of the rule'
            raise ConfigError(WHERE, ended, f"rule {each.name!r} has no earlier end", remedy)


def _ends_before(rule: Rule, time: float) -> bool:
    """Whether a condition on the day excludes a time and all times after it."""
    ends = [c for c in rule.when if c.observable == "day" and c.comparison.startswith("<")]
    return any(c.level < time or (c.level == time and c.comparison == "<") for c in ends)
