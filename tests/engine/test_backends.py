"""Comparison of the native backend with XLA, and the choice between them."""

import equinox as eqx
import jax
import numpy as np
import pytest

from qsp.engine.backends import ProgramSpec, compile_chunks, warn_of_fallback
from qsp.engine.batch import Batch, simulate
from qsp.engine.method import Method
from qsp.engine.workers import all_workers
from qsp.errors import BackendWarning, ConfigError
from qsp.system import DOSE_KINDS, System
from tests.engine import toy
from tests.engine.toy import KINDS, Toy, same_bits, sim_of
from tests.engine.whole import FLAT, GRID, OTHER, STEP_UP, run, sim, stacked

ROUNDING = 2e-9
"""Sums, quotients and exponentials round differently, and step sizes follow from them."""
NUDGES = (-2, -1, 1, 2)
"""Changes of one parameter, in units of its last digit, whose effect bounds that of rounding."""


def nudged(one, units):
    """The simulation with the rate of recruitment changed in its last digits."""
    rate = one.parameters.model.t_cells.k_act
    changed = rate * (1.0 + units * np.finfo(float).eps)
    return eqx.tree_at(lambda one: one.parameters.model.t_cells.k_act, one, changed)


def differences(ours, other):
    """Largest difference of each quantity, relative to that of rounding in one step."""
    found = {}
    for (path, a), b in zip(jax.tree.leaves_with_path(ours), jax.tree.leaves(other), strict=True):
        name = jax.tree_util.keystr(path)
        assert a.dtype == b.dtype, name
        x, y = np.asarray(a, float), np.asarray(b, float)
        assert np.array_equal(np.isfinite(x), np.isfinite(y)), name
        scaled = np.abs(x - y) / (1e-9 + ROUNDING * np.abs(y))
        found[name] = np.max(scaled, where=np.isfinite(y), initial=0.0)
    return found


@pytest.fixture(scope="module")
def sims():
    return [sim(n, given) for given in (STEP_UP, FLAT, OTHER) for n in range(4)]


@pytest.mark.parametrize(
    "grid",
    [
        pytest.param(GRID, id="trajectory", marks=pytest.mark.slow),
        pytest.param(GRID[[0, 4, 10]], id="visits"),
    ],
)
def test_both_backends_agree(grid, sims):
    """As closely as one backend with itself if a parameter changes in its last digits.

    A stabilized solver takes steps near its limit of stability, where rounding grows within the
    estimate of the error, and with it in the lengths of steps.
    """
    native, xla = (
        run(*sims, grid=grid, method=Method(backend=backend)) for backend in ("native", "xla")
    )
    again = [
        run(*(nudged(one, units) for one in sims), grid=grid, method=Method(backend="native"))
        for units in NUDGES
    ]
    effects = [differences(other, native) for other in again]
    for name, difference in differences(native, xla).items():
        grown = max(effect[name] for effect in effects)
        assert grown < 1e3 or ".pace." in name, name
        assert difference <= max(1.0, 5.0 * grown), name


def test_terms_that_are_zero_in_a_patient_change_no_bit(sims):
    """One simulation has a soluble target, so the program has one, and rare drugs too."""
    other = eqx.tree_at(
        lambda sim: sim.parameters.model.disposition.soluble_target, sims[1], np.full(4, 0.3)
    )
    alone, batch = run(*sims[:4]), Batch(stacked(other, *sims[:4]), (GRID,))
    full, _ = simulate(batch, System(), Method(), kinds=len(DOSE_KINDS))
    for n in range(4):
        assert same_bits(sim_of(alone, n), sim_of(full, n + 1))


def test_bits_of_a_patient_do_not_depend_on_the_batch_with_xla():
    method = Method(backend="xla")
    many = [toy.sim((0.0, 0, 4.0, 0.0, 1), k=(0.2 + 0.05 * n, 1.0, 2.0)) for n in range(70)]
    together = toy.run(*many, method=method)
    for n in (0, 63, 64, 69):
        assert same_bits(sim_of(toy.run(many[n], method=method), 0), sim_of(together, n))


@pytest.mark.parametrize(
    ("arguments", "used"),
    [
        ({}, "native"),
        ({"solver": "Tsit5"}, "native"),
        ({"backend": "xla"}, "xla"),
        ({"solver": "Kvaerno5"}, "xla"),
        ({"precision": "float32", "rtol": 1e-4}, "xla"),
    ],
)
def test_the_backend_follows_from_the_method(arguments, used):
    assert chosen(Toy(), Method(**arguments)) == used


def chosen(system, method):
    """Backend for a simulation of the toy system; XLA programs are compiled at the first run."""
    grids = (np.array([0.0, 1.0]),)
    spec = ProgramSpec(system, method, KINDS, grids, np.int32(2))
    return compile_chunks(toy.stacked(toy.sim((0.0, 0, 4.0, 0.0, 1))), spec, all_workers())[1]


@pytest.mark.parametrize("backend", ["native", "xla"])
def test_the_timing_names_the_backend(backend):
    batch = Batch(toy.stacked(toy.sim((0.0, 0, 4.0, 0.0, 1))), (np.array(toy.EVERY),))
    assert simulate(batch, Toy(), Method(backend=backend), kinds=KINDS)[1].backend == backend


class Swinging(Toy):
    """A system with a function that has no native form."""

    def rates(self, time, x, p, infusion):
        rates = super().rates(time, x, p, infusion)
        return jax.tree.map(lambda leaf: leaf + 0.0 * jax.numpy.sin(time), rates)


def test_unsupported_operations_fall_back_to_xla_unless_native_is_requested():
    warn_of_fallback.cache_clear()
    with pytest.warns(BackendWarning, match="^sin has no native form: XLA computes"):
        assert chosen(Swinging(), Method()) == "xla"
    assert chosen(Swinging(), Method()) == "xla"  # a second warning would be an error here
    with pytest.raises(ConfigError, match="native, and sin has no native form. Leave it out"):
        chosen(Swinging(), Method(backend="native"))


@pytest.mark.parametrize(
    "arguments", [{"solver": "Kvaerno5"}, {"precision": "float32", "rtol": 1e-4}], ids=str
)
def test_native_is_refused_for_implicit_solvers_and_single_precision(arguments):
    with pytest.raises(ConfigError) as error:
        Method(backend="native", **arguments)
    assert str(error.value) == (
        "method: backend must be auto or xla for an implicit solver or single precision, "
        "but is native. Leave it out."
    )
