"""Adapters: processes of this machine, dask, and the file for sbatch; signals and bounded tries."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from qsp.cluster import receipts
from qsp.cluster.device import given, settings
from qsp.cluster.finalize import finalize
from qsp.cluster.plan import ATTEMPTS, PARTIAL
from qsp.cluster.script import sbatch
from qsp.cluster.shard import run_shard
from qsp.cluster.signals import noted
from qsp.cluster.status import status
from qsp.cluster.submit import Resources, to_dask
from qsp.cluster.task import Task, requeue
from qsp.errors import ConfigError
from tests.cluster.same import assert_same_bits
from tests.run.conftest import call

LIMIT_S = 120.0
AT_A_TERMINAL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # these tests may run in the background
from qsp.cli.app import main
main()
"""


def wait_for(condition, what):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {LIMIT_S:g} s for {what}"
        time.sleep(0.05)


def shard_process(plan, shard, **environment):
    words = [sys.executable, "-m", "qsp", "shard", str(plan.run), str(shard), "--no-cache"]
    return subprocess.Popen(words, env={**os.environ, **environment})


def test_processes_of_this_machine_finish_a_run(plan, serial, monkeypatch, tmp_path):
    """From a folder with other code of the same name, of which they must take nothing."""
    other = tmp_path / "here" / "qsp"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise ImportError('of the folder')")
    monkeypatch.chdir(other.parent)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    said = call("submit", plan.run, "--local", "--workers", "2")
    assert said.code == 0, said.err
    assert said.out.count(" is done; ") == 3
    assert "All shards are done" in said.out
    assert call("finalize", plan.run).code == 0
    assert_same_bits(plan.store.read().to_dataset(), serial)
    again = call("submit", plan.run, "--local")
    assert "All shards are done" in again.out
    assert len(receipts.attempts(plan)[0]) == 1  # nothing was started again
    known = [receipts.read_receipt(plan, shard) for shard in plan.shards]
    assert {receipt.about["visible"] for receipt in known} == {"5", "7"}  # one each


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)]
)
def test_a_signal_ends_a_shard_at_the_next_block_and_it_resumes_there(plan, number, serial):
    """The second block is slow to come: it is the first that the process computes itself."""
    with shard_process(plan, 0) as process:
        wait_for(lambda: list(plan.path(ATTEMPTS).glob("*.json")), "an attempt")
        attempt = receipts.attempts(plan)[0][0]
        assert attempt.is_live
        assert status(plan).running == (0,)
        process.send_signal(number)
        assert process.wait(LIMIT_S) in (75, 0)
        stopped = process.returncode == 75
    if stopped:  # a fast machine may have been done
        assert receipts.attempts(plan)[0][-1].state == "stopped"
        assert list(plan.path(PARTIAL, "00000").glob("*.npz"))
    with shard_process(plan, 0) as process:
        assert process.wait(LIMIT_S) == 0
    found = plan.store.read().to_dataset().sel(patient=list(range(8)))
    assert_same_bits(found, serial.isel(patient=plan.rows(0)))


def test_a_killed_shard_counts_as_a_try_and_is_computed_again(plan):
    with shard_process(plan, 1) as process:
        wait_for(lambda: list(plan.path(ATTEMPTS).glob("00001.*.json")), "an attempt")
        process.kill()
        process.wait(LIMIT_S)
    [attempt] = receipts.attempts(plan)[1]
    assert attempt.state == "running"
    assert not attempt.is_live
    assert attempt.counts
    found = status(plan, most_attempts=1)
    assert found.failed == {1: "killed"}
    assert status(plan).missing == (0, 1, 2)


def test_a_shard_that_always_fails_is_tried_so_often_and_reported(plan):
    shutil.rmtree(plan.path(PARTIAL, "00000"))
    for shard in plan.shards:
        plan.path(PARTIAL, f"{shard:05d}").write_text("a file where a folder must be")
    said = call("submit", plan.run, "--local", "--workers", "2", "--attempts", "1")
    assert said.code == 1
    assert "FileExistsError" in said.out
    assert call("status", plan.run, "--attempts", "1").code == 1
    assert call("finalize", plan.run).code == 1
    assert len(receipts.attempts(plan)) == 3


