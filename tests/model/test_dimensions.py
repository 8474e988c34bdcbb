"""Dimensional analysis: the equations are invariant under a change of base units.

Every parameter, state and infusion is rescaled by its declared unit; the derivative must rescale by
the unit of the state over time. This detects a missing volume, a rate added to a number, and a
wrongly declared unit. It does not detect a wrong dimensionless factor; comparison with the
independent twin does.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp import model
from qsp.model.axes import OneAxis
from qsp.model.interleukin1 import il1
from qsp.model.synapse import Equilibrium, Kinetic, Plateau, Relaxed
from qsp.model.t_cells import MassAction, Threshold
from qsp.model.targets import tumor_volume
from qsp.model.tumors import Lesions
from qsp.system import DOSE_KINDS, System
from qsp.units import dimensions, rescaling
from tests.model.patient import busy, complete, units, with_each

ALL = ("[time]", "[length]", "[substance]", "[mass]", "[cell]", "[molecule]", "[synapse]")
SYSTEMS = {
    "closed form": System(),
    "mass action": System(model.ModelStructure(recruitment=MassAction())),
    "threshold": System(model.ModelStructure(recruitment=Threshold())),
    "relaxed": System(model.ModelStructure(synapse=Relaxed())),
    "relaxed by CD3": System(model.ModelStructure(synapse=Relaxed(by_cd3=True))),
    "two target arms": System(model.ModelStructure(synapse=Equilibrium(refinements=3))),
    "plateau": System(model.ModelStructure(synapse=Plateau(refinements=3))),
    "kinetic": System(model.ModelStructure(synapse=Kinetic())),
    "one axis": System(model.ModelStructure(severity=OneAxis())),
    "lesions": System(model.ModelStructure(tumor=Lesions(3, m_protein=True))),
}
# Not part of the derivative in the closed form; tested below with the quantities that use them.
UNUSED = {
    "model.interleukin1.baseline",
    "model.interleukin1.p_IL1",
    "model.interleukin1.k_IL1",
    "model.synapse.k_off_CD3",
    "model.synapse.k_off_target",
    "model.synapse.k_relax_min",
    "model.synapse.k_relax_max",
    "model.targets.density",
    "model.disposition.competitor",
}
OF_LESIONS = {
    f"model.lesions.{name}"
    for name in (
        "k_kill",
        "k_exhaust",
        "k_recover",
        "one_cell",
        "k_new",
        "m_protein_baseline",
        "k_protein",
    )
}
UNUSED_BY_FORM = {
    "closed form": OF_LESIONS,
    "lesions": set(),
    "one axis": OF_LESIONS
    | {
        "model.severity.IL6_50_leak",
        "model.severity.TNF_50_leak",
        "model.severity.k_leak",
    },
}


@functools.cache
def derivative(name: str) -> Callable:
    return jax.jit(SYSTEMS[name].rates)


def random_factors(rng: np.random.Generator) -> dict[str, float]:
    return {base: float(rng.uniform(0.5, 2.0)) for base in ALL}


def rescaled(module: Any, factors: Mapping[str, float], *, per_day: bool = False) -> Any:
    """Convert all quantities of a Module to other base units; `per_day` for a derivative."""
    rate = factors["[time]"] if per_day else 1.0
    return with_each(module, lambda path, unit, v: v * (rescaling(unit, factors) / rate))


def doses(factors: Mapping[str, float], *, per_day: bool) -> np.ndarray:
    names = ["nmol" if kind.startswith("drug") else "mg" for kind in DOSE_KINDS]
    rate = factors["[time]"] if per_day else 1.0
    return np.array([rescaling(unit, factors) / rate for unit in names])


def deviation(got: Any, expected: Any) -> dict[str, float]:
    """Largest relative difference of each quantity; zero must be zero."""
    pairs = zip(units(got), units(expected), strict=True)
    return {
        path: float(np.max(np.abs(np.asarray(a) - b) / np.maximum(np.abs(b), 1e-300)))
        for (path, _, a), (_, _, b) in pairs
    }


def patient(name: str, rng: np.random.Generator) -> tuple:
    system, p = SYSTEMS[name], complete()
    if name in ("two target arms", "plateau"):
        p = eqx.tree_at(lambda p: p.model.binding.valency, p, jnp.asarray(2.0))
    return p, busy(p, system, rng), jnp.asarray(rng.uniform(1.0, 50.0, len(DOSE_KINDS)))


def both_ways(name: str, seed: int, factors: Mapping[str, float], f: Callable) -> tuple[Any, Any]:
    """The derivative computed in other units, and the derivative converted to these units."""
    p, x, infusion = patient(name, np.random.default_rng(seed))
    time = jnp.asarray(11.0)
    expected = rescaled(f(time, x, p, infusion), factors, per_day=True)
    got = f(
        time * factors["[time]"],
        rescaled(x, factors),
        rescaled(p, factors),
        infusion * doses(factors, per_day=True),
    )
    return got, expected


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("seed", range(5))
def test_derivative_rescales_with_random_base_units(name, seed):
    factors = random_factors(np.random.default_rng(100 + seed))
    got, expected = both_ways(name, seed, factors, derivative(name))
    worst = {path: d for path, d in deviation(got, expected).items() if not d < 1e-9}
    assert not worst


@pytest.mark.parametrize("base", ALL)
def test_derivative_rescales_with_each_base_unit(base):
    factors = {**dict.fromkeys(ALL, 1.0), base: 1.7}
    got, expected = both_ways("closed form", 0, factors, derivative("closed form"))
    assert max(deviation(got, expected).values()) < 1e-9


def test_every_entry_of_the_derivative_is_tested():
    for name in SYSTEMS:
        p, x, infusion = patient(name, np.random.default_rng(0))
        dx = derivative(name)(jnp.asarray(11.0), x, p, infusion)
        assert all(np.all(np.asarray(value) != 0.0) for _, _, value in units(dx))


def test_a_number_without_unit_in_any_equation_is_detected():
    """Mutation: 1e-3 of one entry of the derivative is added to it without rescaling."""
    p, x, infusion = patient("closed form", np.random.default_rng(0))
    factors = random_factors(np.random.default_rng(1))
    f = derivative("closed form")
    dx = f(jnp.asarray(11.0), x, p, infusion)
    planted = [name for name, unit, _ in units(dx) if rescaling(f"{unit}/day", factors) != 1.0]
    assert len(planted) >= 25
    for name in planted:

        def wrong(*args: Any, name: str = name) -> Any:
            extra = with_each(dx, lambda path, unit, v: v * (1e-3 * (path == name)))  # noqa: B023
            return jax.tree.map(jnp.add, f(*args), extra)

        found = deviation(*both_ways("closed form", 0, factors, wrong))
        assert {path for path, d in found.items() if d > 1e-5} == {name}


@pytest.mark.parametrize("form", UNUSED_BY_FORM)
def test_a_wrong_unit_of_any_parameter_is_detected(form):
    """Mutation: one parameter at a time is not rescaled."""
    p, x, infusion = patient(form, np.random.default_rng(2))
    factors = random_factors(np.random.default_rng(3))
    f, time = derivative(form), jnp.asarray(11.0)
    expected = rescaled(f(time, x, p, infusion), factors, per_day=True)
    dx = rescaled(x, factors)
    undetected = set()
    for name, unit, _ in units(p):
        if not set(dimensions(unit)) & set(ALL):
            continue

        def all_but_one(path: str, unit: str, value: Any, name: str = name) -> Any:
            return value if path == name else value * rescaling(unit, factors)

        scaled = infusion * doses(factors, per_day=True)
        got = f(time * factors["[time]"], dx, with_each(p, all_but_one), scaled)
        if max(deviation(got, expected).values()) < 1e-6:
            undetected.add(name)
    assert undetected == UNUSED | UNUSED_BY_FORM[form]


@pytest.mark.parametrize("name", SYSTEMS)
def test_algebraic_quantities_have_their_declared_units(name):
    p, x, _ = patient(name, np.random.default_rng(4))
    factors = random_factors(np.random.default_rng(5))
    algebraic = jax.jit(lambda x, p: model.algebraic(x.model, p.model, SYSTEMS[name].structure))
    got = algebraic(rescaled(x, factors), rescaled(p, factors))
    assert max(deviation(got, rescaled(algebraic(x, p), factors)).values()) < 1e-9


@pytest.mark.parametrize("name", ["closed form", "two target arms", "lesions"])
def test_baseline_and_bolus_have_their_declared_units(name):
    p, x, amount = patient(name, np.random.default_rng(6))
    factors = random_factors(np.random.default_rng(7))
    bolus, initial = jax.jit(SYSTEMS[name].bolus), SYSTEMS[name].initial
    got = bolus(rescaled(x, factors), rescaled(p, factors), amount * doses(factors, per_day=False))
    assert max(deviation(got, rescaled(bolus(x, p, amount), factors)).values()) < 1e-9

    zero_where_zero = deviation(initial(rescaled(p, factors)), rescaled(initial(p), factors))
    assert max(zero_where_zero.values()) < 1e-9


def test_il1_and_tumor_volume_have_their_declared_units():
    p, x, _ = patient("closed form", np.random.default_rng(8))
    factors = random_factors(np.random.default_rng(9))
    q, y = rescaled(p, factors), rescaled(x, factors)
    il1_of = [il1(jnp.asarray(0.2), z.model.interleukin1) for z in (q, p)]
    assert float(il1_of[0] / il1_of[1]) == pytest.approx(rescaling("pg/mL", factors), rel=1e-12)
    ratio = tumor_volume(y.model.targets, q.model.targets) / tumor_volume(
        x.model.targets, p.model.targets
    )
    assert float(ratio) == pytest.approx(rescaling("L", factors), rel=1e-12)
