"""Workers: results do not depend on their number or devices, and tasks keep their order."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest

from qsp.engine.batch import CHUNK_SIZE, Batch, simulate
from qsp.engine.method import Method
from qsp.engine.workers import WorkerPool, all_workers
from tests.engine.toy import EVERY, KINDS, Toy, same_bits, sim, stacked

COUNT = 3 * CHUNK_SIZE + 5
ROOT = Path(__file__).parents[2]


def solved(workers):
    rates = np.random.default_rng(11).uniform(0.2, 5.0, (COUNT, 3))
    sims = stacked(*(sim((0.0, 0, 4.0, 0.0, 1), k=tuple(k)) for k in rates))
    return simulate(
        Batch(sims, (np.asarray(EVERY),)), Toy(), Method(), kinds=KINDS, workers=workers
    )[0]


def test_by_default_there_is_one_worker_per_core():
    workers = all_workers()
    assert set(workers) == set(jax.local_devices())
    if len(set(workers)) == 1 and workers[0].platform == "cpu":
        assert 1 <= len(workers) <= os.cpu_count()


def test_workers_on_one_device_give_the_bits_of_one():
    device = jax.local_devices()[0]
    assert same_bits(solved([device]), solved([device] * 3))


def test_two_devices_give_the_bits_of_one(tmp_path):
    """In a separate process, with two forced devices on the CPU."""
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, jax, numpy as np\n"
        "from tests.engine.test_workers import solved\n"
        "with jax.enable_x64(True):\n"
        "    one, two = jax.local_devices()\n"
        "    np.savez(sys.argv[1], *jax.tree.leaves(solved([one, two])))\n",
        encoding="utf-8",
    )
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": str(ROOT),
    }
    saved = tmp_path / "two.npz"
    subprocess.run([sys.executable, script, saved], env=environment, check=True, timeout=300)
    there, here = np.load(saved), jax.tree.leaves(solved([jax.local_devices()[0]]))
    assert len(there.files) == len(here) > 10
    for name, leaf in zip(there.files, here, strict=True):
        assert np.array_equal(there[name], leaf, equal_nan=leaf.dtype.kind == "f"), name


def test_results_come_in_the_order_of_the_tasks():
    """Later tasks finish first: each task waits for the next one."""
    done = [threading.Event() for _ in range(5)]

    def work(device, n):
        if n + 1 < 4:
            assert done[n + 1].wait(20.0)
        done[n].set()
        return n

    with WorkerPool(["a", "b", "c", "d"]) as pool:
        assert list(pool.ordered(work, range(4))) == [0, 1, 2, 3]


def test_no_two_tasks_share_a_worker():
    busy, lock = set(), threading.Lock()

    def work(device, n):
        with lock:
            assert device not in busy
            busy.add(device)
        threading.Event().wait(0.002)
        with lock:
            busy.remove(device)
        return device

    with WorkerPool(["a", "b"]) as pool:
        assert set(pool.ordered(work, range(40))) == {"a", "b"}


def test_few_tasks_are_waiting():
    """The next chunk is made only when a worker may take it soon, whatever the size of the run."""
    taken = []

    def tasks():
        for n in range(100):
            taken.append(n)
            yield n

    with WorkerPool(["a", "b"]) as pool:
        results = pool.ordered(lambda device, n: n, tasks())
        next(results)
        assert len(taken) <= 5


def test_an_error_of_a_worker_reaches_the_caller():
    def work(device, n):
        if n == 3:
            raise RuntimeError("chunk 3")
        return n

    with WorkerPool(["a", "b"]) as pool, pytest.raises(RuntimeError, match="chunk 3"):
        list(pool.ordered(work, range(10)))
