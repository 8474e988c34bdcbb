"""Chunks: bits of a simulation do not depend on the others, and one program computes all."""

import dataclasses

import jax
import numpy as np
import pytest

from qsp.engine.batch import CHUNK_SIZE, Batch, simulate
from qsp.engine.method import Method
from qsp.errors import SolveError
from tests.engine.toy import EVERY, KINDS, Toy, programs, run, same_bits, sim, sim_of, stacked

COUNT = 2 * CHUNK_SIZE + 3


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(5)
    return [
        sim(
            (float(rng.uniform(0, 1)), 0, float(rng.uniform(1, 9)), 0.0, 1),
            (float(rng.uniform(2, 3)), 1, float(rng.uniform(1, 9)), float(rng.uniform(0, 2)), 2),
            k=tuple(rng.uniform(0.2, 5.0, 3)),
            height=tuple(rng.uniform(0.0, 4.0, 3)),
        )
        for _ in range(COUNT)
    ]


@pytest.fixture(scope="module")
def together(many, strict_types):
    return run(*many)


def test_chunk_size_is_a_multiple_of_64():
    assert CHUNK_SIZE % 64 == 0


def test_results_come_back_in_order_without_padding(together, many):
    assert together.failed.shape == (COUNT,)
    due = [given.events.amount[0] for given in many]
    assert together.final.received[:, 0] == pytest.approx(due)


@pytest.mark.parametrize("n", [0, CHUNK_SIZE - 1, CHUNK_SIZE, COUNT - 1])
def test_a_simulation_alone_has_the_same_bits(n, together, many):
    assert same_bits(sim_of(run(many[n]), 0), sim_of(together, n))


def test_any_order_gives_the_same_bits(together, many):
    order = np.random.default_rng(6).permutation(COUNT)
    shuffled = run(*(many[n] for n in order))
    back = jax.tree.map(lambda leaf: leaf[np.argsort(order)], shuffled)
    assert same_bits(back, together)


def test_all_chunks_and_regimens_share_one_program(together, many):
    before = programs()
    run(*many[:5])
    run(sim((0.0, 2, 3.0, 0.25, 1), (0.5, 2, 3.0, 0.25, 2), (5.5, 1, 1.0, 0.0, 3)))
    run(sim(begin=-3.0, end=2.0))
    assert programs() == before


def test_programs_do_not_depend_on_intervals_between_doses():
    """Two regimens of one padded shape share a program, however far apart their doses lie."""
    run(sim((0.0, 0, 1.0, 0.0, 1)))
    before = programs()
    run(sim(*((float(n), 0, 1.0, 0.0, min(n + 1, 4)) for n in range(6))))
    assert programs() == before


class Log:
    def __init__(self):
        self.calls = []

    def start(self, sims):
        self.calls.append(("start", sims))

    def compiled(self, seconds):
        assert seconds > 0
        self.calls.append(("compiled",))

    def advance(self, sims):
        self.calls.append(("advance", sims))


def test_progress_is_reported_after_each_chunk(many):
    log = Log()
    run(*many, progress=log)
    chunks = [("advance", CHUNK_SIZE), ("advance", CHUNK_SIZE), ("advance", 3)]
    assert log.calls == [("compiled",), ("start", COUNT), *chunks]


def test_single_precision_is_refused_by_name(many):
    sims = stacked(many[0])
    single = dataclasses.replace(sims.parameters, k=sims.parameters.k.astype(np.float32))
    sims = dataclasses.replace(sims, parameters=single)
    with pytest.raises(SolveError) as error:
        simulate(Batch(sims, (np.array(EVERY),)), Toy(), Method(), kinds=KINDS)
    assert str(error.value) == "parameter .k must be float64, but is float32"


def test_results_are_numpy_in_double_precision(together):
    leaves = jax.tree.leaves(together)
    assert all(isinstance(leaf, np.ndarray) for leaf in leaves)
    assert {leaf.dtype for leaf in leaves} <= {np.dtype(kind) for kind in ("f8", "i4", "b1")}
