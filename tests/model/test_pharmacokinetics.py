"""Pharmacokinetics without receptors against closed-form solutions, to 1e-6."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm

from qsp.model.binding import Receptors
from tests.model.drug_only import Parameters, regimen, run

GRID = np.array([0.0, 0.04, 0.125, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 18.0, 25.0, 28.0])
END = 28.0
IV, SC = 0, 1


@pytest.fixture(scope="session")
def linear(typical):
    """Parameters without receptors, tissues and peripheral compartment, with constant clearance."""
    m = typical.model
    disposition = dataclasses.replace(
        m.disposition,
        CL_base=m.disposition.CL_ss,
        Q=jnp.zeros(()),
        k_exchange=jnp.zeros(4),
    )
    empty = Receptors(jnp.zeros(4), jnp.zeros((3, 4)))
    return Parameters(disposition, m.binding, m.tissues, empty)


def changed(p, **values):
    values = {name: jnp.asarray(value) for name, value in values.items()}
    return eqx.tree_at(lambda p: p.disposition, p, dataclasses.replace(p.disposition, **values))


@pytest.fixture(scope="session")
def linear_runs(linear):
    """Results of all linear cases by name, solved in one program."""
    two = changed(linear, Q=1.46)
    tissue = changed(two, k_exchange=jnp.array([0.0, 34.8, 16.3, 0.72]))
    falling = changed(linear, CL_base=1.08, half_life_CL=5.0)
    doses = (0.0, IV, 80.0, 0.2), (7.0, IV, 30.0, 0.0), (7.0, SC, 50.0, 0.0)
    cases = {
        "one compartment bolus": (linear, regimen((0.0, IV, 100.0, 0.0))),
        "one compartment infusion": (linear, regimen((0.0, IV, 100.0, 3.0))),
        "two compartments bolus": (two, regimen((0.0, IV, 100.0, 0.0))),
        "two compartments infusion": (two, regimen((0.0, IV, 100.0, 3.0))),
        "subcutaneous": (two, regimen((0.0, SC, 100.0, 0.0))),
        "subcutaneous infusion": (two, regimen((0.0, SC, 100.0, 3.0))),
        "falling clearance": (falling, regimen((0.0, IV, 100.0, 0.0))),
        "falling clearance infusion": (falling, regimen((0.0, IV, 100.0, 3.0))),
        "several": (tissue, regimen(*doses)),
        "several, twice": (tissue, regimen(*((t, k, 2 * a, d) for t, k, a, d in doses))),
        "first alone": (tissue, regimen(doses[0])),
        "second alone": (tissue, regimen(doses[1])),
        "third alone": (tissue, regimen(doses[2])),
    }
    result = run(list(cases.values()), GRID, END)
    assert not result.failed.any()
    return {name: jax.tree.map(lambda leaf, n=n: leaf[n], result) for n, name in enumerate(cases)}


@pytest.fixture
def concentration(linear_runs):
    return lambda name: linear_runs[name].saved[0][0].soluble[:, 0]


def chain(p, start, infusion=None, stop=np.inf):
    """Central concentration of a linear chain depot -> lymph -> lymph -> central <-> peripheral."""
    d = p.disposition
    V1, V2, Q, CL = (float(v) for v in (d.V1, d.V2, d.Q, d.CL_ss))
    ka, kl = float(d.ka), float(d.k_lymph)
    A = np.zeros((6, 6))  # amounts, and a constant of one for the infusion
    A[0, 0], A[1, 0], A[1, 1], A[2, 1], A[2, 2], A[3, 2] = -ka, ka, -kl, kl, -kl, kl
    A[3, 3], A[3, 4], A[4, 3], A[4, 4] = -(CL + Q) / V1, Q / V2, Q / V1, -Q / V2
    with_infusion = A.copy()
    if infusion is not None:
        with_infusion[:5, 5] = infusion
    x0 = np.array([*start, 1.0])

    def at(t):
        x = expm(with_infusion * min(t, stop)) @ x0
        return (expm(A * max(t - stop, 0.0)) @ x)[3] / V1

    return np.array([at(t) for t in GRID])


NONE = np.zeros(5)
INTO_CENTRAL, INTO_DEPOT = np.eye(5)[3], np.eye(5)[0]


def test_one_compartment_bolus_decays_exponentially(concentration, linear):
    V1, CL = float(linear.disposition.V1), float(linear.disposition.CL_ss)
    expected = 100.0 / V1 * np.exp(-CL / V1 * GRID)
    assert concentration("one compartment bolus") == pytest.approx(expected, rel=1e-6)


def test_one_compartment_infusion_peaks_at_its_end(concentration, linear):
    V1, CL = float(linear.disposition.V1), float(linear.disposition.CL_ss)
    k, rate = CL / V1, 100.0 / 3.0
    during = rate / CL * (1.0 - np.exp(-k * np.minimum(GRID, 3.0)))
    expected = during * np.exp(-k * np.maximum(GRID - 3.0, 0.0))
    assert concentration("one compartment infusion") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("route", ["bolus", "infusion"])
def test_two_compartments_follow_the_matrix_exponential(route, concentration, linear):
    two = changed(linear, Q=1.46)
    if route == "bolus":
        expected = chain(two, 100.0 * INTO_CENTRAL)
    else:
        expected = chain(two, NONE, INTO_CENTRAL * 100.0 / 3.0, 3.0)
    assert concentration(f"two compartments {route}") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("route", ["subcutaneous", "subcutaneous infusion"])
def test_depot_and_two_lymph_compartments_follow_the_matrix_exponential(
    route, concentration, linear
):
    two, available = changed(linear, Q=1.46), 100.0 * float(linear.disposition.bioavailability)
    if route == "subcutaneous":
        expected = chain(two, available * INTO_DEPOT)
    else:
        expected = chain(two, NONE, INTO_DEPOT * available / 3.0, 3.0)
    assert concentration(route) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("route", ["bolus", "infusion"])
def test_time_varying_clearance_follows_its_integral(route, concentration, linear):
    V1, CL_ss = float(linear.disposition.V1), float(linear.disposition.CL_ss)
    a = np.log(2.0) / 5.0

    def cleared(t):
        """Integral of the clearance from 0 to t."""
        return CL_ss * t + (1.08 - CL_ss) * (1.0 - np.exp(-a * t)) / a

    if route == "bolus":
        expected = 100.0 / V1 * np.exp(-cleared(GRID) / V1)
        name = "falling clearance"
    else:
        kernel = lambda s, t: np.exp((cleared(s) - cleared(t)) / V1)  # noqa: E731
        expected = np.array(
            [100.0 / 3.0 / V1 * quad(kernel, 0.0, min(t, 3.0), args=(t,))[0] for t in GRID]
        )
        name = "falling clearance infusion"
    assert concentration(name) == pytest.approx(expected, rel=1e-6)


def test_concentrations_are_proportional_to_the_dose(linear_runs):
    once = linear_runs["several"].saved[0][0]
    twice = linear_runs["several, twice"].saved[0][0]
    for single, double in zip(jax.tree.leaves(once), jax.tree.leaves(twice), strict=True):
        assert double == pytest.approx(2.0 * single, rel=1e-7, abs=1e-9)
    assert once.soluble[5:, 1:].min() > 1e-3


def test_doses_superpose(concentration):
    parts = sum(concentration(f"{n} alone") for n in ("first", "second", "third"))
    assert concentration("several") == pytest.approx(parts, rel=1e-7)


def test_area_under_the_curve_is_dose_over_clearance(linear_runs, linear):
    """The eliminated amount is clearance times area."""
    result = linear_runs["two compartments infusion"]
    area, CL = result.periods.reductions.area[1], float(linear.disposition.CL_ss)
    assert float(result.final.eliminated) == pytest.approx(CL * float(area), rel=1e-7)


def test_tissues_approach_their_partition_ratio(linear_runs, linear):
    """Tissues with fast exchange follow plasma at their partition ratio."""
    drug = linear_runs["several"].saved[0][0]
    ratio = drug.soluble[-1] / drug.soluble[-1, 0]
    assert ratio[1:3] == pytest.approx(np.asarray(linear.disposition.partition)[1:3], rel=0.02)


@pytest.mark.parametrize("name", ["several", "subcutaneous infusion", "falling clearance infusion"])
def test_total_drug_is_the_dose_at_all_times(name, linear_runs, linear):
    available = float(linear.disposition.bioavailability)
    total = linear_runs[name].saved[0][1]
    administered = {
        "several": 80.0 * np.minimum(GRID / 0.2, 1.0) + (GRID >= 7) * (30.0 + available * 50.0),
        "subcutaneous infusion": available * 100.0 * np.minimum(GRID / 3.0, 1.0),
        "falling clearance infusion": 100.0 * np.minimum(GRID / 3.0, 1.0),
    }[name]
    assert total == pytest.approx(administered, rel=1e-9, abs=1e-9)


def test_peak_and_trough_of_a_bolus(linear_runs, linear):
    V1, CL = float(linear.disposition.V1), float(linear.disposition.CL_ss)
    periods = linear_runs["one compartment bolus"].periods
    assert float(periods.reductions.peak[1]) == pytest.approx(100.0 / V1, rel=1e-12)
    assert float(periods.reductions.peak_time[1]) == 0.0
    last = periods.last[0].soluble[1, 0]
    assert float(last) == pytest.approx(100.0 / V1 * np.exp(-CL / V1 * END), rel=1e-7)


def test_target_mediated_elimination_saturates(typical, linear):
    """The internalized share of the dose falls with the dose."""
    m = typical.model
    binding = dataclasses.replace(
        m.binding, k_int_target=jnp.asarray(0.5), KD_target=jnp.asarray(1.0)
    )
    full = Receptors(jnp.zeros(4), jnp.zeros((3, 4)).at[0, 0].set(2.0))
    p = Parameters(linear.disposition, binding, m.tissues, full)
    doses = (1.0, 10.0, 1000.0)
    result = run([(p, regimen((0.0, IV, dose, 0.0))) for dose in doses], GRID, END)
    share = np.asarray(result.final.internalized) / doses
    assert share[0] > share[1] > share[2] > 0.0
    total = np.asarray(result.saved[0][1])
    assert total == pytest.approx(np.tile(np.array(doses)[:, None], len(GRID)), rel=1e-8)
