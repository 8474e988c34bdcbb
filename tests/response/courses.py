"""Courses of patients as arrays of the rules, and as the numbers of the reference."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np

from qsp.response import BlastVisits, Disease, Events, Lesions, MyelomaVisits, Outcomes, Scans

LIST = list[float] | None


def exact(value):
    """Return a decimal number, a list of them, or None as fractions."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [exact(each) for each in value]
    return Fraction(str(value))


def events(death=np.inf, clinical=np.inf):
    return Events(jnp.asarray(float(death)), jnp.asarray(float(clinical)))


def array(values):
    return jnp.asarray(np.asarray(values, float))


def lesions(visits, width):
    """Lesions of visits, each None or a list of (long, short, viable)."""
    missed = [(np.nan,) * 3] * width
    filled = np.array([missed if each is None else each for each in visits], float)
    return Lesions(*(array(filled[..., n]) for n in range(3)))


def scans(times, visits, start, new=None):
    """Scans of a patient from lists; see `lesions`."""
    at_start = lesions([start], len(start))
    baseline = Lesions(*(each[0] for each in at_start))
    seen = jnp.zeros(len(times), bool) if new is None else jnp.asarray(np.asarray(new, bool))
    return Scans(array(times), lesions(visits, len(start)), baseline, seen)


def by_long(times, diameters, start, new=None, viable=1.0):
    """Scans from longest diameters, with shortest ones in the proportion of an ellipsoid."""

    def lesion(long):
        return (long, 0.9 / 1.15 * long, viable)

    visits = [None if each is None else [lesion(d) for d in each] for each in diameters]
    return scans(times, visits, [lesion(d) for d in start], new)


def myeloma(times, visits, start, new=None, isotype=0):
    """Visits from tuples (protein, cells, share, plasmacytomas)."""
    width = max(len(start[3]), 1)
    none = [(np.nan,) * 3] * width

    def disease(rows):
        numbers = [(np.nan,) * 3 if row is None else row[:3] for row in rows]
        extra = [none if row is None or not row[3] else row[3] for row in rows]
        columns = np.array(numbers, float).T
        return Disease(*(array(each) for each in columns), lesions(extra, width))

    first = jax.tree.map(lambda leaf: leaf[0], disease([start]))
    seen = jnp.zeros(len(times), bool) if new is None else jnp.asarray(np.asarray(new, bool))
    return MyelomaVisits(array(times), disease(visits), first, seen, jnp.asarray(isotype))


def leukemia(times, shares, start, recovers=True):
    filled = [np.nan if each is None else each for each in shares]
    return BlastVisits(array(times), array(filled), array(start), jnp.asarray(recovers))


def plain(outcomes):
    """Outcomes as Python numbers."""
    found = jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), outcomes)
    return found._replace(
        progression_free=tuple(found.progression_free),
        response=tuple(found.response),
        complete=tuple(found.complete),
    )


def same(outcomes, result):
    """Compare the outcomes of a rule with the result of the reference."""
    found = plain(outcomes)
    for name in Outcomes._fields:
        np.testing.assert_allclose(
            np.asarray(getattr(found, name), float),
            np.asarray(getattr(result, name), float),
            rtol=1e-9,
            atol=1e-9,
            err_msg=name,
        )
