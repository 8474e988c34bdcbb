"""`qsp.trajectory`: derivatives, batches and values for regimens and patients of the interface.

The cases of this file are short: two infusions in three days. Tests with `flag` run with
`jax_enable_x64` off, as for a user who changes no setting, and on, as the session does.
"""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qsp
from qsp.api.traced import traced_inputs
from qsp.engine.method import Method
from qsp.errors import ConfigError, SolveError
from qsp.trial.events import event_table

ALPHA, K_ACT = "synapse.alpha", "t_cells.k_act"
AT = {"alpha": 9e-4, "amount": 2.0, "day": 2.0}
STEP = {"alpha": 2e-6, "amount": 4e-3, "day": 2e-3}
DAYS = 3
METHOD = Method(rtol=1e-12)
"""Errors of derivatives are larger than those of values, by some five decades for the day."""
TIGHT = Method(rtol=1e-13)


@pytest.fixture(params=[False, True], ids=["flag off", "flag on"])
def flag(request):
    with jax.enable_x64(request.param), jax.numpy_dtype_promotion("standard"):
        yield request.param


def two_doses(amount=2.0, day=2.0):
    return qsp.regimen(
        qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
        qsp.iv(amount, day=day, over="4 h", period="FD1"),
        before=qsp.dexamethasone("20 mg", lead="1 h"),
    )


def solved(people, alpha=9e-4, amount=2.0, day=2.0, **options):
    patient = people.set(ALPHA, alpha)
    options = {"days": DAYS, "method": METHOD, **options}
    return qsp.trajectory(two_doses(amount, day), patient, **options)


def logarithms(people, at, **options):
    """(output,): Logarithms of a peak, an area and a value."""
    found = solved(people, **at, **options)
    peak, area = found.peak("il6", "FD"), found.area("drug_central", "FD1")
    return jnp.log(jnp.stack([peak, area, found.at("il6", 2.5)]))


@pytest.fixture(scope="module")
def differences(people):
    """(output,) by name: central differences of fourth order at a tight tolerance."""
    stencil = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    slopes = {}
    for name, step in STEP.items():
        values = [
            np.asarray(logarithms(people.typical, {name: AT[name] + n * step}, method=TIGHT))
            for n in stencil
        ]
        slopes[name] = np.tensordot(list(stencil.values()), values, 1) / step
    return slopes


# === derivatives ================================================================================


@pytest.mark.slow
@pytest.mark.parametrize("n", [0, 2], ids=["peak", "value"])
def test_gradient_agrees_with_differences(people, differences, flag, n):
    slope = jax.grad(lambda at: logarithms(people.typical, at, method=TIGHT)[n])(AT)
    for name, value in slope.items():
        assert value.dtype == (np.float64 if flag else np.float32)
        assert abs(differences[name][n]) > 1e-2
        assert float(value) == pytest.approx(differences[name][n], rel=1e-5), name


@pytest.mark.slow
def test_forward_mode_agrees_with_differences(people, differences, flag):
    options = {"method": TIGHT, "adjoint": "forward"}
    slopes = jax.jacfwd(lambda at: logarithms(people.typical, at, **options))(AT)
    for name, value in slopes.items():
        assert value.dtype == (np.float64 if flag else np.float32)
        assert np.asarray(value) == pytest.approx(differences[name], rel=1e-5, abs=1e-8), name


@pytest.mark.slow
def test_gradient_of_a_sampled_patient_keeps_the_deviation(people):
    one = people.select([3])

    def peak(k_act, method=METHOD):
        patient = one.set(K_ACT, k_act)
        return qsp.trajectory(two_doses(), patient, days=DAYS, method=method).peak("il6")

    high, low = (float(peak(23.04 + step, TIGHT)) for step in (0.02, -0.02))
    assert float(jax.grad(peak)(23.04)) == pytest.approx((high - low) / 0.04, rel=1e-5)


@pytest.mark.slow
def test_gradient_by_many_values_agrees_with_that_by_each(people):
    """More values than `MOST_TANGENTS` use a pass from the last step to the first."""
    days = 1.0 + np.arange(26) / 10.0

    def peak(amounts):
        doses = [qsp.iv(amounts[n], day=day) for n, day in enumerate(days)]
        found = qsp.trajectory(qsp.regimen(*doses), people.typical, days=4, method=METHOD)
        return found.peak("il6")

    amounts = np.linspace(0.1, 0.2, 26)
    slope = jax.grad(peak)(jnp.asarray(amounts))
    for n in (0, 25):
        alone = jax.grad(lambda x, n=n: peak([*amounts[:n], x, *amounts[n + 1 :]]))(amounts[n])
        assert float(slope[n]) == pytest.approx(float(alone), rel=1e-9)


