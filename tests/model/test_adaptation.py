"""Recruitment with adaptation, and margination driven by recruitment."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from qsp import model
from qsp.model.engagement import Contact
from qsp.model.t_cells import Adaptation, Adapted, TCells
from qsp.model.tissues import TUMOR
from qsp.model.traffic import margination_rate
from qsp.system import System
from tests.model import patient
from tests.model.patient import busy

K_ADAPT, K_FORGET, HEIGHT, ACTIVATION = 5.0, 0.027, 0.4, 16.0
STRUCTURE = model.ModelStructure()


def contact_of(stimulation):
    """Contacts of 80 % of the T cells in every tissue, with one stimulation."""
    touching, h = jnp.full(4, 0.8), jnp.full(4, stimulation)
    return Contact(touching, touching * h, touching * h, h)


@pytest.fixture(scope="module")
def recruit(typical):
    """Recruitment under a course of stimulation: times, flux and its integral, one tissue."""
    p = dataclasses.replace(
        typical.model.t_cells, k_adapt=jnp.asarray(K_ADAPT), k_forget=jnp.asarray(K_FORGET)
    )
    x, law = TCells(jnp.ones(4), jnp.zeros(4), jnp.zeros(4)), Adaptation()

    @jax.jit
    def rates(memory, stimulation):
        now, contact = Adapted(jnp.full(4, memory)), contact_of(stimulation)
        flux = law(x, contact, jnp.full(4, ACTIVATION), p, now)
        return law.memory_rate(now, contact, p).stimulation[0], flux[0]

    def course(stimulation: Callable[[float], float], breaks: list[float]):
        y, times, flux, total = np.zeros(2), [], [], []
        for left, right in zip(breaks, breaks[1:], strict=False):
            slope = lambda t, y: np.asarray(rates(y[0], stimulation(t)))  # noqa: E731
            grid = np.linspace(left, right, 41)
            inside = np.clip(grid, left + 1e-9, right - 1e-9)  # the stimulation may jump at breaks
            out = solve_ivp(slope, (left, right), y, t_eval=grid, rtol=1e-9, atol=1e-12)
            y = out.y[:, -1]
            times += list(grid)
            flux += [
                float(rates(m, stimulation(t))[1]) for m, t in zip(out.y[0], inside, strict=True)
            ]
            total += list(out.y[1])
        return np.array(times), np.array(flux), np.array(total)

    return course


def test_constant_stimulation_recruits_what_the_closed_form_gives(recruit):
    """h - m = h (k_f + k_a exp(-(k_a + k_f) t)) / (k_a + k_f)."""
    times, flux, total = recruit(lambda _: HEIGHT, [0.0, 3.0])
    k, scale = K_ADAPT + K_FORGET, 0.8 * ACTIVATION * HEIGHT
    assert flux == pytest.approx(scale * (K_FORGET + K_ADAPT * np.exp(-k * times)) / k, rel=1e-6)
    gone = -np.expm1(-k * times) / k
    assert total == pytest.approx(scale * (K_FORGET * times + K_ADAPT * gone) / k, rel=1e-6)


def pulses(times, heights, length=1.0):
    """Stimulation of one day at each time."""
    return lambda t: sum(
        height for start, height in zip(times, heights, strict=True) if 0 <= t - start < length
    )


def test_repeated_stimulation_recruits_little_and_a_stronger_one_the_difference(recruit):
    """The memory keeps exp(-6 k_f) of the first day until day 7."""

    def second(height):
        *_, total = recruit(pulses((0, 7), (HEIGHT, height)), [0.0, 1.0, 7.0, 8.0])
        first, both = total[40], total[-1]
        return (both - first) / first

    k = K_ADAPT + K_FORGET
    gone = -np.expm1(-k) / k
    left = K_ADAPT * gone * np.exp(-6 * K_FORGET)
    expected = (K_FORGET / k + (1 - left - K_FORGET / k) * gone) / (K_FORGET + K_ADAPT * gone) * k
    assert second(HEIGHT) == pytest.approx(expected, rel=1e-5)
    assert second(HEIGHT) < 0.18
    assert second(2 * HEIGHT) > 1.0
    assert second(0.5 * HEIGHT) == pytest.approx(0.0, abs=1e-9)


def test_slow_rise_recruits_at_a_lower_rate_than_a_jump_to_the_same_height(recruit):
    """Recruitment follows dh/dt: over three days the peak is a fifteenth of that of a jump.

    The number of cells per resting cell is the memory gained over k_adapt, however fast.
    """
    _, jump, all_of_jump = recruit(lambda _: HEIGHT, [0.0, 3.0, 4.0])
    _, ramp, all_of_ramp = recruit(lambda t: HEIGHT * min(t / 3.0, 1.0), [0.0, 3.0, 4.0])
    assert ramp.max() < 0.08 * jump.max()
    assert ramp.max() == pytest.approx(jump.max() * (1 / 3.0 + K_FORGET) / K_ADAPT, rel=0.02)
    assert 0.9 * all_of_jump[-1] < all_of_ramp[-1] < all_of_jump[-1]


def test_falling_stimulation_recruits_none_and_does_not_erase_the_memory(recruit):
    def course(t):
        return HEIGHT if t < 1.0 else 0.3 * HEIGHT

    times, flux, _ = recruit(course, [0.0, 1.0, 3.0])
    assert np.all(flux[times > 1.0] == 0.0)


@pytest.mark.parametrize("remembered", [0.0, 0.3])
def test_recruitment_is_exactly_zero_without_stimulation(remembered, typical):
    p = typical.model.t_cells
    x = TCells(p.baseline, 0.1 * p.baseline, 0.2 * p.baseline)
    memory = Adapted(jnp.full(4, remembered))
    flux = Adaptation()(x, contact_of(0.0), jnp.full(4, ACTIVATION), p, memory)
    assert np.all(np.asarray(flux) == 0.0)
    rate = np.asarray(Adaptation().memory_rate(memory, contact_of(0.0), p).stimulation)
    assert rate == pytest.approx(np.full(4, -float(p.k_forget) * remembered))


def test_recruitment_is_exactly_zero_without_drug(typical):
    """Before treatment nothing recruits, in the whole model."""
    assert abs(float(untreated_rates(typical).margination)) < 1e-15


def test_memory_does_not_move_without_drug(typical):
    """Before treatment, in the whole model with mosunetuzumab."""
    assert_memory_rests(typical)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason=(
        "the numerical guard leaves 1e-18 nmol/L of drug, which forms "
        "bridges, and few of them activate: the memory moves by 3e-15 a day"
    ),
)
def test_memory_does_not_move_without_tebentafusp():
    """Before treatment, in the whole model with a drug of high potency."""
    assert_memory_rests(patient.typical("tebentafusp", "uveal_melanoma"))


def assert_memory_rests(p):
    memory = np.abs(np.asarray(untreated_rates(p).adaptation.stimulation))
    assert np.all(memory < 1e-18), f"largest {memory.max():.1g} a day"


def untreated_rates(p):
    system = System(STRUCTURE)
    return jax.jit(system.rates)(jnp.asarray(0.0), system.initial(p), p, jnp.zeros(10)).model


# === margination ===============================================================================


def test_margination_starts_only_with_recruitment(complete):
    """Without recruitment, margination only decays."""
    p = complete.model.traffic
    assert float(margination_rate(jnp.asarray(0.4), jnp.zeros(4), p)) == pytest.approx(
        -0.4 * float(p.k_off)
    )


def test_half_of_the_onset_is_at_its_constant_and_a_tumor_counts_a_fifth(typical):
    p = typical.model.traffic
    shares = jnp.array([0.25, 0.25, 0.0, 0.5])
    onset = lambda flux: float(margination_rate(jnp.asarray(0.0), flux, p) / p.k_on)  # noqa: E731
    assert onset(p.flux50 * shares) == pytest.approx(0.5)
    in_tumor = jnp.zeros(4).at[TUMOR].set(5.0 * p.flux50)
    assert onset(in_tumor) == pytest.approx(0.5)


@pytest.mark.parametrize("inhibits_activation", [False, True])
def test_steroid_lowers_margination_only_by_its_inhibition_of_activation(
    inhibits_activation, complete
):
    """The inhibition of release does not reach margination."""
    system, m = System(STRUCTURE), complete.model
    maximum = jnp.asarray(0.35 if inhibits_activation else 0.0)
    t_cells = dataclasses.replace(m.t_cells, steroid_act=maximum)
    p = dataclasses.replace(complete, model=dataclasses.replace(m, t_cells=t_cells))
    x = busy(p, system, np.random.default_rng(4))
    dexamethasone = x.supportive.dexamethasone
    without = dataclasses.replace(
        x,
        supportive=dataclasses.replace(
            x.supportive, dexamethasone=jax.tree.map(jnp.zeros_like, dexamethasone)
        ),
    )
    rates = jax.jit(system.rates)
    treated, untreated = (
        rates(jnp.asarray(1.0), each, p, jnp.zeros(10)).model for each in (x, without)
    )
    assert float(treated.release.transit_1) < float(untreated.release.transit_1)
    if inhibits_activation:
        assert float(treated.margination) < float(untreated.margination)
    else:
        assert float(treated.margination) == float(untreated.margination)
