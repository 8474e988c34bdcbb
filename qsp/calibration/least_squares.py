"""Least squares by the method of Levenberg and Marquardt, with priors and separable experiments.

Parameters are whitened: each is a standard normal number a priori, and its prior counts as one more
residual. Residuals come from experiments that can be evaluated separately, such as the trials of
one molecule, and each experiment names the parameters on which it depends. A derivative needs only
the experiments that depend on its parameter.

Finite differences cost far more than a step. Between them, the derivatives are updated from the
differences of the residuals along each step, as long as the steps lower the cost (Broyden's method;
with derivatives that are known to be zero, Schubert 1970, Math Comput 24:27).

Experiments are deterministic. Every evaluation is stored in a folder under the hash of its input,
so that an interrupted fit continues where it stopped, with the same bits.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

STEP = 0.2
"""Step of the finite differences, in prior standard deviations."""

LARGEST = 3.0
"""Largest distance of a parameter from its prior median, in prior standard deviations."""

UPDATES = 4
"""Largest number of steps with updated derivatives between two computations of them."""

LEAST_DECREASE = 0.01
"""Relative decrease of the cost below which no further step has updated derivatives."""

_DAMPING = (1e-3, 10.0, 1e6)  # smallest, factor, largest
_TRIES = 2
"""Dampings that are tried in a step with updated derivatives."""


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Residuals that are computed together.

    Args:
        name: Name, unique within a problem.
        parameters: Names of the parameters on which the residuals depend.
        residuals: Function of these parameters (whitened), in their order. It returns the
            differences between simulated and observed values, each divided by its error.
        version: Text that changes whenever the residuals change at the same parameters.
    """

    name: str
    parameters: tuple[str, ...]
    residuals: Callable[[Vector], Vector]
    version: str = ""


@dataclasses.dataclass(frozen=True)
class Fit:
    """Result of a fit.

    Args:
        names: Names of the parameters.
        z: Whitened parameters (parameter,).
        residuals: Residuals at `z` by experiment, without the prior.
        jacobian: Derivatives (residual, parameter), by finite differences some steps before and
            updated since.
        history: Cost after each step, the first before any.
    """

    names: tuple[str, ...]
    z: Vector
    residuals: Mapping[str, Vector]
    jacobian: Vector
    history: tuple[float, ...]

    @property
    def cost(self) -> float:
        """Sum of squared residuals, priors included."""
        return _cost(self.residuals, self.z)


