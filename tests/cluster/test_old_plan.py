"""A plan of another version is refused: the message names its code and what to do."""

import shutil
from pathlib import Path

import pytest

import qsp
from qsp.cluster.create import create_run
from qsp.cluster.finalize import finalize
from qsp.cluster.plan import PLAN, read_plan
from qsp.cluster.shard import run_shard
from qsp.config import RenamedKeyWarning
from qsp.errors import ConfigError
from qsp.run import Request

FOLDER = Path(__file__).parents[1] / "old"
OLD = FOLDER / "plan.json"
CODE = "864be4330ef9"


@pytest.fixture
def old_run(tmp_path):
    shutil.copyfile(OLD, tmp_path / PLAN)
    return tmp_path


def test_old_plan_is_read(old_run):
    """`qsp status` and `qsp finalize` may still look at it."""
    plan = read_plan(old_run)
    assert plan.environment["qsp"] == "0.1.0"
    assert plan.environment["code"].startswith(CODE)
    assert plan.patients == 4


def test_old_plan_is_refused_by_the_name_of_its_code(old_run, monkeypatch):
    monkeypatch.setattr("qsp.model.MODEL_VERSION", "1.2")
    plan = read_plan(old_run)
    with pytest.raises(ConfigError) as caught:
        plan.prepared()
    message = str(caught.value)
    assert message.startswith(
        f"{old_run}: code and packages must be those that made the plan "
        f"(qsp 0.1.0, code {CODE}), but is code "
    )
    assert (
        f"This is {Path(qsp.__file__).parent}: "
        "use the version of the plan, or make a new plan" in message
    )


def test_old_plan_of_another_model_is_refused_by_the_name_of_the_model(old_run, monkeypatch):
    monkeypatch.setattr("qsp.model.MODEL_VERSION", "2.0")
    plan = read_plan(old_run)
    for refused in (plan.prepared, lambda: finalize(plan), lambda: run_shard(plan, 0)):
        with pytest.raises(ConfigError) as caught:
            refused()
        assert str(caught.value) == (
            f"{old_run}: the plan must be of model 2, the model of this version, but is of model "
            "1.0. Install the version that made it, qsp 0.1.0, or make a new plan with qsp plan."
        )


@pytest.mark.slow
def test_old_keys_are_reported_once_and_not_by_each_shard(tmp_path):
    request = Request(FOLDER / "mosunetuzumab_rules.toml", ["patients=2"])
    with pytest.warns(RenamedKeyWarning) as caught:
        plan = create_run(request, tmp_path / "run", 2)
    assert len(caught) == 1
    plan.prepared()  # a warning would be an error here
