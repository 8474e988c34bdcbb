"""Conversion of a protocol: amounts, periods, order, and premedication ahead of doses."""

import dataclasses

import hypothesis
import pytest
from hypothesis import strategies as st

from qsp.errors import ConfigError, UnitError
from qsp.trial import Amount, Dose, parse_amount, prescribe
from qsp.trial.protocol import administered_before, repeated

HOUR = 1 / 24


def iv(period, time, mg, duration=4 * HOUR):
    return Dose(
        "drug_iv", float(time), Amount(float(mg)), duration, period, where=f"{period} at {time}"
    )


def steroid(time, mg=20.0):
    return Dose("dexamethasone", time, Amount(mg))


def regimen(*doses, days=84.0, weight=150.0):
    return prescribe(doses, molecular_weight_kda=weight, days=days, where="arm")


@pytest.mark.parametrize(
    ("text", "value", "per", "is_rate"),
    [
        ("1 mg", 1.0, "patient", False),
        ("20 ug", 0.02, "patient", False),
        ("20 µg", 0.02, "patient", False),
        ("0.5 g", 500.0, "patient", False),
        ("0.06 mg/kg", 0.06, "kg", False),
        ("8 mg / kg", 8.0, "kg", False),
        ("60 ug/m^2/day", 0.06, "m2", True),
        ("60 ug/m2/day", 0.06, "m2", True),
        ("60 ug/day/m^2", 0.06, "m2", True),
        ("9 ug/day", 0.009, "patient", True),
        ("1 ug/kg/hour", 0.024, "kg", True),
        ("0 mg", 0.0, "patient", False),
        ("7 nmol", 7.0, "patient", False),
        ("0.1 umol", 100.0, "patient", False),
        ("400 pmol/kg", 0.4, "kg", False),
        ("2 nmol/m^2/hour", 48.0, "m2", True),
    ],
)
def test_amount_is_read_in_mg_or_nmol(text, value, per, is_rate):
    amount = parse_amount(text, where="here")
    assert amount.value == pytest.approx(value, rel=1e-14)
    assert (amount.per, amount.is_rate) == (per, is_rate)
    assert amount.in_nmol == ("mol" in text)


@hypothesis.given(
    value=st.floats(0, 1e6),
    mass=st.sampled_from([("g", 1e3), ("mg", 1.0), ("ug", 1e-3), ("ng", 1e-6)]),
    size=st.sampled_from([("", "patient"), ("/kg", "kg"), ("/m^2", "m2")]),
    time=st.sampled_from([("", 1.0), ("/day", 1.0), ("/hour", 24.0), ("/week", 1 / 7)]),
)
def test_amounts_in_different_units_are_equal(value, mass, size, time):
    amount = parse_amount(f"{value!r} {mass[0]}{size[0]}{time[0]}", where="here")
    assert amount.value == pytest.approx(value * mass[1] * time[1], rel=1e-12)
    assert (amount.per, amount.is_rate) == (size[1], time[0] != "")


@pytest.mark.parametrize(
    "text", ["1", "mg", "1 L", "1 mg/L", "1 mg/kg/kg", "1 mg/mg", "1 /day", ""]
)
def test_invalid_amounts_are_refused_and_quoted(text):
    with pytest.raises(UnitError, match="^here: the value must") as caught:
        parse_amount(text, where="here")
    assert repr(text) in str(caught.value)


def test_rate_over_a_duration_is_an_amount():
    assert parse_amount("9 ug/day", where="").over(7.0).value == pytest.approx(0.063)
    assert not parse_amount("9 ug/day", where="").over(7.0).is_rate


def test_molecule_becomes_nmol_and_supportive_drugs_stay_mg():
    first, second = regimen(iv("FD1", 0.0, 60.0), steroid(-HOUR), weight=150.0).administrations
    assert (first.kind, second.kind) == ("dexamethasone", "drug_iv")
    assert first.amount.value == 20.0
    assert second.amount.value == pytest.approx(60.0 * 1000 / 150)  # 60 mg of 150 kDa: 400 nmol


def test_moles_and_mg_of_the_molecule_are_the_same_dose():
    moles, mg = (parse_amount(text, where="") for text in ("400 nmol/kg", "60 mg/kg"))
    assert moles.of_molecule(150.0) == mg.of_molecule(150.0) == Amount(400.0, "kg")


def test_cap_is_converted_with_its_amount():
    rate = dataclasses.replace(parse_amount("15 ug/m^2/day", where=""), cap=0.028)
    assert rate.over(7.0) == Amount(pytest.approx(0.105), "m2", cap=pytest.approx(0.196))
    assert Amount(8.0, "kg", cap=600.0).of_molecule(150.0).cap == pytest.approx(4000.0)
    assert Amount(20.0, "kg", cap=100.0).scaled(0.1875).cap == pytest.approx(18.75)


