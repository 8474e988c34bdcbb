"""The engine on the whole model: peaks, independence of patients, one program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

from qsp.engine import batch
from qsp.engine.method import Method
from qsp.model.cytokines import CYTOKINES, IL6
from qsp.system import DOSE_KINDS, System
from tests.engine import whole
from tests.engine.toy import programs, same_bits, sim_of
from tests.engine.whole import END, FLAT, GRID, OTHER, STEP_UP, run, sim
from tests.model.patient import typical

REGIMENS = {"step up": STEP_UP, "flat": FLAT, "other routes": OTHER}
PATIENTS = range(23)
DENSE = np.linspace(0.0, END, 2501)
AMOUNTS = (0.0, 0.01, 0.03, 0.1, 1.0)  # nmol over a week


@pytest.fixture(scope="module")
def sims(strict_types):
    """69 simulations: more than one chunk."""
    return [sim(n, given) for given in REGIMENS.values() for n in PATIENTS]


@pytest.fixture(scope="module")
def together(sims):
    result = run(*sims)
    assert not result.failed.any()
    return result


def of(result, regimen, n):
    return sim_of(result, list(REGIMENS).index(regimen) * len(PATIENTS) + n)


# === against a reference ========================================================================


@pytest.fixture(scope="module")
def flow(strict_types):
    """The derivative on flat arrays, compiled once: time, state, parameters, infusion."""
    system = System()
    example = typical()
    _, unravel = ravel_pytree(system.initial(example))
    _, parameters = ravel_pytree(example)

    @jax.jit
    def rates(time, x, p, infusion):
        return ravel_pytree(system.rates(time, unravel(x), parameters(p), infusion))[0]

    @jax.jit
    def bolus(x, p, amount):
        return ravel_pytree(system.bolus(unravel(x), parameters(p), amount))[0]

    return rates, bolus, unravel


def reference(which, flow):
    """States on a dense grid, by another solver that stops at every dose.

    A time between two segments comes twice; `after` marks the state after the dose.
    """
    rates, bolus, unravel = flow
    p = ravel_pytree(jax.tree.map(jnp.asarray, which.parameters))[0]
    x = ravel_pytree(System().initial(jax.tree.map(jnp.asarray, which.parameters)))[0]
    e = which.events
    given = np.isfinite(e.time)
    stops = e.time[given] + e.duration[given]
    edges = np.unique([float(which.begin), END, *e.time[given], *stops[stops < END]])
    times, states, after = [], [], []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        now, ends = (e.time == start) & (e.duration == 0), e.time + e.duration
        amount, infusion = np.zeros(len(DOSE_KINDS)), np.zeros(len(DOSE_KINDS))
        np.add.at(amount, e.kind[now], e.amount[now])
        running = (e.time <= start) & (start < ends) & (e.duration > 0)
        np.add.at(infusion, e.kind[running], e.rate[running])
        x = bolus(x, p, amount)
        inside = DENSE[(start < DENSE) & (stop > DENSE)]
        solved = solve_ivp(
            lambda t, x, infusion=infusion: np.asarray(rates(t, x, p, infusion)),
            (start, stop),
            np.asarray(x),
            method="DOP853",
            rtol=1e-8,
            atol=1e-8,
            t_eval=np.concatenate([[start], inside, [stop]]),
        )
        assert solved.success
        times.append(solved.t)
        states.append(solved.y.T)
        after.append(solved.t == start)
        x = solved.y[:, -1]
    states = jax.vmap(unravel)(jnp.asarray(np.concatenate(states)))
    return np.concatenate(times), np.concatenate(after), states


@pytest.fixture(scope="module")
def references(sims, flow):
    where = {name: list(REGIMENS).index(name) * len(PATIENTS) for name in REGIMENS}
    return {name: reference(sims[n], flow) for name, n in where.items()}


@pytest.mark.parametrize("regimen", REGIMENS)
def test_peaks_are_those_of_a_dense_trajectory(regimen, references, together):
    """Within 0.5 % at the default tolerance, in each dose period."""
    time, after, states = references[regimen]
    starts = [start for start, *_, period in REGIMENS[regimen] if period]
    edges = [*starts, END]
    reductions = of(together, regimen, 0).periods.reductions
    drug = states.model.drug.soluble[:, 0]
    for period, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True), 1):
        within = (time > low) & (time < high) | (time == low) & after | (time == high) & ~after
        dense = np.asarray(states.model.cytokines.blood)[within]
        peak = reductions.peak.cytokines[period]
        assert peak == pytest.approx(dense.max(0), rel=5e-3)
        severity = np.asarray(states.model.severity)[within].max()
        assert float(reductions.peak.severity[period]) == pytest.approx(severity, rel=5e-3)
        assert float(reductions.peak.drug[period]) == pytest.approx(
            float(np.asarray(drug)[within].max()), rel=5e-3
        )
        area = np.trapezoid(np.asarray(drug)[within], time[within])
        assert float(reductions.area.drug[period]) == pytest.approx(float(area), rel=5e-3)
        if dense[:, IL6].max() > 1.5 * dense[0, IL6]:
            when = time[within][dense[:, IL6].argmax()]
            got = float(reductions.peak_time.cytokines[period, IL6])
            assert got == pytest.approx(when, abs=0.02)


@pytest.mark.parametrize("regimen", REGIMENS)
def test_trajectories_are_those_of_another_solver(regimen, references, together):
    time, _, states = references[regimen]
    keep = np.isin(time, GRID) & np.append(np.diff(time) > 0, True)  # after a dose, not before
    expected = np.asarray(states.model.cytokines.blood)[keep]
    saved = of(together, regimen, 0).saved[0]
    assert np.count_nonzero(keep) == len(GRID)
    assert saved.cytokines == pytest.approx(expected, rel=2e-3, abs=0.01)
    tumor = np.asarray(states.model.targets.viable)[keep][:, 1:, 2].sum(1)
    volume = (tumor + np.asarray(states.model.targets.dying)[keep]) / 1e6
    assert saved.tumor_volume == pytest.approx(volume, rel=1e-4)


def test_reductions_are_not_below_what_is_saved(together):
    """The peak of a period is at least the largest saved value within the period."""
    for name, given in REGIMENS.items():
        starts = [start for start, *_, period in given if period] + [END + 1.0]
        for n in PATIENTS:
            one = of(together, name, n)
            for period, (low, high) in enumerate(zip(starts[:-1], starts[1:], strict=True), 1):
                shown = one.saved[0].cytokines[(low <= GRID) & (high > GRID)].max(0)
                peak = one.periods.reductions.peak.cytokines[period]
                assert np.all(peak >= shown * (1 - 1e-3))


def test_the_runs_compared_here_release_cytokines(together):
    peaks = together.periods.reductions.peak.cytokines[:, 1:, IL6].max(1)
    assert peaks.min() > 5.0
    assert peaks.max() > 300.0
    assert np.isfinite(together.periods.reductions.peak.cytokines).all()
    assert len(CYTOKINES) == together.saved[0].cytokines.shape[-1]


# === independence of patients ===================================================================


def test_a_patient_simulated_alone_has_the_same_bits(sims, together):
    for first in (0, 64):
        assert same_bits(sim_of(run(sims[first]), 0), sim_of(together, first))


def test_other_patients_in_the_chunk_change_no_bit(sims, together):
    """Some patients keep their place in the chunk while the others change theirs."""
    order, kept = np.random.default_rng(1).permutation(64), np.arange(64) % 7 == 3
    order[kept] = np.flatnonzero(kept)
    mixed = run(*(sims[n] for n in order))
    for n in map(int, np.flatnonzero(kept)):
        assert same_bits(sim_of(mixed, n), sim_of(together, n))


def test_any_place_gives_the_same_patient(sims, together):
    """Another place in the chunk changes at most the rounding of XLA programs."""
    order = np.random.default_rng(2).permutation(len(sims))
    expected = jax.tree.map(lambda leaf: leaf[order], together)
    for a, b in zip(*map(jax.tree.leaves, (run(*(sims[n] for n in order)), expected)), strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9, nan_ok=True)


def test_another_chunk_size_changes_at_most_the_rounding(sims, together, monkeypatch):
    monkeypatch.setattr(batch, "CHUNK_SIZE", 128)
    wide = run(*sims)
    for a, b in zip(jax.tree.leaves(wide), jax.tree.leaves(together), strict=True):
        assert a == pytest.approx(b, rel=1e-10, abs=1e-10, nan_ok=True)


# === one program ================================================================================


MOLECULES = ("blinatumomab", "nhl_blinatumomab"), ("tebentafusp", "uveal_melanoma")


def test_one_program_for_patients_and_regimens(together):
    before = programs()
    assert before >= 1
    run(sim(0, FLAT))
    run(*(sim(n, OTHER[:2]) for n in range(3)))
    assert programs() == before


@pytest.mark.slow
def test_one_program_of_xla_for_molecules():
    method = Method(backend="xla")
    run(sim(0, FLAT), method=method)
    before = programs()
    for molecule, cohort in MOLECULES:
        result = run(sim(0, STEP_UP[1:], typical(molecule, cohort)), method=method)
        assert result.failed.shape == (1,)
    assert programs() == before


@pytest.mark.parametrize(
    ("molecule", "cohort"), [MOLECULES[0], pytest.param(*MOLECULES[1], marks=pytest.mark.slow)]
)
def test_at_most_one_native_program_a_molecule(molecule, cohort):
    """A program leaves out terms that are zero for a molecule and its patients, and is reused."""
    before = programs()
    for _ in range(2):
        run(sim(0, STEP_UP[1:], typical(molecule, cohort)))
        assert programs() <= before + 1


@pytest.fixture(scope="module")
def weak_infusions(together):
    """A molecule with a short half-life at very low doses."""
    p = typical("blinatumomab", "nhl_blinatumomab")
    return run(*(sim(0, ((0.0, whole.IV, amount, 7.0, 1),), p) for amount in AMOUNTS))


@pytest.mark.parametrize("n", range(len(AMOUNTS)))
def test_a_weak_infusion_does_not_fail(n, weak_infusions):
    """Trial steps may take a nearly eliminated drug below zero, and must be repeated."""
    assert not weak_infusions.failed[n]
