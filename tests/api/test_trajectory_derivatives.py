"""Derivatives of a trajectory of events and parameters against central differences, and errors.

`test_trajectory.py` has the same for regimens and patients. One patient, two infusions in seven
days. The pytest session computes in float64; tests named "flag off" leave that scope, so that JAX
computes in float32 outside of the solve.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.api.trajectory import QUANTITIES, dose_events, solve
from qsp.engine.method import Method
from qsp.engine.solvers.rock import ROCK4
from qsp.engine.timeline import timeline
from qsp.engine.trajectory import Simulation, solve_simulation
from qsp.errors import ConfigError, SolveError
from qsp.model import ModelStructure
from qsp.model.axes import OneAxis
from qsp.model.cytokines import IL6
from qsp.system import CORE_KINDS, System
from qsp.trial.schedule import Events
from tests.model.patient import typical

# The derivatives compile for over a minute without a cache.
pytestmark = pytest.mark.slow

DAYS = 7
NMOL_PER_MG = 1000.0 / 146.0
LABELS = ("FD1", "FD2")
AT = {"alpha": 9e-4, "dose": 3.0, "time": 1.0}
"""Potency; amount of the first dose [mg]; time of the second dose [day]."""

SCALE = {"alpha": 2e-3, "dose": 2e-3, "time": 1e-3}
"""Step of the differences, relative to the value."""

OUTPUTS = ("peak of FD2", "drug peak", "area", "value")
LOOSE = Method(rtol=1e-6)
METHOD = Method(rtol=1e-12)
"""Method of derivatives: for a time, their errors exceed those of values by some five decades."""


@pytest.fixture(scope="module")
def patient(strict_types):
    return jax.tree.map(np.asarray, typical())


@pytest.fixture(params=[False, True], ids=["flag off", "flag on"])
def flag(request):
    with jax.enable_x64(request.param), jax.numpy_dtype_promotion("standard"):
        yield request.param


def two_doses(dose, time):
    amounts = jnp.stack([dose * NMOL_PER_MG, jnp.full_like(dose, 6.0 * NMOL_PER_MG)])
    return dose_events(jnp.stack([jnp.zeros_like(time), time]), amounts, duration=4 / 24)


def found(patient, at, **options):
    changed = eqx.tree_at(lambda p: p.model.synapse.alpha, patient, at["alpha"])
    events = two_doses(at["dose"], at["time"])
    return solve(events, changed, days=DAYS, labels=LABELS, **options)


def outputs(patient, at, **options):
    """(output,): Logarithms of four results, one of each kind."""
    solved = found(patient, at, **({"method": METHOD, "max_steps": 32_768} | options))
    values = (
        solved.peak("il6", "FD2"),
        solved.peak("drug_central"),
        solved.area("il6"),
        solved.at("crs_severity", 5.0),
    )
    return jnp.log(jnp.stack(values))


def start():
    return {name: jnp.asarray(value) for name, value in AT.items()}


@pytest.fixture(scope="module")
def differences(patient):
    """(output,) for each parameter: differences of fourth order, at a tight tolerance."""
    stencil = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    slopes = {}
    for name, value in AT.items():
        step = SCALE[name] * value
        at = [start() | {name: jnp.asarray(value + n * step)} for n in stencil]
        tight = {"method": Method(rtol=1e-12), "max_steps": 32_768}
        values = [np.asarray(outputs(patient, each, **tight)) for each in at]
        slopes[name] = np.tensordot(list(stencil.values()), values, 1) / step
    return slopes


# === derivatives ================================================================================


def test_reverse_mode_agrees_with_differences(patient, differences, flag):
    for n, output in enumerate(OUTPUTS):
        slope = jax.grad(lambda at, n=n: outputs(patient, at)[n])(start())
        for name, value in slope.items():
            assert value.dtype == (np.float64 if flag else np.float32)
            expected = differences[name][n]
            assert float(value) == pytest.approx(expected, rel=1e-5, abs=1e-8), (output, name)


def test_forward_mode_agrees_with_differences(patient, differences, flag):
    slope = jax.jacfwd(lambda at: outputs(patient, at, adjoint="forward"))(start())
    for name, values in slope.items():
        assert values.dtype == (np.float64 if flag else np.float32)
        assert np.asarray(values) == pytest.approx(differences[name], rel=1e-5, abs=1e-8), name


def test_the_derivatives_are_not_zero(differences):
    for name, values in differences.items():
        assert abs(values[2]) > 1e-3, name


def test_a_larger_first_dose_makes_the_second_one_milder(patient):
    at = start() | {"time": jnp.asarray(3.0)}
    more, less = (
        outputs(patient, at | {"dose": jnp.asarray(dose)}, method=LOOSE)[0] for dose in (3.3, 3.0)
    )
    assert float(more) < float(less) - 1e-3


def test_results_have_the_type_of_the_caller(patient, flag):
    solved = found(patient, start(), method=LOOSE)
    expected = np.float64 if flag else np.float32
    for value in (solved.peak("il6"), solved.area("il6"), solved.at("il6", [1.0, 2.0])):
        assert value.dtype == expected
    assert jax.config.jax_enable_x64 == flag


def test_the_solve_is_in_float64_with_the_flag_off(patient):
    with jax.enable_x64(True):
        expected = found(patient, start(), method=LOOSE)
        steps, peak = int(expected.steps.number), float(expected.peak("il6"))
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        at = {
            "alpha": np.float64(AT["alpha"]),
            "dose": jnp.asarray(3.0),
            "time": jnp.asarray(AT["time"]),
        }
        solved = found(patient, at, method=LOOSE)
    assert solved.observed.peak.dtype == np.float64
    assert int(solved.steps.number) == steps
    assert float(solved.peak("il6")) == pytest.approx(peak, rel=1e-7)


# === batches ====================================================================================


def test_vmap_equals_a_loop(patient, flag):
    def peaks(at):
        solved = found(patient, at, method=LOOSE)
        return jnp.stack([solved.peak("il6", 1), solved.peak("il6", 2)])

    shifts = jnp.linspace(0.7, 1.3, 4)
    together = jax.vmap(peaks)(jax.tree.map(lambda value: value * shifts, start()))
    for n, shift in enumerate(shifts):
        alone = peaks(jax.tree.map(lambda value, shift=shift: value * shift, start()))
        assert np.asarray(together[n]) == pytest.approx(np.asarray(alone), rel=1e-6)


def test_vmap_of_a_gradient_equals_a_loop(patient):
    def peak(alpha):
        return found(patient, start() | {"alpha": alpha}, method=LOOSE).peak("il6")

    alphas = jnp.geomspace(5e-4, 2e-3, 2)
    together = jax.vmap(jax.grad(peak))(alphas)
    alone = np.array([jax.grad(peak)(alpha) for alpha in alphas])
    assert np.asarray(together) == pytest.approx(alone, rel=1e-6)


# === values =====================================================================================


def test_values_are_those_of_a_simulation(patient):
    solved = found(patient, start())
    patient = eqx.tree_at(lambda p: p.model.synapse.alpha, patient, np.asarray(AT["alpha"]))
    events = Events(*map(jnp.asarray, two_doses(jnp.asarray(AT["dose"]), jnp.asarray(AT["time"]))))
    grid = np.array([1.0, 5.0])
    sim = Simulation(
        parameters=jax.tree.map(jnp.asarray, patient),
        events=events,
        thresholds=jnp.full((2, 4), 1e12),
        begin=jnp.asarray(0.0),
        end=jnp.asarray(float(DAYS)),
    )
    run = jax.jit(
        lambda sim: solve_simulation(
            sim, (grid,), 8, system=System(), method=Method(rtol=1e-8), kinds=CORE_KINDS
        )
    )
    expected = run(sim)
    for period in (1, 2):
        peak = float(expected.periods.reductions.peak.cytokines[period, IL6])
        assert float(solved.peak("il6", period)) == pytest.approx(peak, rel=1e-4)
        area = float(expected.periods.reductions.area.drug[period])
        assert float(solved.area("drug_central", period)) == pytest.approx(area, rel=1e-6)
    saved = np.asarray(expected.saved[0].cytokines)[:, IL6]
    assert np.asarray(solved.at("il6", grid)) == pytest.approx(saved, rel=1e-5)


def test_peak_of_a_group_of_periods_is_the_largest(patient):
    solved = found(patient, start(), method=LOOSE)
    peaks = [float(solved.peak("il6", label)) for label in LABELS]
    assert peaks[0] != peaks[1]
    assert float(solved.peak("il6", "FD")) == float(solved.peak("il6")) == max(peaks)
    total = sum(float(solved.area("il6", n)) for n in (1, 2))
    assert float(solved.area("il6")) == pytest.approx(total, rel=1e-12)


def test_a_bolus_is_given_at_its_time(patient):
    events = dose_events([0.0, 2.0], [5.0, 7.0])
    solved = solve(events, patient, days=3, method=LOOSE)
    before, after = (float(solved.at("drug_central", t)) for t in (2.0 - 1e-9, 2.0))
    # The state holds all drug; about a thousandth of it is bound, and is not in the concentration.
    expected = 7.0 / float(patient.model.disposition.V1)
    assert after - before == pytest.approx(expected, rel=2e-3)
    assert solved.at("il6", [[0.0, 1.0], [2.0, 9.0]]).shape == (2, 2)


def test_doses_at_the_same_time_have_their_own_derivatives(patient, strict_types):
    """Each start and each end is a boundary; a segment between two of them may have no length."""
    time = jnp.asarray([0.0, 2.0, 2.0])
    events = dose_events(time, [1.0, 2.0, 3.0], duration=jnp.asarray([1.0, 1.0, 0.0]))
    events = Events(*map(jnp.asarray, events))

    def boundary(time):
        return timeline(events._replace(time=time), jnp.zeros(()), jnp.asarray(4.0), 4)[0].boundary

    assert np.asarray(boundary(time)).tolist() == [0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0, 4.0]
    slopes = np.asarray(jax.jacobian(boundary)(time))
    assert slopes.sum(1).tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
    assert set(slopes.ravel().tolist()) == {0.0, 1.0}
    found = timeline(events, jnp.zeros(()), jnp.asarray(4.0), 4)[0]
    given = (found.infusion[:, 0] * jnp.diff(found.boundary) + found.bolus[:, 0]).sum()
    assert float(given) == pytest.approx(6.0)


def test_the_tableau_is_the_solver():
    """Both forms of a step of ROCK4 agree to rounding, for a nonlinear equation."""
    import diffrax as dfx

    solver, h, y = ROCK4(), 0.1, jnp.asarray([1.0, 2.0])
    rates = lambda t, y, _: jnp.sin(y) * jnp.exp(-t) - y[::-1]  # noqa: E731
    term = dfx.ODETerm(rates)
    t0, t1 = jnp.asarray(0.3), jnp.asarray(0.3 + h)
    k = solver.init(term, t0, t1, y, None)
    expected, error, *_ = solver.step(term, t0, t1, y, None, k, made_jump=False)
    a, c, weights = solver.tableau()
    slopes = np.zeros((len(c), 2))
    for n in range(len(c)):
        slopes[n] = rates(0.3 + c[n] * h, y + h * (a[n] @ slopes), None)
    assert np.asarray(y) + h * (a[-1] @ slopes) == pytest.approx(np.asarray(expected), rel=1e-14)
    assert h * (weights @ slopes) == pytest.approx(np.asarray(error), rel=1e-8)


# === errors =====================================================================================


def test_a_result_that_is_not_a_number_is_an_error(patient):
    at = start() | {"alpha": jnp.asarray(jnp.nan)}
    with pytest.raises(SolveError, match="the solver must reach the end"):
        found(patient, at, method=LOOSE)
    with pytest.raises(SolveError, match="the solver must reach the end"):
        jax.grad(lambda a: found(patient, at | {"alpha": a}, method=LOOSE).peak("il6"))(jnp.nan)


def test_a_traced_result_that_is_not_a_number_is_an_error(patient):
    def peak(alpha):
        return found(patient, start() | {"alpha": alpha}, method=LOOSE).peak("il6")

    with pytest.raises(RuntimeError, match="the solver must reach the end"):
        jax.block_until_ready(jax.vmap(peak)(jnp.asarray([9e-4, jnp.nan])))


def test_too_few_steps_are_an_error(patient):
    with pytest.raises(SolveError, match="use a larger max_steps"):
        found(patient, start(), method=LOOSE, max_steps=16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adjoint": "backward"}, "adjoint must be 'reverse' or 'forward', but is 'backward'"),
        ({"method": Method(solver="Tsit5")}, "the solver must be ROCK4 in float64, but is Tsit5"),
        ({"days": 0}, "days must be above 0, but is 0"),
    ],
)
def test_wrong_options_are_named(patient, options, message):
    events = dose_events([0.0], [1.0])
    with pytest.raises(ConfigError, match=message):
        solve(events, patient, **({"days": DAYS} | options))


def test_unknown_names_are_suggested(patient):
    solved = found(patient, start(), method=LOOSE)
    with pytest.raises(ConfigError, match="Did you mean 'il6'"):
        solved.peak("IL6")
    with pytest.raises(ConfigError, match="period must be a dose period, but is 'SUD'"):
        solved.peak("il6", "SUD")
    with pytest.raises(ConfigError, match="kind must be known"):
        dose_events([0.0], [1.0], kind="oral")
    assert len(QUANTITIES) == len(set(QUANTITIES)) == 14


def test_leak_is_a_quantity_of_two_axes_only(patient):
    one_axis = System(structure=ModelStructure(severity=OneAxis()))
    two, one = (found(patient, start(), method=LOOSE, system=each) for each in (None, one_axis))
    assert 0.0 < two.peak("leak") < 1.5
    assert float(one.peak("fever")) == pytest.approx(float(two.peak("fever")), rel=1e-3)
    with pytest.raises(ConfigError, match="two axes of severity for leak"):
        one.peak("leak")
