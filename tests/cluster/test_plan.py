"""Plans: invalid requests, frozen inputs, and the id of a run."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from qsp import run as runs
from qsp.cluster.create import create_run
from qsp.cluster.finalize import finalize
from qsp.cluster.plan import BLOCK, PLAN, read_plan
from qsp.cluster.shard import run_shard
from qsp.errors import ConfigError
from qsp.run import Request, prepare
from tests.cluster.same import assert_same_bits
from tests.run.conftest import call


def test_shards_hold_every_patient_once(plan):
    assert list(plan.shards) == [0, 1, 2]
    rows = [plan.rows(shard) for shard in plan.shards]
    assert [(r.start, r.stop) for r in rows] == [(0, 8), (8, 16), (16, 22)]


def test_inputs_are_copied_and_relative_paths_stay_valid(plan, config):
    copy = plan.path("inputs", "configs", "small.toml")
    assert copy.read_bytes() == config.read_bytes()
    assert plan.prepared().config.source.file == copy
    assert plan.prepared().config.population_file.is_relative_to(plan.run)


def test_a_plan_can_be_moved(plan, tmp_path):
    shutil.move(plan.run, tmp_path / "elsewhere")
    moved = read_plan(tmp_path / "elsewhere")
    assert moved.id == plan.id
    assert len(moved.prepared().ids) == 22


def test_an_edited_plan_is_refused(plan):
    path = plan.path(PLAN)
    content = json.loads(path.read_text())
    for key, value in (("size", 4), ("patients", 23), ("id", "0" * 16), ("version", 0)):
        path.write_text(json.dumps({**content, key: value}))
        with pytest.raises(ConfigError, match="the plan must be unmodified, but is edited"):
            read_plan(plan.run)
    frame = {**content["frame"], "patient/zarr.json": "0" * 64}
    path.write_text(json.dumps({**content, "frame": frame}))
    with pytest.raises(ConfigError, match="the plan must be unmodified, but is edited"):
        read_plan(plan.run)
    path.write_text(json.dumps({k: v for k, v in content.items() if k != "files"}))
    with pytest.raises(ConfigError, match="the plan must be unmodified, but is edited"):
        read_plan(plan.run)


def test_a_plan_that_is_not_json_is_refused(plan):
    plan.path(PLAN).write_text("{")
    with pytest.raises(ConfigError, match="must be unmodified, but is not a JSON object"):
        read_plan(plan.run)


def test_the_error_for_a_folder_without_a_plan_shows_the_command(tmp_path):
    with pytest.raises(ConfigError, match="Make one with qsp plan"):
        read_plan(tmp_path)


def test_changed_input_is_found(plan):
    path = plan.path("inputs", "populations", "nhl.toml")
    path.write_text(path.read_text() + "\n")
    with pytest.raises(
        ConfigError, match=r"nhl.toml: the file must match the plan, but is changed"
    ):
        plan.prepared()


def test_changed_code_is_found(plan, monkeypatch):
    now = {**plan.environment, "code": "other", "jax": "0.0.1"}
    monkeypatch.setattr("qsp.cluster.plan.environment", lambda: now)
    with pytest.raises(
        ConfigError, match=r"must be those that made the plan .*, but is code other.*jax 0.0.1"
    ):
        plan.prepared()


@pytest.mark.parametrize(
    ("overrides", "size", "block", "message"),
    [
        ((), 0, 3, "--shards-of must be at least 1"),
        ((), 8, 0, "--block must be at least 1"),
        (("patients=-1",), 8, 3, "patients must be"),
        (("patients=200000",), 1, 1, "at most 100,000 shards"),
    ],
)
def test_invalid_requests_are_refused_before_anything_is_written(
    config, tmp_path, overrides, size, block, message
):
    with pytest.raises(ConfigError, match=message):
        create_run(Request(config, overrides), tmp_path / "run", size, block=block)
    assert list(tmp_path.iterdir()) == []


def test_a_typical_patient_is_refused(config, tmp_path):
    with pytest.raises(ConfigError, match="must have sampled patients"):
        create_run(Request(config, typical=True), tmp_path / "run", 8)


def test_an_existing_folder_is_not_changed(config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    with pytest.raises(ConfigError, match="must not exist yet"):
        create_run(Request(config), tmp_path / "run", 8)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine"]


def test_an_absolute_path_in_a_config_is_refused(config, tmp_path):
    outside = config.parents[1] / "populations" / "nhl.toml"
    with pytest.raises(ConfigError, match="must be relative to the file"):
        create_run(Request(config, (f'population="{outside}"',)), tmp_path / "run", 8)
    assert list(tmp_path.iterdir()) == []


def test_individual_doses_must_be_in_one_shard(tmp_path, config):
    rows = ["ID,TIME,AMT,CMT,RATE,EVID"]
    rows += ["1,0,1,1,0,1", "2,0,1,1,0,1", "2,7,2,1,0,1", "3,0,1,1,0,1"]
    (tmp_path / "doses.csv").write_text("\n".join(rows))
    text = config.read_text().split("[premedication")[0].replace("patients = 22\n", "")
    text = text.replace("../populations", str(config.parents[1] / "populations"))
    path = tmp_path / "table.toml"
    path.write_text(text + '[dose_table]\nfile = "doses.csv"\ncompartments = { 1 = "central" }\n')
    with pytest.raises(ConfigError, match="with individual doses must be in one shard"):
        create_run(Request(path), tmp_path / "run", 2)


def test_patients_of_a_covariate_file_are_distributed_over_shards(config, tmp_path):
    covariates = tmp_path / "who.csv"
    lines = [f"{7 * n},{50 + n}" for n in range(5)]
    covariates.write_text("\n".join(["id,body_weight", *lines]), encoding="utf-8")
    plan = create_run(Request(config, covariates=covariates), tmp_path / "run", 3, block=2)
    for shard in plan.shards:
        run_shard(plan, shard)
    assert finalize(plan).complete
    ds = plan.store.read().to_dataset()
    assert ds["patient"].values.tolist() == [0, 7, 14, 21, 28]
    assert ds["body_weight"].values.tolist() == [50, 51, 52, 53, 54]
    prepared = prepare(Request(config, covariates=covariates))
    whole = dataclasses.replace(prepared, trajectories=np.array([], int))
    assert_same_bits(ds, runs.run(whole).to_dataset())


def test_patients_of_a_run_in_parts_are_not_sampled_in_advance(config):
    many = Request(config, ("patients=70",))
    assert "cohort" in vars(prepare(many))
    assert "cohort" not in vars(prepare(many, in_parts=True))


def test_help_shows_the_default_size_of_a_block():
    assert f"[default: ({BLOCK})]" in " ".join(call("plan", "--help").out.split())
