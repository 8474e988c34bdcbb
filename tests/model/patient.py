"""Parameters and states for tests of the equations."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from qsp import molecules
from qsp.model.axes import Axes
from qsp.model.cytokines import Cytokines
from qsp.model.disposition import Drug
from qsp.model.lesions import LesionCells
from qsp.model.release import Release
from qsp.model.synapse import Bridges, Complexes
from qsp.model.t_cells import Adapted, TCells
from qsp.model.targets import Targets
from qsp.populations.cohort import read_cohort
from qsp.populations.table_from_files import nominal
from qsp.system import Parameters, State, System

POPULATIONS = Path(__file__).parents[2] / "populations"


@functools.cache
def _table(molecule: str, cohort: str) -> Any:
    return nominal(molecules.load(molecule), read_cohort(POPULATIONS / f"{cohort}.toml"))


def typical(molecule: str = "mosunetuzumab", cohort: str = "nhl") -> Parameters:
    """Parameters of the typical patient."""
    return jax.tree.map(jnp.asarray, _table(molecule, cohort).nominal())


@functools.cache
def complete() -> Parameters:
    """Typical parameters with every process active: no rate, copy or cell number is zero."""

    def fill(p: Parameters, where: Any, value: Any) -> Parameters:
        return eqx.tree_at(where, p, jnp.broadcast_to(jnp.asarray(value), where(p).shape))

    p = typical()
    tissue, malignant = jnp.array([0.0, 30.0, 15.0, 1.0]), jnp.array([20.0, 3e3, 5e4, 200.0])
    normal, low = jnp.array([500.0, 3e4, 300.0, 2e3]), jnp.array([5.0, 100.0, 500.0, 30.0])
    for where, value in (
        (lambda p: p.model.disposition.k_soluble, 0.3),
        (lambda p: p.model.disposition.soluble_target, jnp.array([0.7, 0.4, 2.0, 0.2])),
        (lambda p: p.model.disposition.competitor, 3.0),
        (lambda p: p.model.disposition.k_competitor, 0.05),
        (lambda p: p.model.disposition.lost_on_death, 0.7),
        (lambda p: p.model.disposition.k_exchange, tissue),
        (lambda p: p.model.binding.KD_soluble, 2.4),
        (lambda p: p.model.binding.KD_competitor, 4.0),
        (lambda p: p.model.binding.chi, 0.5),
        (lambda p: p.model.binding.k_int_CD3, 1.6),
        (lambda p: p.model.binding.k_int_target, 0.24),
        (lambda p: p.model.binding.copies_target, jnp.array([[1e5], [3e4], [3e3]])),
        (lambda p: p.model.binding.area_target, jnp.array([[300.0], [500.0], [400.0]])),
        (lambda p: p.model.engagement.k_kill, jnp.array([[7.0], [0.8], [0.3]])),
        (lambda p: p.model.t_cells.k_home, 0.0042),
        (lambda p: p.model.targets.baseline, jnp.stack([normal, malignant, low])),
        (lambda p: p.model.targets.k_home, jnp.array([[0.02], [0.01], [0.005]])),
        (lambda p: p.model.targets.k_growth, jnp.array([[0.001], [0.025], [0.02]])),
        (lambda p: p.model.targets.k_exchange, jnp.array([0.0, 0.5, 0.1, 0.2])),
        (lambda p: p.model.targets.blood_ratio, jnp.array([0.0, 0.02, 0.1, 0.3])),
        (lambda p: p.model.targets.k_depletion, jnp.array([0.7, 0.1, 0.1, 0.05])),
        (lambda p: p.model.targets.depletion50, 2.0),
        (lambda p: p.model.lesions.weight, jnp.array([1.0, 0.5, 2.0, 0.3, 0.8, 0.6])),
        (lambda p: p.model.lesions.k_kill, jnp.array([0.8, 0.3, 2.0, 1.2, 0.1, 0.5])),
        (lambda p: p.model.lesions.growth_factor, jnp.array([1.0, 2.0, 0.5, 1.5, 0.8, 1.2])),
        (lambda p: p.model.lesions.weight_resting, 0.4),
        (lambda p: p.model.lesions.loss_share, 0.01),
        (lambda p: p.model.lesions.loss_copies, 0.1),
        (lambda p: p.model.lesions.loss_kill, 0.2),
        (lambda p: p.model.lesions.one_cell, 3.0),
        (lambda p: p.model.lesions.m_protein_baseline, 30.0),
        (lambda p: p.model.lesions.k_protein, 0.05),
    ):
        p = fill(p, where, value)
    return p


def busy(p: Parameters, system: System, rng: np.random.Generator) -> State:
    """A random state during treatment, with every entry well above the numerical guards."""

    def around(scale: Any, low: float = 0.3, high: float = 1.5) -> jax.Array:
        scale = np.asarray(scale)
        return jnp.asarray(scale * rng.uniform(low, high, scale.shape))

    m, pool = p.model, p.model.t_cells.baseline
    model = system.initial(p).model
    bridges = model.bridges
    if isinstance(bridges, Bridges):
        bridges = Bridges(around(np.full((3, 4), 50.0)))
    elif isinstance(bridges, Complexes):
        bridges = Complexes(*(around(np.full((3, 4), size)) for size in (3.0, 5.0, 0.2)))
    adaptation = model.adaptation
    if isinstance(adaptation, Adapted):
        adaptation = Adapted(around(np.full(4, 1e-3)))
    axes = model.axes
    if isinstance(axes, Axes):
        axes = Axes(around(0.2), None if axes.leak is None else around(0.3))
    lesions = model.lesions
    if lesions.positive is not None:
        lesions = LesionCells(
            positive=around(1e4 * np.ones_like(lesions.positive)),
            loss=around(200.0 * np.ones_like(lesions.loss)),
            dying=around(300.0 * np.ones_like(lesions.dying)),
            exhaustion=around(0.3 * np.ones_like(lesions.exhaustion)),
            new_lesions=None if lesions.new_lesions is None else around(0.2),
            m_protein=None if lesions.m_protein is None else around(25.0),
        )
    return State(
        model=dataclasses.replace(
            model,
            lesions=lesions,
            drug=Drug(
                depot=around(30.0),
                lymph_1=around(10.0),
                lymph_2=around(7.0),
                soluble=around([20.0, 6.0, 4.0, 5.0]),
                peripheral=around(12.0),
                soluble_target=around([0.7, 0.4, 2.0, 0.2]),
                competitor=around(3.0),
                eliminated=around(9.0),
                internalized=around(2.0),
                died=around(1.0),
            ),
            bridges=bridges,
            t_cells=TCells(*(around(share * pool) for share in (0.6, 0.2, 0.3))),
            adaptation=adaptation,
            margination=around(0.4),
            targets=Targets(viable=around(m.targets.baseline), dying=around(900.0)),
            release=Release(around(300.0), around(200.0), around(20.0)),
            cytokines=Cytokines(
                blood=m.cytokines.baseline + around([200.0, 40.0, 30.0, 250.0, 100.0, 900.0]),
                myeloid=around(0.2),
                tolerant=around(0.3),
            ),
            severity=around(0.5),
            axes=axes,
        ),
        supportive=jax.tree.map(lambda leaf: around(3.0), system.initial(p).supportive),
    )


def units(module: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Path, declared unit and value of every quantity of a Module."""
    for field in dataclasses.fields(module):
        value, name = getattr(module, field.name), f"{path}{field.name}"
        if value is None:  # a state that a form lacks
            continue
        if "unit" in field.metadata:
            yield name, field.metadata["unit"], value
        elif dataclasses.is_dataclass(value):
            yield from units(value, f"{name}.")


def with_each(module: Any, change: Any, path: str = "") -> Any:
    """Replace every quantity of a Module by `change(path, unit, value)`."""
    changes = {}
    for field in dataclasses.fields(module):
        value, name = getattr(module, field.name), f"{path}{field.name}"
        if value is None:
            continue
        if "unit" in field.metadata:
            changes[field.name] = change(name, field.metadata["unit"], value)
        elif dataclasses.is_dataclass(value):
            changes[field.name] = with_each(value, change, f"{name}.")
    return dataclasses.replace(module, **changes)
