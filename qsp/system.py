"""System of equations for the engine: the model, the supportive drugs, and the route of each dose.

It implements `qsp.engine.interface.AbstractSystem`: a state, its derivative, doses by kind, and the
quantities to reduce, save and measure.
"""

import dataclasses
import operator
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from qsp import model
from qsp.drugs import COMPETITOR, DOSE_KINDS
from qsp.interventions import (
    Supportive,
    SupportiveParameters,
    effects,
    no_drugs,
    supportive_bolus,
    supportive_rates,
)
from qsp.model.axes import fever
from qsp.model.cytokines import IL6, steroid_factor
from qsp.model.interleukin1 import il1
from qsp.model.lesion_measures import lesion_volumes, loss_fractions, viable_volumes
from qsp.model.lesions import Attack, LesionCells
from qsp.model.targets import TargetParameters, tumor_volume
from qsp.model.temperature import NORMAL_TEMPERATURE, temperature_rise
from qsp.model.tissues import BLOOD, NORMAL, SKIN
from qsp.model.tolerance import DRUG, negligible
from qsp.typing import Scalar
from qsp.units import Description, declarations

MEASURED = ("il6", "tumor_change", "t_cells", "b_cells", "temperature")
"""Measurements at a visit that dosing rules can use."""

CORE_KINDS = 4
"""Number of kinds of dose in the usual program: both routes of the molecule and the first two
supportive drugs. A trial that gives any other drug has a program with all kinds, so that there are
two programs in total, and rare drugs cost nothing where they are not used."""


class Parameters(eqx.Module):
    """Parameters of one patient with one molecule and the supportive drugs."""

    model: model.Parameters
    supportive: SupportiveParameters


class State(eqx.Module):
    """State of one patient at one time."""

    model: model.State
    supportive: Supportive


class Peaks(eqx.Module):
    """Quantities whose maximum per dose period is recorded.

    Leak is None with one axis of severity.
    """

    cytokines: jax.Array
    drug: Scalar
    severity: Scalar
    fever: Scalar
    leak: Scalar | None


class Extremes(eqx.Module):
    """Quantities whose maximum is taken over the ends of steps, between which they do not peak."""

    occupancy: Scalar
    trimers: jax.Array
    rash: Scalar


class Areas(eqx.Module):
    """Quantities whose integral per dose period is recorded."""

    drug: Scalar


class Flows(eqx.Module):
    """Quantities that are integrated by the trapezoidal rule between the ends of steps.

    Args:
        secreting: (tissue,): Secreting cells seen from blood [Mcell].
        attack: Attack on target cells; None unless `System.integrates_attack`.
    """

    secreting: jax.Array
    attack: Attack | None = None


class LesionSnapshot(eqx.Module):
    """Values of lesions at one time; None where the tumor or the disease does not have them.

    Args:
        volume: (lesion,): Volume with dying cells [L].
        viable: (lesion,): Volume of viable cells [L].
        loss_share: (lesion,): Share of the loss clone in the viable cells [1].
        exhaustion: (lesion,): Share of the killing that exhaustion has removed [1].
        new_lesions: Cumulative hazard of new lesions [1].
        m_protein: M-protein in serum [g/L].
    """

    volume: jax.Array | None = None
    viable: jax.Array | None = None
    loss_share: jax.Array | None = None
    exhaustion: jax.Array | None = None
    new_lesions: Scalar | None = None
    m_protein: Scalar | None = None


class Snapshot(eqx.Module):
    """Values of a trajectory at one time; leak is None with one axis of severity."""

    drug_central: Scalar
    cytokines: jax.Array
    il1: Scalar
    crs_severity: Scalar
    fever: Scalar
    leak: Scalar | None
    t_cells_blood: Scalar
    b_cells_blood: Scalar
    tumor_volume: Scalar
    lesions: LesionSnapshot


class ExtendedSnapshot(Snapshot):
    """Snapshot with further states and algebraic quantities, in the order of `System.saved`."""

    saved: tuple[jax.Array, ...]


