"""A system of drug disposition alone, without dynamics of cells and cytokines.

Receptors are constant; without receptors the pharmacokinetics are linear and have closed-form
solutions.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from qsp.engine.batch import Batch, simulate
from qsp.engine.method import Method
from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.model.binding import BindingParameters, Bulk, Receptors, bulk
from qsp.model.disposition import (
    DispositionParameters,
    Dosing,
    Drug,
    Turnover,
    central_after_bolus,
    drug_baseline,
    drug_rates,
    total_drug,
)
from qsp.model.tissues import TissueParameters
from qsp.trial.schedule import Events

KINDS = 2  # IV, SC
EVENTS = 8


class Parameters(eqx.Module):
    disposition: DispositionParameters
    binding: BindingParameters
    tissues: TissueParameters
    receptors: Receptors


class DrugOnly(eqx.Module):
    """System for the engine: no CRS signal, and the central concentration in place of each peak."""

    def initial(self, p: Parameters) -> Drug:
        return drug_baseline(p.disposition)

    def negligible(self, x: Drug, p: Parameters) -> Drug:
        return eqx.tree_at(
            lambda x: (x.soluble, x.soluble_target),
            Drug(*[jnp.full((), 1e-6)] * 10),
            (jnp.full(4, 1e-6), jnp.full(4, 1e-6)),
        )

    def bulk(self, x: Drug, p: Parameters) -> Bulk:
        return bulk(x.soluble, x.soluble_target, x.competitor, p.receptors, p.binding)

    def rates(self, time: Array, x: Drug, p: Parameters, infusion: Array) -> Drug:
        no_change = Receptors(jnp.zeros_like(p.receptors.cd3), jnp.zeros_like(p.receptors.target))
        return drug_rates(
            time,
            x,
            Dosing(infusion[0], infusion[1], jnp.zeros(())),
            self.bulk(x, p),
            p.receptors,
            Turnover(no_change, no_change),
            p.disposition,
            p.binding,
            p.tissues,
        )

    def bolus(self, x: Drug, p: Parameters, amount: Array) -> Drug:
        equilibrium = lambda soluble: self.bulk(eqx.tree_at(lambda x: x.soluble, x, soluble), p)  # noqa: E731
        soluble = central_after_bolus(x.soluble, amount[0], equilibrium, p.disposition, p.tissues)
        depot = x.depot + p.disposition.bioavailability * amount[1]
        return eqx.tree_at(lambda x: (x.soluble, x.depot), x, (soluble, depot))

    def peaks(self, x: Drug, p: Parameters) -> Array:
        return x.soluble[0]

    def areas(self, x: Drug, p: Parameters) -> Array:
        return x.soluble[0]

    def ends(self, x: Drug, p: Parameters) -> tuple[Array, Array]:
        return x.soluble[0], x.soluble[0]

    def signals(self, peaks: Array) -> Array:
        return jnp.broadcast_to(0.0 * peaks, (4,))

    def course(self, x: Drug, p: Parameters) -> tuple[Drug, Array]:
        return self.snapshot(x, p)

    def snapshot(self, x: Drug, p: Parameters) -> tuple[Drug, Array]:
        return x, total_drug(x, self.bulk(x, p), p.disposition, p.tissues)


def regimen(*doses: tuple[float, int, float, float]) -> Events:
    """Events of one simulation from (time, kind, amount, duration), each in its own dose period."""
    rows = [(*dose, n) for n, dose in enumerate(doses, 1)]
    rows += [(np.inf, -1, 0.0, 0.0, 0)] * (EVENTS - len(rows))
    time, kind, amount, duration, period = map(np.array, zip(*rows, strict=True))
    rate = np.divide(amount, duration, out=np.zeros(EVENTS), where=duration > 0)
    return Events(time, kind.astype(np.int32), amount, rate, duration, period.astype(np.int32))


def run(sims: list[tuple[Parameters, Events]], grid: Any, end: float) -> SimulationResult:
    """Solve simulations at a tolerance of 1e-10, with states saved on a grid."""
    simulations = [
        Simulation(
            jax.tree.map(np.asarray, p),
            events,
            np.full((EVENTS, 4), np.inf),
            np.array(0.0),
            np.array(end),
        )
        for p, events in sims
    ]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *simulations)
    batch = Batch(stacked, (np.asarray(grid),))
    return simulate(batch, DrugOnly(), Method(rtol=1e-10), kinds=KINDS)[0]
