"""Each rule against an implementation that judges one visit at a time, on generated courses.

Hypothesis chooses the seed and the options. A course is a walk on a coarse grid that contains the
limits, so that it often meets a limit exactly.
"""

from dataclasses import dataclass
from math import inf

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp.response.blasts import Blasts
from qsp.response.imwg import Imwg
from qsp.response.lugano import Lugano
from qsp.response.recist import Recist
from tests.response import reference
from tests.response.courses import (
    LESIONS,
    VISITS,
    events,
    exact,
    judged_all,
    leukemia,
    myeloma,
    row,
    scans,
)

PATIENTS, EXAMPLES = 100, 12
SEEDS = st.integers(0, 2**32 - 1)
FLAGS = st.booleans()


@dataclass
class Walk:
    """Random courses of one patient."""

    draws: np.random.Generator

    def choice(self, *values):
        return values[self.draws.integers(len(values))]

    def times(self):
        n = self.draws.integers(1, VISITS + 1)
        gaps = [self.choice(14, 27, 28, 29, 42, 42) for _ in range(n)]
        return [int(day) for day in self.choice(0, 0, 0, -28) + np.cumsum(gaps)]

    def visits(self, times, measure):
        """A measure at each visit, some missed."""
        return [None if self.draws.uniform() < 0.2 else measure() for _ in times]

    def new(self, times):
        return [bool(self.draws.uniform() < 0.04) for _ in times]

    def ends(self):
        return [self.choice(*[inf] * 6, 30, 84, 100, 210) for _ in range(2)]

    def lesions(self, width):
        """A function that returns the lesions of the next visit; they change by a common trend."""
        long = [self.choice(12, 16, 20, 25, 30, 50) for _ in range(width)]  # mm
        trend = self.choice(-6, -3, -1, 0)

        def step():
            nonlocal trend
            trend = self.choice(trend, trend, trend, 2, -6)
            is_clear = self.draws.uniform() < 0.5
            for n in range(width):
                change = trend + self.choice(-1, 0, 0, 0, 1, 5, 6)
                long[n] = max(2, long[n] + self.choice(1, 1, 1, 2) * change)
            low = (0.0, 0.1, 0.14) if is_clear else (0.0, 0.14, 0.15, 0.2, 5.0)
            return [(d / 10, self.short(d), self.choice(*low)) for d in long]

        return step

    def short(self, long):
        return max(1, long - self.choice(0, 0, 0, 5)) / 10


def of_lesions(walk):
    times, width = walk.times(), walk.draws.integers(1, LESIONS + 1)
    step = walk.lesions(width)
    start = step()
    return times, walk.visits(times, step), start, walk.new(times), *walk.ends()


def walks(seed):
    return [Walk(draws) for draws in np.random.default_rng(seed).spawn(PATIENTS)]


def compared(rule, courses, visits_of, expected):
    """Compare a rule with the reference in all courses; their last two numbers are the events."""
    found = judged_all(rule, [(visits_of(*each[:-2]), events(*each[-2:])) for each in courses])
    rows = np.array([row(expected(*course)) for course in courses])
    np.testing.assert_allclose(found, rows, rtol=1e-9, atol=1e-9)


@given(SEEDS, FLAGS, FLAGS)
@settings(max_examples=EXAMPLES)
def test_lugano(seed, pet, lyric):
    def expected(times, visits, start, *rest):
        return reference.lugano(times, exact(visits), exact(start), *rest, pet=pet, lyric=lyric)

    compared(Lugano(pet, lyric), [of_lesions(walk) for walk in walks(seed)], scans, expected)


@given(SEEDS, FLAGS, FLAGS)
@settings(max_examples=EXAMPLES)
def test_recist(seed, nodal, confirmed):
    def expected(times, visits, start, *rest):
        sizes = [None if v is None else [exact(node[int(nodal)]) for node in v] for v in visits]
        before = [exact(node[int(nodal)]) for node in start]
        return reference.recist(times, sizes, before, *rest, confirmed=confirmed, nodal=nodal)

    rule = Recist(nodal=nodal, confirmed=confirmed)
    compared(rule, [of_lesions(walk) for walk in walks(seed)], scans, expected)


def of_myeloma(walk):
    times, isotype = walk.times(), walk.choice(0, 1, 2)
    scale = 0.02 if isotype == 2 else 1.0
    width = walk.choice(0, 0, 1, 2)
    lesions = walk.lesions(width)
    grid = [
        0,
        1,
        14,
        15,
        16,
        100,
        200,
        210,
        250,
        700,
        800,
        1000,
        1010,
        1250,
        2000,
        2010,
        2500,
        2510,
    ]
    if isotype == 2:
        grid = [0, 50, 99, 100, 101, 200, 500, 600, 601, 1000, 1500]
    at = first = walk.choice(len(grid) - 1, len(grid) - 4)

    def step():
        nonlocal at
        at = int(np.clip(at + walk.choice(-4, -2, -1, -1, 0, 0, 1, 2), 0, len(grid) - 1))
        cells = walk.choice(*[0.0, 0.1, 1.0] * 5, 2.4, 2.5)
        share = walk.choice(0.0, 0.01, 0.04, 0.05, 0.06)
        protein = grid[at] * scale / 100
        return round(protein, 6), cells, share, lesions()

    start = (round(grid[first] * scale / 100, 6), 1.0, 0.3, lesions())
    return times, walk.visits(times, step), start, walk.new(times), isotype, *walk.ends()


@given(SEEDS)
@settings(max_examples=2 * EXAMPLES)
def test_imwg(seed):
    def expected(times, visits, start, *rest):
        return reference.imwg(times, exact(visits), exact(start), *rest)

    compared(Imwg(), [of_myeloma(walk) for walk in walks(seed)], myeloma, expected)


def of_leukemia(walk):
    times = walk.choice([28, 70], [28, 69, 70], walk.times(), walk.times())
    grid = (0.0, 0.01, 0.04, 0.05, 0.06, 0.2, 0.6)
    shares = walk.visits(times, lambda: walk.choice(*grid))
    return times, shares, walk.choice(0.05, 0.2, 0.6), walk.choice(True, False), *walk.ends()


@given(SEEDS)
@settings(max_examples=EXAMPLES)
def test_blasts(seed):
    def expected(times, shares, start, *rest):
        return reference.blasts(times, exact(shares), exact(start), *rest)

    compared(Blasts(), [of_leukemia(walk) for walk in walks(seed)], leukemia, expected)
