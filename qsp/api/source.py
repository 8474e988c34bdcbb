"""A trial as Python source: the calls of the public words that build it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qsp.api.doses import Dose, numbered
from qsp.api.people import People
from qsp.api.quantities import plain_number
from qsp.api.regimens import Regimen
from qsp.api.rules import Rule, Rules
from qsp.api.supportive import SupportiveDose
from qsp.api.tables import dump
from qsp.drugs import DRUG_BY_NAME
from qsp.errors import ConfigError
from qsp.units import parse

if TYPE_CHECKING:
    from qsp.api.trials import Trial

_WIDTH = 88
_WORDS = ("value", "scale", "keep_spread")
"""Keys of a changed parameter that `set` and `scale` write."""


def python_source(trial: Trial) -> str:
    """Return Python source that builds a trial; see `qsp.Trial.to_python`.

    Args:
        trial: The trial.

    Raises:
        ConfigError: If the trial has a dose table, or a parameter with a distribution of its own.
    """
    config = trial.config
    if config.dose_table is not None:
        rule, todo = "the doses must be in arms", "Write the trial with to_toml"
        raise ConfigError("to_python", rule, "a dose table", todo)
    arms = {name: _regimen(arm) for name, arm in trial.arms.items()}
    options: dict[str, str] = {"days": _literal(trial.days)}
    if config.visits:
        options["visits"] = _literal(config.visits)
    for key in ("title", "author", "name"):
        if getattr(config, key):
            options[key] = _literal(getattr(config, key))
    if config.response != trial.people.population.cohort.response_criteria:
        options["response"] = _literal(config.response)
    chosen = config.trajectories.ids or config.trajectories.patients
    if chosen:
        options["trajectories"] = _literal(chosen)
    if config.reference is not None:
        options["reference"] = _literal(config.reference)
    for key in ("utility", "observations", "method"):
        table = getattr(config, key)
        if keys := dump(table) if table else {}:
            options[key] = _literal(keys)
    return (
        f"import qsp\n\npeople = {_people(trial.people)}\n"
        f"arms = {_table(arms)}\n"
        f"trial = {_call('qsp.Trial.of', 'arms', 'people', **options)}\n"
    )


def _people(people: People) -> str:
    """Return the patients as a chain of calls."""
    options = {"molecule": _literal(people.molecule.file), "seed": _literal(people.seed)}
    sampled = people.draws is None
    is_counted = people.ids == tuple(range(len(people)))
    ids = {} if is_counted else {"ids": _literal(people.ids)}
    count = _literal(len(people) if sampled else 1)
    links = [_call(".sample", count, **options, **(ids if sampled else {}))]
    if people.cohort is not None:
        folder = _literal(os.path.abspath(people.cohort.name))
        links = [_call(".from_cohort", folder, **options)]
    links += [link for path, entry in people.changes.items() for link in _changes(path, entry)]
    if people.is_typical:
        links.append(".typical")
    elif not sampled:
        draws = {name: _literal(numbers) for name, numbers in (people.draws or {}).items()}
        links.append(_call(".at", _table(draws), **ids))
    elif people.cohort is not None and len(people) < len(people.cohort):
        links.append(_call(".select", _literal(people.ids)))
    first = _call("qsp.population", _literal(people.population.file))
    line = first + "".join(links)
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    return "(\n" + "".join(f"    {_indented(link)}\n" for link in (first, *links)) + ")"


def _changes(path: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the calls that change a parameter."""
    others = [key for key in entry if key not in _WORDS]
    if others:
        rule = f"the change of {path} must be a value or a factor"
        todo = "Write the trial with to_toml, or the distribution into the file of the molecule"
        raise ConfigError("to_python", rule, f"a table with {', '.join(others)}", todo)
    if "value" in entry:
        kept = {} if entry.get("keep_spread", True) else {"keep_spread": "False"}
        yield _call(".set", _literal(path), _literal(entry["value"]), **kept)
    if "scale" in entry:
        yield _call(".scale", _literal(path), _literal(entry["scale"]))


