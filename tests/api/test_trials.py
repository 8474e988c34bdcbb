"""A trial from Python and a config build the same objects, and each writes itself as the other."""

import tomllib

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import qsp
from qsp import shipped
from qsp.config.toml_text import toml_text

WEIGHT = 150.0
PERIODS = st.sampled_from(["SUD", "FD", "dose a"])
AMOUNTS = st.sampled_from(["1 mg", "0.06 mg/kg", "7 nmol", 2.5])


def same(one, other):
    assert one == other
    assert one.config.trial(WEIGHT) == other.config.trial(WEIGHT)


@pytest.fixture(scope="module")
def people():
    return qsp.population("nhl").sample(3, molecule="mosunetuzumab", seed=4)


@st.composite
def regimens(draw):
    doses, day = [], 1.0
    for n in range(draw(st.integers(1, 3))):
        times = draw(st.integers(1, 3))
        every = draw(st.sampled_from(["7 day", "36 hour", 3])) if times > 1 else None
        name = f"{draw(PERIODS)}{n}." if draw(st.booleans()) else None
        amount = draw(AMOUNTS)
        if draw(st.booleans()):
            dose = qsp.sc(amount, day=day, every=every, times=times, period=name)
        else:
            over = draw(st.sampled_from([None, "4 h", 0.1]))
            dose = qsp.iv(amount, day=day, over=over, every=every, times=times, period=name)
        doses.append(dose)
        day += 14.0 + draw(st.floats(0.0, 7.0))
        day += 14.0 * (times - 1)
    steroid = qsp.dexamethasone("20 mg", lead="1 h", until_day=draw(st.sampled_from([None, 22])))
    own = [qsp.tocilizumab("8 mg/kg", day=draw(st.integers(-1, 3)), over="1 h", cap="800 mg")]
    rules = qsp.rules(
        qsp.when("worst_grade_ever >= 3", "stop"),
        qsp.when("crs_grade >= 2", give=qsp.tocilizumab("8 mg/kg", over="1 h")),
        visits=[("1 day", 1, 28)],
        assay={"il6": "20 %"},
    )
    return qsp.regimen(
        *doses,
        *(own if draw(st.booleans()) else []),
        before=steroid if draw(st.booleans()) else (),
        rules=rules if draw(st.booleans()) else None,
        title=draw(st.sampled_from(["", 'Step-up "1/2/60"'])),
        parameters=draw(st.sampled_from([{}, {"t_cells.k_act": "1 1/hour"}])),
    )


@settings(max_examples=20, phases=[Phase.explicit, Phase.generate])
@given(arms=st.dictionaries(st.sampled_from(["a", "b c", "d"]), regimens(), min_size=1))
def test_written_trial_is_read_as_the_same(arms, people, tmp_path_factory):
    changed = people.scale("t_cells.k_act", 0.5).set("synapse.alpha", "2e-3", keep_spread=False)
    trial = qsp.Trial.of(arms, changed, days=120, visits=[42, "12 week"], method={"rtol": 1e-6})
    file = tmp_path_factory.mktemp("trial") / "trial.toml"
    trial.to_toml(file)
    again = qsp.read(file)
    same(again, trial)
    rebuilt = qsp.Trial.of(again.arms, again.people, days=again.days, visits=again.visits)
    assert rebuilt.config.trial(WEIGHT) == trial.config.trial(WEIGHT)


@pytest.mark.parametrize("name", shipped.names("configs"))
def test_shipped_config_is_written_as_the_same(name, tmp_path):
    trial = qsp.read(name)
    assert trial.config.arms.keys() == trial.arms.keys()
    trial.to_toml(tmp_path / "trial.toml")
    same(qsp.read(tmp_path / "trial.toml"), trial)


def test_snippet_is_the_config_it_stands_for(people):
    step = qsp.regimen(
        qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
        qsp.iv("60 mg", day=15, every="21 day", times=4, over="4 h", period="FD"),
        before=qsp.dexamethasone("20 mg", lead="1 h"),
    )
    assert step.periods == ("SUD1", "FD1", "FD2", "FD3", "FD4")
    tables = tomllib.loads(qsp.Trial.of({"step": step}, people, days=84).to_toml())
    assert tables["arms"]["step"]["doses"][1] == {
        "period": ["FD1", "FD2", "FD3", "FD4"],
        "time": "14 day",
        "amount": "60 mg",
        "route": "iv",
        "duration": "4 h",
        "repeat": {"every": "21 day", "times": 4},
    }
    assert tables["premedication"] == {
        "dexamethasone": {
            "drug": "dexamethasone",
            "amount": "20 mg",
            "route": "iv",
            "before": "1 h",
        }
    }


def test_periods_are_named_in_order():
    doses = (qsp.sc("1 mg"), qsp.sc("2 mg", day=8, every="7 day", times=2), qsp.sc("3 mg", day=22))
    assert qsp.regimen(*doses).periods == ("D1", "D2", "D3", "D4")
    one = qsp.sc("2 mg", every="7 day", times=3, period=["C1"])
    assert qsp.regimen(one).periods == ("C1",)


def test_two_premedications_of_a_drug_have_two_names(people):
    arm = qsp.regimen(
        qsp.sc("5 mg"),
        before=[qsp.dexamethasone("20 mg", lead="1 h"), qsp.dexamethasone("8 mg", day=2)],
    )
    config = qsp.Trial.of(arm, people, days=7).config
    assert config.arms["arm"].premedication == ("dexamethasone", "dexamethasone_2")


JSON = st.recursive(
    st.text(max_size=5) | st.booleans() | st.integers(-5, 5) | st.floats(-1e9, 1e9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(tables=st.dictionaries(st.sampled_from(["arms", "a b", "x.y", "n"]), JSON))
def test_toml_text_is_read_as_the_same_tables(tables):
    assert tomllib.loads(toml_text(tables)) == tables
