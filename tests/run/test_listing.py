"""Tables of doses: amounts in the unit of a protocol, and regimens with their patients."""

import pytest

from qsp.results.record import DoseRecord, amount_text
from qsp.results.trial_record import trial_record
from qsp.run import listing
from qsp.trial import Amount, Arm, Dose, Regimen, Trial, prescribe


@pytest.mark.parametrize(
    ("mg", "per", "text"),
    [
        (60.0, "patient", "60 mg"),
        (0.1, "patient", "0.1 mg"),
        (0.068, "patient", "68 ug"),
        (0.06, "kg", "60 ug/kg"),
        (8.0, "kg", "8 mg/kg"),
        (0.005, "m2", "5 ug/m^2"),
        (0.0, "patient", "0 mg"),
    ],
)
def test_amount_is_in_ug_below_a_tenth_of_a_mg(mg, per, text):
    assert amount_text(mg, per) == text


def record(*arms):
    return trial_record(Trial("t", arms, 28.0, (28.0,), len(arms[0].regimens), "m", 50.0))


def periods(regimen):
    (arm,) = record(Arm("a", (regimen,))).arms
    return listing.periods(arm.regimens[0])


def regimen(*doses):
    return prescribe(doses, molecular_weight_kda=50.0, days=28.0, where="arm")


def dose(time, amount, duration=0.0, period="A"):
    return Dose("drug_iv", time, amount, duration, period)


def test_infusion_of_days_is_a_rate_as_in_the_protocol():
    doses = regimen(dose(0.0, Amount(0.035, "m2"), 7.0), dose(7.0, Amount(0.02), 0.5, "B"))
    first, second = listing.dose_rows(record(Arm("a", (doses,))))
    assert (first["amount"], first["over"]) == ("5 ug/m^2/day", "7 day")
    assert (second["amount"], second["over"]) == ("20 ug", "12 h")


def test_cap_is_listed_with_its_amount():
    doses = regimen(
        Dose("tocilizumab", -0.1, Amount(8.0, "kg", cap=800.0)),
        dose(0.0, Amount(0.0105, "m2", cap=0.0196), 0.7),
        dose(1.0, Amount(0.105, "m2", cap=0.196), 7.0, "B"),
    )
    rows = listing.dose_rows(record(Arm("a", (doses,))))
    assert [row["amount"] for row in rows] == [
        "8 mg/kg, at most 800 mg",
        "10.5 ug/m^2, at most 19.6 ug",
        "15 ug/m^2/day, at most 28 ug/day",
    ]
    expected = (
        "A 10.5 ug/m^2, at most 19.6 ug in 1 dose; B 0.105 mg/m^2, at most 0.196 mg in 1 dose"
    )
    assert periods(doses) == expected


def test_doses_of_a_period_are_added_up_unit_by_unit():
    amounts = [Amount(1.0), Amount(2.0), Amount(0.5, "kg")]
    doses = regimen(*(dose(float(n), amount) for n, amount in enumerate(amounts)))
    assert periods(doses) == "A 3 mg + 0.5 mg/kg in 3 doses"


def test_patients_with_the_same_doses_are_listed_together():
    one, other = (regimen(dose(0.0, Amount(mg))) for mg in (1.0, 2.0))
    arm = Arm("a", (one, other, one), title="Arm", patients=(4, 6, 9))
    rows = listing.dose_rows(record(arm))
    assert [(row["arm"], row["amount"]) for row in rows] == [
        ("Arm, patients 4, 9", "1 mg"),
        ("Arm, patient 6", "2 mg"),
    ]


def test_one_regimen_is_that_of_the_arm():
    (row,) = listing.dose_rows(record(Arm("a", (regimen(dose(0.0, Amount(1.0))),), patients=(7,))))
    assert row["arm"] == "a"


def test_an_untreated_patient_has_a_row_that_says_so():
    arm = Arm("a", (regimen(dose(0.0, Amount(1.0))), Regimen((), ())), patients=(4, 6))
    first, second = listing.dose_rows(record(arm))
    assert second["arm"] == "a, patient 6"
    assert second["day"] == "no dose"
    assert tuple(second) == tuple(first)


def test_supportive_drugs_have_the_route_of_their_compartment():
    drugs = [Dose(kind, 0.0, Amount(1.0)) for kind in ("anakinra", "kinase_inhibitor")]
    rows = listing.dose_rows(record(Arm("a", (regimen(dose(0.0, Amount(1.0)), *drugs),))))
    assert {row["drug"]: row["route"] for row in rows} == {
        "m": "IV",
        "anakinra": "SC",
        "kinase inhibitor": "oral",
    }


def test_the_eleventh_regimen_is_counted_only():
    regimens = tuple(regimen(dose(0.0, Amount(float(mg)))) for mg in range(1, 14))
    rows = listing.dose_rows(record(Arm("a", regimens)))
    assert len(rows) == 11
    assert rows[-1]["day"] == "3 more regimens"
    assert {tuple(row) for row in rows} == {tuple(rows[0])}


@pytest.mark.parametrize(
    ("kind", "time", "text"),
    [
        ("drug_iv", 7.0, "day 8"),
        ("drug_iv", 7.5, "day 8, 12 h"),
        ("dexamethasone", -1 / 24, "day 1, -1 h"),
        ("dexamethasone", 7 - 1 / 24, "day 8, -1 h"),
        ("dexamethasone", 6.75, "day 8, -6 h"),
        ("dexamethasone", 7.0, "day 8"),
        ("dexamethasone", 8.25, "day 9, 6 h"),
        ("dexamethasone", -1.25, "day -2, 18 h"),
    ],
)
def test_times_are_written_as_in_a_protocol(kind, time, text):
    molecule = [DoseRecord(float(t), "m", "drug_iv", "IV", 1.0) for t in (0, 7)]
    assert listing.protocol_time(DoseRecord(time, "d", kind, "IV", 1.0), molecule) == text