def test_rate_in_moles_becomes_an_amount_in_moles():
    whole = parse_amount("2 nmol/day", where="").over(3.0)
    assert whole.of_molecule(150.0) == Amount(6.0)


def test_supportive_drug_precedes_a_dose_that_starts_at_the_same_time():
    doses = regimen(iv("FD1", 0.0, 1.0), steroid(0.0)).administrations
    assert [a.kind for a in doses] == ["dexamethasone", "drug_iv"]


def test_periods_are_numbered_by_start_and_split_doses_share_one():
    plan = regimen(iv("SUD2", 7.0, 2.0), iv("SUD1", 0.0, 0.5), iv("SUD1", 1.0, 0.5), steroid(6.9))
    assert plan.labels == ("SUD1", "SUD2")
    assert [a.period for a in plan.administrations] == [1, 1, 0, 2]


def test_infusions_may_follow_each_other_without_a_gap():
    bags = repeated(iv("SUD1", 0.0, 0.009, duration=1.0), every=1.0, times=7)
    plan = regimen(*bags, iv("FD1", 7.0, 0.1, duration=77.0))
    assert plan.labels == ("SUD1", "FD1")
    assert len(plan.administrations) == 8


def test_bolus_during_an_infusion_is_accepted():
    assert regimen(iv("A", 0.0, 1.0, duration=2.0), iv("A", 1.0, 1.0, duration=0.0)).labels == (
        "A",
    )


def test_repeats_can_each_have_a_period():
    doses = repeated(iv("", 14.0, 60.0), every=21.0, times=3, labels=("FD1", "FD2", "FD3"))
    assert [(d.period, d.time) for d in doses] == [("FD1", 14.0), ("FD2", 35.0), ("FD3", 56.0)]


@pytest.mark.parametrize(
    ("doses", "message"),
    [
        ([iv("A", 0.5, 1.0)], "time must be 0 for the first dose"),
        ([iv("A", -1.0, 1.0)], "time must be 0 for the first dose"),
        ([steroid(0.0)], "arm: doses must hold a dose of the molecule"),
        (
            [iv("A", 0, 1.0), iv("B", 1, 1.0), iv("A", 2, 1.0)],
            "not continue after another has begun",
        ),
        ([iv("A", 0, 1.0), iv("B", 0, 1.0, 0.0)], "period must begin after the period before it"),
        (
            [
                iv("A", 0, 1.0, 4.0),
                dataclasses.replace(iv("B", 5, 1.0), min_interval=1.0),
            ],
            "min_interval must be as long as the infusion before it",
        ),
        ([iv("ü" * 17, 0, 1.0)], "period must have a name of at most 32 letters"),
        ([iv("A", 0, 1.0, 2.0), iv("A", 1, 1.0)], "must end when the next infusion begins"),
        ([iv("A", 0, 1.0), iv("B", 84, 1.0)], "before the end of the trial"),
        ([iv("A", 0, 1.0), steroid(90.0)], "before the end of the trial"),
        ([iv("A", 0, 1.0, 85.0)], "must end within the trial"),
        ([iv("A", 0, 1.0, 1e-6)], "0 .a bolus. or at least a second, but is 0.0864 s"),
    ],
)
def test_inconsistent_doses_are_refused(doses, message):
    with pytest.raises(ConfigError, match=message):
        regimen(*doses)


class TestAdministeredBefore:
    molecule = (
        iv("SUD1", 0.0, 0.5),
        iv("SUD1", 1.0, 0.5),
        iv("FD1", 7.0, 60.0),
        iv("FD2", 28.0, 1),
    )

    def times(self, window=(0.0, 1e9), periods=()):
        drug = steroid(0.0)
        return [d.time for d in administered_before(drug, self.molecule, 0.25, window, periods)]

    def test_drug_precedes_each_dose(self):
        assert self.times() == [-0.25, 0.75, 6.75, 27.75]

    def test_window_includes_both_ends(self):
        assert self.times(window=(1.0, 7.0)) == [0.75, 6.75]

    def test_drug_is_given_once_per_period_before_its_first_dose(self):
        assert self.times(periods=("SUD1", "FD2")) == [-0.25, 27.75]

    def test_drug_is_given_once_for_two_doses_at_one_time(self):
        twice = (*self.molecule, iv("FD2", 28.0, 1))
        assert len(administered_before(steroid(0.0), twice, 0.25, (0.0, 99.0), ())) == 4