class System(eqx.Module):
    """Model and supportive drugs.

    Args:
        structure: Structure of the model.
        saved: Paths of further states and algebraic quantities in snapshots; see `saveable`.
        integrates_attack: Whether the attack on target cells is integrated in each dose period, for
            lesions alone after the last one (`Trial.lesions_alone_after`).
    """

    structure: model.ModelStructure = model.ModelStructure()
    saved: tuple[str, ...] = eqx.field(static=True, default=())
    integrates_attack: bool = eqx.field(static=True, default=False)

    def initial(self, p: Parameters) -> State:
        """Return the state before the first dose of any drug."""
        return State(model=model.baseline(p.model, self.structure), supportive=no_drugs())

    def negligible(self, x: State, p: Parameters) -> State:
        """Return the absolute tolerance of each state."""
        supportive = jax.tree.map(lambda leaf: jnp.full_like(leaf, DRUG), x.supportive)
        return State(model=negligible(x.model, p.model), supportive=supportive)

    def rates(self, time: Scalar, x: State, p: Parameters, infusion: jax.Array) -> State:
        """Return the derivative of the state.

        Args:
            time: Days since the first dose of the molecule.
            x: State.
            p: Parameters.
            infusion (dose kind,): Current rates of infusion [nmol/day or mg/day].
        """
        rate = _by_kind(infusion)
        now = effects(x.supportive, p.supportive)
        dosing = model.Dosing(rate["drug_iv"], rate["drug_sc"], rate[COMPETITOR.name])
        return State(
            model=model.rates(time, x.model, dosing, p.model, now, self.structure),
            supportive=supportive_rates(x.supportive, rate, p.supportive),
        )

    def bolus(self, x: State, p: Parameters, amount: jax.Array) -> State:
        """Return the state after boluses; `amount` (dose kind,) [nmol or mg].

        The competitor has no bolus (`qsp.drugs.COMPETITOR`); an amount of it is ignored.
        """
        dose = _by_kind(amount)
        return State(
            model=model.bolus(x.model, dose["drug_iv"], dose["drug_sc"], p.model, self.structure),
            supportive=supportive_bolus(x.supportive, dose),
        )

    def peaks(self, x: State, p: Parameters) -> Peaks:
        """Return the quantities that are maximized anywhere inside a step."""
        m = x.model
        rise, leak = _fever_and_leak(m)
        return Peaks(
            cytokines=m.cytokines.blood,
            drug=m.drug.soluble[BLOOD],
            severity=m.severity,
            fever=rise,
            leak=leak,
        )

    def ends(self, x: State, p: Parameters) -> tuple[Extremes, Flows]:
        """Return the quantities maximized over the ends of steps, and those integrated between."""
        now = model.algebraic(x.model, p.model, self.structure)
        occupancy = now.bulk.occupancy_target[NORMAL, BLOOD]
        rash = now.killing[NORMAL, SKIN]
        trimers = now.bridges.max(0)
        return Extremes(occupancy=occupancy, trimers=trimers, rash=rash), Flows(
            now.secreting, now.attack if self.integrates_attack else None
        )

    def signals(self, peaks: Peaks) -> jax.Array:
        """Return the quantity (grade,) that is compared with the threshold of each grade."""
        return self.structure.severity.signals(peaks.severity, peaks.fever, peaks.leak)

    def areas(self, x: State, p: Parameters) -> Areas:
        """Return the quantities that are integrated."""
        return Areas(drug=x.model.drug.soluble[BLOOD])

    def snapshot(self, x: State, p: Parameters) -> Snapshot:
        """Return the values of a trajectory."""
        m, now = x.model, effects(x.supportive, p.supportive)
        rise, leak = _fever_and_leak(m)
        making = m.cytokines.myeloid * steroid_factor(now, p.model.cytokines)
        snapshot = Snapshot(
            drug_central=m.drug.soluble[BLOOD],
            cytokines=m.cytokines.blood,
            il1=il1(making, p.model.interleukin1),
            crs_severity=m.severity,
            fever=rise,
            leak=leak,
            t_cells_blood=m.t_cells.total[BLOOD],
            b_cells_blood=m.targets.viable[NORMAL, BLOOD],
            tumor_volume=tumor_volume(m.targets, p.model.targets),
            lesions=lesion_snapshot(m.lesions, p.model.targets),
        )
        return self._extended(snapshot, x, p) if self.saved else snapshot

    def course(self, x: State, p: Parameters) -> Snapshot:
        """Return the values of a trajectory over time: without lesions, unless `saved` has them."""
        return dataclasses.replace(self.snapshot(x, p), lesions=LesionSnapshot())

    def _extended(self, snapshot: Snapshot, x: State, p: Parameters) -> ExtendedSnapshot:
        """The snapshot with further states and algebraic quantities."""
        states = {item.path for item in declarations(model.State)}
        now = None
        if not states.issuperset(self.saved):
            now = model.algebraic(x.model, p.model, self.structure)
        saved = tuple(
            operator.attrgetter(path)(x.model if path in states else now) for path in self.saved
        )
        return ExtendedSnapshot(**vars(snapshot), saved=saved)

    def measured(
        self,
        snapshot: Snapshot,
        first: Snapshot,
        levels: jax.Array,
        error: jax.Array,
        p: Parameters,
    ) -> jax.Array:
        """Return the measurements of a visit, in the order of `MEASURED`.

        Args:
            snapshot: Snapshot at the visit.
            first: Snapshot at the start of the trial.
            levels: (grade,): Thresholds of the running event, else of the dose period.
            error: (measured,): Factor of the error of each measurement; for temperature, of the
                rise above 37 degrees Celsius.
            p: Parameters.
        """
        blood = p.model.tissues.volume[BLOOD]
        signal = snapshot.fever
        size = snapshot.tumor_volume / jnp.where(first.tumor_volume > 0.0, first.tumor_volume, 1.0)
        values = {
            "il6": snapshot.cytokines[IL6] * error[0],
            "tumor_change": size * error[1] - 1.0,
            "t_cells": snapshot.t_cells_blood / blood * error[2],
            "b_cells": snapshot.b_cells_blood / blood * error[3],
            "temperature": NORMAL_TEMPERATURE + temperature_rise(signal, levels[0]) * error[4],
        }
        return jnp.stack([values[name] for name in MEASURED])


