"""What was decided and given, as labeled variables: the dose ledger and the decision log.

* ``(arm, patient, administration)``: `administered_time administered_drug administered_amount
  administered_duration administered_period administered_visit administered_step
  administered_reason`, in the order of time
* ``(arm, patient, decision_visit)``: `decision decision_step decision_rule decision_rescue`, and
  under `observed_NAME` what the rules of the trial looked at, for each visit of the calendar
* ``(arm, decision_visit)``: `decision_time`, the time of the visit

In arms that do not react, and in patients that failed, these are empty; a code of -1 is none. What
is called an index counts from 0; doses, dose periods and rules are told to people from 1.
"""

import json
from typing import Any

import numpy as np
import xarray as xr

from qsp.results.schema import OK
from qsp.trial import KINDS, AdministeredDoses, Trial
from qsp.trial.plans import planned_doses
from qsp.trial.regimen import MOLECULE_KINDS
from qsp.trial.rules import DECISIONS, NAMES, OBSERVABLES
from qsp.trial.schedule import infusion_rate

SAME_TIME = 1e-4
"""As in the engine in its coarser precision, in which times round most [day]."""
REASONS = ("planned", "ahead of a dose", "part of a dose", "earlier dose", "rescue")
ROW, VISIT = ("arm", "patient", "administration"), ("arm", "patient", "decision_visit")


def with_decisions(
    tree: xr.DataTree, given: AdministeredDoses, log: Any, trial: Trial
) -> xr.DataTree:
    """Results with ledger and log.

    Args:
        tree: Results of a run.
        given: What was given.
        log: Of the engine, with leading axes (arm, patient).
        trial: Its arms and rules.
    """
    ds = tree.to_dataset()
    solved = ds["outcome"].values == OK
    given = given._replace(kind=np.where(solved[..., None], given.kind, -1))
    ds = ds.assign(_ledger(given, trial) | _log(log, solved, trial))
    ds.attrs["rules"] = json.dumps(rule_names(trial))
    ds.attrs["planned_doses"] = json.dumps(planned_labels(trial))
    return xr.DataTree(ds, children=dict(tree.children))


def administered_of(ds: xr.Dataset, molecular_weight_kda: float) -> AdministeredDoses:
    """The ledger of results, as a run gives it.

    Args:
        ds: Results with `administered_time`.
        molecular_weight_kda: Of the molecule [kDa].
    """
    names = ("time", "drug", "amount", "duration", "period", "visit")
    columns = {name: ds[f"administered_{name}"].transpose(*ROW).values for name in names}
    kind = _whole(columns["drug"])
    there = kind >= 0
    molecule = np.isin(kind, [KINDS.index(name) for name in MOLECULE_KINDS])
    mg = np.where(molecule, molecular_weight_kda / 1000.0, 1.0)
    amount = np.where(there, columns["amount"] / mg, 0.0)
    duration = np.where(there, columns["duration"], 0.0)
    return AdministeredDoses(
        time=np.where(there, columns["time"], np.inf),
        kind=kind,
        amount=amount,
        rate=infusion_rate(amount, duration),
        duration=duration,
        period=np.where(there, _whole(columns["period"]), 0),
        visit=_whole(columns["visit"]),
        step=_whole(ds["administered_step"].transpose(*ROW).values),
    )


def _whole(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=-1).astype(np.int32)


def rule_names(trial: Trial) -> dict[str, list[str]]:
    """Names of the rules of each arm, in the order of their index."""
    return {
        arm.name: [rule.name for rule in arm.reaction.rules] if arm.reaction else []
        for arm in trial.arms
    }


def planned_labels(trial: Trial) -> dict[str, list[str]]:
    """Dose periods of the planned doses of each arm that reacts, in the order of the doses."""
    return {
        arm.name: [arm.labels[dose.period - 1] for dose in planned_doses(arm.regimens[0])]
        for arm in trial.arms
        if arm.reaction
    }


def _variable(dims: tuple[str, ...], values: Any, units: str, long_name: str) -> xr.Variable:
    return xr.Variable(dims, values, {"units": units, "long_name": long_name})


def _flags(variable: xr.Variable, meanings: tuple[str, ...], first: int = 0) -> xr.Variable:
    variable.attrs["flag_values"] = np.arange(first, first + len(meanings), dtype=np.int8)
    variable.attrs["flag_meanings"] = " ".join(m.replace(" ", "_") for m in meanings)
    return variable


