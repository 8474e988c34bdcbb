"""The system that is integrated: the model, the supportive drugs, and where doses go.

The engine sees only this: a state, its derivative, doses by kind, and what to observe.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from qsp import model
from qsp.interventions import (
    Infusions,
    Supportive,
    SupportiveParameters,
    effects,
    no_drugs,
    supportive_bolus,
    supportive_rates,
)
from qsp.model.cytokines import IL6, spared_by_steroid
from qsp.model.effects import no_effects
from qsp.model.interleukin1 import il1
from qsp.model.severity import NORMAL_TEMPERATURE, fever, hazard, inflammation
from qsp.model.targets import tumor_volume
from qsp.model.tissues import BLOOD, NORMAL, SKIN
from qsp.model.tolerance import DRUG, negligible
from qsp.typing import Scalar

DOSE_KINDS = (
    *("drug_iv", "drug_sc", "tocilizumab", "dexamethasone", "jak_inhibitor", "anti_tnf"),
    *("siltuximab", "anakinra", "kinase_inhibitor", "obinutuzumab"),
)
"""Kinds of dose, in the order of the event tables: nmol for the molecule, mg for the others."""

MEASURED = ("il6", "tumor_change", "t_cells", "b_cells", "temperature")
"""What a visit measures, for rules."""

CORE_KINDS = 4
"""The first kinds, which every program has; only one that gives another kind has them all. So there
are two programs whatever the arms give, and the usual one does not pay for what is rare."""


class Parameters(eqx.Module):
    """One patient with one molecule and the supportive drugs."""

    model: model.Parameters
    supportive: SupportiveParameters


class State(eqx.Module):
    """One patient at one moment."""

    model: model.State
    supportive: Supportive


class Peaks(eqx.Module):
    """Quantities whose maximum per dose period is kept."""

    cytokines: jax.Array
    drug: Scalar
    severity: Scalar


class Extremes(eqx.Module):
    """Quantities whose maximum is taken over the ends of steps: they have no peaks inside one."""

    occupancy: Scalar
    trimers: jax.Array
    rash: Scalar


class Areas(eqx.Module):
    """Quantities whose integral per dose period is kept."""

    drug: Scalar
    hazard: Scalar


class Snapshot(eqx.Module):
    """What a trajectory shows at one time."""

    drug_central: Scalar
    cytokines: jax.Array
    il1: Scalar
    crs_severity: Scalar
    t_cells_blood: Scalar
    b_cells_blood: Scalar
    tumor_volume: Scalar


class System(eqx.Module):
    """Model and supportive drugs in one form of the equations."""

    structure: model.ModelStructure = model.ModelStructure()

    def initial(self, p: Parameters) -> State:
        """Before the first dose of anything."""
        return State(model=model.baseline(p.model, self.structure), supportive=no_drugs())

    def negligible(self, x: State, p: Parameters) -> State:
        """Absolute tolerance of each state."""
        supportive = jax.tree.map(lambda leaf: jnp.full_like(leaf, DRUG), x.supportive)
        return State(model=negligible(x.model, p.model), supportive=supportive)

    def rates(self, time: Scalar, x: State, p: Parameters, infusion: jax.Array) -> State:
        """Derivative; `infusion` (dose kind,) holds the current rates [nmol/day or mg/day]."""
        iv, sc, *others, competitor = _every_kind(infusion)
        now = effects(x.supportive, p.supportive)
        given = model.Dosing(iv, sc, competitor)
        return State(
            model=model.rates(time, x.model, given, p.model, now, self.structure),
            supportive=supportive_rates(x.supportive, Infusions(*others), p.supportive),
        )

    def bolus(self, x: State, p: Parameters, amount: jax.Array) -> State:
        """The state after boluses; `amount` (dose kind,) [nmol or mg].

        Obinutuzumab is infused only: drug would leave its receptors at once.
        """
        iv, sc, *others, _ = _every_kind(amount)
        return State(
            model=model.bolus(x.model, iv, sc, p.model, self.structure),
            supportive=supportive_bolus(x.supportive, Infusions(*others)),
        )

    def peaks(self, x: State, p: Parameters) -> Peaks:
        """What is maximized, anywhere inside a step."""
        m = x.model
        return Peaks(cytokines=m.cytokines.blood, drug=m.drug.soluble[BLOOD], severity=m.severity)

    def ends(self, x: State, p: Parameters) -> tuple[Extremes, jax.Array]:
        """What is maximized over the ends of steps, and secretion by tissue [Mcell].

        Secretion is integrated by trapezoids between the ends.
        """
        now = model.algebraic(x.model, p.model, self.structure)
        occupancy = now.bulk.occupancy_target[NORMAL, BLOOD]
        rash = now.killing[NORMAL, SKIN]
        trimers = now.bridges.max(0)
        return Extremes(occupancy=occupancy, trimers=trimers, rash=rash), now.secreting

    def signal(self, peaks: Peaks) -> Scalar:
        """What crosses the thresholds of CRS."""
        return peaks.severity

    def areas(self, x: State, p: Parameters) -> Areas:
        """What is integrated."""
        m = p.model
        at_rest = inflammation(m.cytokines.baseline, no_effects(), m.severity)
        return Areas(
            drug=x.model.drug.soluble[BLOOD],
            hazard=hazard(x.model.severity, at_rest, m.severity),
        )

    def snapshot(self, x: State, p: Parameters) -> Snapshot:
        """What a trajectory shows."""
        m, now = x.model, effects(x.supportive, p.supportive)
        making = m.cytokines.myeloid * spared_by_steroid(now, p.model.cytokines)
        return Snapshot(
            drug_central=m.drug.soluble[BLOOD],
            cytokines=m.cytokines.blood,
            il1=il1(making, p.model.interleukin1),
            crs_severity=m.severity,
            t_cells_blood=m.t_cells.total[BLOOD],
            b_cells_blood=m.targets.viable[NORMAL, BLOOD],
            tumor_volume=tumor_volume(m.targets, p.model.targets),
        )

    def measured(
        self,
        snapshot: Snapshot,
        first: Snapshot,
        levels: jax.Array,
        error: jax.Array,
        p: Parameters,
    ) -> jax.Array:
        """What dosing rules look at, in the order of `MEASURED`.

        Args:
            snapshot: At the visit.
            first: At the start of the trial.
            levels (grade,): Thresholds of the dose period.
            error (measured,): Factor of each assay; of temperature, on its rise above 37.
            p: Parameters.
        """
        blood = p.model.tissues.volume[BLOOD]
        size = snapshot.tumor_volume / jnp.where(first.tumor_volume > 0.0, first.tumor_volume, 1.0)
        values = {
            "il6": snapshot.cytokines[IL6] * error[0],
            "tumor_change": size * error[1] - 1.0,
            "t_cells": snapshot.t_cells_blood / blood * error[2],
            "b_cells": snapshot.b_cells_blood / blood * error[3],
            "temperature": NORMAL_TEMPERATURE + fever(snapshot.crs_severity, levels[0]) * error[4],
        }
        return jnp.stack([values[name] for name in MEASURED])


def program_kinds(kind: Any) -> int:
    """Kinds of dose that a program must have.

    Args:
        kind: Of every administration there is.

    Returns:
        Their number: the first four, or all.
    """
    return CORE_KINDS if np.max(kind, initial=-1) < CORE_KINDS else len(DOSE_KINDS)


def _every_kind(given: jax.Array) -> list[Any]:
    """What is given of each kind; of kinds that a program leaves out, nothing."""
    return [*given, *[jnp.zeros_like(given[0])] * (len(DOSE_KINDS) - len(given))]