def lesion_snapshot(x: LesionCells, p: TargetParameters) -> LesionSnapshot:
    """Return volumes of lesions, and the quantities of the whole disease.

    Args:
        x: Lesions at one time.
        p: Density of cells.
    """
    if x.positive is None:
        return LesionSnapshot()
    return LesionSnapshot(
        volume=lesion_volumes(x, p),
        viable=viable_volumes(x, p),
        loss_share=loss_fractions(x),
        exhaustion=x.exhaustion,
        new_lesions=x.new_lesions,
        m_protein=x.m_protein,
    )


def _fever_and_leak(x: model.State) -> tuple[Scalar, Scalar | None]:
    """Fever, and leak or None."""
    return fever(x.severity, x.axes), x.axes.leak


def saveable() -> dict[str, Description]:
    """Return the states and algebraic quantities that snapshots may have, by path."""
    kinds = (model.State, model.Algebraic)
    return {item.path: item for kind in kinds for item in declarations(kind)}


def absent(system: System, p: Parameters) -> frozenset[str]:
    """Return the states and algebraic quantities that a structure of the model does not have."""
    x = jax.eval_shape(system.initial, p).model
    now = jax.eval_shape(
        lambda p: model.algebraic(system.initial(p).model, p.model, system.structure), p
    )
    states = {item.path for item in declarations(model.State)}
    return frozenset(
        path
        for path in saveable()
        if operator.attrgetter(path)(x if path in states else now) is None
    )


def program_kinds(kind: Any) -> int:
    """Return the number of kinds of dose of a program: `CORE_KINDS`, or all.

    Args:
        kind: Indices into `DOSE_KINDS` of all administrations, -1 where padded.
    """
    return CORE_KINDS if np.max(kind, initial=-1) < CORE_KINDS else len(DOSE_KINDS)


def _by_kind(dosing: jax.Array) -> Mapping[str, Scalar]:
    """Return amounts or rates by kind of dose, zero for kinds that the program leaves out."""
    absent = [jnp.zeros_like(dosing[0])] * (len(DOSE_KINDS) - len(dosing))
    return dict(zip(DOSE_KINDS, [*dosing, *absent], strict=True))
