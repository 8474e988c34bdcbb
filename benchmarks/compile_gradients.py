"""Gradients of one patient, to be compiled: forward and reverse mode.

They are logarithmic sensitivities to potency, production of IL-6 and killing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import base_case
import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from qsp.engine.flatten import Flattened
from qsp.engine.method import Method
from qsp.engine.segments import max_segments
from qsp.engine.solvers.rock import ROCK4
from qsp.engine.solvers.step_control import PerStateTolerance
from qsp.engine.trajectory import NEVER, Simulation, solve_simulation
from qsp.engine_input import Cohort
from qsp.model.cytokines import IL6
from qsp.system import DOSE_KINDS, Parameters, System
from qsp.trial import Trial, event_table, period_table
from qsp.trial.schedule import Events

DAYS = 7
BOLUS = 10.0
"""Bolus of the molecule into the blood at the start of the reverse-mode solve [nmol]."""

GRADES = 4
MAX_STEPS = 4096
FACTORS = 3


def forward() -> tuple[Callable[[Any], Any], Any]:
    """Forward mode through a simulation of one week, with respect to the first parameter."""
    run = base_case.prepared(1, days=DAYS)
    sim = _simulation(run.trial, run.cohort)
    segments = max_segments(sim.events, sim.begin, sim.end, ())

    def endpoints(factors: Any) -> Any:
        changed = eqx.tree_at(lambda sim: sim.parameters, sim, _scaled(sim.parameters, factors))
        result = solve_simulation(
            changed, (), segments, system=System(), method=Method(), kinds=len(DOSE_KINDS)
        )
        peak = result.periods.reductions.peak.cytokines[1, IL6]
        return jnp.log(jnp.stack([peak, result.end.tumor_volume]))

    along = jnp.eye(FACTORS)[0]
    return lambda at: jax.jvp(endpoints, (at,), (along,)), jnp.zeros(FACTORS)


def reverse() -> tuple[Callable[[Any], Any], Any]:
    """Reverse mode with checkpoints through one solve of a week after a bolus."""
    first = base_case.prepared(1, days=DAYS).cohort.parameters[0]
    parameters = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), first)

    def tumor(factors: Any) -> Any:
        p = _scaled(parameters, factors)
        system = Flattened.of(System(), p)
        amount = jnp.zeros(len(DOSE_KINDS)).at[DOSE_KINDS.index("drug_iv")].set(BOLUS)
        end = _after_a_week(system, system.bolus(system.initial(p), p, amount), p)
        return jnp.log(system.snapshot(end, p).tumor_volume)

    return jax.value_and_grad(tumor), jnp.zeros(FACTORS)


def _after_a_week(system: Flattened, start: Any, p: Parameters) -> Any:
    method, nothing = Method(), jnp.zeros(len(DOSE_KINDS))
    pid = dfx.PIDController(rtol=0.0, atol=1.0, norm=jnp.abs, pcoeff=0.4, icoeff=0.3)
    solution = dfx.diffeqsolve(
        dfx.ODETerm(lambda t, y, p: system.rates(jnp.asarray(t), y, p, nothing)),
        ROCK4(),
        t0=0.0,
        t1=float(DAYS),
        dt0=method.first_step,
        y0=start,
        args=p,
        stepsize_controller=PerStateTolerance(
            pid, method.rtol, system.negligible(start, p), jnp.asarray(method.first_step)
        ),
        max_steps=MAX_STEPS,
        adjoint=dfx.RecursiveCheckpointAdjoint(),
    )
    if solution.ys is None:
        raise RuntimeError("the solve must save its last state")
    return solution.ys[-1]


def _scaled(p: Parameters, factors: Any) -> Parameters:
    """Parameters times exp(factors)."""
    m = p.model
    values = (m.synapse.alpha, m.cytokines.p_IL6, m.engagement.k_kill)
    return eqx.tree_at(
        lambda p: (p.model.synapse.alpha, p.model.cytokines.p_IL6, p.model.engagement.k_kill),
        p,
        tuple(value * jnp.exp(factor) for value, factor in zip(values, factors, strict=True)),
    )


def _simulation(trial: Trial, cohort: Cohort) -> Simulation:
    """Simulation of the first patient of a trial with one arm, with thresholds no grade reaches."""
    people = cohort.people.covariates
    events = event_table(trial, people["body_weight"], people["body_surface"])
    periods = period_table(trial, events).label.shape[-1]
    columns = (np.asarray(leaf)[0, 0] for leaf in events)
    return Simulation(
        parameters=jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), cohort.parameters[0]),
        events=Events(*columns),
        thresholds=np.full((periods, GRADES), NEVER),
        begin=np.asarray(float(trial.start)),
        end=np.asarray(float(trial.days)),
    )