def _regimen(arm: Regimen) -> str:
    own = [drug for drug in arm.before if drug.time is not None]
    ahead = [_supportive(drug) for drug in arm.before if drug.time is None]
    options: dict[str, str] = {}
    if ahead:
        options["before"] = ahead[0] if len(ahead) == 1 else _list(ahead)
    if arm.rules is not None:
        options["rules"] = _rules(arm.rules)
    if arm.title:
        options["title"] = _literal(arm.title)
    if arm.parameters:
        options["parameters"] = _literal(arm.parameters)
    words = [*map(_dose, arm.doses), *map(_supportive, own)]
    return _call("qsp.regimen", *words, **options)


def _dose(dose: Dose) -> str:
    options = {
        "day": dose.time + 1.0,
        "over": None if dose.route == "sc" else dose.over,
        "every": dose.every,
        "times": None if dose.times == 1 else dose.times,
        "period": _period(dose),
        "cap": dose.cap,
        "min_interval": dose.min_interval,
    }
    return _call(f"qsp.{dose.route}", _literal(dose.amount), **_literals(options))


def _period(dose: Dose) -> str | list[str]:
    """Argument `period` of a dose: one name, with numbers for a row of doses, or a list."""
    names = list(dose.periods)
    if dose.times == 1:
        return names[0]
    stem = names[0].removesuffix("1")
    return stem if tuple(names) == numbered(stem, dose.times) else names


def _supportive(drug: SupportiveDose) -> str:
    days = {"day": drug.time, "from_day": drug.first, "until_day": drug.until}
    options = {
        "lead": drug.lead,
        "over": drug.over,
        "route": None if drug.route == DRUG_BY_NAME[drug.drug].routes[0] else drug.route,
        "cap": drug.cap,
        "every": drug.every,
        "times": None if drug.times == 1 else drug.times,
        "periods": list(drug.periods) or None,
        **{key: None if time is None else time + 1.0 for key, time in days.items()},
    }
    return _call(f"qsp.{drug.drug}", _literal(drug.amount), **_literals(options))


def _rules(rules: Rules) -> str:
    calendar = dict(rules.calendar)
    tables = calendar.pop("visits", [])
    visits = [_visits(table) for table in tables if "after" not in table]
    after = [_visits_after(table) for table in tables if "after" in table]
    options = {
        key: f"[{', '.join(entries)}]"
        for key, entries in (("visits", visits), ("visits_after", after))
        if entries
    }
    return _call("qsp.rules", *map(_rule, rules.rules), **options, **_literals(calendar))


def _rule(rule: Rule) -> str:
    keys = dict(rule.keys)
    words = [_literal(rule.condition)]
    if rule.give is None:
        words.append(_literal(keys.pop("do")))
        return _call("qsp.when", *words, **_literals(keys))
    limits = {"limits": _literal(rule.limits)} if rule.limits else {}
    return _call("qsp.when", *words, give=_supportive(rule.give), **limits, **_literals(keys))


def _visits(table: Mapping[str, str]) -> str:
    first, last = (
        parse(table.get(key, "0 day"), "day", where="visits") + 1.0 for key in ("from", "until")
    )
    return f"({', '.join(map(_literal, (table['every'], first, last)))})"


def _visits_after(table: Mapping[str, Any]) -> str:
    return f"({', '.join(_literal(table[key]) for key in ('every', 'for', 'after'))})"


def _literals(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options that are not None as source."""
    return {key: _literal(value) for key, value in options.items() if value is not None}


def _literal(value: Any) -> str:
    """Return a value as source; text in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_literal(k)}: {_literal(v)}' for k, v in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


def _call(name: str, /, *words: str, **options: str) -> str:
    """Return a call, with an argument per line where it is long."""
    arguments = [*words, *(f"{key}={text}" for key, text in options.items())]
    return _bracketed(f"{name}(", arguments, ")")


def _table(items: Mapping[str, str]) -> str:
    return _bracketed("{", [f"{_literal(key)}: {text}" for key, text in items.items()], "}")


def _list(items: Sequence[str]) -> str:
    return _bracketed("[", items, "]")


def _bracketed(start: str, items: Sequence[str], end: str) -> str:
    line = f"{start}{', '.join(items)}{end}"
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    return start + "\n" + "".join(f"    {_indented(item)},\n" for item in items) + end


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
