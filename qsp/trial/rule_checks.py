"""Checks of rules and calendars, which refuse invalid ones before the simulation.

A rule is contradictory if no patient can meet all its conditions, unreachable if an earlier rule
always acts in its place or its time is not within the trial, and cyclic if it holds a dose for a
reason that only a dose could end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from qsp.errors import ConfigError, LengthError
from qsp.trial.length import longest_infusion, minimum_days
from qsp.trial.plans import planned_doses
from qsp.trial.regimen import Arm
from qsp.trial.rules import NAMES, OBSERVABLES, Condition, Reaction, Rule

WAITING = ("hold", "delay")
TIMED = ("delay", "interval", "split")
ALWAYS = ("stop",)
"""Acts that do not require a dose to be due."""
SAME_TIME = 1e-9


def check_reaction(arm: Arm, days: float) -> None:
    """Check the calendar and the rules of an arm.

    Args:
        arm: Arm with rules.
        days: Length of the trial [day].

    Raises:
        ConfigError: If a rule or the calendar is invalid; names its key.
        LengthError: If the trial is too short for the last visit of the calendar.
    """
    assert arm.reaction is not None
    _check_calendar(arm, arm.reaction, days)
    _check_names(arm.reaction)
    for n, rule in enumerate(arm.reaction.rules):
        ranges = _ranges(rule)
        _check_contradiction(rule, ranges)
        _check_reached(rule, ranges, arm, days)
        _check_cycle(rule)
        _check_limit(rule)
        _check_probability(rule)
        _check_spacing(rule, arm)
        for number, earlier in enumerate(arm.reaction.rules[:n], start=1):
            _check_shadowed(rule, ranges, earlier, number)


def _check_calendar(arm: Arm, reaction: Reaction, days: float) -> None:
    calendar, before = reaction.calendar, arm.lead
    doses = [dose.time for dose in planned_doses(arm.regimens[0])]
    for time in doses:
        if not any(abs(time - visit) <= SAME_TIME for visit in calendar):
            rule = "visits must include the time of every planned dose"
            raise ConfigError("calendar", rule, f"no day {time:.6g}", "Add it to calendar.visits")
    for one, after in zip(doses, doses[1:], strict=False):
        if after - one <= SAME_TIME:
            rule = (
                "doses of an arm with rules must be at different times: a visit decides on one dose"
            )
            todo = "Move one of them, or remove the rules of the arm"
            raise ConfigError(f"arm {arm.name}", rule, f"two on day {one:.6g}", todo)
    for one, after in zip(calendar, calendar[1:], strict=False):
        if after - one <= before + SAME_TIME:
            lead = f"{before:.6g} days in arm {arm.name!r}"
            rule = f"visits must be further apart than the lead time of a premedication ({lead})"
            got = f"day {one:.6g} and day {after:.6g}"
            todo = "The decision for the later visit would precede the earlier visit"
            raise ConfigError("calendar", rule, got, todo)
    if calendar:
        _check_end(arm, calendar[-1], doses[-1], days)


def _check_end(arm: Arm, last: float, last_dose: float, days: float) -> None:
    """Check that a dose at the last visit, and its infusion, are within the trial."""
    longest = longest_infusion(arm)
    latest = days - longest
    if last < days and last <= latest + SAME_TIME:
        return
    what = f"an infusion of {longest:.6g} days" if longest >= 1.0 else "a dose"
    rule = f"visits must leave time for {what} within the trial (day {days:.6g})"
    end = f"{'by' if longest else 'before'} day {latest:.6g}"
    shorter = "" if last_dose > latest or latest <= 0.0 else f", or end the calendar {end}"
    todo = f"A dose may be as late as the last visit: write days = {minimum_days([arm])}{shorter}"
    raise LengthError("calendar", rule, f"day {last:.6g}", todo)


def _check_names(reaction: Reaction) -> None:
    known = [rescue.name for rescue in reaction.rescues]
    seen: set[str] = set()
    for rule in reaction.rules:
        if rule.name in seen:
            todo = "Give each rule a different name, or no name"
            raise ConfigError(f"{rule.where}.name", "the value must be unique", rule.name, todo)
        seen.add(rule.name)
        if rule.gives and rule.drug not in known:
            todo = f"Defined: {', '.join(known) or 'none'}"
            must = "the value must be defined as [rescue.NAME]"
            raise ConfigError(f"{rule.where}.give", must, repr(rule.drug), todo)


Ranges = Mapping[str, tuple[tuple[float, bool], tuple[float, bool]]]
"""For each observable of a rule: lower and upper bound, and whether the bound is excluded."""


def _ranges(rule: Rule) -> Ranges:
    ranges: dict[str, tuple[tuple[float, bool], tuple[float, bool]]] = {}
    for condition in rule.when:
        low, high = ranges.get(condition.observable, ((-math.inf, False), (math.inf, False)))
        end = (condition.level, not condition.comparison.endswith("="))
        if condition.comparison.startswith(">"):
            low = max(low, end)
        else:
            high = min(high, end, key=lambda e: (e[0], not e[1]))
        ranges[condition.observable] = (low, high)
    return ranges


def _check_contradiction(rule: Rule, ranges: Ranges) -> None:
    for name, ((low, no_low), (high, no_high)) in ranges.items():
        own = OBSERVABLES[NAMES.index(name)]
        written = " and ".join(str(c) for c in rule.when if c.observable == name)
        if low > high or (low == high and (no_low or no_high)):
            todo = "No value meets both: write two rules"
            must = f"the value must not contradict itself in {name}"
            raise ConfigError(f"{rule.where}.when", must, repr(written), todo)
        beyond = low > own.most or (low == own.most and no_low)
        if beyond or high < own.least or (high == own.least and no_high):
            must = f"the value must be possible: {name} is {own.limits}"
            raise ConfigError(f"{rule.where}.when", must, repr(written), "Correct the level")


def _check_reached(rule: Rule, ranges: Ranges, arm: Arm, days: float) -> None:
    low, strict = ranges.get("day", ((-math.inf, False), (math.inf, False)))[0]
    assert arm.reaction is not None
    last = arm.reaction.calendar[-1] if arm.reaction.calendar else 0.0
    if low > last or (low == last and strict):
        must = f"the value must be reached by a visit (the last one is on day {last:.6g})"
        got, todo = f"day {low:.6g}", "Lengthen the calendar, or remove the rule"
        raise ConfigError(f"{rule.where}.when", must, got, todo)
    step, strict = ranges.get("step", ((-math.inf, False), (math.inf, False)))[0]
    planned = len(planned_doses(arm.regimens[0]))
    if step > planned or (step == planned and strict):
        must = f"the value must be reached by a planned dose (there are {planned})"
        raise ConfigError(f"{rule.where}.when", must, f"step {step:g}", "Remove the rule")


def _check_cycle(rule: Rule) -> None:
    """A rule must not hold the dose for a reason that lasts as long as no dose is given."""
    if rule.act not in WAITING or rule.max_times is not None:
        return
    if all(_lasts(condition) for condition in rule.when):
        why = " and ".join(map(str, rule.when)) or "nothing"
        must = "the value must be a reason that waiting can end, since the rule holds the dose"
        todo = 'Add a condition such as "crs_grade >= 1" or max_times = 3, or write do = "stop"'
        raise ConfigError(f"{rule.where}.when", must, repr(why), todo)


def _lasts(condition: Condition) -> bool:
    """Whether a condition that holds continues to hold while no dose is given."""
    own, sign = OBSERVABLES[NAMES.index(condition.observable)], condition.comparison
    always = sign.startswith(">") and (condition.level, ">" in sign[1:]) <= (own.least, False)
    return always or sign[0] in own.lasting


def _check_limit(rule: Rule) -> None:
    """A rule that goes back must have a limit, because each time adds a dose."""
    if rule.act in ("repeat", "drop_back", "restart") and rule.max_times is None:
        must, todo = f"the value must be given where do is {rule.act!r}", "Write max_times = 2"
        raise ConfigError(f"{rule.where}.max_times", must, "missing", todo)
    if rule.act in TIMED and not rule.days > 0.0:
        must = f"the value must be above 0 where do is {rule.act!r}"
        raise ConfigError(f"{rule.where}.days", must, f"{rule.days:g}", 'Write days = "7 day"')


def _check_probability(rule: Rule) -> None:
    if not 0.0 < rule.probability <= 1.0:
        todo = "Write with_probability = 0.6, for example, or remove the rule"
        must = "the value must be above 0 and at most 1"
        raise ConfigError(f"{rule.where}.with_probability", must, f"{rule.probability:g}", todo)


def _check_spacing(rule: Rule, arm: Arm) -> None:
    """Doses, and parts of doses, must not overlap after the rule has acted."""
    if rule.act not in ("interval", "split"):
        return
    doses = planned_doses(arm.regimens[0])
    longest = max(dose.duration for dose in doses)
    gaps = [b.time - a.time for a, b in zip(doses, doses[1:], strict=False)]
    todo = "Change the number of days, or the parts"
    if rule.days < longest - SAME_TIME:
        must = f"the value must be as long as an infusion ({longest:.6g} days) or longer"
        raise ConfigError(f"{rule.where}.days", must, f"{rule.days:g}", todo)
    parts = (rule.parts - 1) * rule.days + longest
    if rule.act == "split" and gaps and parts >= min(gaps) - SAME_TIME:
        must = f"all parts must be given before the next dose is due ({min(gaps):.6g} days)"
        got = f"{parts:g} days"
        raise ConfigError(f"{rule.where}", must, got, todo)


def _check_shadowed(rule: Rule, ranges: Ranges, earlier: Rule, number: int) -> None:
    """A rule must not be shadowed by an earlier one that always acts in its place."""
    same_kind = rule.gives == earlier.gives and rule.drug == earlier.drug
    always_can = earlier.act in ALWAYS or rule.act not in ALWAYS
    is_unlimited = (
        earlier.max_times is None
        and earlier.probability == 1.0
        and earlier.consecutive_visits <= rule.consecutive_visits
    )
    if same_kind and always_can and is_unlimited and _within(ranges, _ranges(earlier)):
        must = "the value must not be covered by an earlier rule"
        name = "" if earlier.name == f"rule {number}" else f" ({earlier.name!r})"
        got = f"{' and '.join(map(str, rule.when)) or 'always'}, as in rule {number}{name}"
        todo = "The first rule that matches wins: put the narrower one first"
        raise ConfigError(f"{rule.where}.when", must, got, todo)


def _within(inner: Ranges, outer: Ranges) -> bool:
    """Whether the inner ranges are a subset of the outer ones."""
    for name, (low, high) in outer.items():
        inner_low, inner_high = inner.get(name, ((-math.inf, False), (math.inf, False)))
        if inner_low < low:
            return False
        if (inner_high[0], not inner_high[1]) > (high[0], not high[1]):
            return False
    return True
