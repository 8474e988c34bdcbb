"""Rules with a probability, drawn for each CRS event of a patient, and the time since it began."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from qsp.engine.adaptive.decisions import decide_at_visit
from qsp.engine.adaptive.state import initial_state
from qsp.engine.observers import Crossing
from qsp.populations import applied_rules
from qsp.trial.rules import MOST_EVENTS, NAMES, OBSERVABLES
from tests.engine.adaptive_cases import DRUG, administered, arm, reacting, rule, solved
from tests.engine.toy import THRESHOLDS, State, Toy, same_bits

SEED = 7
PATIENTS, EVENTS = 200, 10
ON_OFF = np.tile([1.0, 0.0], EVENTS)
"""Signal at 20 daily visits: ten events of one visit each."""
LONG = {"height": (2.5, 0.0, 0.0), "center": (8.0, 2.0, 3.0), "width": (4.0, 0.3, 0.3)}
"""Grade 1 or more from day 3 to day 13."""
OFTEN = dataclasses.replace(DRUG, per_event=9, per_window=4, window=0.1, max_times=20)
WEEKLY = ((0.0, 1.0), (7.0, 2.0), (14.0, 4.0))


def given(rules, signal, ids=tuple(range(PATIENTS)), seed=SEED, every=1.0):
    """(patient, visit): Rule that gave a drug at each visit, -1 for none, by the decision code."""
    calendar = tuple(every * n for n in range(len(signal)))
    sim = reacting(arm((0.0, 1.0), rules=rules, rescues=[OFTEN], calendar=calendar))
    pairs = [(each.name, each.probability) for each in rules]
    applies = np.ones((len(ids), *sim.plan.applies.shape), bool)
    applies[:, :, : len(rules)] = applied_rules(np.array(ids), pairs, applies.shape[1], seed=seed)
    zero = jnp.zeros(())
    state = State(jnp.zeros(3), jnp.zeros(3), zero, zero, zero)
    levels = jnp.asarray(THRESHOLDS)

    def one_patient(applies):
        plan = sim.plan._replace(applies=applies)
        first = initial_state(plan, sim.events, state, len(OBSERVABLES))

        def visit(adaptive, at):
            time, value = at
            snapshot = eqx.tree_at(lambda s: s.signal, state, value)
            signals = jnp.broadcast_to(value, levels.shape)
            grade = (levels <= value).sum().astype(value.dtype)
            running = Crossing(levels, grade > 0.0, grade, jnp.asarray(False), *[zero] * 4)
            return decide_at_visit(
                *(adaptive, plan, time, snapshot, running, signals),
                *(Toy(), sim.parameters, jnp.asarray(False)),
            ), None

        times = jnp.asarray(calendar)
        return jax.lax.scan(visit, first, (times, jnp.asarray(signal)))[0].log.rescue

    return np.asarray(jax.jit(jax.vmap(one_patient))(applies))[:, : len(signal)]


def chance(probability, when="crs_grade >= 1"):
    return rule(when, "give", drug=DRUG.name, probability=probability)


def test_the_frequency_over_events_is_the_probability():
    """2,000 events: within four standard deviations of the binomial distribution."""
    gave = given([chance(0.6)], ON_OFF) == 0
    assert not gave[:, 1::2].any()
    count, events = gave.sum(), PATIENTS * EVENTS
    assert abs(count - 0.6 * events) < 4.0 * math.sqrt(0.6 * 0.4 * events)
    # Events of one patient are independent: neither all alike nor alternating.
    same = (gave[:, 0:-2:2] == gave[:, 2::2]).mean()
    assert abs(same - (0.36 + 0.16)) < 0.05


def test_a_rule_applies_throughout_an_event_or_not_at_all():
    signal = np.array([0, 1, 2, 1, 0, 0, 1, 1, 1, 1.0])
    gave = given([chance(0.5)], signal) == 0
    for event in (gave[:, 1:4], gave[:, 6:10]):
        assert set(event.sum(axis=1)) == {0, event.shape[1]}


def test_rules_are_drawn_independently():
    rules = [chance(0.5), chance(0.5, "crs_grade >= 1 and day >= 0 day")]
    gave = given(rules, ON_OFF)[:, ::2]
    second = (gave == 1).mean()  # it gives where the first does not apply
    assert abs(second - 0.25) < 4.0 * math.sqrt(0.25 * 0.75 / gave.size)


def test_probability_one_is_no_probability():
    rules = [chance(1.0)], [rule("crs_grade >= 1", "give", drug=DRUG.name)]
    results = [given(each, ON_OFF) for each in rules]
    assert np.array_equal(*results)
    assert (results[0][:, ::2] == 0).all()


def test_draws_do_not_depend_on_the_other_patients_or_their_order():
    rules = [chance(0.6)]
    whole = given(rules, ON_OFF)
    assert np.array_equal(whole[::-1], given(rules, ON_OFF, ids=range(PATIENTS)[::-1]))
    assert np.array_equal(whole[64:65], given(rules, ON_OFF, ids=[64]))
    assert not np.array_equal(whole, given(rules, ON_OFF, seed=SEED + 1))


def test_a_change_of_the_probability_only_adds_events():
    """Draws are shared, so a rare rule applies in a subset of the events of a frequent one."""
    named = [dataclasses.replace(chance(p), name="tocilizumab") for p in (0.3, 0.7)]
    rare, frequent = (given([each], ON_OFF) == 0 for each in named)
    assert (frequent | ~rare).all()
    assert frequent.sum() > rare.sum()


def test_later_events_share_the_last_draw():
    """20 events, of which the 17th to the last share the draw of the 16th."""
    one = chance(0.5)
    gave = given([one], np.tile([1.0, 0.0], 20), every=0.5)[:, ::2] == 0
    drawn = applied_rules(np.arange(PATIENTS), [(one.name, 0.5)], MOST_EVENTS + 1, seed=SEED)
    assert np.array_equal(gave[:, :MOST_EVENTS], drawn[:, 1:, 0])
    assert (gave[:, MOST_EVENTS:] == gave[:, [MOST_EVENTS - 1]]).all()


def test_a_patient_in_whom_no_rule_applies_is_one_without_the_rule():
    """To the last bit, apart from the log."""
    sim = reacting(arm(*WEEKLY, rules=[chance(0.5)]), **LONG)
    never = dataclasses.replace(sim, plan=sim.plan._replace(applies=sim.plan.applies & False))
    one, other, always = solved(never, reacting(arm(*WEEKLY), **LONG), sim)
    assert same_bits(*(dataclasses.replace(each, log=None) for each in (one, other)))
    assert administered(one, kind=2) == []
    assert len(administered(always, kind=2)) == 2


def test_days_in_crs_count_from_the_first_visit_of_the_running_event():
    twice = {"height": (2.5, 2.5, 0.0), "center": (4.0, 13.0, 3.0), "width": (1.5, 1.5, 0.3)}
    [result] = solved(reacting(arm(*WEEKLY), **twice))
    seen = np.asarray(result.log.seen)[:20]
    grade, days = (seen[:, NAMES.index(name)] for name in ("crs_grade", "days_in_crs"))
    expected, start = [], None
    for day, value in enumerate(grade):
        start = (day if start is None else start) if value else None
        expected.append(0.0 if start is None else float(day - start))
    assert max(expected) >= 3.0
    assert sum(np.diff([0.0, *grade]) > 0) >= 2
    np.testing.assert_allclose(days, expected, atol=1e-9)


def test_grade_1_that_lasts_more_than_a_day_is_treated_on_the_third_visit():
    lasting = rule("crs_grade >= 1 and days_in_crs > 1 day", "give", drug=DRUG.name)
    [result] = solved(reacting(arm(*WEEKLY, rules=[lasting]), **LONG))
    assert administered(result, kind=2)[0][0] == 5.0


def test_a_rescue_drug_on_the_day_of_a_dose_leaves_the_dose_unchanged():
    give = rule("crs_grade >= 1 and day >= 7 day", "give", drug=DRUG.name)
    drug = dataclasses.replace(DRUG, per_event=1)
    [result] = solved(reacting(arm(*WEEKLY, rules=[give], rescues=[drug]), **LONG))
    assert administered(result, kind=2) == [(7.0, 3.0)]
    assert administered(result) == [*WEEKLY]


def test_visits_end_the_treatment_of_crs():
    """CRS lasts to day 13, but only the visits to day 5, and those of doses, find it."""
    calendar = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 14.0)
    give = rule("crs_grade >= 1 and day <= 5 day", "give", drug=DRUG.name)
    [result] = solved(
        reacting(arm(*WEEKLY, rules=[give], calendar=calendar, rescues=[OFTEN]), **LONG)
    )
    assert [day for day, _ in administered(result, kind=2)] == [3.0, 4.0, 5.0]