# === values =====================================================================================


@pytest.mark.parametrize(
    "path", [ALPHA, K_ACT, "tumor.cells", "disposition.V1", "t_cells.excluded.tumor"]
)
@pytest.mark.parametrize("keep_spread", [True, False])
@pytest.mark.parametrize("factor", [None, 0.5])
def test_traced_parameter_means_the_same_as_a_number(people, path, keep_spread, factor):
    """In the parameters of the patient, without a solve; a factor acts after the spread."""
    one = people.select([3])
    median = 1.1 * float(one.table.rows[path].value)

    def changed(value):
        patient = one.set(path, value, keep_spread=keep_spread)
        return patient if factor is None else patient.scale(path, factor)

    expected = changed(median).virtual().parameters
    found = []

    def build(value):
        inputs = traced_inputs(two_doses(), changed(value), DAYS)
        found.append(inputs)
        return inputs.build(inputs.values)[1]

    parameters = jax.jit(build)(median)
    for leaf, number in zip(jax.tree.leaves(parameters), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(np.asarray(leaf), number[0], rtol=1e-14)
    assert list(found[0].values) == [path]


def test_events_are_those_of_a_trial(people):
    """With traced amounts and days, and with numbers, in two different paths."""
    from qsp.api.traced import traced_inputs

    one = people.select([2])

    def regimen(rate, amount, day):
        return qsp.regimen(
            qsp.civ(rate, day=1, over="1 day", period="C1"),
            qsp.iv("1 mg", day=3, period="B1"),
            qsp.sc(amount, day=day, every="2 day", times=2, period="FD"),
            qsp.tocilizumab("8 mg/kg", day=2, over="1 h", cap="800 mg"),
            before=qsp.dexamethasone("20 mg", lead="1 h", periods=["FD1"]),
        )

    numbers = (0.5, 3.0, 4.0)
    trial = qsp.Trial.of(regimen(*numbers), one, days=10).config.trial(
        one.molecule.source.molecular_weight
    )
    virtual = one.virtual()
    covariates = (virtual.covariates[name] for name in ("body_weight", "body_surface"))
    expected = [leaf[0, 0] for leaf in event_table(trial, *covariates)]
    known = traced_inputs(regimen(*numbers), one, 10.0)

    def build(*at):
        found = traced_inputs(regimen(*at), one, 10.0)
        return found.build(found.values)[0]

    traced = jax.jit(build)(*numbers)
    assert known.labels == ("C1", "B1", "FD1", "FD2")
    assert not known.values
    for events in (known.build({})[0], traced):
        order = np.lexsort((np.asarray(events.kind), np.asarray(events.time)))
        for leaf, wanted in zip(events, expected, strict=True):
            sorted_wanted = wanted[np.lexsort((expected[1], expected[0]))]
            np.testing.assert_allclose(np.asarray(leaf)[order], sorted_wanted, rtol=1e-12)


def test_peak_agrees_with_a_simulation(people, arms, run):
    """With the run that the tests of this folder share."""
    found = qsp.trajectory(
        arms["step"], people.select([4]), days=28, method=METHOD, max_steps=20_000
    )
    expected = run.ds["il6_peak"].sel(arm="step", patient=4)
    for n, label in enumerate(("SUD1", "SUD2", "FD1", "FD2")):
        peak = float(found.peak("il6", label))
        assert peak == pytest.approx(float(expected[n]), rel=1e-3), label
    assert float(found.peak("il6", "FD")) == max(
        float(found.peak("il6", label)) for label in ("FD1", "FD2")
    )


@pytest.mark.slow
def test_jitted_value_agrees_with_that_of_a_plain_call(people, flag):
    """With a sampled patient, whose draws are constants of the jitted program."""
    value = lambda alpha: solved(people.select([3]), alpha).at("il6", jnp.array([1.0, 2.5]))
    found = jax.jit(value)(9e-4)
    assert found.dtype == (np.float64 if flag else np.float32)
    assert np.asarray(found) == pytest.approx(np.asarray(value(9e-4)), rel=1e-6)


@pytest.mark.slow
def test_vmap_over_a_parameter_an_amount_and_a_day_equals_a_loop(people, flag):
    for name, values in (
        ("alpha", jnp.asarray([5e-4, 2e-3])),
        ("amount", jnp.asarray([1.0, 5.0])),
        ("day", jnp.asarray([1.5, 2.5])),
    ):
        peak = lambda x, name=name: solved(people.typical, **{name: x}).peak("il6", "FD")
        together = jax.vmap(peak)(values)
        alone = [float(peak(value)) for value in values]
        assert np.asarray(together) == pytest.approx(alone, rel=1e-6), name


@pytest.mark.slow
def test_peak_is_continuous_where_two_doses_change_places(people):
    """The later dose passes an injection of another drug; only the derivative may jump."""

    def peak(day):
        regimen = qsp.regimen(
            qsp.iv("1 mg", day=1, period="FD1"),
            qsp.iv("2 mg", day=day, period="FD2"),
            qsp.tocilizumab("8 mg/kg", day=2),
        )
        return qsp.trajectory(regimen, people.typical, days=DAYS, method=METHOD).peak("il6")

    before, at, after = (float(peak(2.0 + shift)) for shift in (-1e-6, 0.0, 1e-6))
    assert before == pytest.approx(at, rel=1e-4)
    assert after == pytest.approx(at, rel=1e-4)


# === errors =====================================================================================


def test_a_result_that_is_not_a_number_is_an_error(people):
    with pytest.raises(SolveError, match="the solver must reach the end"):
        jax.grad(lambda a: solved(people.typical, alpha=a).peak("il6"))(jnp.nan)


@pytest.mark.slow
def test_a_jitted_result_that_is_not_a_number_is_an_error(people):
    with pytest.raises(RuntimeError, match="the solver must reach the end"):
        jax.block_until_ready(
            jax.jit(lambda a: solved(people.typical, alpha=a).peak("il6"))(jnp.nan)
        )


def test_a_period_after_the_end_is_an_error(people):
    regimen = qsp.regimen(qsp.iv(1.0), qsp.iv(2.0, day=8, period="FD1"))
    found = qsp.trajectory(regimen, people.typical, days=DAYS, method={"rtol": 1e-10})
    with pytest.raises(SolveError, match="the dose period must begin before the end"):
        found.peak("il6", "FD")
    with pytest.raises(ConfigError, match="Did you mean 'FD1'"):
        found.peak("il6", "FD3")
    for number in (0, 3, 1.0, True, ["FD1"]):
        with pytest.raises(ConfigError, match="period must be a dose period, but is"):
            found.peak("il6", number)


def test_a_traced_period_after_the_end_is_an_error(people):
    with pytest.raises(SolveError, match="the dose period must begin before the end"):
        jax.grad(lambda day: solved(people.typical, day=day).peak("il6", "FD"))(DAYS + 1.0)


@pytest.mark.parametrize(
    "at", [{"amount": -1.0}, {"amount": np.nan}, {"day": 0.5}, {"day": np.nan}]
)
def test_a_traced_dose_that_is_not_possible_is_an_error(people, at):
    """As numbers, these are errors of `qsp.iv` and `qsp.regimen`."""
    ((name, value),) = at.items()
    with pytest.raises(SolveError, match="check doses and parameters"):
        jax.grad(lambda x: solved(people.typical, **{name: x}).peak("il6"))(value)


def test_a_time_that_is_nan_is_an_error(people):
    found = solved(people.typical)
    with pytest.raises(qsp.QSPError, match="times must be numbers"):
        found.at("il6", [1.0, np.nan])
    values = jax.jit(lambda times: found.at("il6", times))(np.array([1.0, np.nan]))
    assert np.isfinite(values[0])
    assert np.isnan(values[1])


def test_a_trajectory_and_its_gradient_change_no_setting_of_jax(people, monkeypatch, tmp_path):
    monkeypatch.setenv("QSP_CACHE_DIR", str(tmp_path))
    before = dict(jax.config.values)
    jax.grad(lambda alpha: solved(people.typical, alpha=alpha).peak("il6"))(9e-4)
    assert dict(jax.config.values) == before


def test_import_and_cache_change_no_setting_of_jax(tmp_path):
    """The cache folder is set within a call only."""
    code = (
        "import jax, qsp; before = dict(jax.config.values);"
        "from qsp.engine.cache import jax_cache;"
        "import qsp.api.trajectory, jax.numpy as jnp\n"
        "with jax_cache():\n"
        "    assert jax.config.jax_compilation_cache_dir == 'cache'\n"
        "    jax.jit(lambda x: x + 1)(jnp.ones(3))\n"
        "assert dict(jax.config.values) == before\n"
        "import pathlib; count = len(list(pathlib.Path('cache').iterdir())); assert count\n"
        "jax.jit(lambda x: x - 7)(jnp.ones(3))\n"
        "assert len(list(pathlib.Path('cache').iterdir())) == count"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    env |= {"QSP_CACHE_DIR": "cache", "PYTHONPATH": os.getcwd()}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=env)
