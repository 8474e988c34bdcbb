"""Trials from Python: the tables of a config, and the patients that a config chooses."""

import tomllib

import numpy as np
import pytest

import qsp
from qsp.api.simulate import prepare as prepared_of
from qsp.errors import ConfigError
from qsp.run import Request, prepare

K_ACT = "t_cells.k_act"
ARM = """molecule = "mosunetuzumab"
population = "nhl"
patients = 3
seed = 1
days = 7
response = "lugano"

[arms.one]
doses = [{ period = "FD", time = "0 day", amount = "1 mg", route = "sc" }]
"""


@pytest.fixture
def written(tmp_path):
    def write(*changes):
        text = ARM
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "trial.toml"
        path.write_text(text)
        return path

    return write


def test_words_give_the_keys_of_a_config(people):
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


def test_patients_are_a_number_ids_or_the_typical_one(people):
    def key(patients):
        return qsp.Trial.of(qsp.regimen(qsp.sc("5 mg")), patients, days=7).config.patients

    assert key(people) == 6
    assert key(people.select([2, 5])) == (2, 5)
    assert key(people.typical) == "typical"
    assert key(people.at({K_ACT: [-1, 0, 1]})) == 3


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("t_cells.k_atc", "unknown. Did you mean 't_cells.k_act'"),
        ("synapse.area", "without spread"),
    ],
)
def test_draw_without_a_parameter_is_refused_before_a_run(name, problem, written):
    path = written(("[arms.one]", f'[draws]\n"{name}" = 1.0\n[arms.one]'))
    for reading in (qsp.read, lambda file: prepare(Request(file))):
        with pytest.raises(ConfigError, match=f"draws: {name} must be .*, but is {problem}"):
            reading(path)


def test_run_of_a_config_has_the_chosen_patients(written, people):
    drawn = written(("[arms.one]", "[draws]\nxi_patient = [-1, 0, 1]\n[arms.one]"))
    found = prepare(Request(drawn)).cohort.people
    assert found.xi_patient.tolist() == [-1.0, 0.0, 1.0]
    assert len(set(np.broadcast_to(found.sampled[K_ACT], 3))) == 1
    chosen = prepare(Request(written(("patients = 3", "patients = [2, 5]")))).cohort.people
    assert chosen.sampled[K_ACT].tolist() == people.select([2, 5]).parameters[K_ACT].tolist()


def test_typical_patient_of_a_config_is_that_of_the_option(written):
    by_key = prepare(Request(written(("patients = 3", 'patients = "typical"'))))
    by_option = prepare(Request(written(), typical=True))
    assert by_key.typical
    assert by_option.typical
    assert by_key.ids.tolist() == [0]
    assert by_key.cohort.people.sampled.keys() == by_option.cohort.people.sampled.keys()
    for path, value in by_key.cohort.people.sampled.items():
        np.testing.assert_array_equal(value, by_option.cohort.people.sampled[path])


def test_part_of_a_run_with_draws_has_the_draws_of_its_patients(people):
    trial = qsp.Trial.of(qsp.regimen(qsp.sc("5 mg")), people.at({K_ACT: [-1, 0, 1]}), days=7)
    prepared = prepared_of(trial)
    part = prepared.of(prepared.ids[1:])
    np.testing.assert_array_equal(
        part.cohort.people.sampled[K_ACT], prepared.cohort.people.sampled[K_ACT][1:]
    )
