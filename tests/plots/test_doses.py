"""Doses and arms as a reader wants them, from the record of the run."""

import pytest

from qsp.plots.doses import (
    amount_text,
    dose_scale,
    dose_texts,
    prescribed,
    readable,
    readable_unit,
    supportive,
)
from qsp.plots.names import arm_titles, one_patient
from qsp.results.record import DoseRecord, RegimenRecord
from tests import synthetic


def dose(time, period, mg, per="patient", duration=1 / 24, **more):
    """An infusion of the molecule."""
    return DoseRecord(time, "m", "drug_iv", "IV", mg, per, duration=duration, period=period, **more)


def regimen(*doses):
    return {"regimens": (RegimenRecord(doses),)}


def infusions(**more):
    """5 and then 15 ug/m^2/day, for a week each."""
    return regimen(dose(0.0, "SUD1", 0.035, "m2", 7.0), dose(7.0, "FD1", 0.105, "m2", 7.0, **more))


ARMS = {
    "step_up": {"title": "5/15 a day", **infusions()},
    "again": infusions(),
    "twice": regimen(
        dose(0.0, "SUD1", 1.0, "kg"), dose(1.0, "SUD1", 1.0, "kg"), dose(7.0, "FD1", 60.0)
    ),
    "series": regimen(
        *(dose(float(n), "C1", 1.0, "kg") for n in range(3)),
        dose(7.0, "C2", 2.0, "kg"),
        dose(14.0, "C3", 2.0, "kg"),
    ),
}


def results(*names, **changed):
    ds = synthetic.neutral(arms=names)
    return synthetic.with_record(ds, arms={**ARMS, **changed})


@pytest.mark.parametrize(
    ("mg", "text"),
    [(60.0, "60 mg"), (0.16, "0.16 mg"), (0.1, "0.1 mg"), (0.0660826, "66.1 µg"),
     (0.068, "68 µg"), (1.54342, "1.54 mg"), (1234.0, "1,230 mg"), (2e-5, "20 ng"), (0.0, "0 mg"),
     (float("nan"), "–")],
)  # fmt: skip
def test_amounts_have_three_significant_digits_and_a_suitable_unit(mg, text):
    assert amount_text(mg) == text


@pytest.mark.parametrize(
    ("listed", "text"),
    [("0.035 mg/m^2", "35 µg/m²"), ("20 mg", "20 mg"), ("68 ug", "68 µg"), ("8 mg/kg", "8 mg/kg"),
     ("8 mg/kg, at most 800 mg", "8 mg/kg, at most 800 mg"), ("", "")],
)  # fmt: skip
def test_listed_amounts_are_made_readable(listed, text):
    assert readable(listed) == text


def test_units_have_the_symbols_of_figures():
    assert [readable_unit(text) for text in ("ug/mL", "ug/m^2", "nmol/L")] == [
        *("µg/mL", "µg/m²", "nmol/L")
    ]


def test_amounts_by_size_or_day_are_shown_as_prescribed():
    found = prescribed(results(*ARMS))
    assert found["step_up", "SUD1"] == "5 µg/m²/day"
    assert found["again", "FD1"] == "15 µg/m²/day"
    assert found["series", "C3"] == "2 mg/kg"
    capped = prescribed(results("again", again=infusions(cap_mg=0.196)))
    assert capped["again", "FD1"] == "15 µg/m²/day, at most 28 µg/day"


def test_amounts_that_add_up_or_are_for_the_patient_are_those_of_the_results():
    found = prescribed(results(*ARMS))
    assert ("twice", "SUD1") not in found  # two doses of one period
    assert ("twice", "FD1") not in found  # 60 mg is no amount by size
    assert ("series", "C1") not in found  # three doses of one period


def test_individual_doses_are_those_of_the_results():
    (shared,) = ARMS["again"]["regimens"]
    assert prescribed(results("again", again={"regimens": (shared, shared)})) == {}


def test_doses_share_a_scale_where_they_share_a_unit():
    ds = results("step_up", "again")
    scale = dose_scale(ds)
    assert scale.unit == "µg/m²/day"
    assert scale.heights["step_up", "FD1"] == 3 * scale.heights["again", "SUD1"] == 15.0
    assert scale.texts["again", "SUD1"] == "5"


def test_doses_without_a_common_unit_keep_their_own_on_bars_that_compare():
    ds = synthetic.neutral(arms=("step_up",))
    ds["dose_amount"].values[..., 0] = 0.05
    scale = dose_scale(ds)
    assert scale.unit == ""
    assert scale.texts == {("step_up", "SUD1"): "50 µg", ("step_up", "FD1"): "2 mg"}
    assert scale.heights == {("step_up", "SUD1"): 0.05, ("step_up", "FD1"): 2.0}
    assert dose_texts(ds) == scale.texts


def test_arms_have_the_titles_of_the_record_and_else_their_names():
    ds = results("step_up", "again")
    assert arm_titles(ds) == {"step_up": "5/15 a day", "again": "again"}
    assert arm_titles(ds.drop_attrs()) == {"step_up": "step_up", "again": "again"}


def test_arms_with_one_title_keep_their_names():
    same = {"title": "same"}
    ds = synthetic.with_record(synthetic.neutral(arms=("a", "b")), arms={"a": same, "b": same})
    assert arm_titles(ds) == {"a": "same (a)", "b": "same (b)"}


def test_supportive_drugs_are_found_with_their_times():
    drugs = [
        DoseRecord(-1 / 24, "dexamethasone", "dexamethasone", "IV", 20.0),
        dose(0.0, "SUD1", 1.0),
        DoseRecord(1.5, "tocilizumab", "tocilizumab", "IV", 8.0, "kg"),
    ]
    found = supportive(results("step_up", "again", step_up=regimen(*drugs)))
    assert [(d.drug, d.time) for d in found["step_up"]] == [
        ("dexamethasone", -1 / 24),
        ("tocilizumab", 1.5),
    ]
    assert "again" not in found


def test_run_with_one_patient_is_not_a_population():
    one = synthetic.neutral(patients=1)
    assert one_patient(synthetic.neutral(patients=2)) == ""
    assert one_patient(one) == "one patient"
    assert one_patient(synthetic.typical(one)) == "the typical patient"
