"""Administered doses and dosing decisions of adaptive arms, as labeled variables.

* ``(arm, patient, administration)``: `administered_time administered_drug administered_amount
  administered_duration administered_period administered_visit administered_step
  administered_reason`, in order of time
* ``(arm, patient, decision_visit)``: `decision decision_step decision_rule decision_rescue`, and
  under `observed_NAME` the observables that rules of the trial use, at each scheduled visit
* ``(arm, decision_visit)``: `decision_time`, the time of the visit
* ``(arm, patient, dose_period)``: `tocilizumab_given`, the number of doses of tocilizumab by a rule

Variables are empty in arms without adaptive dosing and for patients that failed; a code of -1 means
none. An index counts from 0. Doses, dose periods and rules are numbered from 1 in tables, figures
and messages.
"""

from typing import Any

import numpy as np
import xarray as xr

from qsp.drugs import RESCUE
from qsp.results.schema import OK, PERIOD
from qsp.trial import KINDS, AdministeredDoses, Trial
from qsp.trial.plans import planned_doses
from qsp.trial.regimen import MOLECULE_KINDS
from qsp.trial.rules import DECISIONS, NAMES, OBSERVABLES
from qsp.trial.schedule import infusion_rate

SAME_TIME = 1e-4
"""Times closer than this are the same, as in the engine in single precision [day]."""
REASONS = ("planned", "ahead of a dose", "part of a dose", "earlier dose", "rescue")
ROW, VISIT = ("arm", "patient", "administration"), ("arm", "patient", "decision_visit")


def with_decisions(
    tree: xr.DataTree, administered: AdministeredDoses, log: Any, trial: Trial
) -> xr.DataTree:
    """Return results with administered doses and the decision log.

    Args:
        tree: Results of a run.
        administered: Administered doses (arm, patient, administration).
        log: Decision log of the engine (arm, patient, visit).
        trial: Trial with the arms and rules.
    """
    ds = tree.to_dataset()
    solved = ds["outcome"].values == OK
    kind = np.where(solved[..., None], administered.kind, -1)
    administered = administered._replace(kind=kind)
    given = {"tocilizumab_given": _tocilizumab_given(administered, ds["dose_time"])}
    ds = ds.assign(
        _dose_variables(administered, trial) | _log_variables(log, solved, trial) | given
    )
    return xr.DataTree(ds, children=dict(tree.children))


def administered_of(ds: xr.Dataset, molecular_weight_kda: float) -> AdministeredDoses:
    """Return the administered doses that results record, in the units of the engine.

    Args:
        ds: Results with `administered_time`.
        molecular_weight_kda: Molecular weight of the molecule [kDa].
    """
    names = ("time", "drug", "amount", "duration", "period", "visit")
    columns = {name: ds[f"administered_{name}"].transpose(*ROW).values for name in names}
    kind = _whole(columns["drug"])
    present = kind >= 0
    molecule = np.isin(kind, [KINDS.index(name) for name in MOLECULE_KINDS])
    mg = np.where(molecule, molecular_weight_kda / 1000.0, 1.0)
    amount = np.where(present, columns["amount"] / mg, 0.0)
    duration = np.where(present, columns["duration"], 0.0)
    return AdministeredDoses(
        time=np.where(present, columns["time"], np.inf),
        kind=kind,
        amount=amount,
        rate=infusion_rate(amount, duration),
        duration=duration,
        period=np.where(present, _whole(columns["period"]), 0),
        visit=_whole(columns["visit"]),
        step=_whole(ds["administered_step"].transpose(*ROW).values),
    )


def _whole(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=-1).astype(np.int32)


def _variable(dims: tuple[str, ...], values: Any, units: str, long_name: str) -> xr.Variable:
    return xr.Variable(dims, values, {"units": units, "long_name": long_name})


def _flags(variable: xr.Variable, meanings: tuple[str, ...], first: int = 0) -> xr.Variable:
    variable.attrs["flag_values"] = np.arange(first, first + len(meanings), dtype=np.int8)
    variable.attrs["flag_meanings"] = " ".join(m.replace(" ", "_") for m in meanings)
    return variable


def _dose_variables(administered: AdministeredDoses, trial: Trial) -> dict[str, xr.Variable]:
    present = administered.present

    def masked(values: np.ndarray) -> np.ndarray:
        return np.where(present, values, np.nan)

    def whole(values: np.ndarray) -> np.ndarray:
        return np.where(present, values, -1).astype(np.int16)

    mg = np.where(administered.is_molecule, trial.molecular_weight_kda / 1000.0, 1.0)
    return {
        "administered_time": _variable(
            ROW, masked(administered.time), "day", "Start, since the first dose"
        ),
        "administered_drug": _flags(
            _variable(ROW, whole(administered.kind).astype(np.int8), "1", "Drug and route"), KINDS
        ),
        "administered_amount": _variable(ROW, masked(administered.amount * mg), "mg", "Amount"),
        "administered_duration": _variable(
            ROW, masked(administered.duration), "day", "Duration of the infusion"
        ),
        "administered_period": _variable(
            ROW,
            whole(administered.period),
            "1",
            "Ordinal of the dose period; 0 for a supportive drug",
        ),
        "administered_visit": _variable(
            ROW, whole(administered.visit), "1", "Index, from 0, of the visit of the decision"
        ),
        "administered_step": _variable(
            ROW,
            whole(administered.step),
            "1",
            "Index, from 0, of the planned dose that it is or precedes",
        ),
        "administered_reason": _flags(
            _variable(ROW, np.where(present, reasons(administered), -1), "1", "Reason"), REASONS
        ),
    }


