"""Dosing decisions, checked by hand, and their figures."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from qsp.drugs import RESCUE
from qsp.endpoints import decisions
from qsp.plots import decision_flow, swimmer
from qsp.plots.decisions import RESCUE_MARKS
from qsp.report.decisions import dose_decision_table
from qsp.trial.rules import DECISIONS
from tests import synthetic

MEANINGS = " ".join(name.replace(" ", "_") for name in DECISIONS)
DRUGS = "drug_iv drug_sc tocilizumab"
REASONS = "planned ahead_of_a_dose part_of_a_dose earlier_dose rescue"
LOG = np.array([[1, 2, 7], [1, 0, 1], [1, 8, 1], [1, 1, 7]])
"""(patient, visit): the last patient has failed."""
STEP = np.array([[1, 2, 2], [1, 0, 2], [1, 2, 2], [1, 2, 3]])
"""(patient, visit): the planned dose that was due."""


def coded(dims, values, meanings):
    values = np.asarray(values, np.int8)
    attrs = {
        "units": "1",
        "flag_meanings": meanings,
        "flag_values": np.arange(len(meanings.split()), dtype=np.int8),
    }
    return xr.Variable(dims, values, attrs)


@pytest.fixture
def ds():
    plain = synthetic.lively(4, arms=("a",))
    outcome = np.array([[0, 0, 0, 2]])
    row, visit = ("arm", "patient", "administration"), ("arm", "patient", "decision_visit")
    drug = [[[2, 0], [0, -1], [0, 2], [2, 2]]]
    why = [[[4, 0], [0, -1], [0, 1], [4, 4]]]
    when = xr.Variable(("arm", "decision_visit"), [[0.0, 7.0, 14.0]], {"units": "day"})
    time = xr.Variable(row, np.zeros((1, 4, 2)), {"units": "day"})
    plain = synthetic.with_record(plain, arms={"a": {"planned_doses": ("SUD1", "FD1")}})
    return synthetic.put(plain, outcome=outcome).assign(
        decision=coded(visit, LOG[None], MEANINGS),
        decision_time=when,
        decision_step=xr.Variable(visit, STEP[None].astype(np.int16), {"units": "1"}),
        administered_drug=coded(row, drug, DRUGS),
        administered_reason=coded(row, why, REASONS),
        administered_time=time,
    )


def test_flow_counts_solved_patients_by_decision(ds):
    flow = decisions.flow(ds).sel(arm="a")
    assert flow.sel(decision="as planned").values.tolist() == [3, 0, 2]
    assert flow.sel(decision="held").values.tolist() == [0, 1, 0]
    assert flow.sel(decision="stopped").values.tolist() == [0, 0, 1]
    assert flow.sum("decision").values.tolist() == [3, 3, 3]


def test_each_decision_is_counted_by_planned_dose(ds):
    found = decisions.by_dose(ds).sel(arm="a")
    visits = {
        str(n): found["visits"].sel(decision=n).values.tolist() for n in found.decision.values
    }
    assert visits.pop("as planned") == [3, 2]
    assert [visits.pop(name) for name in ("held", "stopped", "missed visit")] == [[0, 1]] * 3
    assert set(map(tuple, visits.values())) == {(0, 0)}
    assert found["patients_any"].sel(decision="as planned").item() == 3


def test_a_patient_whose_dose_is_held_twice_is_one_patient(ds):
    log = np.array([[1, 2, 2], [1, 2, 1], [1, 1, 0], [1, 2, 2]])
    step = np.array([[1, 2, 2], [1, 2, 2], [1, 2, 0], [1, 2, 2]])
    twice = ds.assign(
        decision=ds["decision"].copy(data=log[None].astype(np.int8)),
        decision_step=ds["decision_step"].copy(data=step[None]),
    )
    held = decisions.by_dose(twice).sel(arm="a", decision="held")
    assert held["visits"].values.tolist() == [0, 3]
    assert held["patients"].values.tolist() == [0, 2]
    table = dose_decision_table(twice)
    column = [c.title for c in table.columns].index("held")
    (group,) = table.groups
    assert [(row[0], row[column]) for row in group.rows] == [
        ("1: SUD1", "0"),
        ("2: FD1", "3 (2)"),
        ("any dose", "3 (2)"),
    ]


def test_the_table_has_a_column_for_each_decision(ds):
    table = dose_decision_table(ds)
    assert [c.title for c in table.columns] == [
        *("Planned dose", "as planned", "held", "delayed", "earlier dose", "split"),
        *("interval changed", "stopped", "missed visit"),
    ]


def test_blocks_add_up(ds, monkeypatch):
    whole = decisions.by_dose(ds)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.CHUNK", 1)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.SIMULATIONS", 1)
    xr.testing.assert_equal(decisions.by_dose(ds), whole)


def test_only_drugs_administered_by_a_rule_are_rescue_drugs(ds):
    rescued = decisions.rescued(ds)
    assert rescued["drug"].values.tolist() == ["tocilizumab"]
    assert rescued["value"].item() == pytest.approx(1 / 3)
    assert rescued["failed"].item() == 1


def test_stopped_treatments(ds):
    assert decisions.stopped(ds)["value"].item() == pytest.approx(1 / 3)


def test_results_without_rules_have_no_decisions(ds):
    assert decisions.has_rules(ds)
    assert not decisions.has_rules(synthetic.lively(4))


def test_figures_show_decisions_and_rescue_drugs(ds):
    figure = decision_flow(ds)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["as planned", "held", "stopped", "missed visit"]
    bars = [stack.patches for stack in figure.get_axes()[0].containers]
    totals = [sum(stack[visit].get_height() for stack in bars) for visit in range(len(bars[0]))]
    assert totals == [3, 2, 3]  # all visits but those without a dose due
    _, color = RESCUE_MARKS[RESCUE]
    crosses = sum(
        len(marks.get_offsets())
        for marks in swimmer(ds).get_axes()[0].collections
        if [to_hex(edge) for edge in marks.get_edgecolors()[:1]] == [color.lower()]
    )
    assert crosses == 1  # of the patients that did not fail
