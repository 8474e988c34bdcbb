"""What is done to the patients: regimens, arms, visits, and the event tables the engine reads."""

from __future__ import annotations

from qsp.trial.administered import AdministeredDoses, frozen, with_administered
from qsp.trial.dose_table import DoseTableFormat, read_dose_table
from qsp.trial.events import EventTable, PeriodTable, event_table, most_periods, period_table
from qsp.trial.plans import PlanTable, Widths, plan_table, plan_widths
from qsp.trial.protocol import Dose, prescribe
from qsp.trial.regimen import (
    KINDS,
    MOST_LETTERS,
    Administration,
    Amount,
    Arm,
    Regimen,
    parse_amount,
)
from qsp.trial.trial import Trial, protocol_day, trajectory_times

__all__ = [
    "KINDS",
    "MOST_LETTERS",
    "Administration",
    "Amount",
    "Arm",
    "Dose",
    "DoseTableFormat",
    "EventTable",
    "AdministeredDoses",
    "PeriodTable",
    "PlanTable",
    "Regimen",
    "Trial",
    "Widths",
    "event_table",
    "frozen",
    "most_periods",
    "parse_amount",
    "period_table",
    "plan_table",
    "plan_widths",
    "protocol_day",
    "read_dose_table",
    "prescribe",
    "trajectory_times",
    "with_administered",
]
