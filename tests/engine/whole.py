"""Simulations of the whole model for a few different patients and short regimens."""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from qsp.engine import batch
from qsp.engine.batch import Batch
from qsp.engine.method import Method
from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.system import CORE_KINDS, Parameters, System
from qsp.trial.schedule import Events
from tests.engine.toy import stacked
from tests.model.patient import typical

END = 5.0
GRID = np.linspace(0.0, END, 11)
EVENTS, PERIODS = 8, 4
THRESHOLDS = (0.343, 0.52, 0.95, 1.25)
NMOL_PER_MG = 1000.0 / 146.0
IV, SC, TOCILIZUMAB, DEXAMETHASONE = range(4)

# (time, kind, amount, duration, period)
STEP_UP = (
    (-1 / 24, DEXAMETHASONE, 20.0, 0.02, 0),
    (0.0, IV, 1.0 * NMOL_PER_MG, 4 / 24, 1),
    (1.5, IV, 2.0 * NMOL_PER_MG, 4 / 24, 2),
    (3.0, IV, 60.0 * NMOL_PER_MG, 4 / 24, 3),
)
FLAT = (
    (0.0, IV, 60.0 * NMOL_PER_MG, 4 / 24, 1),
    (0.5, TOCILIZUMAB, 560.0, 1 / 24, 0),
    (2.5, IV, 60.0 * NMOL_PER_MG, 2 / 24, 2),
)
OTHER = (
    (0.0, SC, 5.0 * NMOL_PER_MG, 0.0, 1),
    (1.0, IV, 5.0, 0.0, 2),
    (2.0, IV, 3.0, 2.0, 3),
)


def variant(n: int, p: Parameters) -> Parameters:
    """Return patient n, with individual potency, IL-6 production, killing and B-cell number."""
    spread = np.exp(0.5 * np.random.default_rng(n).standard_normal(4)) if n else np.ones(4)
    low = p.model.targets.baseline[0, 0] * spread[3]
    ratio = p.model.targets.blood_ratio[0, 1] * spread[3]
    return eqx.tree_at(
        lambda p: (
            p.model.synapse.alpha,
            p.model.cytokines.p_IL6,
            p.model.engagement.k_kill,
            p.model.targets.baseline,
            p.model.targets.blood_ratio,
        ),
        p,
        (
            p.model.synapse.alpha * spread[0],
            p.model.cytokines.p_IL6 * spread[1],
            p.model.engagement.k_kill * spread[2],
            p.model.targets.baseline.at[0, 0].set(low),
            p.model.targets.blood_ratio.at[0, 1].set(ratio),
        ),
    )


def sim(n: int, doses: tuple[tuple, ...], p: Parameters | None = None) -> Simulation:
    """Return the simulation of patient n under a regimen."""
    table = [*doses] + [(np.inf, -1, 0.0, 0.0, 0)] * (EVENTS - len(doses))
    time, kind, amount, duration, period = map(np.array, zip(*table, strict=True))
    rate = np.divide(amount, duration, out=np.zeros(EVENTS), where=duration > 0)
    patient = variant(n, typical() if p is None else p)
    return Simulation(
        parameters=jax.tree.map(np.asarray, patient),
        events=Events(time, kind.astype(np.int32), amount, rate, duration, period.astype(np.int32)),
        thresholds=np.broadcast_to(np.array(THRESHOLDS), (PERIODS, 4)),
        begin=np.array(min(0.0, float(time[0]))),
        end=np.array(END),
    )


def run(*sims: Simulation, grid: Any = GRID, method: Method | None = None) -> SimulationResult:
    """Run simulations in one batch and return their results."""
    chosen = Batch(stacked(*sims), (np.asarray(grid),))
    return batch.simulate(chosen, System(), method or Method(), kinds=CORE_KINDS)[0]