def test_resume_checks_what_is_there_and_submit_believes_it(done, serial):
    done.store.chunks(done.rows(1))["outcome"].unlink()
    assert "All shards are done" in call("submit", done.run, "--local").out
    said = call("resume", done.run, "--local").out
    assert "Shard 1: missing chunk of outcome" in said
    assert "Shard 1 is done; 3 of 3 shards" in said
    assert finalize(done).complete
    assert_same_bits(done.store.read().to_dataset(), serial)


def test_a_shard_that_failed_too_often_is_tried_again_when_asked(plan, monkeypatch):
    begun = []
    monkeypatch.setattr(
        "qsp.cluster.local.to_processes", lambda tasks, *_: begun.append([t.shard for t in tasks])
    )
    receipts.note(plan, receipts.begin(plan, 1), state="failed")
    words = ("resume", plan.run, "--local", "--attempts", "1")
    call(*words)
    call(*words, "--again")
    assert begun == [[0, 2], [0, 1, 2]]


@pytest.mark.filterwarnings("ignore")  # of dask, on ports and on workers that die
def test_a_client_of_dask_finishes_a_run_although_a_worker_is_killed(plan, serial):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        killed = []

        def kill_one():
            if not killed and list(plan.path(ATTEMPTS).glob("*.json")):
                killed.append(receipts.attempts(plan))
                pid = next(iter(killed[0].values()))[0].pid
                os.kill(pid, signal.SIGKILL)

        tasks = [Task(str(plan.run), shard, cache=False) for shard in plan.shards]
        to_dask(tasks, client, told=kill_one)
    assert killed
    assert status(plan).is_done
    assert finalize(plan).complete
    assert_same_bits(plan.store.read().to_dataset(), serial)


def test_who_interrupts_is_told_how_to_go_on(plan, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("qsp.cluster.local.to_processes", interrupted)
    said = call("submit", plan.run, "--local")
    assert said.code == 130
    assert "blocks that were done are kept" in said.out
    assert f"Next: qsp resume {plan.run} --local --workers 1" in said.out


@pytest.mark.parametrize(
    "words",
    [
        ("--local", "--gpus", "1"),
        ("--dask", "a:1", "--partition", "x"),
        ("--dask", "a:1", "--memory-gb", "4"),
        ("--local", "--sbatch", "qos=long"),
        ("--slurm", "--workers", "2"),
    ],
)
def test_an_option_of_another_place_is_refused(plan, words):
    said = call("submit", plan.run, *words)
    assert said.code == 2
    assert f"but is {words[-2]}" in said.err


def test_with_other_input_or_code_nothing_is_started(plan):
    path = plan.path("inputs", "populations", "nhl.toml")
    path.write_text(path.read_text() + "\n")
    for verb in ("submit", "resume"):
        said = call(verb, plan.run, "--local")
        assert said.code == 2
        assert "it must be as planned, but is changed" in said.err
    with pytest.raises(ConfigError, match="as planned"):
        run_shard(plan, 1)
    assert receipts.attempts(plan) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_the_command_ends_its_processes_at_a_block(plan, number):
    """A Ctrl-C goes to all processes of a terminal, and only the command obeys."""
    words = [sys.executable, "-c", AT_A_TERMINAL, "submit", str(plan.run), "--local", "--no-cache"]
    said_to = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, **said_to, start_new_session=True) as process:
        wait_for(
            lambda: any(a.is_live for own in receipts.attempts(plan).values() for a in own), "it"
        )
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert b"blocks that were done are kept" in said
    [attempt] = [attempt for own in receipts.attempts(plan).values() for attempt in own]
    assert attempt.state == "stopped"
    assert attempt.done > 0


def test_where_must_be_said(plan):
    for verb, *words in (["submit"], ["submit", "--slurm", "--local"], ["resume"]):
        said = call(verb, plan.run, *words)
        assert said.code == 2
        assert f"{verb}: it must be said where to compute, but is" in said.err
        assert "--slurm, --local, --dask" in said.err


