"""Where a run stands: what waits in Slurm, blocks that are kept, and progress while it goes on."""

import dataclasses
import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from qsp.cli.cluster_status import Watch
from qsp.cluster import receipts
from qsp.cluster.atomic import write_json
from qsp.cluster.plan import LOGS, PARTIAL
from qsp.cluster.queued import SUBMITTED, Queue, ask, remember
from qsp.cluster.status import status
from qsp.cluster.submit import Resources, to_slurm
from tests.run.conftest import call


class Commands:
    """Commands of Slurm that do as they are told, and note that they were called."""

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


def told(text):
    return " ".join(text.split())


def test_what_waits_in_the_queue_is_not_submitted_again(plan, commands):
    assert "3 shards are job 17" in call("submit", plan.run, "--slurm").out
    assert not commands.calls("squeue")  # nothing had been submitted before
    commands.queue("17_0", "17_1", "17_2", "99_0")
    again = call("submit", plan.run, "--slurm")
    assert again.code == 0
    assert "3 shards are in the queue of Slurm" in again.out
    assert "scancel 17 " in again.out
    assert len(commands.calls("sbatch")) == 1
    assert len(commands.calls("squeue")) == 1
    shown = told(call("status", plan.run).out)
    assert "shards done running queued failed missing patients" in shown
    assert " 3 0 0 3 0 0 0 " in shown


def test_a_shard_that_failed_too_often_is_named_though_others_are_submitted(plan, commands):
    receipts.note(plan, receipts.begin(plan, 1), state="failed")
    said = call("submit", plan.run, "--slurm", "--attempts", "1")
    assert "2 shards are job 17" in said.out
    assert said.code == 1
    assert "failed as often as they may (1)" in said.err


def test_several_arrays_share_what_may_run_at_once(plan, commands):
    many = dataclasses.replace(plan, patients=2500, size=1)
    to_slurm(many, list(many.shards), Resources(at_once=10))
    files = plan.path(LOGS).rglob("*submission*.sh")
    arrays = [line for path in files for line in path.read_text().splitlines() if "--array" in line]
    assert arrays
    assert all(line.endswith("%3") for line in arrays)


def test_what_left_the_queue_without_a_receipt_is_submitted_again_alone(plan, commands):
    call("submit", plan.run, "--slurm")
    commands.queue("17_0", "17_2")
    commands.write("sbatch", "echo Submitted batch job 18")
    said = call("submit", plan.run, "--slurm").out
    assert "1 shards are job 18" in said
    assert "2 shards are in the queue" in said
    commands.queue("17_0", "17_2", "18")  # an array of one is a job
    assert ask(plan).tasks == {0: "17_0", 1: "18", 2: "17_2"}


def test_shards_that_wait_in_slurm_are_not_computed_here(plan, commands, monkeypatch):
    call("submit", plan.run, "--slurm")
    commands.queue("17_0", "17_1", "17_2")
    monkeypatch.setattr("qsp.cluster.local.to_processes", lambda *_, **__: pytest.fail("begun"))
    said = call("submit", plan.run, "--local")
    assert said.code == 0
    assert "3 shards are in the queue of Slurm" in said.out


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("echo slurm_load_jobs error: Unable to contact >&2; exit 1", "Unable to contact"),
        ("exec sleep 60", "squeue did not answer within 0.5 s"),
        (None, "squeue is not on this machine"),
    ],
)
def test_a_queue_that_does_not_answer_is_unknown_and_said_so(
    plan, commands, monkeypatch, body, why
):
    call("submit", plan.run, "--slurm")
    monkeypatch.setattr("qsp.cluster.queued.LIMIT_S", 0.5)
    if body is None:
        (commands.folder / "squeue").unlink()
        monkeypatch.setenv("PATH", str(commands.folder))
        assert why in ask(plan).unknown
        return
    commands.write("squeue", body)
    assert ask(plan).tasks == {}
    [line] = [line for line in call("status", plan.run).out.splitlines() if why in line]
    assert "they count as missing" in line
    said = call("submit", plan.run, "--slurm").out
    assert "3 shards are job 17" in said  # nothing is assumed
    assert why in said


def test_squeue_is_not_asked_for_what_is_done(done, commands):
    remember(done, "qsp-small", {"17_0": 0, "17_1": 1})
    commands.queue("17_0", "17_1")
    assert ask(done) == Queue()
    assert not commands.calls("squeue")
    receipts.receipt_path(done, 1).unlink()
    assert ask(done).tasks == {1: "17_1"}
    assert "--name=qsp-small" in commands.calls("squeue")[0]


def test_settings_for_people_hide_no_job(plan, commands, monkeypatch):
    monkeypatch.setenv("SQUEUE_PARTITION", "gpu")
    remember(plan, "qsp-small", {"17": 0})
    commands.write("squeue", 'test -z "$SQUEUE_PARTITION" && echo 17')
    assert ask(plan).tasks == {0: "17"}


