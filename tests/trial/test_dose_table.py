"""A NONMEM-style dose table is read as NONMEM reads it: every dose, once."""

import dataclasses

import numpy as np
import pytest

from qsp.errors import ConfigError
from qsp.trial import KINDS, DoseTableFormat, Trial, event_table, period_table, read_dose_table

WEIGHT_KDA = 146.0
HOUR = 1 / 24


@pytest.fixture
def read(tmp_path):
    def of(text, days=84.0, **form):
        path = tmp_path / "doses.csv"
        path.write_text(text, encoding="utf-8")
        form = DoseTableFormat(**form)
        return read_dose_table(path, form, molecular_weight_kda=WEIGHT_KDA, days=days)

    return of


def doses(arm, patient=0):
    """Time, kind, mg or nmol, duration and period of each administration."""
    per_mg = 1000 / WEIGHT_KDA
    return [
        (a.time, a.kind, pytest.approx(a.amount.value / (per_mg if a.period else 1)), a.period)
        for a in arm.regimens[patient].administrations
    ]


def test_rate_is_an_infusion_and_addl_repeats(read):
    (arm,) = read("ID,TIME,AMT,RATE,II,ADDL,EVID,CMT\n1,0,60,360,7,2,1,central\n")
    assert doses(arm) == [(7.0 * n, "drug_iv", 60.0, n + 1) for n in range(3)]
    assert [a.duration for a in arm.administrations] == pytest.approx([4 * HOUR] * 3)
    assert arm.labels == ("D1", "D2", "D3")
    assert arm.name == "dose_table"


def test_all_doses_of_a_line_belong_to_its_label(read):
    (arm,) = read(
        "ID,TIME,AMT,II,ADDL,EVID,CMT,LABEL\n1,0,1,1,2,1,depot,SUD1\n1,7,2,.,.,1,depot,SUD2\n"
    )
    assert arm.labels == ("SUD1", "SUD2")
    assert [a.period for a in arm.administrations] == [1, 1, 1, 2]


def test_additional_doses_and_later_lines_are_all_administered(read):
    """As in NONMEM, a later line does not cancel the remaining doses of ADDL."""
    (arm,) = read(
        "ID,TIME,AMT,II,ADDL,EVID,CMT\n1,0,1,7,3,1,depot\n1,10,2,3,1,1,depot\n1,30,3,0,0,1,depot\n"
    )
    assert [a.time for a in arm.administrations] == [0, 7, 10, 13, 14, 21, 30]
    assert [d[2] for d in doses(arm)] == [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 3.0]


def test_hours_micrograms_and_amounts_per_kg(read):
    text = "ID,TIME,AMT,RATE,EVID,CMT\n1,0,60,15,1,central\n1,168,30,0,1,depot\n"
    (arm,) = read(text, time_unit="hour", amount_unit="ug/kg")
    first, second = arm.administrations
    assert (first.time, second.time) == (0.0, 7.0)
    assert first.duration == pytest.approx(4 * HOUR)
    assert first.amount.per == "kg"
    assert first.amount.value == pytest.approx(0.06 * 1000 / WEIGHT_KDA)


def test_supportive_drugs_are_in_mg_for_any_unit_of_the_molecule(read):
    text = "ID,TIME,AMT,EVID,CMT\n1,-0.5,20,1,dexamethasone\n1,0,20,1,central\n"
    (arm,) = read(text, amount_unit="ug")
    assert doses(arm) == [(-0.5, "dexamethasone", 20.0, 0), (0.0, "drug_iv", 0.02, 1)]


def test_amounts_may_be_in_moles(read):
    text = "ID,TIME,AMT,RATE,EVID,CMT\n1,0,7,14,1,central\n1,1,20,0,1,dexamethasone\n"
    (arm,) = read(text, amount_unit="nmol")
    molecule, steroid = arm.administrations
    assert (molecule.amount.value, molecule.duration) == (7.0, 0.5)
    assert steroid.amount.value == 20.0


def test_compartment_numbers_are_mapped_by_the_format(read):
    text = "ID,TIME,AMT,EVID,CMT\n1,0,1,1,1\n1,1,1,1,2\n1,2,8,1,3\n1,3,1,1,Central\n"
    (arm,) = read(text, compartments={"1": "depot", "2": "central", "3": "tocilizumab"})
    kinds = [a.kind for a in arm.administrations]
    assert kinds == ["drug_sc", "drug_iv", "tocilizumab", "drug_iv"]


