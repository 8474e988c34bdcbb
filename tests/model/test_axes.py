"""Fever and leak: limits, closed forms, the second implementation, and capacity for IL-6."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from qsp.model.axes import Axes, OneAxis, TwoAxes, fever, fever_drive, leak_drive, rises
from qsp.model.cytokines import IFN_GAMMA, IL6, TNF_ALPHA
from qsp.model.effects import no_effects
from qsp.model.temperature import temperature_rise
from tests.reference import axes as reference

FORMS = (OneAxis(), TwoAxes())
RISE = np.array([200.0, 40.0, 30.0, 250.0, 100.0, 900.0])


def effects_with(**effects):
    values = {name: jnp.asarray(value) for name, value in effects.items()}
    return dataclasses.replace(no_effects(), **values)


def changed(p, **values):
    return dataclasses.replace(p, **{name: jnp.asarray(value) for name, value in values.items()})


@pytest.mark.parametrize("form", FORMS)
def test_without_a_rise_of_cytokines_all_states_stay_zero(form, typical):
    """Exactly, and whatever supportive drugs are given."""
    c, p = typical.model.cytokines, typical.model.severity
    index, axes = form.initial(c.baseline, p)
    states = {"F": index, "B": axes.set_point, "W": axes.leak}
    known = {name: float(value) for name, value in states.items() if value is not None}
    assert known == {name: reference.before_treatment()[name] for name in known}
    for effects in (no_effects(), effects_with(il6r_free=0.1, tnf_free=0.2, jak=0.5)):
        rates = form.rates(index, axes, c.baseline, c.baseline, effects, p)
        for value in (
            index,
            axes.set_point,
            axes.leak,
            rates[0],
            rates[1].set_point,
            rates[1].leak,
        ):
            assert value is None or float(value) == 0.0
    assert float(fever(index, axes)) == 0.0


def test_states_at_constant_cytokines_have_the_closed_form(typical):
    c, p, form = typical.model.cytokines, typical.model.severity, TwoAxes()
    blood, now = c.baseline + RISE, no_effects()

    def derivative(_, y):
        index, set_point, leak = map(jnp.asarray, y)
        d, axes = form.rates(index, Axes(set_point, leak), blood, c.baseline, now, p)
        return np.array([d, axes.set_point, axes.leak])

    times = np.linspace(0.0, 5.0, 21)
    found = solve_ivp(derivative, (0.0, 5.0), np.zeros(3), t_eval=times, rtol=1e-9, atol=1e-12).y
    rise = rises(blood, c.baseline, now, p)
    steady, leak = float(fever_drive(rise, p)), float(leak_drive(rise, p))
    targets, rates = (steady, steady, leak), (p.k_fever, p.k_set_point, p.k_leak)
    for values, target, k in zip(found, targets, rates, strict=True):
        np.testing.assert_allclose(values, target * -np.expm1(-float(k) * times), atol=1e-8)
    # Fever rises within hours and is gone within days, although the cytokines stay high.
    feverish = found[0] - found[1]
    assert feverish.max() > 0.7 * steady
    assert feverish[-1] < 0.2 * steady


def test_derivatives_are_those_of_the_second_implementation(typical):
    rng, c = np.random.default_rng(7), typical.model.cytokines
    values = {name: float(v) for name, v in vars(typical.model.severity).items() if np.ndim(v) == 0}
    for _ in range(20):
        p = values | {"capacity": rng.uniform(0.2, 5.0)}
        index, set_point, leak = (jnp.asarray(v) for v in rng.uniform(0.0, 1.0, 3))
        blood = c.baseline + RISE * rng.uniform(0.0, 2.0, len(RISE))
        free = dict(zip(("IL6", "IL6R", "JAK", "TNF"), rng.uniform(0.0, 1.0, 4), strict=True))
        places = {"IL6": IL6, "TNF": TNF_ALPHA, "IFN": IFN_GAMMA}
        now, before = (
            {name: float(level[n]) for name, n in places.items()} for level in (blood, c.baseline)
        )
        state = {"F": float(index), "B": float(set_point), "W": float(leak)}
        expected = reference.derivatives(state, now, before, free, p)
        effects = effects_with(
            il6_free=free["IL6"], il6r_free=free["IL6R"], jak=free["JAK"], tnf_free=free["TNF"]
        )
        ours = changed(typical.model.severity, capacity=p["capacity"])
        d, axes = TwoAxes().rates(index, Axes(set_point, leak), blood, c.baseline, effects, ours)
        found = {"F": float(d), "B": float(axes.set_point), "W": float(axes.leak)}
        assert found == pytest.approx(expected, rel=1e-9)


def test_one_axis_is_two_without_leak(typical):
    c, p = typical.model.cytokines, typical.model.severity
    blood, (index, set_point, leak) = c.baseline + RISE, (jnp.asarray(v) for v in (0.4, 0.1, 0.2))
    one, two = (
        form.rates(index, Axes(set_point, value), blood, c.baseline, no_effects(), p)
        for form, value in ((OneAxis(), None), (TwoAxes(), leak))
    )
    assert (float(one[0]), float(one[1].set_point)) == (float(two[0]), float(two[1].set_point))
    assert one[1].leak is None


def test_capacity_scales_il6_out(typical):
    """Production k times the median and a rise k^rho times as high: the same fever and leak."""
    c, p, rho, k = typical.model.cytokines, typical.model.severity, 0.736, 7.0
    higher = np.where(np.arange(len(RISE)) == IL6, k**rho, 1.0) * RISE
    signals = [
        rises(c.baseline + rise, c.baseline, no_effects(), changed(p, capacity=capacity))
        for rise, capacity in ((RISE, 1.0), (higher, k**rho))
    ]
    assert float(signals[1].il6) == pytest.approx(float(signals[0].il6), rel=1e-12)
    for drive in (fever_drive, leak_drive):
        assert float(drive(signals[1], p)) == pytest.approx(float(drive(signals[0], p)), rel=1e-12)
    same_height = rises(c.baseline + RISE, c.baseline, no_effects(), changed(p, capacity=k**rho))
    assert float(fever_drive(same_height, p)) < float(fever_drive(signals[0], p))


def test_signals_of_the_forms():
    index, rise, leak = (jnp.asarray(v) for v in (0.5, 0.2, 0.3))
    for form, expected in (
        (OneAxis(), [0.2, 0.2, 0.2, 0.2]),
        (TwoAxes(), [0.2, 0.3, 0.3, 0.3]),
    ):
        assert form.signals(index, rise, leak).tolist() == expected


@pytest.mark.parametrize("form", FORMS)
def test_random_effects_shift_all_levels_of_an_event_together(form, typical):
    p, xi_dose = typical.model.severity, jnp.array([0.0, 1.0, -2.0])
    levels = np.asarray(form.thresholds(jnp.asarray(0.5), xi_dose, p))
    exponent = float(p.sd_level) * 0.5 + float(p.sd_level_event) * np.array([0.0, 1.0, -2.0])
    assert levels == pytest.approx(np.exp(exponent)[:, None] * np.asarray(p.level))
    assert np.all(np.diff(levels[:, 1:], axis=1) > 0.0)


def test_fever_and_leak_saturate_at_the_sums_of_their_weights(typical):
    p, none = typical.model.severity, jnp.zeros(len(RISE))
    high = rises(jnp.full(len(RISE), 1e12), none, no_effects(), p)
    fever_limit = 1.0 + float(p.weight_TNF) + float(p.weight_IFN)
    assert float(fever_drive(high, p)) == pytest.approx(fever_limit, rel=1e-6)
    assert float(leak_drive(high, p)) == pytest.approx(1.0 + float(p.weight_TNF_leak), rel=1e-6)
    blocked = rises(jnp.full(len(RISE), 1e12), none, effects_with(il6r_free=0.0, tnf_free=0.0), p)
    assert float(fever_drive(blocked, p)) == pytest.approx(float(p.weight_IFN), rel=1e-6)
    assert float(leak_drive(blocked, p)) == 0.0


def test_temperature_does_not_fall_below_normal():
    threshold = jnp.asarray(0.1)
    rises_by = [float(temperature_rise(jnp.asarray(x), threshold)) for x in (-5.0, 0.0, 0.1)]
    assert rises_by == pytest.approx([0.0, 0.0, 1.0])
