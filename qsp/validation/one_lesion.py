"""One lesion without exhaustion against the tumor as one pool of cells.

The typical patient has mosunetuzumab for 6 hours on days 0, 7 and 14. Both forms are solved by the
classical method of Runge and Kutta with one fixed step, so that results of equal equations differ
by rounding alone.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from qsp import model, molecules, shipped
from qsp.engine.precision import double
from qsp.model.tissues import ANTIGEN_LOW, MALIGNANT, TUMOR, TUMOR_KINDS
from qsp.model.tumors import AbstractTumor, Lesions, Pool
from qsp.populations import nominal, read_cohort
from qsp.system import DOSE_KINDS, Parameters, State, System
from qsp.trial import KINDS

MOLECULE, POPULATION = "mosunetuzumab", "nhl"
STEP = 1 / 128
"""Step [day]: rates are up to 21 per day."""
DAYS = 16
INFUSION = 4 * 400.0
"""Rate of the infusion [nmol/day]."""
KILL = 8.0
"""Killing rate of malignant cells [1/day]: more than half of them are killed."""


def largest_difference(antigen_low: float) -> float:
    """Return the largest difference of a state from that of the pool, of its largest value [1].

    Args:
        antigen_low: Share of the cells in the loss clone; the clone of the lesion is that of the
            pool.
    """
    with double():
        p = like_pool(typical(), antigen_low)
        return difference(course(Lesions(1), p), course(Pool(), p))


def difference(found: model.State, expected: model.State) -> float:
    """Return the largest difference of a state, relative to the largest expected value of it [1].

    It is infinite if a state that should be 0 is not.

    Args:
        found: States from `course`.
        expected: States from `course`, some of which may be absent.
    """
    own = dict(jax.tree.leaves_with_path(jax.device_get(found)))
    differences = [0.0]
    for path, value in jax.tree.leaves_with_path(jax.device_get(expected)):
        most, scale = np.abs(own[path] - value).max(), np.abs(value).max()
        differences.append(most / scale if scale else math.inf if most else 0.0)
    return float(max(differences))


def typical() -> Parameters:
    """Return the parameters of the typical patient."""
    cohort = read_cohort(shipped.folder("populations") / f"{POPULATION}.toml")
    return jax.tree.map(jnp.asarray, nominal(molecules.load(MOLECULE), cohort).nominal())


def with_lesions(p: Parameters, **values: float | Sequence[float] | jax.Array) -> Parameters:
    """Return parameters with other values of the lesions; a number serves all lesions.

    Args:
        p: Parameters of a patient.
        **values: Values by name of the field of `qsp.model.lesions.LesionParameters`.
    """
    of_lesions = dataclasses.replace(
        p.model.lesions,
        **{
            name: jnp.broadcast_to(jnp.asarray(value, float), getattr(p.model.lesions, name).shape)
            for name, value in values.items()
        },
    )
    return eqx.tree_at(lambda p: p.model.lesions, p, of_lesions)


def like_pool(p: Parameters, antigen_low: float) -> Parameters:
    """Return a patient whose lesions are killed as one pool, without exhaustion.

    Args:
        p: Parameters of a patient.
        antigen_low: Share of antigen-low cells in the tumor, and of the loss clone in each lesion.
    """
    b, e, t = p.model.binding, p.model.engagement, p.model.targets
    cells = t.baseline[TUMOR_KINDS, TUMOR].sum()
    shares = cells * jnp.array([1.0 - antigen_low, antigen_low])
    k_kill = e.k_kill.at[MALIGNANT, TUMOR].set(KILL)
    p = eqx.tree_at(
        lambda p: (p.model.targets.baseline, p.model.engagement.k_kill),
        p,
        (t.baseline.at[TUMOR_KINDS, TUMOR].set(shares), k_kill),
    )
    return with_lesions(
        p,
        k_kill=k_kill[MALIGNANT, TUMOR],
        growth_factor=1.0,
        weight_resting=0.0,
        k_exhaust=0.0,
        loss_share=antigen_low,
        loss_copies=b.copies_target[ANTIGEN_LOW, TUMOR] / b.copies_target[MALIGNANT, TUMOR],
        loss_kill=k_kill[ANTIGEN_LOW, TUMOR] / k_kill[MALIGNANT, TUMOR],
        one_cell=0.0,
    )


def course(tumor: AbstractTumor, p: Parameters) -> model.State:
    """Return the states at the end of each day; leaves have a leading day axis.

    Args:
        tumor: Form of the tumor.
        p: Parameters of a patient.
    """
    of = System(model.ModelStructure(tumor=tumor))
    return _days(of, p, of.initial(p)).model


@functools.partial(jax.jit, static_argnums=0)
def _days(of: System, p: Parameters, x: State) -> State:
    per_day = round(1 / STEP)

    def day(x: State, n: jax.Array) -> tuple[State, State]:
        x, _ = jax.lax.scan(functools.partial(_step, of, p), x, n * per_day + jnp.arange(per_day))
        return x, x

    return jax.lax.scan(day, x, jnp.arange(DAYS))[1]


def _step(of: System, p: Parameters, x: State, n: jax.Array) -> tuple[State, None]:
    """Return the state after one step."""
    time = n.astype(float) * STEP
    dosed = (jnp.mod(time, 7.0) < 0.25) & (time < 15.0)
    infusion = jnp.zeros(len(DOSE_KINDS)).at[KINDS.index("drug_iv")]
    rate = infusion.set(jnp.where(dosed, INFUSION, 0.0))

    def slope(t: Any, x: State) -> State:
        return of.rates(t, x, p, rate)

    def moved(x: State, k: State, h: float) -> State:
        return jax.tree.map(lambda a, b: a + h * b, x, k)

    k1 = slope(time, x)
    k2 = slope(time + STEP / 2, moved(x, k1, STEP / 2))
    k3 = slope(time + STEP / 2, moved(x, k2, STEP / 2))
    k4 = slope(time + STEP, moved(x, k3, STEP))
    total = jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, k1, k2, k3, k4)
    return moved(x, total, STEP), None
