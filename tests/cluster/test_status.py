"""Status of a run: the Slurm queue, finished blocks, and live progress."""

import dataclasses
import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from qsp.cli.cluster_status import Watch
from qsp.cluster import attempts, receipts
from qsp.cluster.atomic import write_json
from qsp.cluster.backends.slurm import (
    SUBMITTED,
    Queue,
    Resources,
    read_queue,
    record_submission,
    submit_arrays,
)
from qsp.cluster.plan import LOGS, PARTIAL
from qsp.cluster.status import status
from tests.run.conftest import call


class Commands:
    """Fake commands of Slurm that run a given script, and record their calls."""

    def __init__(self, folder):
        self.folder = folder
        self.write("srun", "exit 1")
        self.write("sbatch", "echo Submitted batch job 17")
        self.write("squeue", "")

    def write(self, name, body):
        path = self.folder / name
        path.write_text(f'#!/bin/bash\necho "$@" >> {self.folder}/{name}.calls\n{body}\n')
        path.chmod(0o755)

    def queue(self, *tasks):
        self.write("squeue", "".join(f"echo {task}\n" for task in tasks))

    def calls(self, name):
        path = self.folder / f"{name}.calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def commands(tmp_path, monkeypatch):
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return Commands(folder)


def single_spaced(text):
    return " ".join(text.split())


def test_queued_shards_are_not_submitted_again(plan, commands):
    assert "Submitted 3 shards as job 17" in call("submit", plan.run, "--slurm").out
    assert not commands.calls("squeue")  # nothing had been submitted before
    commands.queue("17_0", "17_1", "17_2", "99_0")
    again = call("submit", plan.run, "--slurm")
    assert again.code == 0
    assert "3 shards in the Slurm queue" in again.out
    assert "scancel 17 " in again.out
    assert len(commands.calls("sbatch")) == 1
    assert len(commands.calls("squeue")) == 1
    shown = single_spaced(call("status", plan.run).out)
    assert "shards done running queued failed missing patients" in shown
    assert " 3 0 0 3 0 0 0 " in shown


def test_a_shard_at_the_limit_of_attempts_is_named_and_others_are_submitted(plan, commands):
    attempts.update(plan, attempts.start(plan, 1), state="failed")
    result = call("submit", plan.run, "--slurm", "--attempts", "1")
    assert "Submitted 2 shards as job 17" in result.out
    assert result.code == 1
    assert "shards at the limit of 1 failed attempts: 1." in result.err


def test_several_arrays_share_the_limit_of_concurrent_shards(plan, commands):
    many = dataclasses.replace(plan, patients=2500, size=1)
    submit_arrays(many, list(many.shards), Resources(at_once=10))
    files = plan.path(LOGS).rglob("*submission*.sh")
    arrays = [line for path in files for line in path.read_text().splitlines() if "--array" in line]
    assert arrays
    assert all(line.endswith("%3") for line in arrays)


def test_only_shards_that_left_the_queue_without_a_receipt_are_submitted_again(plan, commands):
    call("submit", plan.run, "--slurm")
    commands.queue("17_0", "17_2")
    commands.write("sbatch", "echo Submitted batch job 18")
    text = call("submit", plan.run, "--slurm").out
    assert "Submitted 1 shard as job 18" in text
    assert "2 shards in the Slurm queue" in text
    commands.queue("17_0", "17_2", "18")  # an array of one is a job
    assert read_queue(plan).tasks == {0: "17_0", 1: "18", 2: "17_2"}


def test_shards_queued_in_slurm_are_not_computed_locally(plan, commands, monkeypatch):
    call("submit", plan.run, "--slurm")
    commands.queue("17_0", "17_1", "17_2")
    monkeypatch.setattr(
        "qsp.cluster.backends.local.run_locally", lambda *_, **__: pytest.fail("started")
    )
    result = call("submit", plan.run, "--local")
    assert result.code == 0
    assert "3 shards in the Slurm queue" in result.out


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("echo slurm_load_jobs error: Unable to contact >&2; exit 1", "Unable to contact"),
        ("exec sleep 60", "squeue did not answer within 0.5 s"),
        (None, "squeue is not on this machine"),
    ],
)
def test_a_queue_that_cannot_be_read_is_reported_as_unknown(plan, commands, monkeypatch, body, why):
    call("submit", plan.run, "--slurm")
    monkeypatch.setattr("qsp.cluster.backends.slurm.SQUEUE_LIMIT_S", 0.5)
    if body is None:
        (commands.folder / "squeue").unlink()
        monkeypatch.setenv("PATH", str(commands.folder))
        assert why in read_queue(plan).unknown
        return
    commands.write("squeue", body)
    assert read_queue(plan).tasks == {}
    [line] = [line for line in call("status", plan.run).out.splitlines() if why in line]
    assert "Shards in it count as missing" in line
    text = call("submit", plan.run, "--slurm").out
    assert "Submitted 3 shards as job 17" in text  # they count as missing
    assert why in text


def test_squeue_is_not_run_for_finished_shards(done, commands):
    record_submission(done, "qsp-small", {"17_0": 0, "17_1": 1})
    commands.queue("17_0", "17_1")
    assert read_queue(done) == Queue()
    assert not commands.calls("squeue")
    receipts.receipt_path(done, 1).unlink()
    assert read_queue(done).tasks == {1: "17_1"}
    assert "--name=qsp-small" in commands.calls("squeue")[0]


