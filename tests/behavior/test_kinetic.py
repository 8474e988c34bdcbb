"""Kinetic binding as a reference for the closed form and the relaxing form of bridges."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from qsp.engine.method import Method
from qsp.engine.segments import max_segments
from qsp.engine.trajectory import solve_simulation
from qsp.model import ModelStructure
from qsp.model.binding import Receptors
from qsp.model.cytokines import IFN_GAMMA, IL6
from qsp.model.synapse import Complexes, Gap, Kinetic, Relaxed, trimers
from qsp.system import System, program_kinds
from tests.scenarios import Scenario, Subject, mosunetuzumab, solve, stack

DENSITY = 9.03e-3  # molecules/um^2 equal to 1 nmol/L in the contact gap
HOURS = np.concatenate([[0.0], np.logspace(-4, 2.6, 2000)])


@dataclasses.dataclass(frozen=True)
class Arm:
    """A molecule and its receptors: K [nmol/L], copies per area [1/um^2], off-rates [1/hour]."""

    K_3: float
    K_T: float
    alpha: float
    cd3: float
    target: float
    off_3: float
    off_T: float


PUBLISHED = Arm(40.0, 70.0, 1.0, 6e4 / 150, 1e5 / 300, 82.0, 1.0)
TECLISTAMAB = Arm(28.0, 0.18, 2.1e-4, 6e4 / 150, 3000 / 500, 12.0, 0.16)
TEBENTAFUSP = Arm(38.0, 0.024, 2.5e-3, 6e4 / 150, 40 / 800, 12.0, 0.03)


@pytest.fixture(scope="module")
def model_parameters(double_precision):
    return jax.tree.map(jnp.asarray, mosunetuzumab().patient().model)


def binding_of(arm, model):
    """Binding and synapse parameters of an arm."""
    b = eqx.tree_at(
        lambda b: (b.KD_CD3, b.KD_target), model.binding, (jnp.array(arm.K_3), jnp.array(arm.K_T))
    )
    rates = (arm.alpha, 24.0 * arm.off_3, 24.0 * arm.off_T)
    s = eqx.tree_at(
        lambda s: (s.alpha, s.k_off_CD3, s.k_off_target),
        model.synapse,
        tuple(map(jnp.array, rates)),
    )
    return b, s


def gap_of(arm, drug):
    """Contact gap with one kind of target in one tissue."""
    cd3, target = (jnp.full(1, density / DENSITY) for density in (arm.cd3, arm.target))
    receptors = Receptors(cd3=cd3, target=target[None])
    return Gap(free=jnp.full(1, drug), K_T=jnp.array(arm.K_T), receptors=receptors)


def closed_form(arm, drug, model):
    """Trimers at equilibrium [nmol/L]."""
    b, s = binding_of(arm, model)
    return float(trimers(gap_of(arm, drug), s.alpha, b)[0, 0])


def kinetic(arm, drug, model):
    """Trimers over `HOURS` from the kinetic scheme, as a fraction of the closed form."""
    b, s = binding_of(arm, model)
    gap = gap_of(arm, drug)

    @jax.jit
    def rates(flat):
        state = Complexes(*(part.reshape(1, 1) for part in flat))
        return jnp.stack(
            [leaf.ravel()[0] for leaf in jax.tree.leaves(Kinetic().rates(state, gap, b, s))]
        )

    run = solve_ivp(
        lambda t, y: np.asarray(rates(jnp.asarray(y))) / 24.0,
        (0.0, HOURS[-1]),
        np.zeros(3),
        method="BDF",
        t_eval=HOURS,
        rtol=1e-10,
        atol=1e-10,
    )
    assert run.success
    return run.y[2] / closed_form(arm, drug, model)


def relaxed(arm, drug, model, form=Relaxed()):  # noqa: B008 - a constant
    """Bridges over `HOURS` from the relaxing form, as a fraction of its equilibrium."""
    b, s = binding_of(arm, model)
    gap = gap_of(arm, drug)
    b = eqx.tree_at(lambda b: b.copies_target, b, jnp.zeros((1, 1)))
    start = form.rates(form.initial(b), gap, b, s).per_synapse[0, 0]
    top = closed_form(arm, drug, model) * b.density_per_concentration * s.area
    return 1.0 - np.exp(-float(start / top) * HOURS / 24.0)


def hours_to(fraction, curve):
    return float(np.interp(fraction, curve, HOURS))


@pytest.mark.parametrize(
    ("drug", "published"), [(0.01, 4583.69), (1.0, 30_487.33), (100.0, 35_896.90)]
)
def test_closed_form_gives_the_published_trimers(drug, published, model_parameters):
    """Trimers at 0.01, 1 and 100 nM: 4,583.69, 30,487.33 and 35,896.90 nM, to the last digit."""
    assert closed_form(PUBLISHED, drug, model_parameters) == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize(("drug", "hours"), [(0.01, 12.9), (1.0, 0.77), (100.0, 1 / 60)])
def test_kinetic_scheme_reaches_the_closed_form_in_the_published_time(
    drug, hours, model_parameters
):
    """It reaches the closed form to 1e-6, and 90 % of it after 12.9 h, 0.77 h and 1 min."""
    curve = kinetic(PUBLISHED, drug, model_parameters)
    assert curve[-1] == pytest.approx(1.0, abs=1e-6)
    assert hours_to(0.9, curve) == pytest.approx(hours, rel=0.1)


@pytest.mark.parametrize("drug", [0.001, 0.01, 0.1, 1.0])
def test_relaxing_bridges_of_a_slow_arm_follow_the_kinetic_scheme(drug, model_parameters):
    """Teclistamab-like: relaxing bridges are within 0.1 of kinetic ones, unlike the closed form."""
    reference = kinetic(TECLISTAMAB, drug, model_parameters)
    assert np.abs(relaxed(TECLISTAMAB, drug, model_parameters) - reference).max() < 0.1
    instant = np.ones_like(reference)
    assert np.abs(instant - reference)[HOURS > 0.1].max() > 0.5


@pytest.mark.parametrize("drug", [0.001, 0.01, 0.1, 1.0])
def test_relaxing_bridges_of_tebentafusp_have_the_kinetic_half_time(drug, model_parameters):
    """The relaxing form reaches one half within a factor of 4 of the kinetic time."""
    times = [
        hours_to(0.5, form(TEBENTAFUSP, drug, model_parameters)) for form in (kinetic, relaxed)
    ]
    assert 0.25 < times[1] / times[0] < 4.0, times


@pytest.mark.parametrize(("drug", "alpha"), [(0.03, 2.5e-3), (0.03, 8.8e-3), (0.003, 8.8e-3)])
def test_drug_on_cd3_brings_the_bridges_of_tebentafusp_to_the_kinetic_scheme(
    drug, alpha, model_parameters
):
    """At a plasma concentration of the first doses; without it they are more than 0.1 behind."""
    arm = dataclasses.replace(TEBENTAFUSP, alpha=alpha)
    reference = kinetic(arm, drug, model_parameters)
    by_cd3, alone = (
        np.abs(relaxed(arm, drug, model_parameters, form) - reference).max()
        for form in (Relaxed(by_cd3=True), Relaxed())
    )
    assert by_cd3 < 0.05
    assert alone > 0.1


LOWER = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="peaks with relaxing bridges are 16 % below those with kinetic binding, for 10 %",
)


@pytest.mark.slow
@pytest.mark.parametrize("molecule", [pytest.param("tebentafusp", marks=LOWER), "mosunetuzumab"])
def test_whole_model_with_relaxing_bridges_agrees_with_kinetic_binding(molecule, double_precision):
    """First dose: cytokine peaks within 10 % (tebentafusp) or 5 % (mosunetuzumab).

    With the closed form, peaks of tebentafusp with its slow arm are more than 20 % higher.
    """
    if molecule == "tebentafusp":
        subject = Subject.of("tebentafusp", "uveal_melanoma")
        scenario = Scenario(subject.patient(), subject.iv([0], [0.02], 0.25), 3)
    else:
        scenario = Scenario(mosunetuzumab().patient(), mosunetuzumab().iv([0], [60]), 3)
    reference = _kinetic_peaks(scenario)
    relaxing = solve({"it": scenario}, structure=ModelStructure(synapse=Relaxed()))["it"]
    equilibrium = solve({"it": scenario})["it"]
    relaxed_peaks, closed_peaks = (
        np.array([course.peak(name) for name in ("ifn_gamma", "il6")])
        for course in (relaxing, equilibrium)
    )
    assert relaxed_peaks == pytest.approx(
        reference, rel=0.05 if molecule == "mosunetuzumab" else 0.10
    )
    if molecule == "tebentafusp":
        assert np.all(closed_peaks > 1.2 * reference)


def _kinetic_peaks(scenario):
    """Peaks of IFN-gamma and IL-6 of one simulation with kinetic binding and an implicit solver."""
    sim = jax.tree.map(lambda leaf: leaf[0], stack([scenario]))
    short = jax.tree.map(lambda leaf: leaf[:1], sim.events)
    sim = dataclasses.replace(sim, events=short, thresholds=sim.thresholds[:1])
    run = functools.partial(
        solve_simulation,
        grids=(),
        segments=max_segments(sim.events, sim.begin, sim.end, ()),
        system=System(ModelStructure(synapse=Kinetic())),
        method=Method("Kvaerno5", rtol=1e-6),
        kinds=program_kinds(sim.events.kind),
    )
    result = jax.jit(run)(sim)
    assert not result.failed
    return np.asarray(result.periods.reductions.peak.cytokines)[1, [IFN_GAMMA, IL6]]
