"""Simulate populations, with many arms in one compiled program.

In addition to the reductions of a run, the largest negative value of each state is recorded, in
units of its absolute tolerance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from qsp import system
from qsp.engine.batch import Batch, simulate
from qsp.engine.method import Method
from qsp.engine.trajectory import Simulation
from qsp.model import ModelStructure
from qsp.model.cytokines import CYTOKINES
from qsp.model.severity import AbstractSeverity
from qsp.populations import Population
from qsp.system import DOSE_KINDS, System
from tests.scenarios import Dose, events, with_idle


class RecordsNegative(System):
    """The default system, which also records how far each state falls below zero."""

    def ends(self, x: system.State, p: system.Parameters) -> tuple[Any, jax.Array]:
        extremes, secreting = super().ends(x, p)
        tolerance = self.negligible(x, p)
        below = jax.tree.map(lambda leaf, atol: -leaf / atol, x, tolerance)
        return (extremes, below), secreting


@dataclasses.dataclass(frozen=True)
class Arm:
    """Patients and their doses."""

    people: Population
    doses: tuple[Dose, ...]
    days: float = 84.0


@dataclasses.dataclass(frozen=True)
class ArmResult:
    """Result of an arm: reductions (patient, dose_period, ...) and final states."""

    arm: Arm
    reductions: Any
    final: system.State
    failed: np.ndarray

    def peak(self, name: str, period: int = 1) -> np.ndarray:
        """Return the peak of a cytokine in a dose period (patient,) [pg/mL]."""
        return np.asarray(self.reductions.peak.cytokines)[:, period - 1, CYTOKINES.index(name)]

    def largest(self, name: str) -> np.ndarray:
        """Return the largest peak of a cytokine over all dose periods (patient,) [pg/mL]."""
        periods = max(dose.period for dose in self.arm.doses)
        return np.max([self.peak(name, period) for period in range(1, periods + 1)], axis=0)

    def rate(self, period: int, grade: int = 1) -> float:
        """Return the fraction of patients with CRS of at least a grade in a dose period."""
        return float(np.mean(np.asarray(self.reductions.crossing.grade)[:, period - 1] >= grade))

    def worst(self, grade: int = 1) -> float:
        """Return the fraction of patients with CRS of at least a grade in any dose period."""
        return float(np.mean(np.asarray(self.reductions.crossing.grade).max(1) >= grade))

    @property
    def volume(self) -> np.ndarray:
        """Tumor volume at the end, relative to baseline (patient,)."""
        tumor, first = self.final.model.targets, self.arm.people.parameters.model.targets.baseline
        last = np.asarray(tumor.viable)[:, 1:].sum((1, 2)) + np.asarray(tumor.dying)
        return last / np.asarray(first)[:, 1:].sum((1, 2))

    @property
    def below_zero(self) -> Mapping[str, float]:
        """Largest negative value of each state in any patient, in units of its tolerance."""
        below = self.reductions.extreme[1]
        return {
            jax.tree_util.keystr(path): float(np.max(leaf))
            for path, leaf in jax.tree_util.tree_leaves_with_path(below)
        }


def treat(arms: Mapping[str, Arm], structure: ModelStructure | None = None) -> dict[str, ArmResult]:
    """Simulate every patient of every arm at the default tolerance.

    Args:
        arms: Arms by name.
        structure: Structural choices of the model; by default those of the default model.
    """
    recording = RecordsNegative(structure or ModelStructure())
    sims = [_simulations(arm, recording.structure.severity) for arm in arms.values()]
    together = with_idle(jax.tree.map(lambda *leaves: np.concatenate(leaves), *sims))
    result, _ = simulate(Batch(together, ()), recording, Method(), kinds=len(DOSE_KINDS))
    cuts = np.cumsum([len(arm.people) for arm in arms.values()])
    parts = [
        slice(last - len(arm.people), last) for arm, last in zip(arms.values(), cuts, strict=True)
    ]
    return {
        name: ArmResult(
            arm=arm,
            reductions=jax.tree.map(
                lambda leaf, part=part: leaf[part, 1:], result.periods.reductions
            ),
            final=jax.tree.map(lambda leaf, part=part: leaf[part], result.final),
            failed=np.asarray(result.failed)[part],
        )
        for (name, arm), part in zip(arms.items(), parts, strict=True)
    }


def _simulations(arm: Arm, severity: AbstractSeverity) -> Simulation:
    people, count = arm.people, len(arm.people)
    levels = jax.vmap(lambda xi, xi_dose, p: severity.thresholds(xi, xi_dose, p.model.severity))
    begin = min([0.0, *(dose.time for dose in arm.doses)])
    table = events([arm.doses])
    return Simulation(
        parameters=people.parameters,
        events=jax.tree.map(lambda leaf: np.repeat(leaf, count, axis=0), table),
        thresholds=np.asarray(levels(people.xi_patient, people.xi_dose, people.parameters)),
        begin=np.full(count, float(begin)),
        end=np.full(count, float(arm.days)),
    )
