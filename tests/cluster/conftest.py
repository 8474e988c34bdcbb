"""One temporary Slurm for all tests of a session, and one small plan that tests copy."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from qsp import run as runs
from qsp.cluster.create import create_run
from qsp.cluster.plan import read_plan
from qsp.run import Request, prepare
from tests import small
from tests.cluster.mini_slurm import MiniSlurm, installed

POPULATION = Path(__file__).parents[2] / "populations" / "nhl.toml"
PATIENTS, SIZE, BLOCK = 22, 8, 3


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    if not installed():
        reason = "needs Slurm: scripts/slurm/install as root"
        if os.environ.get("REQUIRE_SLURM") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    cluster = MiniSlurm(tmp_path_factory.mktemp("slurm"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    """A config and its population in a project folder, as a user has them."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("configs", "populations"):
        (root / folder).mkdir()
    shutil.copyfile(POPULATION, root / "populations" / "nhl.toml")
    path = root / "configs" / "small.toml"
    path.write_text(small.config("../populations/nhl.toml", PATIENTS), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def planned(config, tmp_path_factory):
    """The folder of a plan before any shard ran; 22 patients in three shards of eight."""
    run = tmp_path_factory.mktemp("planned") / "run"
    create_run(Request(config), run, SIZE, block=BLOCK)
    return run


@pytest.fixture
def plan(planned, tmp_path):
    """A copy of the plan that a test may change."""
    shutil.copytree(planned, tmp_path / "run")
    return read_plan(tmp_path / "run")


@pytest.fixture(scope="session")
def serial(config):
    """Results of the same patients without shards."""
    prepared = prepare(Request(config))
    none = dataclasses.replace(prepared, trajectories=np.array([], int))
    return runs.run(none).to_dataset()


@pytest.fixture(scope="session")
def finished(planned, tmp_path_factory):
    """The folder of a run in which every shard is done."""
    from qsp.cluster.shard import run_shard

    run = tmp_path_factory.mktemp("finished") / "run"
    shutil.copytree(planned, run)
    for shard in read_plan(run).shards:
        run_shard(read_plan(run), shard)
    return run


@pytest.fixture
def done(finished, tmp_path):
    """A copy of the finished run that a test may damage."""
    shutil.copytree(finished, tmp_path / "run")
    return read_plan(tmp_path / "run")
