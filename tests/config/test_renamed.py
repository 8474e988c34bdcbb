"""Configs of earlier versions are read, with one warning that shows the new keys."""

import warnings
from pathlib import Path

import pytest

from qsp import molecules, shipped
from qsp.config import RenamedKeyWarning, load
from qsp.config.renamed import RENAMED
from qsp.errors import ConfigError
from qsp.populations import nominal, read_cohort, user_file

OLD = Path(__file__).parents[1] / "old"
FILE = OLD / "mosunetuzumab_rules.toml"
KDA = 146.0
NEW_KEYS = {
    'apart   = "8 hour"': 'min_interval = "8 hour"',
    "at_most = 4": "max_times = 4",
    'least_gap = "4 day"': 'min_interval = "4 day"',
    "at_most = 2": "max_times = 2",
    "confirmed = 2": "consecutive_visits = 2",
}


@pytest.fixture
def new_file(tmp_path):
    text = FILE.read_text(encoding="utf-8")
    for old, new in NEW_KEYS.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    population = (FILE.parent / "../../populations/nhl.toml").resolve()
    text = text.replace("../../populations/nhl.toml", str(population))
    path = tmp_path / FILE.name
    path.write_text(text, encoding="utf-8")
    return path


def old_warning(path, overrides=()):
    with pytest.warns(RenamedKeyWarning) as caught:
        config = load(path, overrides)
    (warning,) = caught
    return config, str(warning.message)


def test_old_file_has_every_renamed_key():
    text = FILE.read_text(encoding="utf-8")
    assert {entry.old for entry in RENAMED} <= set(text.replace(",", " ").split())
    assert {entry.new for entry in RENAMED} == {new.split()[0] for new in NEW_KEYS.values()}


def test_old_config_is_the_same_trial_as_the_new_one(new_file):
    old, _ = old_warning(FILE)
    assert old.trial(KDA) == load(new_file).trial(KDA)
    arm = old.trial(KDA).arms[0]
    assert arm.reaction.rescues[0].max_times == 4
    assert arm.reaction.rules[1].consecutive_visits == 2


def test_one_warning_names_the_file_and_each_new_key():
    _, message = old_warning(FILE)
    assert message.startswith(f"{FILE} has keys of an earlier version: ")
    for key, new in {
        "rescue.tocilizumab.apart": "min_interval",
        "rescue.tocilizumab.at_most": "max_times",
        "arms.watched.doses.1.least_gap": "min_interval",
        "arms.watched.rules.0.at_most": "max_times",
        "arms.watched.rules.1.confirmed": "consecutive_visits",
    }.items():
        assert f"{key} is now {new}" in message


@pytest.mark.parametrize(
    "override",
    [
        "rescue.tocilizumab.apart=12 hour",
        'rescue.tocilizumab={drug="tocilizumab",amount="8 mg/kg",route="iv",apart="12 hour"}',
    ],
)
def test_old_key_of_an_override_is_renamed_too(override, new_file):
    config, message = old_warning(new_file, [override])
    assert config.rescue["tocilizumab"].min_interval == "12 hour"
    assert "rescue.tocilizumab.apart is now min_interval" in message


def test_new_key_of_an_override_replaces_an_old_key_of_the_file():
    config, _ = old_warning(FILE, ["rescue.tocilizumab.min_interval=12 hour"])
    assert config.rescue["tocilizumab"].min_interval == "12 hour"


def test_key_under_both_names_is_refused(tmp_path):
    text = FILE.read_text(encoding="utf-8")
    path = tmp_path / "both.toml"
    path.write_text(text.replace("at_most = 4", "at_most = 4\nmax_times = 4"), encoding="utf-8")
    expected = (
        r"both.toml: rescue.tocilizumab.at_most must be written as max_times, "
        r"but is given under both names. Remove at_most.$"
    )
    with pytest.raises(ConfigError, match=expected):
        load(path)


def test_error_names_file_and_key_of_a_value_under_an_old_name(tmp_path):
    text = FILE.read_text(encoding="utf-8")
    path = tmp_path / "bad.toml"
    path.write_text(text.replace("at_most = 4", "at_most = 0"), encoding="utf-8")
    with (
        pytest.warns(RenamedKeyWarning),
        pytest.raises(ConfigError, match=r"bad.toml: rescue.tocilizumab.max_times must be"),
    ):
        load(path)


@pytest.mark.parametrize("name", shipped.names("configs"))
def test_shipped_config_has_current_keys(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(name)


def test_old_parameter_file_is_read_without_a_warning():
    molecule = molecules.load("mosunetuzumab")
    cohort = read_cohort(shipped.folder("populations") / "nhl.toml")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = nominal(molecule, cohort, [user_file(OLD / "parameters.toml")])
    assert table.values["t_cells.k_act"] == pytest.approx(2.4)
