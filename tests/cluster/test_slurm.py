"""A run on a temporary Slurm of two nodes gives the same results when jobs are interrupted."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qsp import run as runs
from qsp.cli.cluster_status import count_shards
from qsp.cluster import attempts, receipts
from qsp.cluster.create import create_run
from qsp.cluster.plan import PARTIAL, read_plan
from qsp.run import Request, prepare
from tests.cluster.same import assert_same_bits

pytestmark = pytest.mark.cluster

CONFIG = Path(__file__).parents[2] / "configs" / "mosunetuzumab_step_up_vs_flat.toml"
PATIENTS, SIZE, BLOCK = 200, 50, 2
RESOURCES = ("--cpus", "2", "--gpus", "1", "--memory-gb", "1", "--minutes", "10")
LIMIT_S = 240.0


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A plan of four arms, with many blocks so that a shard takes some seconds."""
    run = tmp_path_factory.mktemp("grid") / "run"
    create_run(Request(CONFIG, (f"patients={PATIENTS}",)), run, SIZE, block=BLOCK)
    return run


@pytest.fixture(scope="module")
def expected():
    prepared = prepare(Request(CONFIG, (f"patients={PATIENTS}",)))
    none = dataclasses.replace(prepared, trajectories=np.array([], int))
    return runs.run(none).to_dataset()


@pytest.fixture
def plan(grid, tmp_path):
    shutil.copytree(grid, tmp_path / "run")
    return read_plan(tmp_path / "run")


