"""Adaptive dosing of an arm as lines of text: visits, rules, limits of rescue drugs.

Rules are numbered from 1 in the order in which they are tried, as in messages and reports.
"""

from collections.abc import Sequence

from qsp.results.record import HOURS_PER_DAY, amount_text
from qsp.trial import Arm, protocol_day
from qsp.trial.rule_text import sentence
from qsp.trial.rules import OBSERVABLES, Reaction, Rescue, Rule

FEWEST = 3
"""Minimum number of visits at one interval that are written as a series."""
_SAME = 1e-6


def reaction_lines(arm: Arm) -> list[str]:
    """Return visits, rules and limits of rescue drugs of an arm; none without adaptive dosing."""
    reaction = arm.reaction
    if reaction is None:
        return []
    return [
        *_visit_lines(reaction),
        *_rule_lines(reaction),
        *(f"Limits of {drug.name}: {_limits(drug)}" for drug in reaction.rescues),
    ]


def _visit_lines(reaction: Reaction) -> list[str]:
    days = reaction.calendar
    count = "1 visit" if len(days) == 1 else f"{len(days)} visits"
    lines = [f"Calendar: {count}, {_span(days)}: {'; '.join(_series(days))}"]
    if reaction.missed:
        lines.append(f"Missed: {100 * reaction.missed:g} % of the visits but the first")
    if reaction.dropout:
        lines.append(f"Dropout: {100 * reaction.dropout:g} % of the patients by the end")
    errors = [
        f"{observable.name} {100 * error:g} %"
        for observable, error in zip(OBSERVABLES, reaction.errors, strict=False)
        if error
    ]
    return [*lines, *([f"Error of measurement (CV): {', '.join(errors)}"] if errors else [])]


def _rule_lines(reaction: Reaction) -> list[str]:
    if not reaction.rules:
        return ["Rules: none; each dose is given at the first visit at which it is due"]
    lines = [
        f"  {n}. {_name(rule, n)}{sentence(rule)}" for n, rule in enumerate(reaction.rules, start=1)
    ]
    head = (
        "Rules, evaluated in this order at each visit. The first rule about the dose that applies "
        "decides on it; if none applies, the dose is given"
    )
    rescue = ". A rule that gives a drug decides only on that drug"
    gives = any(rule.gives for rule in reaction.rules)
    return [f"{head}{rescue if gives else ''}:", *lines]


def _name(rule: Rule, number: int) -> str:
    """Return the name of a rule and a colon; "" if the name is only its number."""
    return "" if rule.name == f"rule {number}" else f"{rule.name!r}: "


def _limits(drug: Rescue) -> str:
    mg = amount_text(drug.amount.value, drug.amount.per, drug.amount.cap)
    over = f" over {drug.duration * HOURS_PER_DAY:.4g} h" if drug.duration else ""
    kind = "" if drug.kind == drug.name else f" of {drug.kind.replace('_', ' ')}"
    window = "1 day" if drug.window == 1 else f"{drug.window:.4g} days"
    return (
        f"{mg}{kind}{over} per dose; at most {drug.per_event} per CRS event, "
        f"{drug.per_window} within {window} and {drug.max_times} in total, "
        f"at least {drug.min_interval * HOURS_PER_DAY:.4g} h apart"
    )


def _span(days: Sequence[float]) -> str:
    return _day(days[0]) if len(days) == 1 else f"{_day(days[0])} to {_day(days[-1])}"


def _series(days: Sequence[float]) -> list[str]:
    """Series of visits at one interval, and single visits between them."""
    series, first = [], 0
    while first < len(days):
        last = _last_of_series(days, first)
        if last - first + 1 >= FEWEST:
            every = _length(days[first + 1] - days[first])
            series.append(f"every {every} from {_span(days[first : last + 1])}")
            first = last + 1
        else:
            series.append(_day(days[first]))
            first += 1
    return series


def _last_of_series(days: Sequence[float], first: int) -> int:
    """Index of the last visit of the series that begins with visit `first`."""
    last = first + 1
    while last + 1 < len(days) and _is_same(days, first, last):
        last += 1
    return min(last, len(days) - 1)


def _is_same(days: Sequence[float], first: int, last: int) -> bool:
    return abs(days[last + 1] - days[last] - (days[first + 1] - days[first])) < _SAME


def _length(days: float) -> str:
    if days < 1.0 - _SAME:
        return f"{days * HOURS_PER_DAY:.4g} h"
    return "day" if abs(days - 1.0) < _SAME else f"{days:.6g} days"


def _day(time: float) -> str:
    """Protocol day of a visit, with the hour unless it is midnight."""
    hour = (round(time, 6) % 1.0) * HOURS_PER_DAY
    return protocol_day(time) + (f" {hour:.4g} h" if hour > _SAME else "")
