"""A config, a dose table and overrides become the trial that they describe."""

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.config import load
from qsp.config.tables import LARGEST_RTOL, SMALLEST_RTOL, SOLVERS
from qsp.errors import ConfigError
from qsp.trial import event_table, period_table

HEAD = """
molecule = "mosunetuzumab"
population = "nhl"
patients = 4
days = 84
response = "lugano"
"""

STEP_UP = (
    HEAD
    + """
[premedication.steroid]
drug = "dexamethasone"
amount = "20 mg"
route = "iv"
before = "1 hour"
until = "7 day"

[premedication.tocilizumab]
drug = "tocilizumab"
amount = "8 mg/kg"
route = "iv"
duration = "1 hour"
before = "4 hour"
periods = "FD1"

[arms.step_up]
title = "step-up"
premedication = ["steroid", "tocilizumab"]

[[arms.step_up.doses]]
period = "SUD1"
time = "0 day"
amount = "0.01 mg/kg"
route = "iv"
duration = "4 hour"

[[arms.step_up.doses]]
period = "SUD2"
time = "168 hour"
amount = "60 ug/m^2/day"
route = "civ"
duration = "3 day"

[[arms.step_up.doses]]
period = ["FD1", "FD2", "FD3"]
time = "14 day"
amount = "60 mg"
route = "sc"
repeat = { every = "21 day", times = 3 }

[arms."0.16/48"]
same_doses_as = "step_up"
parameters = { "targets.baseline.normal.skin" = "0 Mcell" }
"""
)

SAME_AS_TABLE = """ID,TIME,AMT,RATE,II,ADDL,EVID,CMT,ARM,PERIOD
1,-1,20,0,0,0,1,dexamethasone,step_up,
1,0,10,2.5,0,0,1,central,step_up,SUD1
1,167,20,0,0,0,1,dexamethasone,step_up,
1,168,3000,41.666666666666664,0,0,1,central,step_up,SUD2
1,336,60000,0,504,2,1,depot,step_up,FD1
"""

WEIGHT, SURFACE = np.array([50.0, 70.0, 80.0, 100.0]), np.array([1.5, 1.7, 1.9, 2.2])


def test_example_becomes_its_events(write):
    trial = load(write(STEP_UP)).trial(146.0)
    table = event_table(trial, WEIGHT, SURFACE)
    hour = 1 / 24
    times = [-hour, 0, 7 - hour, 7, 14 - 4 * hour, 14, 35, 56]
    np.testing.assert_allclose(table.time[0, 0, :8], times)
    assert table.kind[0, 0, :9].tolist() == [3, 0, 3, 0, 2, 1, 1, 1, -1]
    assert table.period[0, 0, :8].tolist() == [0, 1, 0, 2, 0, 3, 4, 5]
    np.testing.assert_allclose(table.amount[0, :, 4], 8 * WEIGHT)
    periods = period_table(trial, table)
    np.testing.assert_allclose(periods.amount[0, :, 0], 0.01 * WEIGHT)
    np.testing.assert_allclose(periods.amount[0, :, 1], 0.060 * 3 * SURFACE)
    np.testing.assert_allclose(periods.amount[0, :, 2:5], 60.0)
    assert periods.label[0, 0].tolist() == ["SUD1", "SUD2", "FD1", "FD2", "FD3", "", "", ""]


def test_a_cap_limits_only_larger_amounts(write):
    """Tocilizumab 8 mg/kg has a cap of 800 mg, and a rate by body surface has a cap as a rate."""
    text = STEP_UP.replace('"8 mg/kg"', '"8 mg/kg"\ncap = "800 mg"')
    text = text.replace('"60 ug/m^2/day"', '"60 ug/m^2/day"\ncap = "110 ug/day"')
    trial, plain = (load(write(each)).trial(146.0) for each in (text, STEP_UP))
    weight = np.array([50.0, 70.0, 100.0, 120.0])
    capped, before = (event_table(each, weight, SURFACE) for each in (trial, plain))
    assert capped.amount[0, :, 4].tolist() == [400.0, 560.0, 800.0, 800.0]
    by_day = period_table(trial, capped).amount[0, :, 1] / 3.0
    np.testing.assert_allclose(by_day, np.minimum(0.060 * SURFACE, 0.110))
    infused = capped.duration > 0
    np.testing.assert_allclose((capped.rate * capped.duration)[infused], capped.amount[infused])
    rest = [0, 1, 2, 5, 6, 7]
    np.testing.assert_array_equal(capped.amount[0][:, rest], before.amount[0][:, rest])


def test_arm_with_the_doses_of_another_has_its_own_premedication_and_parameters(write):
    trial = load(write(STEP_UP)).trial(146.0)
    own, borrowed = trial.arms
    molecule = [a for a in own.administrations if a.period]
    assert list(borrowed.administrations) == molecule
    assert borrowed.name == borrowed.title == "0.16/48"
    assert own.title == "step-up"
    assert dict(own.parameters) == {}
    assert dict(borrowed.parameters) == {"targets.baseline.normal.skin": "0 Mcell"}