def _tocilizumab_given(administered: AdministeredDoses, dose_time: xr.DataArray) -> xr.Variable:
    """Number of doses of tocilizumab by a rule in each dose period; NaN without the period.

    A drug that is given at the visit of a dose is decided before the dose, and belongs to the
    period before it.
    """
    start = dose_time.transpose(*PERIOD).values
    is_given = administered.kind == KINDS.index(RESCUE)
    is_given &= reasons(administered) == REASONS.index("rescue")
    begin = np.where(np.isfinite(start), start, np.inf)
    end = np.concatenate([begin[..., 1:], np.full_like(begin[..., :1], np.inf)], axis=-1)
    begin[..., 0] = -np.inf
    counts = np.full(start.shape, np.nan)
    for n in range(start.shape[-1]):
        after = administered.time > begin[..., n, None] + SAME_TIME
        before = administered.time <= end[..., n, None] + SAME_TIME
        counts[..., n] = (is_given & after & before).sum(axis=-1)
    counts = np.where(np.isfinite(start), counts, np.nan)
    return _variable(PERIOD, counts, "1", "Doses of tocilizumab by a rule in the dose period")


def reasons(administered: AdministeredDoses) -> np.ndarray:
    """Return the reason of each administration.

    Args:
        administered: Administered doses.

    Returns:
        (arm, patient, administration): Index into `REASONS`.
    """
    dose = administered.is_molecule
    step, period = (
        np.where(dose, values, -1) for values in (administered.step, administered.period)
    )
    step_before, period_before = (_previous_dose(values, dose) for values in (step, period))
    part = dose & (step == step_before) & (period == period_before)
    repeated = dose & (step <= step_before) & ~part
    reason = np.where(part, 2, np.where(repeated, 3, np.where(dose, 0, 1)))
    return np.where(~dose & (administered.step < 0), 4, reason).astype(np.int8)


def _previous_dose(values: np.ndarray, dose: np.ndarray) -> np.ndarray:
    """Values of the dose of the molecule that precedes each row; -1 where there is none."""
    index = np.where(dose, np.arange(dose.shape[-1]), -1)
    latest = np.maximum.accumulate(index, axis=-1)
    before = np.concatenate([np.full_like(latest[..., :1], -1), latest[..., :-1]], axis=-1)
    found = np.take_along_axis(values, np.maximum(before, 0), axis=-1)
    return np.where(before >= 0, found, -1)


def _log_variables(log: Any, solved: np.ndarray, trial: Trial) -> dict[str, xr.Variable]:
    calendars = [arm.reaction.calendar if arm.reaction else () for arm in trial.arms]
    visits = max(map(len, calendars))
    times = np.array([[*c, *[np.nan] * (visits - len(c))] for c in calendars])

    def cut(values: Any) -> np.ndarray:
        """Values at the visits of the longest calendar; -1 for patients that failed."""
        return np.where(solved[..., None], np.asarray(values)[:, :, :visits], -1)

    data = {
        "decision_time": _variable(("arm", "decision_visit"), times, "day", "Time of the visit"),
        "decision": _flags(
            _variable(VISIT, cut(log.decision).astype(np.int8), "1", "Decision of the visit"),
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
            "Ordinal, from 1, of the planned dose of the decision; 0 where none was due",
        ),
    }
    seen = np.where(solved[..., None, None], np.asarray(log.seen)[:, :, :visits], np.nan)
    for observable in OBSERVABLES:
        if observable.name in used_observables(trial):
            data[f"observed_{observable.name}"] = _variable(
                VISIT, seen[..., NAMES.index(observable.name)], observable.unit, observable.meaning
            )
    return data


def _steps(log: Any, trial: Trial) -> np.ndarray:
    """(arm, patient, visit): Ordinal of the planned dose that was due; 0 where none was.

    A decision to stop counts for the next planned dose, or for the last one after all were given.
    """
    seen, decision = np.asarray(log.seen), np.asarray(log.decision)
    coming, overdue = (seen[..., NAMES.index(name)] for name in ("step", "days_overdue"))
    stop = decision == DECISIONS.index("stopped")
    stopped = np.cumsum(stop, axis=-1) > stop  # at an earlier visit
    planned = [len(planned_doses(arm.regimens[0])) if arm.reaction else 0 for arm in trial.arms]
    last = np.array(planned)[:, None, None]
    with np.errstate(invalid="ignore"):  # observables are NaN where there is no visit
        due = (overdue >= -SAME_TIME) & (coming <= last) & ~stopped
    step = np.where(due | stop, np.minimum(coming, last), 0.0)
    return np.nan_to_num(step).astype(np.int16)


def used_observables(trial: Trial) -> set[str]:
    """Return the names of the observables in conditions of the rules of a trial."""
    return {
        condition.observable
        for arm in trial.arms
        if arm.reaction
        for rule in arm.reaction.rules
        for condition in rule.when
    }