def test_the_file_for_sbatch_runs_what_is_missing(done):
    receipts.receipt_path(done, 0).unlink()
    receipts.receipt_path(done, 2).unlink()
    text = sbatch(done, receipts.missing(done), Resources("gpu", 30, 4, 1, 16.0, 8, {"qos": "x"}))
    for line in ("--array=0-1%8", "--partition=gpu", "--gres=gpu:1", "--mem=16384M", "--qos=x"):
        assert f"#SBATCH {line}\n" in text
    assert text.startswith("#!/bin/bash\n")
    assert f"qsp shard {done.run}" in text
    assert "\nshards=(0 2)\n" in text
    assert '"${shards[$SLURM_ARRAY_TASK_ID]}" --requeue' in text
    with pytest.raises(ConfigError, match="there must be shards to compute"):
        sbatch(done, [], Resources())
    with pytest.raises(ConfigError, match="must be one line"):
        sbatch(done, [0], Resources("work\ntouch x"))
    two_lines = dataclasses.replace(done, title="one\ntouch x")
    assert "# 1 of 3 shards of one touch x\n" in sbatch(two_lines, [0], Resources())
    said = call("sbatch", done.run, "--sbatch", "qos")
    assert said.code == 2
    assert "KEY=VALUE" in said.err


def test_one_array_has_as_many_tasks_as_slurm_allows(plan):
    many = dataclasses.replace(plan, patients=5000, size=1)
    text = sbatch(many, list(many.shards), Resources())
    assert "--array=0-999%" in text
    assert "# 1000 of 5000 shards" in text
    assert "4000 more: print it again when these are done" in text


def test_what_never_begins_is_said_and_not_tried_for_ever(plan, monkeypatch):
    monkeypatch.setattr(
        "qsp.cluster.local.to_processes", lambda *_, **__: "FileNotFoundError: no such folder"
    )
    said = call("submit", plan.run, "--local")
    assert said.code == 1
    assert "no shard could be started: FileNotFoundError" in said.err


@pytest.mark.parametrize(
    "words", [("--attempts", "0"), ("--workers", "0"), ("--gpus", "2"), ("--minutes", "1")]
)
def test_numbers_out_of_range_are_refused(plan, words):
    assert call("submit", plan.run, "--local", *words).code == 2


@pytest.mark.parametrize(
    ("asked_by", "more", "goes"),
    [
        ("SIGUSR1", {}, True),
        ("SIGUSR2", {}, True),
        ("SIGTERM", {}, False),  # scancel means it, and who preempts requeues
        ("SIGUSR1", {"SUBMITIT_EXECUTOR": "local"}, False),
    ],
)
def test_a_job_goes_back_into_the_queue_only_when_it_was_warned(
    tmp_path, monkeypatch, asked_by, more, goes
):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/said\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    assert requeue(asked_by) is goes
    said = tmp_path / "said"
    assert (said.read_text() if said.exists() else "") == ("requeue 7_3\n" if goes else "")


def test_a_signal_is_noted_and_handlers_come_back():
    before = signal.getsignal(signal.SIGUSR1)
    with noted() as stop:
        assert not stop
        signal.raise_signal(signal.SIGUSR1)
        assert stop
        assert stop.asked_by == "SIGUSR1"
    assert signal.getsignal(signal.SIGUSR1) is before


@pytest.mark.parametrize(
    ("seen", "device"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        ({"CUDA_VISIBLE_DEVICES": "3"}, "3"),
        ({"CUDA_VISIBLE_DEVICES": "4, 5"}, "5"),
    ],
)
def test_processes_of_this_machine_share_out_its_gpus(seen, device):
    assert given(seen, 1) == device


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": "3"}, None),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2", "SLURM_LOCALID": "1"}, "1"),
        ({"CUDA_VISIBLE_DEVICES": "4, 5", "SLURM_LOCALID": "3"}, "5"),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, None),
    ],
)
def test_a_process_has_one_gpu(given, seen):
    added = settings(given)
    assert added.get("CUDA_VISIBLE_DEVICES") == seen
    assert added["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_what_a_user_set_stands():
    assert "XLA_PYTHON_CLIENT_PREALLOCATE" not in settings({"XLA_PYTHON_CLIENT_PREALLOCATE": "1"})