def qsp(slurm, *words, code=0):
    command = [sys.executable, "-m", "qsp", *map(str, words)]
    done = subprocess.run(command, env=slurm.environment, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def submitted(slurm, plan, verb="submit", **options):
    extra = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    return qsp(slurm, verb, plan.run, "--slurm", *RESOURCES, *extra)


def wait_for_empty_queue(slurm):
    slurm.wait_until(lambda: not slurm.queue(), LIMIT_S, "an empty queue")


def live(plan):
    return [a for tries in attempts.read(plan).values() for a in tries if a.is_live]


def blocks(plan, shard):
    return list(plan.path(PARTIAL, f"{shard:05d}").glob("*.npz"))


def assert_complete(slurm, plan, expected):
    qsp(slurm, "finalize", plan.run)
    assert_same_bits(runs.read(plan.run).to_dataset(), expected)


def test_an_array_with_a_gpu_for_each_shard(slurm, plan, expected):
    submitted(slurm, plan)
    wait_for_empty_queue(slurm)
    found = [receipts.read_receipt(plan, shard) for shard in plan.shards]
    assert all(receipt.about["visible"] == "0" for receipt in found)
    assert len({receipt.about["job"] for receipt in found}) == len(plan.shards)
    assert_complete(slurm, plan, expected)


def test_only_the_shard_of_a_killed_process_is_missing_and_resumed(slurm, plan, expected):
    submitted(slurm, plan)
    slurm.wait_until(lambda: live(plan), LIMIT_S, "a running shard")
    victim = live(plan)[0]
    os.kill(victim.pid, signal.SIGKILL)
    wait_for_empty_queue(slurm)
    assert receipts.missing(plan) == [victim.shard]
    qsp(slurm, "finalize", plan.run, code=1)
    assert "Submitted 1 shard as job" in submitted(slurm, plan, "resume")
    wait_for_empty_queue(slurm)
    assert len(attempts.read(plan)[victim.shard]) == 2
    assert_complete(slurm, plan, expected)


def test_a_preempted_shard_resumes_where_it_was(slurm, plan, expected):
    submitted(slurm, plan)
    slurm.wait_until(
        lambda: [a for a in live(plan) if len(blocks(plan, a.shard)) > 3], LIMIT_S, "some blocks"
    )
    running = {a.shard for a in live(plan)}
    slurm.run("srun", "-p", "urgent", "-N2", "-n2", "-c2", "sleep", "1", limit=LIMIT_S)
    wait_for_empty_queue(slurm)
    found = [receipts.read_receipt(plan, shard) for shard in running]
    assert any(receipt is not None and receipt.about["restarts"] for receipt in found)
    assert not any(a.is_failure for tries in attempts.read(plan).values() for a in tries)
    assert_complete(slurm, plan, expected)


def test_a_canceled_job_is_not_requeued(slurm, plan, expected):
    submitted(slurm, plan)
    slurm.wait_until(
        lambda: [a for a in live(plan) if len(blocks(plan, a.shard)) > 3], LIMIT_S, "some blocks"
    )
    slurm.run("scancel", "--me")
    wait_for_empty_queue(slurm)
    assert receipts.missing(plan)
    submitted(slurm, plan, "resume")
    wait_for_empty_queue(slurm)
    assert_complete(slurm, plan, expected)


def test_the_shard_of_a_lost_node_runs_on_the_other(slurm, plan, expected):
    submitted(slurm, plan)
    slurm.wait_until(lambda: len(live(plan)) == 2, LIMIT_S, "two running shards")
    slurm.node_down("n1")
    try:
        wait_for_empty_queue(slurm)
        assert receipts.missing(plan) == []
    finally:
        slurm.node_up("n1")
    assert_complete(slurm, plan, expected)


def printed_file_submitted(slurm, plan):
    """Submit it without qsp, which then has no record of the job."""
    text = qsp(slurm, "sbatch", plan.run, *RESOURCES)
    plan.path("run.sbatch").write_text(text, encoding="utf-8")
    slurm.run("sbatch", str(plan.path("run.sbatch")))


def test_queued_shards_are_not_submitted_again(slurm, plan, expected):
    submitted(slurm, plan)
    before = {job for job, _ in slurm.queue()}
    assert len(before) == len(plan.shards)
    assert "in the Slurm queue" in submitted(slurm, plan)  # others may be running
    assert {job for job, _ in slurm.queue()} <= before
    slurm.wait_until(lambda: live(plan), LIMIT_S, "a running shard")
    submitted(slurm, plan, "resume")
    assert {job for job, _ in slurm.queue()} <= before
    slurm.run("scancel", "--me")
    wait_for_empty_queue(slurm)
    missing = len(receipts.missing(plan))
    assert f"Submitted {count_shards(missing)} as job" in submitted(slurm, plan)
    wait_for_empty_queue(slurm)
    assert "scancel" not in qsp(slurm, "status", plan.run)
    assert_complete(slurm, plan, expected)


def test_a_run_submitted_twice_gives_the_same_results(slurm, plan, expected):
    submitted(slurm, plan)
    printed_file_submitted(slurm, plan)
    assert len(slurm.queue()) > len(plan.shards)
    wait_for_empty_queue(slurm)
    assert receipts.missing(plan) == []
    assert_complete(slurm, plan, expected)


def test_a_shard_that_always_fails_is_retried_up_to_the_limit_and_reported(slurm, plan):
    for path in plan.path(PARTIAL).glob("*"):
        shutil.rmtree(path)
    (plan.path(PARTIAL) / "00002").write_text("a file where a folder must be")
    for verb in ("submit", "resume"):
        submitted(slurm, plan, verb, attempts=2)
        wait_for_empty_queue(slurm)
    assert receipts.missing(plan) == [2]
    assert "Shard 2 failed" in qsp(slurm, "status", plan.run, "--attempts", "2", code=1)
    with_none = [sys.executable, "-m", "qsp", "resume", str(plan.run), "--slurm", "--attempts", "2"]
    assert subprocess.run(with_none, env=slurm.environment, capture_output=True).returncode == 1
    qsp(slurm, "finalize", plan.run, code=1)


def test_the_printed_file_runs_the_shards(slurm, plan, expected):
    printed_file_submitted(slurm, plan)
    wait_for_empty_queue(slurm)
    assert_complete(slurm, plan, expected)
