"""Longer trials and arms without step-up doses, from the tables of a config."""

import pytest

from qsp.errors import ConfigError
from qsp.validation.follow_up import CONTINUED, followed, without_steps
from qsp.validation.study import prepare, studies

STEPS = [
    {"period": "SUD1", "time": "0 day", "amount": "1 mg", "route": "iv"},
    {"period": "FD1", "time": "7 day", "amount": "10 mg", "route": "iv"},
    {
        "period": ["FD2", "FD3"],
        "time": "14 day",
        "amount": "10 mg",
        "route": "iv",
        "repeat": {"every": "14 day", "times": 2},
    },
]


def base():
    same = {"same_doses_as": "approved"}
    return {"days": 42, "visits": ["42 day"], "arms": {"approved": {"doses": STEPS}, "same": same}}


def test_the_last_dose_is_repeated_to_the_end():
    found = followed(base(), {"days": 100, "visits": ["84 day"], "continue": "14 day"}, "x.toml")
    assert (found["days"], found["visits"]) == (100, ["84 day"])
    last = found["arms"]["approved"]["doses"][-1]
    # Doses on days 42, 56, 70, 84 and 98 follow those on days 14 and 28.
    assert (last["time"], last["period"], last["repeat"]) == (
        "42 day",
        CONTINUED,
        {"every": "14 day", "times": 5},
    )
    assert found["arms"]["same"] == {"same_doses_as": "approved"}
    assert len(STEPS) == 3


def test_no_dose_is_given_at_the_end_or_later():
    found = followed(base(), {"days": 98, "visits": [], "continue": "14 day"}, "x.toml")
    assert found["arms"]["approved"]["doses"][-1]["repeat"]["times"] == 4
    short = followed(base(), {"days": 42, "visits": [], "continue": "14 day"}, "x.toml")
    assert short["arms"]["approved"]["doses"] == STEPS


def test_intervals_follow_each_other():
    longer = [{"every": "7 day", "times": 3}, {"every": "14 day"}]
    found = followed(base(), {"days": 100, "visits": [], "continue": longer}, "x.toml")
    added = found["arms"]["approved"]["doses"][len(STEPS) :]
    assert [(dose["time"], dose["repeat"]) for dose in added] == [
        ("35 day", {"every": "7 day", "times": 3}),
        ("63 day", {"every": "14 day", "times": 3}),
    ]


def test_only_the_last_interval_goes_on_to_the_end():
    longer = {"days": 100, "visits": [], "continue": [{"every": "7 day"}, {"every": "14 day"}]}
    with pytest.raises(ConfigError, match=r"table 1 must have the keys every and times"):
        followed(base(), longer, "x.toml")


def test_shipped_treatment_goes_on_as_on_the_label():
    """Epcoritamab every four weeks from day 252, elranatamab every other week from day 168."""
    for name, change, before, after in (
        ("epcoritamab_dlbcl_response", 252.0, 14.0, 28.0),
        ("epcoritamab_fl_response", 252.0, 14.0, 28.0),
        ("elranatamab_response", 168.0, 7.0, 14.0),
    ):
        trial = prepare(name, patients=1, seed=1).trial
        arm = next(arm for arm in trial.arms if arm.name == "without_rescue")
        times = [dose.time for dose in arm.administrations if dose.period]
        place = times.index(pytest.approx(change))
        assert times[place] - times[place - 1] == pytest.approx(before)
        assert times[place + 1] - times[place] == pytest.approx(after)
        assert trial.days - times[-1] <= after


def test_without_continue_treatment_ends():
    found = followed(base(), {"days": 100, "visits": []}, "x.toml")
    assert found["arms"]["approved"]["doses"] == STEPS


def test_an_unknown_key_is_refused():
    with pytest.raises(ConfigError, match=r"each key of follow_up must be a known one"):
        followed(base(), {"days": 100, "visits": [], "every": "14 day"}, "x.toml")


def test_without_steps_full_doses_are_earlier():
    found = without_steps(STEPS, 7.0)
    assert [(dose["period"], dose["time"]) for dose in found] == [
        ("FD1", "0 day"),
        (["FD2", "FD3"], "7 day"),
    ]


@pytest.mark.parametrize("name", [name for name in studies() if name.endswith("_response")])
def test_flat_arms_have_as_many_full_doses(name):
    """Doses planned in both arms are compared; treatment that goes on ends with the trial."""
    prepared = prepare(name, patients=1, seed=1)
    arms = {arm.name: arm for arm in prepared.trial.arms}
    if "flat" not in arms:
        return
    full = [
        [dose for dose in arms[name].administrations if dose.period and label(arms[name], dose)]
        for name in ("without_rescue", "flat")
    ]
    steps, flat = ([(dose.time, dose.amount) for dose in doses] for doses in full)
    assert abs(len(steps) - len(flat)) <= 1
    shift = steps[0][0] - flat[0][0]
    assert shift > 0.0
    for (time, amount), (earlier, same) in zip(steps, flat, strict=False):
        assert time - earlier == pytest.approx(shift)
        assert amount == pytest.approx(same)


def label(arm, dose):
    """Whether a dose is none of the steps."""
    return not arm.labels[dose.period - 1].startswith("SUD")