def test_observations_and_named_columns_are_ignored(read):
    text = "id,time,amt,evid,cmt,dv,wt\n1,0,1,1,depot,.,70\n\n1,1,.,0,.,3.4,70\n"
    (arm,) = read(text, ignore=["WT"])
    assert len(arm.administrations) == 1


def test_byte_order_mark_and_spaces_are_accepted(read):
    (arm,) = read("\ufeffID, TIME, AMT, EVID, CMT\r\n1, 0, 1, 1, depot\r\n")
    assert len(arm.administrations) == 1


def test_doses_are_kept_by_arm_and_patient(read):
    text = (
        "ID,TIME,AMT,EVID,CMT,ARM\n"
        "2,0,2,1,depot,low\n1,0,1,1,depot,low\n1,0,10,1,depot,high\n2,0,20,1,depot,high\n"
        "2,5,21,1,depot,high\n"
    )
    low, high = read(text)
    assert (low.name, high.name) == ("low", "high")
    assert [doses(low, n)[0][2] for n in (0, 1)] == [1.0, 2.0]
    assert [len(doses(high, n)) for n in (0, 1)] == [1, 2]


def test_an_arm_with_one_id_applies_to_every_patient(read):
    text = "ID,TIME,AMT,EVID,CMT,ARM\n1,0,1,1,depot,all\n1,0,1,1,depot,each\n2,0,2,1,depot,each\n"
    shared, individual = read(text)
    assert (shared.is_individual, individual.is_individual) == (False, True)
    trial = Trial("t", (shared, individual), 84.0, (84.0,), 2, "m", WEIGHT_KDA)
    table = event_table(trial, np.array([60.0, 80.0]), np.array([1.6, 2.0]))
    np.testing.assert_allclose(table.amount[..., 0] * WEIGHT_KDA / 1000, [[1, 1], [1, 2]])


def test_ids_are_arbitrary_and_sorted_with_their_doses(read):
    (arm,) = read("ID,TIME,AMT,EVID,CMT\n31,0,3,1,depot\n4,0,1,1,depot\n17,0,2,1,depot\n")
    assert arm.patients == (4, 17, 31)
    assert [doses(arm, n)[0][2] for n in range(3)] == [1.0, 2.0, 3.0]


def test_time_beyond_the_end_does_not_suggest_hours_if_it_is_in_hours(read):
    table = "ID,TIME,AMT,EVID,CMT\n1,0,1,1,depot\n1,2400,1,1,depot\n"
    with pytest.raises(ConfigError, match="but is 2400 hour. Lengthen the trial with days.$"):
        read(table, time_unit="hour")


@pytest.mark.parametrize("event", ["3", "4"])
def test_resets_are_refused(read, event):
    with pytest.raises(ConfigError, match="line 3: EVID must be 0"):
        read(f"ID,TIME,AMT,EVID,CMT\n1,0,1,1,depot\n1,7,1,{event},depot\n")


def test_steady_state_is_refused(read):
    with pytest.raises(ConfigError, match="line 2: SS must be 0"):
        read("ID,TIME,AMT,II,ADDL,SS,EVID,CMT\n1,0,1,7,3,1,1,depot\n")


def test_more_than_1000_additional_doses_are_refused(read):
    with pytest.raises(ConfigError, match="ADDL must be a whole number of at most 1000"):
        read("ID,TIME,AMT,II,ADDL,EVID,CMT\n1,0,1,7,100000,1,depot\n")


def test_event_table_has_all_doses_of_the_table(read):
    """Each line has 1 + ADDL doses."""
    text = "ID,TIME,AMT,II,ADDL,EVID,CMT\n1,0,1,7,3,1,depot\n1,1,20,7,3,1,dexamethasone\n"
    trial = Trial("t", read(text), 84.0, (84.0,), 1, "m", WEIGHT_KDA)
    table = event_table(trial, np.array([70.0]), np.array([1.8]))
    counts = {name: int((table.kind == n).sum()) for n, name in enumerate(KINDS)}
    assert counts == {**dict.fromkeys(KINDS, 0), "drug_sc": 4, "dexamethasone": 4}
    assert period_table(trial, table).present.sum() == 4


def test_format_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DoseTableFormat().time_unit = "hour"