class Evaluations:
    """Evaluations of experiments, each stored in a file.

    Args:
        experiments: Experiments of the problem.
        folder: Folder of the files; None keeps them in memory only.
        on_evaluation: Called after each evaluation that was not stored yet.
    """

    def __init__(
        self,
        experiments: Sequence[Experiment],
        folder: Path | None = None,
        on_evaluation: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.experiments = tuple(experiments)
        self.folder = folder
        self._on_evaluation = on_evaluation
        self._known: dict[str, Vector] = {}

    def __call__(self, names: Sequence[str], z: Vector) -> dict[str, Vector]:
        """Return the residuals of all experiments by name."""
        return {each.name: self.of(each, names, z) for each in self.experiments}

    def of(self, experiment: Experiment, names: Sequence[str], z: Vector) -> Vector:
        """Return the residuals of one experiment."""
        own = np.array([z[names.index(name)] for name in experiment.parameters], float)
        text = f"{experiment.name}\n{experiment.version}\n{experiment.parameters}\n"
        key = hashlib.sha256(text.encode() + own.tobytes()).hexdigest()
        if key not in self._known:
            stored = self._read(key)
            self._known[key] = self._new(experiment, own, key) if stored is None else stored
        return self._known[key]

    def _read(self, key: str) -> Vector | None:
        file = None if self.folder is None else self.folder / f"{key}.npy"
        return np.load(file, allow_pickle=False) if file is not None and file.exists() else None

    def _new(self, experiment: Experiment, own: Vector, key: str) -> Vector:
        found = np.asarray(experiment.residuals(own), float)
        if not np.isfinite(found).all():
            values = dict(zip(experiment.parameters, own.tolist(), strict=True))
            raise ValueError(f"{experiment.name}: a residual is not finite at {values} (whitened)")
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = self.folder / f"{key}.{os.getpid()}.part"  # several fits may share the folder
            with draft.open("wb") as file:
                np.save(file, found, allow_pickle=False)
            os.replace(draft, self.folder / f"{key}.npy")
        self._on_evaluation(experiment.name)
        return found


def fit(
    evaluations: Evaluations,
    names: Sequence[str],
    start: Vector,
    *,
    iterations: int = 8,
    tolerance: float = 1e-3,
    report: Callable[[int, float], None] = lambda iteration, cost: None,
) -> Fit:
    """Minimize the sum of squared residuals and squared parameters from a start.

    Args:
        evaluations: Experiments.
        names: Names of the parameters.
        start: Whitened parameters at the start (parameter,).
        iterations: Largest number of Jacobians.
        tolerance: Relative decrease of the cost below which the fit stops.
        report: Called with the number of Jacobians and the cost after each step.
    """
    names = tuple(names)
    z = np.clip(np.asarray(start, float), -LARGEST, LARGEST)
    now = _Point(z, evaluations(names, z))
    known = _known(evaluations, names, now)
    jacobian, damping = np.zeros(known.shape), _DAMPING[0] * 10.0
    history = [now.cost]
    report(0, now.cost)
    for iteration in range(1, iterations + 1):
        before = now.cost
        jacobian = _jacobian(evaluations, names, now)
        for update in range(UPDATES + 1):
            tries = None if update == 0 else _TRIES
            better, after = _step(evaluations, names, now, jacobian, damping, tries)
            if better is None:
                break
            damping = after
            jacobian = _updated(jacobian, known, now, better)
            decrease, now = 1.0 - better.cost / now.cost, better
            history.append(now.cost)
            report(iteration, now.cost)
            if decrease < LEAST_DECREASE:
                break
        if now.cost == before or before - now.cost < tolerance * before:
            break
    return Fit(names, now.z, now.residuals, jacobian, tuple(history))


@dataclasses.dataclass(frozen=True)
class _Point:
    """Parameters and their residuals by experiment."""

    z: Vector
    residuals: Mapping[str, Vector]

    @property
    def cost(self) -> float:
        return _cost(self.residuals, self.z)

    @property
    def vector(self) -> Vector:
        """Residuals of all experiments, one after another."""
        return np.concatenate(list(self.residuals.values()))


def _known(evaluations: Evaluations, names: Sequence[str], now: _Point) -> NDArray[np.bool_]:
    """Whether a residual may depend on a parameter (residual, parameter)."""
    rows = [
        np.tile(np.isin(names, each.parameters), (len(now.residuals[each.name]), 1))
        for each in evaluations.experiments
    ]
    return np.concatenate(rows)


def _updated(jacobian: Vector, known: NDArray[np.bool_], now: _Point, then: _Point) -> Vector:
    """Return the derivatives that explain the residuals at the end of a step, row by row.

    Of all such derivatives, these differ least from the ones before.
    """
    moved = np.where(known, then.z - now.z, 0.0)
    missing = then.vector - now.vector - (jacobian * moved).sum(axis=1)
    length = (moved**2).sum(axis=1)
    return jacobian + moved * (missing / np.where(length > 0.0, length, 1.0))[:, None]


def _step(  # noqa: PLR0913
    evaluations: Evaluations,
    names: Sequence[str],
    now: _Point,
    jacobian: Vector,
    damping: float,
    tries: int | None = None,
) -> tuple[_Point | None, float]:
    """Point of lower cost, or None after a number of tries, and the damping of the next step."""
    least, factor, largest = _DAMPING
    normal = jacobian.T @ jacobian + np.eye(len(now.z))
    gradient = jacobian.T @ now.vector + now.z
    tried = 0
    while damping <= largest and (tries is None or tried < tries):
        scaled = normal + damping * np.diag(np.diag(normal))
        z = np.clip(now.z - np.linalg.solve(scaled, gradient), -LARGEST, LARGEST)
        found = _Point(z, evaluations(names, z))
        if found.cost < now.cost:
            return found, max(least, damping / factor)
        damping, tried = damping * factor, tried + 1
    return None, damping


def _jacobian(evaluations: Evaluations, names: Sequence[str], now: _Point) -> Vector:
    """Derivatives (residual, parameter) of the residuals, without those of the prior.

    Differences are taken toward the prior median, so that no point leaves the prior range.
    """
    columns = []
    for j, name in enumerate(names):
        step = -STEP if now.z[j] > 0.0 else STEP
        moved = now.z.copy()
        moved[j] += step
        found = _differences(evaluations, names, name, moved, now.residuals)
        columns.append(np.concatenate(list(found)) / step)
    return np.stack(columns, axis=1)


def _differences(
    evaluations: Evaluations,
    names: Sequence[str],
    name: str,
    moved: Vector,
    residuals: Mapping[str, Vector],
) -> Iterator[Vector]:
    for experiment in evaluations.experiments:
        before = residuals[experiment.name]
        if name in experiment.parameters:
            yield evaluations.of(experiment, names, moved) - before
        else:
            yield np.zeros_like(before)


def _cost(residuals: Mapping[str, Vector], z: Vector) -> float:
    return float(sum(r @ r for r in residuals.values()) + z @ z)