def _ledger(given: AdministeredDoses, trial: Trial) -> dict[str, xr.Variable]:
    there = given.present

    def shown(values: np.ndarray) -> np.ndarray:
        return np.where(there, values, np.nan)

    def whole(values: np.ndarray) -> np.ndarray:
        return np.where(there, values, -1).astype(np.int16)

    mg = np.where(given.is_molecule, trial.molecular_weight_kda / 1000.0, 1.0)
    return {
        "administered_time": _variable(
            ROW, shown(given.time), "day", "Start, since the first dose"
        ),
        "administered_drug": _flags(
            _variable(ROW, whole(given.kind).astype(np.int8), "1", "Drug and route"), KINDS
        ),
        "administered_amount": _variable(ROW, shown(given.amount * mg), "mg", "Amount"),
        "administered_duration": _variable(
            ROW, shown(given.duration), "day", "Duration of the infusion"
        ),
        "administered_period": _variable(
            ROW, whole(given.period), "1", "Ordinal of the dose period; 0 for a supportive drug"
        ),
        "administered_visit": _variable(
            ROW, whole(given.visit), "1", "Index of the visit at which it was decided, from 0"
        ),
        "administered_step": _variable(
            ROW, whole(given.step), "1", "Index, from 0, of the planned dose it is or goes ahead of"
        ),
        "administered_reason": _flags(
            _variable(ROW, np.where(there, reasons(given), -1), "1", "Why"), REASONS
        ),
    }


def reasons(given: AdministeredDoses) -> np.ndarray:
    """(arm, patient, row): Index into `REASONS`."""
    dose = given.is_molecule
    step, period = (np.where(dose, values, -1) for values in (given.step, given.period))
    before, began = (_last_dose(values, dose) for values in (step, period))
    part = dose & (step == before) & (period == began)
    again = dose & (step <= before) & ~part
    why = np.where(part, 2, np.where(again, 3, np.where(dose, 0, 1)))
    return np.where(~dose & (given.step < 0), 4, why).astype(np.int8)


def _last_dose(values: np.ndarray, dose: np.ndarray) -> np.ndarray:
    """What the dose of the molecule before each row has; -1 where there is none."""
    index = np.where(dose, np.arange(dose.shape[-1]), -1)
    latest = np.maximum.accumulate(index, axis=-1)
    before = np.concatenate([np.full_like(latest[..., :1], -1), latest[..., :-1]], axis=-1)
    found = np.take_along_axis(values, np.maximum(before, 0), axis=-1)
    return np.where(before >= 0, found, -1)


def _log(log: Any, solved: np.ndarray, trial: Trial) -> dict[str, xr.Variable]:
    calendars = [arm.reaction.calendar if arm.reaction else () for arm in trial.arms]
    visits = max(map(len, calendars))
    times = np.array([[*c, *[np.nan] * (visits - len(c))] for c in calendars])

    def cut(values: Any) -> np.ndarray:
        """Of the patients that did not fail; -1 for the others, and at visits that are none."""
        return np.where(solved[..., None], np.asarray(values)[:, :, :visits], -1)

    data = {
        "decision_time": _variable(("arm", "decision_visit"), times, "day", "Time of the visit"),
        "decision": _flags(
            _variable(VISIT, cut(log.decision).astype(np.int8), "1", "What came of the visit"),
            DECISIONS,
        ),
        "decision_rule": _variable(
            VISIT,
            cut(log.rule).astype(np.int16),
            "1",
            "Index, from 0, of the rule that decided: 0 is rule 1; -1 for none",
        ),
        "decision_rescue": _variable(
            VISIT,
            cut(log.rescue).astype(np.int16),
            "1",
            "Index, from 0, of the rule that gave a drug: 0 is rule 1; -1 for none",
        ),
        "decision_step": _variable(
            VISIT,
            cut(_steps(log, trial)).astype(np.int16),
            "1",
            "Ordinal, from 1, of the planned dose that it was about; 0 where none was due",
        ),
    }
    seen = np.where(solved[..., None, None], np.asarray(log.seen)[:, :, :visits], np.nan)
    for observable in OBSERVABLES:
        if observable.name in looked_at(trial):
            data[f"observed_{observable.name}"] = _variable(
                VISIT, seen[..., NAMES.index(observable.name)], observable.unit, observable.meaning
            )
    return data


def _steps(log: Any, trial: Trial) -> np.ndarray:
    """(arm, patient, visit): Ordinal of the planned dose that was due, 0 where none was.

    A stop is about the dose that would have come next, or else about the last one.
    """
    seen, decision = np.asarray(log.seen), np.asarray(log.decision)
    coming, overdue = (seen[..., NAMES.index(name)] for name in ("step", "days_overdue"))
    stop = decision == DECISIONS.index("stopped")
    over = np.cumsum(stop, axis=-1) > stop  # by an earlier visit
    planned = [len(planned_doses(arm.regimens[0])) if arm.reaction else 0 for arm in trial.arms]
    last = np.array(planned)[:, None, None]
    with np.errstate(invalid="ignore"):  # nothing is seen where there is no visit
        due = (overdue >= -SAME_TIME) & (coming <= last) & ~over
    step = np.where(due | stop, np.minimum(coming, last), 0.0)
    return np.nan_to_num(step).astype(np.int16)


def looked_at(trial: Trial) -> set[str]:
    """Observables that rules of the trial look at."""
    return {
        condition.observable
        for arm in trial.arms
        if arm.reaction
        for rule in arm.reaction.rules
        for condition in rule.when
    }
