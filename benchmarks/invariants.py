"""Conservation of drug, states below zero, and derivatives in patients of each disease. JSON lines.

    .venv/bin/python benchmarks/invariants.py [--patients 10000]

Each disease has the approved regimen of one molecule with its rules; lymphoma also has a molecule
with two target arms, whose bridges have a square root at zero. A row has the worst of all patients:

* `conservation`: drug in the body and in the sinks, over the doses until then, minus 1, on day 1
  and at the end of the trial;
* `lowest`: the lowest value of a state, in units of its absolute tolerance, at the ends of all
  steps of the solver; `lowest_state` is its name;
* `not_finite`: number of patients with a derivative of a rate that is not finite, with respect to
  any state or parameter, before treatment, on day 1 and at the end.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from rows import Row, emit, row

from qsp import model, process
from qsp.engine.batch import Batch, simulate
from qsp.engine.precision import double
from qsp.engine.trajectory import Simulation, SimulationResult
from qsp.engine_input import administered_kinds, simulations
from qsp.model.disposition import total_drug
from qsp.run import Prepared
from qsp.system import DOSE_KINDS, Parameters, State, System, program_kinds
from qsp.trial import KINDS
from qsp.validation.study import APPROVED, of_arms, prepare

CASES: Mapping[str, str] = {
    "lymphoma": "mosunetuzumab_iv",
    "lymphoma, two target arms": "glofitamab",
    "myeloma": "teclistamab",
    "small cell lung cancer": "tarlatamab",
    "uveal melanoma": "tebentafusp",
    "acute lymphoblastic leukemia": "blinatumomab_all",
}
"""Study of each disease."""
FIRST_DAY = 1.0
IV, SC = (KINDS.index(name) for name in ("drug_iv", "drug_sc"))


class RecordsNegative(System):
    """Equations that also record how far each state falls below zero."""

    def ends(self, x: State, p: Parameters) -> tuple[Any, jax.Array]:
        """Return the extremes, with the negative states in units of their tolerances."""
        extremes, secreting = super().ends(x, p)
        below = jax.tree.map(lambda leaf, atol: -leaf / atol, x, self.negligible(x, p))
        return (extremes, below), secreting


def main() -> None:
    """Simulate each disease and print its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10_000)
    arguments = parser.parse_args()
    process.start()
    for case, study in CASES.items():
        with double():
            figures = _measure(case, study, arguments.patients)
        emit(figures)


@dataclasses.dataclass(frozen=True)
class Worst:
    """Worst figures of some patients.

    Args:
        conservation: Largest relative error of total drug [1].
        below: Largest negative value of each state, in units of its tolerance, by name.
        not_finite: Number of patients with a derivative that is not finite.
        failures: Number of patients in whom the solver failed.
    """

    conservation: float
    below: Mapping[str, float]
    not_finite: int
    failures: int

    def joined(self, other: Worst) -> Worst:
        """Return the worst figures of both groups of patients."""
        return Worst(
            max(self.conservation, other.conservation),
            {name: max(depth, other.below[name]) for name, depth in self.below.items()},
            self.not_finite + other.not_finite,
            self.failures + other.failures,
        )


def _measure(case: str, study: str, patients: int) -> Row:
    """Return the row of a disease."""
    prepared = of_arms(prepare(study, patients=patients, seed=1), (APPROVED,))
    worst = functools.reduce(Worst.joined, map(_block, prepared.in_blocks()))
    deepest = max(worst.below, key=lambda name: worst.below[name])
    return row(
        "invariants",
        prepared.method.solver.lower(),
        case=case,
        molecule=prepared.table.molecule.name,
        patients=patients,
        days=prepared.trial.days,
        rtol=prepared.method.rtol,
        conservation=float(f"{worst.conservation:.3g}"),
        lowest=float(f"{-worst.below[deepest]:.3g}"),
        lowest_state=deepest,
        not_finite=worst.not_finite,
        failures=worst.failures,
    )


def _block(prepared: Prepared) -> Worst:
    """Simulate a block of patients until day 1 and until the end."""
    system = RecordsNegative(prepared.system.structure)
    whole, _ = simulations(prepared.trial, prepared.cohort, system.structure.severity)
    first_day = np.full_like(whole.end, FIRST_DAY)
    early = eqx.tree_at(lambda sims: sims.end, whole, first_day)
    kinds = program_kinds(administered_kinds(whole))
    results = [
        simulate(Batch(sims, ()), system, prepared.method, kinds=kinds)[0]
        for sims in (early, whole)
    ]
    solved = ~np.logical_or.reduce([result.failed for result in results])
    errors = [_imbalance(*pair, system) for pair in zip((early, whole), results, strict=True)]
    states = [jax.vmap(system.initial)(whole.parameters), *(result.final for result in results)]
    finite = _finite(system)
    is_finite = np.all([np.asarray(finite(x, whole.parameters)) for x in states], axis=0)
    return Worst(
        conservation=float(np.max(errors, axis=0)[solved].max()),
        below=_below(results[1], solved),
        not_finite=int(np.sum(~is_finite[solved])),
        failures=int(np.sum(~solved)),
    )


def _imbalance(sims: Simulation, result: SimulationResult, system: System) -> np.ndarray:
    """(patient,): Return the relative difference of total drug at the end from the doses [1]."""

    def total(x: State, p: Parameters) -> jax.Array:
        bulk = model.algebraic(x.model, p.model, system.structure).bulk
        return total_drug(x.model.drug, bulk, p.model.disposition, p.model.tissues)

    administered = np.zeros(len(sims.end))
    for table in (sims.events, *(() if result.ledger is None else (result.ledger,))):
        time, length = np.asarray(table.time), np.asarray(table.duration)
        elapsed = sims.end[:, None] - time
        share = np.where(length > 0.0, elapsed / np.where(length > 0.0, length, 1.0), elapsed >= 0)
        amount = np.asarray(table.amount) * np.clip(share, 0.0, 1.0)
        available = sims.parameters.model.disposition.bioavailability[:, None]
        factor = np.where(table.kind == IV, 1.0, np.where(table.kind == SC, available, 0.0))
        administered += np.sum(np.where(np.isfinite(time), factor * amount, 0.0), axis=1)
    found = np.asarray(jax.jit(jax.vmap(total))(result.final, sims.parameters))
    return np.abs(found / administered - 1.0)


def _below(result: SimulationResult, solved: np.ndarray) -> dict[str, float]:
    """Return the largest negative value of each state in any patient, in units of its tolerance."""
    _, below = result.periods.reductions.extreme
    return {
        jax.tree_util.keystr(path).removeprefix(".model."): float(np.max(leaf[solved]))
        for path, leaf in jax.tree.leaves_with_path(below)
    }


@functools.cache
def _finite(system: System) -> Callable[[State, Parameters], jax.Array]:
    """Return a function of patients: whether the rates have finite derivatives in each of them.

    One derivative that is not finite makes the gradient of the sum of the rates not finite.
    """

    def is_finite(x: State, p: Parameters) -> jax.Array:
        at, tree = ravel_pytree((x, p))

        def total(variables: jax.Array) -> jax.Array:
            state, parameters = tree(variables)
            infusion = jnp.ones(len(DOSE_KINDS))
            rates = system.rates(jnp.asarray(FIRST_DAY), state, parameters, infusion)
            return ravel_pytree(rates)[0].sum()

        return jnp.all(jnp.isfinite(jax.grad(total)(at)))

    return jax.jit(jax.vmap(is_finite))


if __name__ == "__main__":
    main()
