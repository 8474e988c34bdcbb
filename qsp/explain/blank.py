"""A dataset of results without a run, for the axes, unit and name of each variable.

Arrays of zeros replace the output of the engine for one patient in one arm. `qsp.results` makes a
dataset of them as for any run, so that the variables are always those of a run.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import xarray as xr

from qsp.engine.observers import Crossing, Pace, Reductions
from qsp.engine.trajectory import PeriodResult, SimulationResult
from qsp.model.cytokines import CYTOKINES
from qsp.model.severity import GRADES
from qsp.model.tissues import LESIONS, TISSUES
from qsp.response.assessment import Assessment, Sums
from qsp.response.outcomes import Outcomes, Survival
from qsp.results import Labels, to_dataset
from qsp.results.before_treatment import TARGET_BASELINE
from qsp.results.lesion_response import Naming, response_variables
from qsp.system import Areas, Extremes, Flows, LesionSnapshot, Peaks, Snapshot
from qsp.trial import PeriodTable

_NAMING = Naming("rule of the disease", "measure of the disease", "")
_COVARIATES = ("body_weight", "body_surface", "age", "sex")


@functools.cache
def results() -> xr.Dataset:
    """Results of one arm, patient, dose period and time, filled with zeros."""
    one = _zeros(1)
    labels = Labels(
        arms=("arm",),
        patients=np.zeros(1, int),
        time=np.zeros(1),
        kept=np.ones(1, bool),
        visits=np.ones(1),
        periods=PeriodTable(label=np.full((1, 1, 1), "D1"), time=one, amount=one),
        covariates={name: np.zeros(1) for name in _COVARIATES},
        prevalence_weight=np.ones(1),
        implausible=np.zeros((1, 1), bool),
        cytokine_baseline=_zeros(len(CYTOKINES)),
        target_baseline={name: _zeros() for name in TARGET_BASELINE},
    )
    ds = to_dataset(_simulations(), _snapshot(1), labels, {}).to_dataset()
    return ds.assign(response_variables(ds, _assessment(), _NAMING))


def _assessment() -> Assessment:
    """Response of a patient with one visit, of a disease that is followed by scans."""
    one, visit = _zeros(), _zeros(1)
    code = one.astype(int)
    survival = Survival(one, one > 0)
    outcomes = Outcomes(
        category=visit.astype(int),
        best=code,
        best_unconfirmed=code,
        response_time=one,
        complete_time=one,
        progression_time=one,
        progression_free=survival,
        response=survival,
        complete=survival,
        change=visit,
        best_change=one,
    )
    return Assessment(outcomes, one, Sums(visit, visit, one, one))


def _simulations() -> SimulationResult:
    """Output of the engine with two rows: the time before the first dose, and one dose period."""
    rows, tissues = _zeros(2), _zeros(2, len(TISSUES))
    peaks = Peaks(
        cytokines=_zeros(2, len(CYTOKINES)), drug=rows, severity=rows, fever=rows, leak=rows
    )
    reductions = Reductions(
        peak=peaks,
        peak_time=peaks,
        area=Areas(drug=rows),
        extreme=Extremes(occupancy=rows, trimers=tissues, rash=rows),
        flow=Flows(tissues),
        flow_area=Flows(tissues),
        crossing=Crossing(
            levels=_zeros(2, GRADES),
            on=rows > 0,
            on_grade=rows,
            on_own=rows > 0,
            grade=rows,
            onset=rows,
            own_time=rows,
            earlier_time=rows,
        ),
        steps=rows,
        pace=Pace(last=rows, longer=rows),
    )
    return SimulationResult(
        periods=PeriodResult(reductions=reductions, last=_snapshot(2), earlier_owner=rows),
        saved=(_snapshot(1),),
        final=None,
        end=_snapshot(),
        failed=_zeros() > 0,
        running=_zeros(),
        steps=_zeros(),
        ledger=None,
        log=None,
    )


def _snapshot(*axes: int) -> Snapshot:
    zeros, lesions = _zeros(*axes), _zeros(*axes, len(LESIONS))
    return Snapshot(
        drug_central=zeros,
        cytokines=_zeros(*axes, len(CYTOKINES)),
        il1=zeros,
        crs_severity=zeros,
        fever=zeros,
        leak=zeros,
        t_cells_blood=zeros,
        b_cells_blood=zeros,
        tumor_volume=zeros,
        lesions=LesionSnapshot(
            volume=lesions,
            viable=lesions,
            loss_share=lesions,
            exhaustion=lesions,
            new_lesions=zeros,
            m_protein=zeros,
        ),
    )


def _zeros(*axes: int) -> Any:
    """NumPy array of zeros (arm, patient, ...) in place of a JAX array."""
    return np.zeros((1, 1, *axes))