def test_what_another_plan_submitted_is_not_of_this_one(plan, commands):
    remember(dataclasses.replace(plan, title="another"), "qsp-other", {"17_0": 0})
    commands.queue("17_0")
    assert list(plan.path(SUBMITTED).glob("*.json"))
    assert ask(plan) == Queue()


def test_a_shard_that_runs_is_not_queued(plan):
    receipts.begin(plan, 1)
    found = status(plan, Queue({0: "17_0", 1: "17_1"}))
    assert (found.running, dict(found.queued), found.missing) == ((1,), {0: "17_0"}, (2,))


def stopped(plan, shard, done):
    attempt = receipts.begin(plan, shard)
    receipts.note(plan, attempt, done=done, state="stopped")
    plan.path(PARTIAL, f"{shard:05d}").mkdir(exist_ok=True)


def test_patients_in_blocks_of_a_stopped_shard_are_counted(plan):
    stopped(plan, 1, 6)
    found = status(plan)
    assert (found.patients, found.kept, found.missing) == (6, 6, (0, 1, 2))
    said = call("status", plan.run).out
    assert "6 of these patients are in blocks of shards that do not run now" in said
    requeued = status(plan, Queue({1: "17_1"}))
    assert (requeued.kept, dict(requeued.queued), requeued.missing) == (6, {1: "17_1"}, (0, 2))
    stopped(plan, 1, 7)
    receipts.begin(plan, 1)  # it runs again, and has not yet read its blocks
    assert (status(plan).patients, status(plan).kept) == (7, 0)
    plan.path(PARTIAL, "00001").rmdir()
    assert status(plan).patients == 0


def watched(plan, console, happen):
    def now():
        return status(plan, most_attempts=2)

    with Watch(console, now(), now, 2) as watch:
        watch.look()
        happen()
        watch.look()  # too soon: nothing is read
    return console.file.getvalue()


def fail(plan, shard):
    receipts.note(plan, receipts.begin(plan, shard), state="failed", error="Traceback\nno memory\n")


def test_a_line_for_each_shard_that_ends_where_there_is_no_terminal(done):
    receipt = receipts.read_receipt(done, 0)
    receipts.receipt_path(done, 0).unlink()
    receipts.forgive(done, 0)

    def happen():
        fail(done, 0)
        receipts.write_receipt(done, receipt)

    console = Console(file=io.StringIO(), width=100)
    [line] = watched(done, console, happen).splitlines()
    assert line.startswith("Shard 0 is done; 3 of 3 shards, 0 running; ")
    assert line.endswith(" patients/s, 0.0 min left")


def test_a_failure_is_a_line_that_says_how_often(plan):
    fail(plan, 2)
    console = Console(file=io.StringIO(), width=100)
    said = watched(plan, console, lambda: fail(plan, 2))
    assert said == "Shard 2 failed, 2 of 2 times: no memory\n"


def test_a_live_line_on_a_terminal(plan):
    console = Console(file=io.StringIO(), width=80, force_terminal=True, highlight=False)

    def happen():
        stopped(plan, 1, 6)
        fail(plan, 2)

    said = watched(plan, console, happen)
    assert "0 of 3 shards, 0 running" in said
    assert " patients/s, 0.0 min left" in said
    assert "Shard 2 failed, 1 of 2 times: no memory" in said


def test_a_shard_that_was_done_once_and_is_not_any_more_has_no_patients(plan):
    """Its receipt was taken back; what the new attempt has is what counts."""
    size = len(range(plan.rows(1).start, plan.rows(1).stop))
    receipts.note(plan, receipts.begin(plan, 1), done=size, state="done")
    stopped(plan, 1, 1)
    assert status(plan).kept == 1


def test_the_wait_of_a_requeued_job_is_no_work(plan, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    first = receipts.begin(plan, 1)
    old = dataclasses.replace(first, touched=first.touched - 3600.0, began=first.began - 3700.0)
    path = next(plan.path("attempts").glob("00001.*"))
    write_json(path, dataclasses.asdict(old))
    os.utime(path, (old.touched, old.touched))
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    receipts.begin(plan, 1)
    again, _ = receipts.attempts(plan)[1]
    assert (again.state, again.touched) == ("stopped", old.touched)


def test_tries_are_forgotten_but_not_the_one_that_runs(plan):
    receipts.note(plan, receipts.begin(plan, 1), state="failed")
    live = receipts.begin(plan, 1)
    receipts.forgive(plan, 1)
    assert [attempt.id for attempt in receipts.attempts(plan)[1]] == [live.id]


def test_to_see_where_a_run_stands_no_solver_is_imported():
    """People look often, and a login node is slow."""
    modules = "qsp.cluster.plan, qsp.cluster.status, qsp.cluster.queued, qsp.cli.cluster_status"
    heavy = "{'jax', 'diffrax', 'xarray', 'matplotlib', 'zarr', 'pint'}"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
