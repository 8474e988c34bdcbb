"""Each rule against an implementation that judges one visit at a time, on generated courses.

Sizes are on a coarse grid that contains the limits, so that courses often meet a limit exactly.
"""

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from qsp.response import Blasts, Imwg, Lugano, Recist
from tests.response import reference
from tests.response.courses import (
    LESIONS,
    VISITS,
    events,
    exact,
    judged,
    leukemia,
    myeloma,
    same,
    scans,
)


def grid(*values):
    return st.sampled_from(values)


TIMES = st.lists(st.integers(-14, 400), min_size=1, max_size=VISITS, unique=True).map(sorted)
REGULAR = st.integers(1, VISITS).map(lambda n: [42 * (k + 1) for k in range(n)])
END = grid(inf, inf, inf, 30, 84, 100, 210)
LONG = grid(0.2, 0.4, 0.8, 1.2, 1.4, 1.5, 1.6, 1.8, 2.0, 2.1, 2.4, 2.5, 3.0, 3.1, 3.6, 4.0)
VIABLE = grid(0.0, 0.1, 0.14, 0.15, 0.2, 5.0)
LESION = st.tuples(LONG, LONG, VIABLE).map(lambda e: (max(e[:2]), min(e[:2]), e[2]))


def visits_of(draw, times, measure):
    """A measure at each visit, every fourth one missed."""
    optional = st.one_of(st.none(), measure, measure, measure)
    return [draw(optional) for _ in times]


@st.composite
def lesion_courses(draw):
    times = draw(st.one_of(TIMES, REGULAR))
    width = draw(st.integers(1, LESIONS))
    each = st.lists(LESION, min_size=width, max_size=width)
    new = draw(st.lists(grid(False, False, False, True), min_size=len(times), max_size=len(times)))
    return times, visits_of(draw, times, each), draw(each), new, draw(END), draw(END)


@given(lesion_courses(), st.booleans(), st.booleans())
@settings(max_examples=400)
def test_lugano(course, pet, lyric):
    times, visits, start, new, death, clinical = course
    found = judged(Lugano(pet, lyric), scans(times, visits, start, new), events(death, clinical))
    same(
        found,
        reference.lugano(
            times, exact(visits), exact(start), new, death, clinical, pet=pet, lyric=lyric
        ),
    )


@given(lesion_courses(), st.booleans(), st.booleans())
@settings(max_examples=400)
def test_recist(course, nodal, confirmed):
    times, visits, start, new, death, clinical = course
    rule = Recist(nodal=nodal, confirmed=confirmed)
    found = judged(rule, scans(times, visits, start, new), events(death, clinical))
    sizes = [None if v is None else [exact(node[int(nodal)]) for node in v] for v in visits]
    before = [exact(node[int(nodal)]) for node in start]
    expected = reference.recist(
        times, sizes, before, new, death, clinical, confirmed=confirmed, nodal=nodal
    )
    same(found, expected)


PROTEIN = grid(0.0, 0.01, 0.02, 0.1, 0.14, 0.15, 0.25, 1.0, 2.0, 5.0, 7.0, 8.0, 10.0, 12.5, 20.0)
CELLS = grid(0.0, 0.1, 1.0, 1.0, 2.4, 2.5)
SHARE = grid(0.0, 0.01, 0.04, 0.05, 0.3)


@st.composite
def myeloma_courses(draw):
    times = draw(st.one_of(TIMES, REGULAR))
    width = draw(grid(0, 0, 1, 2))
    extra = st.lists(LESION, min_size=width, max_size=width)
    visit = st.tuples(PROTEIN, CELLS, SHARE, extra)
    start = (draw(grid(0.2, 10.0, 20.0)), 1.0, draw(SHARE), draw(extra))
    often = st.lists(grid(False, False, False, False, True), min_size=len(times))
    new = draw(often)[: len(times)]
    isotype = draw(st.integers(0, 2))
    return times, visits_of(draw, times, visit), start, new, isotype, draw(END), draw(END)


@given(myeloma_courses())
@settings(max_examples=600)
def test_imwg(course):
    times, visits, start, new, isotype, death, clinical = course
    found = judged(Imwg(), myeloma(times, visits, start, new, isotype), events(death, clinical))
    expected = reference.imwg(times, exact(visits), exact(start), new, isotype, death, clinical)
    same(found, expected)


@given(
    st.one_of(TIMES, REGULAR),
    st.data(),
    grid(0.05, 0.2, 0.6),
    st.booleans(),
    END,
    END,
)
@settings(max_examples=200)
def test_blasts(times, data, start, recovers, death, clinical):
    shares = visits_of(data.draw, times, grid(0.0, 0.01, 0.04, 0.05, 0.06, 0.2, 0.6, 0.9))
    found = judged(Blasts(), leukemia(times, shares, start, recovers), events(death, clinical))
    same(found, reference.blasts(times, exact(shares), exact(start), recovers, death, clinical))
