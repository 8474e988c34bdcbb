"""The minimum length of a trial, compared with lengths counted by hand."""

import pytest

from qsp.errors import LengthError
from qsp.trial import Amount, Arm, Dose, prescribe
from qsp.trial.length import minimum_days
from qsp.trial.rule_checks import check_reaction
from qsp.trial.rule_text import parse_conditions
from qsp.trial.rules import Reaction, Rule

LONGEST = 3650.0


def arm(*doses, calendar=None):
    regimen = prescribe(doses, molecular_weight_kda=50.0, days=LONGEST, where="arm")
    if calendar is None:
        return Arm("a", (regimen,))
    hold = Rule("wait", parse_conditions("crs_grade >= 1", where="when"), "hold")
    return Arm("a", (regimen,), reaction=Reaction(tuple(calendar), (hold,)))


def dose(time, duration=0.0, period="A"):
    return Dose("drug_iv", time, Amount(1.0), duration, period)


@pytest.mark.parametrize(
    ("arms", "visits", "days"),
    [
        ([arm(dose(0.0))], (), 1),  # a dose must start before the end
        ([arm(dose(0.0), dose(7.0, period="B"))], (), 8),
        ([arm(dose(0.0, 28.0))], (), 28),  # an infusion may end with the trial
        ([arm(dose(0.0, 28.25))], (), 29),
        ([arm(dose(0.0)), arm(dose(0.0, 4.0))], (42.0,), 42),
        ([arm(dose(0.0), calendar=[0.0, 7.0])], (), 8),
        ([arm(dose(0.0, 28.0), calendar=range(28))], (), 55),
    ],
)
def test_minimum_days(arms, visits, days):
    assert minimum_days(arms, visits) == days


@pytest.mark.parametrize(
    "one", [arm(dose(0.0, 28.0), calendar=range(28)), arm(dose(0.0, 0.25), calendar=range(9))]
)
def test_rules_accept_the_minimum_length_and_refuse_one_day_less(one):
    days = minimum_days([one])
    check_reaction(one, float(days))
    with pytest.raises(LengthError, match=f"write days = {days}"):
        check_reaction(one, days - 1.0)