def test_dose_table_gives_the_same_events_as_arms(write):
    arms = STEP_UP.replace('0.01 mg/kg"', '10 ug"').replace("60 ug/m^2/day", "1 mg/day")
    arms = arms.replace('"steroid", "tocilizumab"', '"steroid"')
    arms = arms.replace('["FD1", "FD2", "FD3"]', '"FD1"')
    arms = arms[: arms.index('[arms."0.16/48"]')]
    write(SAME_AS_TABLE, "doses.csv")
    table = 'dose_table = { file = "doses.csv", time_unit = "hour", amount_unit = "ug" }'
    from_arms = load(write(arms)).trial(146.0)
    from_table = load(write(HEAD + table, "table.toml")).trial(146.0)
    one, other = (event_table(trial, WEIGHT, SURFACE) for trial in (from_arms, from_table))
    for name in ("time", "amount", "rate", "duration"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-12)
    for name in ("kind", "period"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    labels = [period_table(t, e).label for t, e in ((from_arms, one), (from_table, other))]
    np.testing.assert_array_equal(*labels)


@pytest.mark.parametrize(
    ("days", "length"), [("84", 84), ('"12 week"', 84), ('"84 day"', 84), ('"60 hour"', 2.5)]
)
def test_days_is_a_number_or_a_length_with_a_unit(write, days, length):
    text = STEP_UP[: STEP_UP.index("[[arms.step_up.doses]]")]
    dose = 'period = "A", time = "0 day", amount = "1 mg", route = "sc"'
    text = text.replace('premedication = ["steroid", "tocilizumab"]', f"doses = [{{ {dose} }}]")
    assert load(write(text.replace("days = 84", f"days = {days}"))).days == length


def test_population_is_found_from_the_folder_of_the_config_too(write, tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    write(STEP_UP, "configs/trial.toml")
    monkeypatch.chdir(tmp_path / "configs")
    above = tmp_path / "populations" / "nhl.toml"
    for name in ("trial.toml", "../configs/trial.toml", "./trial.toml"):
        assert load(name).population_file.samefile(above)


def test_unknown_population_is_refused_with_the_names_of_the_package(write, tmp_path):
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    path = write(STEP_UP.replace('"nhl"', '"nhl_fll"'), "elsewhere/deep/trial.toml")
    with pytest.raises(ConfigError, match=r"Did you mean 'nhl_fl'.*Known names: .*myeloma, nhl"):
        load(path)


def test_message_suggests_a_molecule_file_in_the_folder_of_the_config(write, tmp_path):
    (tmp_path / "newmab.toml").write_text("", encoding="utf-8")
    path = write(STEP_UP.replace('"mosunetuzumab"', '"newmab"'))
    with pytest.raises(ConfigError, match=r'Write molecule = "newmab\.toml" to use this file'):
        load(path)


def test_omitted_keys_have_defaults(write):
    config = load(write(STEP_UP))
    assert config.name == "trial"
    assert config.seed == 0
    assert config.visit_times == (84.0,)
    assert (config.method.solver, config.method.rtol) == ("ROCK4", 1e-5)
    assert config.trajectories.patients is None
    assert config.title is None


def test_names_and_paths_are_relative_to_the_file(write, tmp_path, monkeypatch):
    folder = tmp_path / "configs"
    folder.mkdir()
    write(STEP_UP, "configs/trial.toml")
    monkeypatch.chdir("/")
    above = tmp_path / "populations" / "nhl.toml"
    assert load(folder / "trial.toml").population_file.samefile(above)
    write(STEP_UP.replace('"nhl"', '"../populations/nhl.toml"'), "configs/path.toml")
    assert load(folder / "path.toml").population_file.samefile(above)
    config = load(folder / "trial.toml")
    assert config.molecule_file is None
    write("", "configs/mine.toml")
    write(STEP_UP.replace('"mosunetuzumab"', '"mine.toml"'), "configs/own.toml")
    own = load(folder / "own.toml")
    assert own.molecule_file == folder / "mine.toml"
    assert own.trial(146.0).molecule == "mine"


def test_config_cannot_be_changed(write):
    config = load(write(STEP_UP))
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.patients = 3


def test_weight_of_the_molecule_only_scales(write):
    config = load(write(STEP_UP))
    light, heavy = (event_table(config.trial(kda), WEIGHT, SURFACE) for kda in (50.0, 150.0))
    molecule = (light.kind == 0) | (light.kind == 1)
    ratio = np.where(molecule, 3.0, 1.0)
    np.testing.assert_allclose(light.amount, heavy.amount * ratio)


class TestOverrides:
    @pytest.fixture
    def changed(self, write):
        path = write(STEP_UP)
        return lambda *overrides: load(path, overrides)

    def test_values_are_toml_or_plain_text(self, changed):
        config = changed("patients=200", "response=recist", 'visits=["42 day"]', "method.rtol=1e-8")
        assert (config.patients, config.response) == (200, "recist")
        assert config.visits == ("42 day",)
        assert (config.method.rtol, config.method.solver) == (1e-8, "ROCK4")

    def test_dose_is_numbered_in_its_list(self, changed):
        config = changed("arms.step_up.doses.0.amount=30 mg", "days=90")
        assert config.arms["step_up"].doses[0].amount == "30 mg"
        first = [a for a in config.trial(150.0).arms[0].administrations if a.period == 1]
        assert first[0].amount.value == pytest.approx(200.0)

    def test_arm_with_the_doses_of_another_changes_with_them(self, changed):
        arms = changed("arms.step_up.doses.0.amount=30 mg").trial(150.0).arms
        assert [a.administrations[0].amount.value for a in arms[1:]] == pytest.approx([200.0])

    @pytest.mark.parametrize(
        "key", ["targets.baseline.normal.tumor", '"targets.baseline.normal.tumor"']
    )
    def test_parameter_is_one_key_with_or_without_quotes(self, changed, key):
        config = changed(f"arms.step_up.parameters.{key}=0 Mcell")
        assert config.arms["step_up"].parameters == {"targets.baseline.normal.tumor": "0 Mcell"}

    def test_parameter_of_the_file_is_replaced(self, changed):
        config = changed('arms."0.16/48".parameters.targets.baseline.normal.skin=5 Mcell')
        assert config.arms["0.16/48"].parameters == {"targets.baseline.normal.skin": "5 Mcell"}

    def test_last_override_applies_and_all_are_recorded(self, changed):
        config = changed("seed=1", "seed=2")
        assert config.seed == 2
        assert config.source.effective_text.endswith("\n# --set seed=1\n# --set seed=2\n")
        assert config.source.effective_text.startswith(STEP_UP.rstrip())

    def test_new_arm_is_a_whole_table(self, changed):
        config = changed('arms.new={ same_doses_as = "step_up" }')
        assert [arm.name for arm in config.trial(146.0).arms] == ["step_up", "0.16/48", "new"]

    def test_file_does_not_change(self, write):
        path = write(STEP_UP)
        load(path, ["patients=7"])
        assert load(path).patients == 4


def test_parameters_may_be_written_as_tables(write):
    text = STEP_UP + "[arms.step_up.parameters.targets]\nbaseline.normal.skin = '1 Mcell'\n"
    config = load(write(text))
    assert config.arms["step_up"].parameters == {"targets.baseline.normal.skin": "1 Mcell"}


KEYS = [
    *("name", "title", "molecule", "population", "patients", "seed", "days", "visits", "visits.0"),
    *("response", "method", "method.solver", "method.rtol", "trajectories", "trajectories.ids"),
    *("dose_table", "dose_table.file", "premedication", "premedication.steroid", "arms"),
    *(f"premedication.steroid.{key}" for key in ("drug", "amount", "before", "from", "time")),
    *(f"arms.step_up.{key}" for key in ("doses", "premedication", "parameters", "same_doses_as")),
    *(f"arms.step_up.doses.0.{key}" for key in ("period", "time", "amount", "route", "duration")),
    *("arms.step_up", "arms.step_up.doses.0", "arms.step_up.doses.2.repeat.every", "arms.x"),
    *(
        "arms.step_up.doses.2.repeat",
        "arms.step_up.doses.2.repeat.times",
        "x",
        "days.x",
        "arms.x.y",
    ),
]
VALUES = [
    *("1", "-1", "0", "1.5", "nan", "inf", "1e400", "true", '""', '"x"', "x", "", "2026-01-01"),
    *("[]", "[1]", '["x"]', "[[]]", "{}", "{ a = 1 }", "{ a = {} }", "[{}]", "[", '"\\u0000"'),
    *("7 day", "1 mg", "-3 mg/kg", "9 ug/day", "1 L", "SUD2", "steroid", "step_up", "doses.csv"),
]


def refusal(path, overrides):
    try:
        load(path, overrides)
    except ConfigError as error:
        return str(error)
    return None


@given(changes=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=4))
def test_any_value_anywhere_is_accepted_or_refused_in_one_line(changes, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "any_value"
    (folder / "populations").mkdir(parents=True, exist_ok=True)
    (folder / "populations" / "nhl.toml").touch()
    (folder / "trial.toml").write_text(STEP_UP, encoding="utf-8")
    message = refusal(folder / "trial.toml", [f"{key}={value}" for key, value in changes])
    assert message is None or (
        " must " in message and "\n" not in message and message.endswith(".")
    )


def test_solvers_and_limits_are_those_of_the_engine():
    method = pytest.importorskip("qsp.engine.method")
    assert SOLVERS == method.SOLVERS
    for rtol in (SMALLEST_RTOL, LARGEST_RTOL):
        assert method.Method(rtol=rtol).rtol == rtol
    for rtol in (SMALLEST_RTOL / 2, LARGEST_RTOL * 2):
        with pytest.raises(ConfigError):
            method.Method(rtol=rtol)