def test_squeue_settings_of_a_user_hide_no_job(plan, commands, monkeypatch):
    monkeypatch.setenv("SQUEUE_PARTITION", "gpu")
    record_submission(plan, "qsp-small", {"17": 0})
    commands.write("squeue", 'test -z "$SQUEUE_PARTITION" && echo 17')
    assert read_queue(plan).tasks == {0: "17"}


def test_jobs_of_another_plan_are_ignored(plan, commands):
    record_submission(dataclasses.replace(plan, title="another"), "qsp-other", {"17_0": 0})
    commands.queue("17_0")
    assert list(plan.path(SUBMITTED).glob("*.json"))
    assert read_queue(plan) == Queue()


def test_a_running_shard_is_not_queued(plan):
    attempts.start(plan, 1)
    found = status(plan, Queue({0: "17_0", 1: "17_1"}))
    assert (found.running, dict(found.queued), found.missing) == ((1,), {0: "17_0"}, (2,))


def stopped(plan, shard, done):
    attempt = attempts.start(plan, shard)
    attempts.update(plan, attempt, patients=done, state="stopped")
    plan.path(PARTIAL, f"{shard:05d}").mkdir(exist_ok=True)


def test_patients_in_blocks_of_a_stopped_shard_are_counted(plan):
    stopped(plan, 1, 6)
    found = status(plan)
    assert (found.patients, found.checkpointed, found.missing) == (6, 6, (0, 1, 2))
    text = call("status", plan.run).out
    assert "6 of these patients are in finished blocks of shards that are not running" in text
    requeued = status(plan, Queue({1: "17_1"}))
    assert (requeued.checkpointed, dict(requeued.queued), requeued.missing) == (
        6,
        {1: "17_1"},
        (0, 2),
    )
    stopped(plan, 1, 7)
    attempts.start(plan, 1)  # it runs again, and has not read its blocks yet
    assert (status(plan).patients, status(plan).checkpointed) == (7, 0)
    plan.path(PARTIAL, "00001").rmdir()
    assert status(plan).patients == 0


def watched(plan, console, happen):
    def now():
        return status(plan, max_attempts=2)

    with Watch(console, now(), now, 2) as watch:
        watch.poll()
        happen()
        watch.poll()  # too soon: the status is not read
    return console.file.getvalue()


def fail(plan, shard):
    attempts.update(
        plan, attempts.start(plan, shard), state="failed", error="Traceback\nno memory\n"
    )


def test_without_a_terminal_each_finished_shard_is_a_line(done):
    receipt = receipts.read_receipt(done, 0)
    receipts.receipt_path(done, 0).unlink()
    attempts.forget(done, 0)

    def happen():
        fail(done, 0)
        receipts.write_receipt(done, receipt)

    console = Console(file=io.StringIO(), width=100)
    [line] = watched(done, console, happen).splitlines()
    assert line.startswith("Shard 0 is done; 3 of 3 shards, 0 running; ")
    assert line.endswith(" patients/s, 0.0 min left")


def test_a_failure_is_a_line_with_the_number_of_the_attempt(plan):
    fail(plan, 2)
    console = Console(file=io.StringIO(), width=100)
    text = watched(plan, console, lambda: fail(plan, 2))
    assert text == "Shard 2 failed (attempt 2 of 2): no memory\n"


def test_a_terminal_shows_a_live_line(plan):
    console = Console(file=io.StringIO(), width=80, force_terminal=True, highlight=False)

    def happen():
        stopped(plan, 1, 6)
        fail(plan, 2)

    text = watched(plan, console, happen)
    assert "0 of 3 shards, 0 running" in text
    assert " patients/s, 0.0 min left" in text
    assert "Shard 2 failed (attempt 1 of 2): no memory" in text


def test_a_shard_whose_receipt_was_revoked_counts_the_new_attempt_only(plan):
    size = len(range(plan.rows(1).start, plan.rows(1).stop))
    attempts.update(plan, attempts.start(plan, 1), patients=size, state="done")
    stopped(plan, 1, 1)
    assert status(plan).checkpointed == 1


def test_the_time_of_a_requeued_job_in_the_queue_is_not_busy_time(plan, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    first = attempts.start(plan, 1)
    old = dataclasses.replace(first, last_seen=first.last_seen - 3600.0, began=first.began - 3700.0)
    path = next(plan.path("attempts").glob("00001.*"))
    write_json(path, dataclasses.asdict(old))
    os.utime(path, (old.last_seen, old.last_seen))
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    attempts.start(plan, 1)
    again, _ = attempts.read(plan)[1]
    assert (again.state, again.last_seen) == ("stopped", old.last_seen)


def test_forgetting_attempts_keeps_a_live_one(plan):
    attempts.update(plan, attempts.start(plan, 1), state="failed")
    live = attempts.start(plan, 1)
    attempts.forget(plan, 1)
    assert [attempt.id for attempt in attempts.read(plan)[1]] == [live.id]


def test_the_status_of_a_run_imports_no_solver():
    """Users call it repeatedly, on login nodes that may be slow."""
    modules = (
        "qsp.cluster.plan, qsp.cluster.status, qsp.cluster.backends.slurm, qsp.cli.cluster_status"
    )
    heavy = "{'jax', 'diffrax', 'xarray', 'matplotlib', 'zarr', 'pint'}"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
