"""Truths of all response rules, on random courses of many patients."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.response import geometry
from qsp.response.category import Category
from qsp.response.events import (
    Events,
    event_time,
    new_lesion_seen,
)
from qsp.response.geometry import Lesions, Scans
from qsp.response.lugano import Lugano
from qsp.response.recist import Recist

PATIENTS, VISITS, LESIONS = 1000, 6, 3
RULES = (Lugano(), Lugano(metabolic=False), Recist(), Recist(confirmed=False))
ALL = (*RULES, Lugano(confirm_first_progression=True))


def courses(seed=0, missed=0.2):
    """Volumes that shrink from 10 mL and grow again in some lesions; some visits are missed."""
    draws = np.random.default_rng(seed)
    shape = (PATIENTS, 1, LESIONS)
    time = 42.0 * np.arange(1, VISITS + 1)
    kill, grow = draws.gamma(0.7, 0.03, shape), draws.gamma(1.0, 0.01, shape)
    until = draws.uniform(0, 300, (PATIENTS, 1, 1))
    at = time[None, :, None]
    log = grow * at - kill * np.minimum(at, until)
    start = 10.0 * np.exp(0.9 * draws.standard_normal((PATIENTS, LESIONS)))
    volume = start[:, None] * np.exp(np.minimum(log, 4.0))
    error = geometry.error_factor(jnp.asarray(draws.standard_normal(volume.shape)))
    found = geometry.measured(jnp.asarray(volume), jnp.asarray(volume), error)
    skipped = jnp.asarray(draws.uniform(size=(PATIENTS, VISITS, 1)) < missed)
    found = Lesions(*(jnp.where(skipped, jnp.nan, each) for each in found))
    first = jnp.asarray(start)
    baseline = geometry.measured(first, first, jnp.ones_like(first))
    new = jnp.asarray(np.cumsum(draws.uniform(size=(PATIENTS, VISITS)) < 0.03, axis=1) > 0)
    death = draws.exponential(1500.0, PATIENTS)
    scans = Scans(np.broadcast_to(time, (PATIENTS, VISITS)), found, baseline, new)
    events = Events(np.where(death < 252.0, death, np.inf), np.full(PATIENTS, np.inf))
    return jax.tree.map(np.asarray, (scans, events))


@pytest.fixture(scope="module")
def patients():
    return courses()


_judge = jax.jit(lambda rule, scans, events: jax.vmap(rule)(scans, events), static_argnums=0)


def judge(rule, scans, events):
    return jax.tree.map(np.asarray, _judge(rule, scans, events))


def without(scans, missed):
    """The scans without visits of patients."""
    lesions = (np.where(missed[..., None], np.nan, each) for each in scans.lesions)
    return scans._replace(lesions=Lesions(*lesions))


def day(times):
    """Times of progression, infinite without."""
    return np.nan_to_num(times, nan=np.inf)


def equal(first, second):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), first, second)


@pytest.mark.parametrize("rule", ALL)
def test_courses_have_every_outcome(rule, patients):
    out = judge(rule, *patients)
    found = set(np.unique(out.best))
    needed = {Category.PROGRESSIVE, Category.STABLE, Category.PARTIAL, Category.NOT_EVALUABLE}
    assert needed <= found
    assert 0.1 < np.mean(out.progression_free.event) < 0.9


@pytest.mark.parametrize("rule", ALL)
def test_times_are_consistent(rule, patients):
    out = judge(rule, *patients)
    response = out.best >= Category.PARTIAL
    assert np.array_equal(np.isfinite(out.response_time), response)
    assert np.array_equal(np.isfinite(out.complete_time), out.best == Category.COMPLETE)
    total = out.response_time + out.response.time
    np.testing.assert_allclose(total[response], out.progression_free.time[response])
    assert np.array_equal(out.response.event[response], out.progression_free.event[response])
    assert not out.response.event[~response].any()
    assert np.all(out.best_unconfirmed >= out.best)
    complete = out.best == Category.COMPLETE
    assert np.all(out.complete.time[complete] <= out.response.time[complete])
    assert np.all(out.complete.time[complete] >= 0)
    progressed = np.isfinite(out.progression_time)
    assert np.all(out.progression_free.event[progressed])
    assert np.all(out.progression_free.time[progressed] == out.progression_time[progressed])
    assert np.all((out.category == Category.PROGRESSIVE).sum(1) == progressed)


@pytest.mark.parametrize("rule", ALL)
def test_missed_visit_is_the_same_as_no_visit(rule, patients):
    """A visit that all patients miss may be left out."""
    scans, events = patients
    kept = np.arange(VISITS) != 2
    shorter = Scans(
        scans.time[:, kept],
        Lesions(*(each[:, kept] for each in scans.lesions)),
        scans.baseline,
        scans.new_lesion[:, kept],
    )
    gap = judge(rule, without(scans, ~kept), events)
    assert np.all(gap.category[:, 2] == Category.NOT_EVALUABLE)
    shown = gap._replace(category=gap.category[:, kept], change=gap.change[:, kept])
    equal(shown, judge(rule, shorter, events))


@pytest.mark.parametrize("rule", RULES)
def test_missed_visit_never_makes_progression_earlier(rule, patients):
    """It delays the progression that it would have shown, or that is above a nadir it showed."""
    scans, events = patients
    before = day(judge(rule, scans, events).progression_time)
    for visit in range(VISITS):
        missed = without(scans, np.arange(VISITS) == visit)
        after = day(judge(rule, missed, events).progression_time)
        assert np.all(after >= before)
        earlier = before < scans.time[:, visit]
        assert np.array_equal(after[earlier], before[earlier])


@pytest.mark.parametrize("rule", ALL)
def test_visits_after_progression_do_not_matter(rule, patients):
    scans, events = patients
    out = judge(rule, scans, events)
    # Progression at the first assessed visit may need the next one.
    chosen = np.isfinite(out.progression_time)
    if isinstance(rule, Lugano) and rule.confirm_first_progression:
        chosen &= np.any(out.category == Category.STABLE, axis=1)
    assert chosen.sum() > 100
    later = scans.time > out.progression_time[:, None]
    changed = Lesions(*(np.where(later[..., None], 0.1, each) for each in scans.lesions))
    again = judge(rule, scans._replace(lesions=changed), events)
    equal(*(jax.tree.map(lambda leaf: leaf[chosen], each) for each in (out, again)))


@pytest.mark.parametrize("rule", ALL)
def test_order_of_lesions_and_absent_lesions_do_not_matter(rule, patients):
    scans, events = patients

    def rearranged(lesions):
        absent = np.full_like(lesions.long[..., :1], np.nan)
        return Lesions(*(np.concatenate([each[..., ::-1], absent], axis=-1) for each in lesions))

    other = scans._replace(lesions=rearranged(scans.lesions), baseline=rearranged(scans.baseline))
    equal(judge(rule, scans, events), judge(rule, other, events))


def test_larger_scale_keeps_changes_and_loses_no_progression(patients):
    """Twice the diameters: 20 % and 5 mm are reached wherever they were."""
    scans, events = patients

    def doubled(lesions):
        return lesions._replace(long=2 * lesions.long, short=2 * lesions.short)

    larger = scans._replace(lesions=doubled(scans.lesions), baseline=doubled(scans.baseline))
    one, two = judge(Recist(), scans, events), judge(Recist(), larger, events)
    assert np.all(day(two.progression_time) <= day(one.progression_time))
    same = day(one.progression_time) == day(two.progression_time)
    assert same.mean() > 0.8
    np.testing.assert_allclose(one.best_change[same], two.best_change[same], rtol=1e-9)


def test_confirmation_only_lowers_the_best_response(patients):
    confirmed, at_once = (judge(Recist(confirmed=each), *patients) for each in (True, False))
    assert np.all(confirmed.best <= at_once.best)
    assert np.any(confirmed.best < at_once.best)
    assert np.array_equal(confirmed.best_unconfirmed, at_once.best)
    equal(confirmed.progression_free, at_once.progression_free)


def test_one_patient_is_judged_as_among_many(patients):
    scans, events = patients
    many = judge(Lugano(), scans, events)
    own = jax.tree.map(lambda leaf: leaf[17], (scans, events))
    equal(jax.jit(Lugano())(*own), jax.tree.map(lambda leaf: leaf[17], many))


def test_single_precision_gives_the_same_categories(patients):
    single = jax.tree.map(
        lambda leaf: leaf.astype(np.float32) if leaf.dtype == np.float64 else leaf, patients
    )
    one, two = judge(Lugano(), *patients), judge(Lugano(), *single)
    assert two.progression_free.time.dtype == np.float32
    assert np.mean(one.best == two.best) > 0.998


def test_death_at_a_constant_hazard():
    draws = jnp.asarray(np.random.default_rng(1).exponential(size=100_000))
    end, hazard = jnp.asarray([0.0, 540.0]), 3e-4
    time = np.asarray(jax.vmap(lambda draw: event_time(end, hazard * end, draw))(draws))
    observed = np.isfinite(time)
    assert observed.mean() == pytest.approx(1 - np.exp(-hazard * 540), abs=0.003)
    np.testing.assert_allclose(time[observed], np.asarray(draws)[observed] / hazard)


@pytest.mark.parametrize(
    ("draw", "day"), [(0.1, 5.0), (0.2, 10.0), (0.3, 25.0), (0.5, 35.0), (0.6, 40.0), (0.7, np.inf)]
)
def test_event_at_a_hazard_that_changes(draw, day):
    """Hazard 0.02 to day 10, none to day 20, then 0.02 to day 40."""
    time, hazard = jnp.asarray([0.0, 10.0, 20.0, 40.0]), jnp.asarray([0.0, 0.2, 0.2, 0.6])
    assert float(event_time(time, hazard, jnp.asarray(draw))) == pytest.approx(day)


def test_no_hazard_is_no_event():
    time = jnp.asarray([0.0, 540.0])
    assert np.isinf(event_time(time, 0.0 * time, jnp.asarray(1e-9)))


def test_new_lesion_is_seen_from_its_hazard_on():
    seen = new_lesion_seen(jnp.asarray([0.1, 0.5, 0.9]), jnp.asarray(0.5))
    assert seen.tolist() == [False, True, True]


def test_categories_need_no_solver():
    code = "import sys, qsp.response.category; print('jax' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
