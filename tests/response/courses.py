"""Courses of patients as arrays of the rules, and as the numbers of the reference."""

from fractions import Fraction

import jax
import numpy as np

from qsp.response.blasts import BlastVisits
from qsp.response.events import Events
from qsp.response.geometry import Lesions, Scans
from qsp.response.imwg import Disease, MyelomaVisits
from qsp.response.outcomes import Outcomes

VISITS, LESIONS = 9, 4
"""Shape to which courses are padded with missed visits and absent lesions, so that each rule is
compiled once."""


def exact(value):
    """Return a decimal number, a list of them, or None as fractions."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [exact(each) for each in value]
    return Fraction(str(value))


def events(death=np.inf, clinical=np.inf):
    return Events(np.asarray(float(death)), np.asarray(float(clinical)))


def array(values):
    return np.asarray(np.asarray(values, float))


def lesions(visits):
    """Lesions of visits, each None or a list of (long, short, viable)."""
    filled = np.full((len(visits), LESIONS, 3), np.nan)
    for n, each in enumerate(visits):
        if each:
            filled[n, : len(each)] = each
    return Lesions(*(array(filled[..., n]) for n in range(3)))


def scans(times, visits, start, new=None):
    """Scans of a patient from lists; see `lesions`."""
    baseline = Lesions(*(each[0] for each in lesions([start])))
    return Scans(padded(times), lesions(longer(visits)), baseline, flags(new))


def padded(times):
    """Times of visits, followed by visits that are missed."""
    return array([*times, *(max(times) + 1.0 + n for n in range(VISITS - len(times)))])


def longer(visits):
    return [*visits, *[None] * (VISITS - len(visits))]


def flags(values):
    return np.asarray(np.resize([*(values or []), *[False] * VISITS], VISITS))


def by_long(times, diameters, start, new=None, viable=1.0):
    """Scans from longest diameters, with shortest ones in the proportion of an ellipsoid."""

    def lesion(long):
        return (long, 0.9 / 1.15 * long, viable)

    visits = [None if each is None else [lesion(d) for d in each] for each in diameters]
    return scans(times, visits, [lesion(d) for d in start], new)


def myeloma(times, visits, start, new=None, isotype=0):
    """Visits from tuples (protein, cells, share, plasmacytomas)."""

    def disease(rows):
        numbers = [(np.nan,) * 3 if row is None else row[:3] for row in rows]
        columns = np.array(numbers, float).T
        extra = lesions([None if row is None else row[3] for row in rows])
        return Disease(*(array(each) for each in columns), extra)

    first = jax.tree.map(lambda leaf: leaf[0], disease([start]))
    kind = np.asarray(int(isotype))
    return MyelomaVisits(padded(times), disease(longer(visits)), first, flags(new), kind)


def leukemia(times, shares, start, recovers=True):
    filled = [np.nan if each is None else each for each in longer(shares)]
    return BlastVisits(padded(times), array(filled), array(start), np.asarray(recovers))


_judge = jax.jit(lambda rule, visits, when: rule(visits, when), static_argnums=0)
_judge_all = jax.jit(lambda rule, visits, when: jax.vmap(rule)(visits, when), static_argnums=0)


def judged(rule, visits, when=None):
    """Outcomes of a rule as Python numbers."""
    return plain(_judge(rule, visits, when or events()))


def judged_all(rule, patients):
    """Outcomes of patients, each a pair of visits and events, as rows of numbers; see `row`."""
    visits, when = jax.tree.map(lambda *leaves: np.stack(leaves), *patients)
    leaves = jax.tree.leaves(_judge_all(rule, visits, when))
    return np.column_stack([np.asarray(leaf, float) for leaf in leaves])


def plain(outcomes):
    """Outcomes as Python numbers."""
    found = jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), outcomes)
    return found._replace(
        progression_free=tuple(found.progression_free),
        response=tuple(found.response),
        complete=tuple(found.complete),
    )


def row(result):
    """Result of the reference as numbers in the order of `Outcomes`."""
    missed = VISITS - len(result.category)
    values = result.__dict__ | {
        "category": [*result.category, *[0] * missed],
        "change": [*result.change, *[np.nan] * missed],
    }
    return np.hstack([np.asarray(values[name], float) for name in Outcomes._fields])
