"""Local processes, dask, and the file for sbatch; signals and the limit of attempts."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from qsp.cluster import attempts, receipts
from qsp.cluster.backends.dask import run_on_dask
from qsp.cluster.backends.slurm import Resources, sbatch_file
from qsp.cluster.finalize import finalize
from qsp.cluster.host import assigned_gpu, stop_requests, worker_settings
from qsp.cluster.plan import ATTEMPTS, PARTIAL
from qsp.cluster.shard import run_shard
from qsp.cluster.status import status
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


@pytest.mark.slow
def test_processes_of_this_machine_finish_a_run(plan, serial, monkeypatch, tmp_path):
    """The working folder has another package of this name, which they must not import."""
    other = tmp_path / "here" / "qsp"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise ImportError('of the folder')")
    monkeypatch.chdir(other.parent)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    result = call("submit", plan.run, "--local", "--workers", "2")
    assert result.code == 0, result.err
    assert result.out.count(" is done; ") == 3
    assert "All shards are done" in result.out
    assert call("finalize", plan.run).code == 0
    assert_same_bits(plan.store.read().to_dataset(), serial)
    again = call("submit", plan.run, "--local")
    assert "All shards are done" in again.out
    assert len(attempts.read(plan)[0]) == 1  # no shard was started again
    known = [receipts.read_receipt(plan, shard) for shard in plan.shards]
    assert {receipt.about["visible"] for receipt in known} == {"5", "7"}  # one each


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)]
)
def test_a_signal_ends_a_shard_at_the_next_block_and_it_resumes_there(plan, number, serial):
    """There is time for the signal: the process computes the second block itself."""
    with shard_process(plan, 0) as process:
        wait_for(lambda: list(plan.path(ATTEMPTS).glob("*.json")), "an attempt")
        attempt = attempts.read(plan)[0][0]
        assert attempt.is_live
        assert status(plan).running == (0,)
        process.send_signal(number)
        assert process.wait(LIMIT_S) in (75, 0)
        stopped = process.returncode == 75
    if stopped:  # a fast machine may have finished
        assert attempts.read(plan)[0][-1].state == "stopped"
        assert list(plan.path(PARTIAL, "00000").glob("*.npz"))
    with shard_process(plan, 0) as process:
        assert process.wait(LIMIT_S) == 0
    found = plan.store.read().to_dataset().sel(patient=list(range(8)))
    assert_same_bits(found, serial.isel(patient=plan.rows(0)))


def test_a_killed_shard_counts_as_a_failure_and_is_computed_again(plan):
    with shard_process(plan, 1) as process:
        wait_for(lambda: list(plan.path(ATTEMPTS).glob("00001.*.json")), "an attempt")
        process.kill()
        process.wait(LIMIT_S)
    [attempt] = attempts.read(plan)[1]
    assert attempt.state == "running"
    assert not attempt.is_live
    assert attempt.is_failure
    found = status(plan, max_attempts=1)
    assert found.failed == {1: "killed"}
    assert status(plan).missing == (0, 1, 2)


@pytest.mark.slow
def test_a_shard_that_always_fails_is_retried_up_to_the_limit_and_reported(plan):
    shutil.rmtree(plan.path(PARTIAL, "00000"))
    for shard in plan.shards:
        plan.path(PARTIAL, f"{shard:05d}").write_text("a file where a folder must be")
    result = call("submit", plan.run, "--local", "--workers", "2", "--attempts", "1")
    assert result.code == 1
    assert "FileExistsError" in result.out
    assert call("status", plan.run, "--attempts", "1").code == 1
    assert call("finalize", plan.run).code == 1
    assert len(attempts.read(plan)) == 3


@pytest.mark.slow
def test_resume_checks_the_data_of_finished_shards_and_submit_does_not(done, serial):
    done.store.chunks(done.rows(1))["outcome"].unlink()
    assert "All shards are done" in call("submit", done.run, "--local").out
    text = call("resume", done.run, "--local").out
    assert "Shard 1: missing chunk of outcome" in text
    assert "Shard 1 is done; 3 of 3 shards" in text
    assert finalize(done).complete
    assert_same_bits(done.store.read().to_dataset(), serial)


def test_a_shard_at_the_limit_of_attempts_is_retried_on_request(plan, monkeypatch):
    started = []
    monkeypatch.setattr(
        "qsp.cluster.backends.local.run_locally",
        lambda tasks, *_: started.append([t.shard for t in tasks]),
    )
    attempts.update(plan, attempts.start(plan, 1), state="failed")
    words = ("resume", plan.run, "--local", "--attempts", "1")
    call(*words)
    call(*words, "--again")
    assert started == [[0, 2], [0, 1, 2]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of dask, about ports and about workers that die
def test_dask_finishes_a_run_although_a_worker_is_killed(plan, serial):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        killed = []

        def kill_one():
            if not killed and list(plan.path(ATTEMPTS).glob("*.json")):
                killed.append(attempts.read(plan))
                pid = next(iter(killed[0].values()))[0].pid
                os.kill(pid, signal.SIGKILL)

        tasks = [Task(str(plan.run), shard, cache=False) for shard in plan.shards]
        run_on_dask(tasks, client, on_poll=kill_one)
    assert killed
    assert status(plan).is_done
    assert finalize(plan).complete
    assert_same_bits(plan.store.read().to_dataset(), serial)


def test_an_interrupted_command_prints_how_to_resume(plan, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("qsp.cluster.backends.local.run_locally", interrupted)
    result = call("submit", plan.run, "--local")
    assert result.code == 130
    assert "finished blocks are saved" in result.out
    assert f"Next: qsp resume {plan.run} --local --workers 1" in result.out


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
def test_an_option_of_another_backend_is_refused(plan, words):
    result = call("submit", plan.run, *words)
    assert result.code == 2
    assert f"but is {words[-2]}" in result.err


def test_nothing_is_started_with_changed_input(plan):
    path = plan.path("inputs", "populations", "nhl.toml")
    path.write_text(path.read_text() + "\n")
    for verb in ("submit", "resume"):
        result = call(verb, plan.run, "--local")
        assert result.code == 2
        assert "the file must match the plan, but is changed" in result.err
    with pytest.raises(ConfigError, match="must match the plan"):
        run_shard(plan, 1)
    assert attempts.read(plan) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_the_command_stops_its_processes_after_a_block(plan, number):
    """A terminal sends Ctrl-C to all processes, and only the command handles it."""
    words = [sys.executable, "-c", AT_A_TERMINAL, "submit", str(plan.run), "--local", "--no-cache"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, **pipes, start_new_session=True) as process:
        wait_for(
            lambda: any(a.is_live for own in attempts.read(plan).values() for a in own),
            "a live attempt",
        )
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        text, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert b"Traceback" not in text
    assert b"finished blocks are saved" in text
    [attempt] = [attempt for own in attempts.read(plan).values() for attempt in own]
    assert attempt.state == "stopped"
    assert attempt.patients > 0


def test_exactly_one_backend_must_be_named(plan):
    for verb, *words in (["submit"], ["submit", "--slurm", "--local"], ["resume"]):
        result = call(verb, plan.run, *words)
        assert result.code == 2
        got = " and ".join(words) or "missing"
        assert f"{verb}: exactly one backend must be named, but is {got}" in result.err
        assert "--slurm, --local or --dask" in result.err


def test_the_file_for_sbatch_runs_missing_shards(done):
    receipts.receipt_path(done, 0).unlink()
    receipts.receipt_path(done, 2).unlink()
    text = sbatch_file(
        done, receipts.missing(done), Resources("gpu", 30, 4, 1, 16.0, 8, {"qos": "x"})
    )
    for line in ("--array=0-1%8", "--partition=gpu", "--gres=gpu:1", "--mem=16384M", "--qos=x"):
        assert f"#SBATCH {line}\n" in text
    assert text.startswith("#!/bin/bash\n")
    assert f"qsp shard {done.run}" in text
    assert "\nshards=(0 2)\n" in text
    assert '"${shards[$SLURM_ARRAY_TASK_ID]}" --requeue' in text
    with pytest.raises(ConfigError, match="must have missing shards, but is complete"):
        sbatch_file(done, [], Resources())
    with pytest.raises(ConfigError, match="must be one line"):
        sbatch_file(done, [0], Resources("work\ntouch x"))
    two_lines = dataclasses.replace(done, title="one\ntouch x")
    assert "# 1 of 3 shards of one touch x\n" in sbatch_file(two_lines, [0], Resources())
    result = call("sbatch", done.run, "--sbatch", "qos")
    assert result.code == 2
    assert "KEY=VALUE" in result.err


def test_one_array_has_no_more_tasks_than_slurm_allows(plan):
    many = dataclasses.replace(plan, patients=5000, size=1)
    text = sbatch_file(many, list(many.shards), Resources())
    assert "--array=0-999%" in text
    assert "# 1000 of 5000 shards" in text
    assert "4000 more: print the file again when these are done" in text


def test_shards_that_cannot_be_started_are_reported_and_not_retried(plan, monkeypatch):
    monkeypatch.setattr(
        "qsp.cluster.backends.local.run_locally",
        lambda *_, **__: "FileNotFoundError: no such folder",
    )
    result = call("submit", plan.run, "--local")
    assert result.code == 1
    assert "no shard could be started: FileNotFoundError" in result.err


@pytest.mark.parametrize(
    "words", [("--attempts", "0"), ("--workers", "0"), ("--gpus", "2"), ("--minutes", "1")]
)
def test_numbers_out_of_range_are_refused(plan, words):
    assert call("submit", plan.run, "--local", *words).code == 2


@pytest.mark.parametrize(
    ("signal_name", "more", "is_requeued"),
    [
        ("SIGUSR1", {}, True),
        ("SIGUSR2", {}, True),
        ("SIGTERM", {}, False),  # scancel is final, and Slurm requeues preempted jobs itself
        ("SIGUSR1", {"SUBMITIT_EXECUTOR": "local"}, False),
    ],
)
def test_a_job_is_requeued_only_after_a_warning(
    tmp_path, monkeypatch, signal_name, more, is_requeued
):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/calls\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    assert requeue(signal_name) is is_requeued
    calls = tmp_path / "calls"
    assert (calls.read_text() if calls.exists() else "") == ("requeue 7_3\n" if is_requeued else "")


def test_a_signal_is_recorded_and_handlers_are_restored():
    before = signal.getsignal(signal.SIGUSR1)
    with stop_requests() as stop:
        assert not stop
        signal.raise_signal(signal.SIGUSR1)
        assert stop
        assert stop.signal_name == "SIGUSR1"
    assert signal.getsignal(signal.SIGUSR1) is before


@pytest.mark.parametrize(
    ("environment", "device"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        ({"CUDA_VISIBLE_DEVICES": "3"}, "3"),
        ({"CUDA_VISIBLE_DEVICES": "4, 5"}, "5"),
    ],
)
def test_gpus_are_assigned_to_local_processes_in_turn(environment, device):
    assert assigned_gpu(environment, 1) == device


@pytest.mark.parametrize(
    ("environment", "visible"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": "3"}, None),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2", "SLURM_LOCALID": "1"}, "1"),
        ({"CUDA_VISIBLE_DEVICES": "4, 5", "SLURM_LOCALID": "3"}, "5"),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, None),
    ],
)
def test_a_worker_uses_one_gpu(environment, visible):
    added = worker_settings(environment)
    assert added.get("CUDA_VISIBLE_DEVICES") == visible
    assert added["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_a_variable_that_the_user_set_is_kept():
    assert "XLA_PYTHON_CLIENT_PREALLOCATE" not in worker_settings(
        {"XLA_PYTHON_CLIENT_PREALLOCATE": "1"}
    )
