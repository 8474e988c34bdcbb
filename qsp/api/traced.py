"""Doses and parameters of one patient as functions of the values that JAX traces.

A regimen or a patient may hold traced values. The checks of a trial need numbers, so each traced
value gets a stand-in, the checked trial gives the administrations and the parameters of the
patient, and `TracedInputs.build` puts the traced values in the places of the stand-ins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from qsp.api.changes import is_traced
from qsp.api.doses import Dose
from qsp.api.people import People
from qsp.api.quantities import days_of
from qsp.api.regimens import Regimen
from qsp.api.simulate import prepare
from qsp.api.trials import Trial
from qsp.config.config import LONGEST
from qsp.errors import ConfigError
from qsp.system import Parameters, System
from qsp.trial.events import EVENT_BUCKET, round_up
from qsp.trial.regimen import KINDS, MOLECULE_KINDS, Administration
from qsp.trial.schedule import Events

Values = Mapping[str, Any]
"""Traced values by name: the path of a parameter, or amount and time of a dose by its number."""


@dataclasses.dataclass(frozen=True)
class TracedInputs:
    """Regimen and patient of a trajectory.

    Args:
        system: Equations.
        labels: Names of the dose periods.
        values: Traced values.
        build: Function of the values that returns events and parameters; arrays that do not depend
            on the values are NumPy arrays.
    """

    system: System
    labels: tuple[str, ...]
    values: Values
    build: Callable[[Values], tuple[Events, Parameters]]


@dataclasses.dataclass(frozen=True)
class _Row:
    """An administration whose amount and time may depend on traced values.

    Args:
        administration: Administration at the stand-ins.
        amount: Amount for this patient at the stand-ins [nmol or mg].
        factor: Name of the value that multiplies the amount, if any.
        start: Name of the value to which `offset` is added, if any.
        offset: Time [day].
    """

    administration: Administration
    amount: float
    factor: str
    start: str
    offset: float

    @property
    def is_traced(self) -> bool:
        """Whether this is a dose of the molecule with a traced amount or time."""
        return bool(self.administration.period and (self.factor or self.start))

    def time(self, values: Values) -> Any:
        return values[self.start] + self.offset if self.start else self.offset

    def given(self, values: Values) -> Any:
        return values[self.factor] * self.amount if self.factor else self.amount


def traced_inputs(regimen: Regimen, people: People, days: float) -> TracedInputs:
    """Return regimen and patient as functions of their traced values.

    Args:
        regimen: Regimen without rules.
        people: One patient.
        days: End of the trajectory; later doses are left out [day].

    Raises:
        ConfigError: If there are rules or several patients, or a rule of a trial is broken.
    """
    _check(regimen, people)
    for path, text in regimen.parameters.items():
        people = people.set(path, text)
    doses = dict(enumerate(regimen.doses))
    values = {
        **{f"amount {n}": dose.amount for n, dose in doses.items()},
        **{f"time {n}": dose.time for n, dose in doses.items()},
        **{path: value for path, (value, _) in people.traced.items()},
    }
    values = {name: value for name, value in values.items() if is_traced(value)}
    for name, value in values.items():
        if value.shape:
            todo = "Map over an array with jax.vmap"
            rule = f"{name} must be a single number"
            raise ConfigError("trajectory", rule, f"of shape {value.shape}", todo)
    numeric = _with_stand_ins(regimen, values)
    prepared = prepare(Trial.of(numeric, people.numeric, days=LONGEST))
    patient = prepared.cohort.people
    if not patient.plausible[0]:
        rule, todo = "the parameters of the patient must be possible", "See people.parameters"
        raise ConfigError("trajectory", rule, "outside their limits", todo)
    planned = prepared.trial.arms[0].regimens[0]
    sizes = {
        "patient": 1.0,
        "kg": float(patient.covariates["body_weight"][0]),
        "m2": float(patient.covariates["body_surface"][0]),
    }
    rows = [
        row
        for row in _rows(regimen, numeric, planned.administrations, values, sizes)
        if row.start or row.offset < days
    ]

    def build(values: Values) -> tuple[Events, Parameters]:
        medians = {path: values[path] for path in people.traced}
        return _events(rows, values), patient.first_with(medians)

    return TracedInputs(prepared.system, planned.labels, values, build)


def _check(regimen: Any, people: Any) -> None:
    if not isinstance(regimen, Regimen):
        todo = "Write qsp.regimen(...) around its doses"
        raise ConfigError("trajectory", "regimen must be a regimen", repr(regimen), todo)
    if not isinstance(people, People) or len(people) != 1:
        got = repr(people) if not isinstance(people, People) else f"{len(people)} patients"
        todo = "Write people.typical, or people.select([0]); jax.vmap maps over values"
        raise ConfigError("trajectory", "people must be one patient", got, todo)
    if regimen.rules is not None:
        rule, todo = "the number of rules of the regimen must be 0", "Use qsp.simulate for rules"
        raise ConfigError("trajectory", rule, len(regimen.rules.rules), todo)


def _with_stand_ins(regimen: Regimen, values: Values) -> Regimen:
    """Regimen with a number for each traced value; with traced times, doses are in a row."""
    has_times = any(name.startswith("time ") for name in values)
    if has_times:
        _check_times(regimen, values)
    doses, end = [], 0.0
    for n, dose in enumerate(regimen.doses):
        changes: dict[str, Any] = {"time": end} if has_times else {}
        if f"amount {n}" in values:
            changes["amount"] = 1.0
        doses.append(dataclasses.replace(dose, **changes))
        end = (doses[-1].last if has_times else 0.0) + _duration(dose) + 1.0
    return dataclasses.replace(regimen, doses=tuple(doses))


def _check_times(regimen: Regimen, values: Values) -> None:
    if "time 0" in values or regimen.doses[0].time != 0.0:
        todo = "Put the dose on day 1 first: all days count from it"
        raise ConfigError("trajectory", "the first dose must be on day 1", "another day", todo)
    for drug in regimen.before:
        if drug.lead is not None and (drug.first is not None or drug.until is not None):
            rule = f"{drug.drug} must be without from_day and until_day if JAX traces a day"
            todo = "Choose its doses with periods"
            raise ConfigError("trajectory", rule, "with one of them", todo)


def _duration(dose: Dose) -> float:
    return days_of(dose.over or 0.0, "over")


def _rows(
    regimen: Regimen,
    numeric: Regimen,
    administrations: Sequence[Administration],
    values: Values,
    sizes: Mapping[str, float],
) -> list[_Row]:
    """Administrations with the values on which they depend."""
    expanded = []
    for n, dose in enumerate(numeric.doses):
        every = 0.0 if dose.every is None else days_of(dose.every, "every")
        kind = MOLECULE_KINDS.index("drug_sc" if dose.route == "sc" else "drug_iv")
        expanded += [
            (round(dose.time + k * every, 9), kind, n, k * every) for k in range(dose.times)
        ]
    expanded.sort(key=lambda item: item[:2])
    starts: list[tuple[float, str, float]] = []
    rows, origin = [], iter(expanded)
    for each in sorted(administrations, key=lambda each: each.period == 0):
        factor = start = ""
        offset = each.time
        if each.period:
            _, _, n, later = next(origin)
            factor = f"amount {n}" if f"amount {n}" in values else ""
            start = f"time {n}" if f"time {n}" in values else ""
            offset = later + (0.0 if start else regimen.doses[n].time)
            starts.append((each.time, start, offset))
        elif each.lead:
            _, start, offset = min(starts, key=lambda item: abs(item[0] - each.time - each.lead))
            offset -= each.lead
        amount = min(each.amount.value * sizes[each.amount.per], each.amount.cap)
        rows.append(_Row(each, amount, factor, start, offset))
    return sorted(rows, key=lambda row: (row.administration.time, row.administration.period > 0))


def _events(rows: Sequence[_Row], values: Values) -> Events:
    """Events (event,), padded so that similar regimens share one compiled program."""
    padding = round_up(len(rows), EVENT_BUCKET) - len(rows)
    known = [row.administration for row in rows]
    duration = np.array([*(each.duration for each in known), *[0.0] * padding])
    pairs = [(row.time(values), row.given(values)) for row in rows]
    pairs = [
        _refused(*pair) if row.is_traced else pair for row, pair in zip(rows, pairs, strict=True)
    ]
    amount = _array([*(amount for _, amount in pairs), *[0.0] * padding])
    return Events(
        time=_array([*(time for time, _ in pairs), *[np.inf] * padding]),
        kind=np.array([*(KINDS.index(each.kind) for each in known), *[-1] * padding], np.int32),
        amount=amount,
        rate=amount * np.divide(1.0, duration, out=np.zeros_like(duration), where=duration > 0.0),
        duration=duration,
        period=np.array([*(each.period for each in known), *[0] * padding], np.int32),
    )


def _refused(time: Any, amount: Any) -> tuple[Any, Any]:
    """Time and amount of a traced dose of the molecule.

    The amount is NaN, so that the solve fails, if it is negative or the dose precedes day 1; else
    the solver would accept both, and a time that is NaN would leave the dose out.
    """
    is_possible = (time >= 0.0) & (amount >= 0.0)
    return jnp.where(time >= 0.0, time, 0.0), jnp.where(is_possible, amount, jnp.nan)


def _array(numbers: Sequence[Any]) -> Any:
    """Array of numbers, of JAX if one of them is."""
    if all(isinstance(each, int | float) for each in numbers):
        return np.array(numbers, float)
    return jnp.stack([jnp.asarray(each, jnp.float64) for each in numbers])
