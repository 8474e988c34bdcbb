"""Configs and populations that ship with the package are found by name from any folder."""

from pathlib import Path

import pytest

from qsp import shipped
from qsp.cluster.create import create_run
from qsp.cluster.plan import read_plan
from qsp.config import load
from qsp.errors import ConfigError
from qsp.run import Request
from qsp.run.record import command, request_record

ROOT = Path(__file__).parents[1]

TRIAL = """
molecule = "mosunetuzumab"
population = "nhl_dlbcl"
patients = 2
days = 2
response = "lugano"

[arms.one]
doses = [{ period = "FD", time = "0 day", amount = "1 mg", route = "iv", duration = "4 hour" }]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_checkout_ships_the_folders_at_its_root():
    assert shipped.folder("configs") == ROOT / "configs"
    assert shipped.folder("populations") == ROOT / "populations"


def test_wheel_ships_the_folders_in_the_package(tmp_path, monkeypatch):
    (tmp_path / "configs" / "approved").mkdir(parents=True)
    (tmp_path / "configs" / "approved" / "one.toml").touch()
    monkeypatch.setattr(shipped, "_HERE", tmp_path)
    assert shipped.names("configs") == ("approved/one",)
    assert shipped.find("configs", "approved/one") == tmp_path / "configs/approved/one.toml"


def test_names_include_those_of_folders():
    names = shipped.names("configs")
    assert {"mosunetuzumab_step_up_vs_flat", "strategies/flat", "approved/glofitamab"} <= set(names)
    assert "epcoritamab/nhl_fl_plasma_target" in shipped.names("populations")


@pytest.mark.parametrize("name", shipped.names("configs"))
def test_every_shipped_config_is_loaded_by_name(name):
    config = load(name)
    assert config.name == name.rpartition("/")[2]
    assert config.population_file.is_relative_to(shipped.folder("populations").parent)


def test_file_of_the_user_is_found_before_a_shipped_config(tmp_path):
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "flat").write_text(TRIAL)
    assert load("strategies/flat").patients == 2


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("mosunetuzumab_step_up_vs_flt", "mosunetuzumab_step_up_vs_flat"),
        ("flat", "strategies/flat"),
        ("configs/strategies/flat.toml", "strategies/flat"),
    ],
)
def test_unknown_config_suggests_near_names(wrong, near):
    with pytest.raises(ConfigError, match="the config file must exist, but is missing") as caught:
        load(wrong)
    assert f"Did you mean '{near}'" in str(caught.value)


def test_population_is_named_in_a_config_of_the_user(tmp_path):
    (tmp_path / "trial.toml").write_text(TRIAL)
    config = load("trial.toml")
    assert config.population_file == shipped.folder("populations") / "nhl_dlbcl.toml"
    assert config.has_shipped_population


def test_population_next_to_the_config_is_found_before_a_shipped_one(tmp_path):
    (tmp_path / "populations").mkdir()
    own = tmp_path / "populations" / "nhl_dlbcl.toml"
    own.touch()
    (tmp_path / "trial.toml").write_text(TRIAL)
    config = load("trial.toml")
    assert config.population_file.samefile(own)
    assert not config.has_shipped_population


def test_recorded_command_names_the_shipped_config():
    request = Request(Path("strategies/flat"), ("patients=4",))
    recorded = request_record(request, load(request.config, request.overrides))
    assert command(recorded) == "qsp run strategies/flat --patients 4"


@pytest.mark.parametrize(
    "config", [pytest.param("trial.toml", marks=pytest.mark.slow), "strategies/flat"]
)
def test_plan_has_copies_of_the_shipped_files_that_it_reads(config, tmp_path):
    """The plan is computed from its copies, whatever files another machine ships."""
    (tmp_path / "trial.toml").write_text(TRIAL)
    create_run(Request(Path(config), ["patients=2"]), tmp_path / "run", 2)
    plan = read_plan(tmp_path / "run")
    prepared = plan.prepared()
    assert prepared.config.source.file.is_relative_to(plan.run)
    assert prepared.config.population_file.is_relative_to(plan.run)
    assert all(file.is_relative_to(plan.run) for file in prepared.table.cohort.files)
