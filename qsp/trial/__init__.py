"""Trial design: regimens, arms, visits and rules, and the schedules that the engine reads."""

from __future__ import annotations

from qsp.trial.administered import administered_periods, fixed_schedule
from qsp.trial.dose_format import DoseTableFormat
from qsp.trial.dose_rows import DoseRows
from qsp.trial.dose_table import arms_of_rows, read_dose_table
from qsp.trial.events import PeriodTable, event_table, most_periods, period_table
from qsp.trial.plans import Widths, plan_table, plan_widths
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
from qsp.trial.schedule import AdaptivePlan, AdministeredDoses, Events
from qsp.trial.trial import Trial, protocol_day, trajectory_times

__all__ = [
    "KINDS",
    "MOST_LETTERS",
    "AdaptivePlan",
    "AdministeredDoses",
    "Administration",
    "Amount",
    "Arm",
    "Dose",
    "DoseRows",
    "DoseTableFormat",
    "Events",
    "PeriodTable",
    "Regimen",
    "Trial",
    "Widths",
    "administered_periods",
    "arms_of_rows",
    "event_table",
    "fixed_schedule",
    "most_periods",
    "parse_amount",
    "period_table",
    "plan_table",
    "plan_widths",
    "protocol_day",
    "read_dose_table",
    "prescribe",
    "trajectory_times",
]
