"""All possible paths of a trial by recursion, as a reference that shares no code with the designs.

A path is the sequence of the results of its cohorts. `all_paths` follows a rule for one trial in
plain Python; `potential` constructs patients whose trials take given paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Path(NamedTuple):
    """A trial: cohorts as (level, size, toxicities), its recommendation (-1 for none)."""

    cohorts: tuple[tuple[int, int, int], ...]
    selected: int

    def totals(self, levels: int) -> tuple[list[int], list[int]]:
        """Patients and toxicities by level."""
        n, y = [0] * levels, [0] * levels
        for level, size, dlts in self.cohorts:
            n[level] += size
            y[level] += dlts
        return n, y

    def chance(self, rates) -> float:
        return math.prod(
            math.comb(size, dlts) * rates[level] ** dlts * (1 - rates[level]) ** (size - dlts)
            for level, size, dlts in self.cohorts
        )


Rule = Callable[[tuple[tuple[int, int, int], ...]], tuple[str, int, int]]
"""From the cohorts so far: ("treat", level, size) or ("end", selected level, 0)."""


def all_paths(rule: Rule, cohorts=()) -> list[Path]:
    what, level, size = rule(cohorts)
    if what == "end":
        return [Path(cohorts, level)]
    return [
        path
        for dlts in range(size + 1)
        for path in all_paths(rule, (*cohorts, (level, size, dlts)))
    ]


def potential(paths: list[Path], levels: int, patients: int) -> np.ndarray:
    """Return patients (path, patient, level) whose trials take these paths; random elsewhere."""
    found = np.random.default_rng(0).random((len(paths), patients, levels)) < 0.5
    for place, path in enumerate(paths):
        first = 0
        for level, size, dlts in path.cohorts:
            found[place, first : first + size, level] = np.arange(size) < dlts
            first += size
    return found


def expected(paths: list[Path], rates) -> dict[str, np.ndarray]:
    """Return exact operating characteristics at true rates."""
    levels = len(rates)
    chance = np.array([path.chance(rates) for path in paths])
    totals = np.array([path.totals(levels) for path in paths])
    chosen = np.array([path.selected for path in paths])
    return {
        "total": chance.sum(),
        "selected": np.array([chance[chosen == level].sum() for level in range(levels)]),
        "none_selected": chance[chosen == -1].sum(),
        "patients": chance @ totals[:, 0],
        "dlts": chance @ totals[:, 1],
        "trial_size": chance @ totals[:, 0].sum(axis=1),
    }


def three_plus_three(levels: int, *, six: bool) -> Rule:
    """The rule in the words of a protocol, with a memory of levels that were too toxic."""

    def rule(cohorts):
        level, ceiling = 0, levels - 1
        n, y = [0] * levels, [0] * levels
        for at, _, dlts in cohorts:
            assert at == level
            n[level] += 3
            y[level] += dlts
            if y[level] >= 2:
                ceiling = level - 1
                level -= 1
                if level < 0 or not six or n[level] == 6:
                    return "end", level, 0
            elif n[level] == 3 and y[level] == 1:
                pass
            elif level < ceiling:
                level += 1
            elif n[level] == 6 or not six:
                return "end", level, 0
        return "treat", level, 3

    return rule


def boin(target: float, levels: int, cohort: int, largest: int, stop_at: int | None = None) -> Rule:
    """BOIN in rates and posterior probabilities, with a memory of eliminated levels."""
    low, high = 0.6 * target, 1.4 * target
    up = math.log((1 - low) / (1 - target)) / math.log(target * (1 - low) / (low * (1 - target)))
    down = math.log((1 - target) / (1 - high)) / math.log(
        high * (1 - target) / (target * (1 - high))
    )

    def rule(cohorts):
        level, allowed = 0, levels
        n, y = [0] * levels, [0] * levels
        for at, size, dlts in cohorts:
            assert at == level
            n[level] += size
            y[level] += dlts
            if too_toxic(n[level], y[level], target):
                allowed = min(allowed, level)
                if level == 0:
                    return "end", -1, 0
            before = level
            if y[level] / n[level] <= up and level + 1 < allowed:
                level += 1
            elif (y[level] / n[level] >= down or level >= allowed) and level > 0:
                level -= 1
            if sum(n) == largest or (
                stop_at is not None and level == before and n[level] >= stop_at
            ):
                return "end", nearest(n[:allowed], y[:allowed], target), 0
        return "treat", level, min(cohort, largest - sum(n))

    return rule


def too_toxic(n: int, y: int, target: float) -> bool:
    # P(Beta(1 + y, 1 + n - y) > target) = P(Binomial(n + 1, target) <= y).
    terms = (math.comb(n + 1, k) * target**k * (1 - target) ** (n + 1 - k) for k in range(y + 1))
    return n >= 3 and math.fsum(terms) > 0.95


def nearest(n: list[int], y: list[int], target: float) -> int:
    """Level with the rate nearest to the target, by pooling neighbors one pair at a time."""
    tried = [(n[k], y[k]) for k in range(len(n)) if n[k]]
    betas = [(b + 0.05, a - b + 0.05) for a, b in tried]
    blocks = [[a / (a + b), (a + b) ** 2 * (a + b + 1) / (a * b), 1] for a, b in betas]
    while any(a[0] > b[0] for a, b in zip(blocks, blocks[1:], strict=False)):
        k = next(k for k in range(len(blocks) - 1) if blocks[k][0] > blocks[k + 1][0])
        (v, w, count), (v2, w2, count2) = blocks[k : k + 2]
        blocks[k : k + 2] = [[(v * w + v2 * w2) / (w + w2), w + w2, count + count2]]
    rates = [value for value, _, count in blocks for _ in range(count)]
    # A small increase from level to level resolves ties: the last of equal rates below the target
    # is the nearest, and the first of those above it.
    distances = [abs(rate + 1e-10 * (k + 1) - target) for k, rate in enumerate(rates)]
    return distances.index(min(distances))
