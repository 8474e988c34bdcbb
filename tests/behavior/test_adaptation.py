"""Adaptation, margination by recruitment, and memories despite a steroid in the whole model."""

import jax
import numpy as np
import pytest

from qsp.engine.method import Method
from qsp.model import ModelStructure, algebraic
from qsp.model.tissues import LYMPHOID
from qsp.model.tolerance import negligible
from tests.scenarios import HOUR, Dose, Scenario, mosunetuzumab, solve

NO_KILLING = {
    f"engagement.k_kill.{kind}.{tissue}": 0.0
    for kind in ("normal", "malignant", "antigen_low")
    for tissue in ("blood", "lymphoid", "tumor", "skin")
}


@pytest.fixture(scope="module")
def courses(double_precision):
    nhl = mosunetuzumab()
    patient, persistent = nhl.patient(), nhl.patient(NO_KILLING)
    steroid = Dose("dexamethasone", -HOUR, 20.0, HOUR)
    bag = nhl.nmol(5.0)
    bags = (
        Dose("drug_iv", 0.0, bag, 2 * HOUR, 1),
        Dose("drug_iv", 2.5 * HOUR, bag, 2 * HOUR, 1),
    )
    return solve(
        {
            "single": Scenario(patient, nhl.iv([0], [10]), 7),
            "two bags": Scenario(patient, bags, 7),
            "repeat": Scenario(patient, nhl.iv([-7, 0], [10, 10]), 7),
            "step": Scenario(patient, nhl.iv([-7, 0], [1, 60]), 7),
            "steroid": Scenario(patient, (steroid, *nhl.iv([0], [10])), 7),
            "persistent": Scenario(persistent, nhl.iv([0], [10]), 7),
        },
        method=Method(),
    )


def most_activated(course):
    """Largest number of activated T cells in the body from day 0 [Mcell]."""
    return np.asarray(course.state.model.t_cells.activated).sum(axis=1).max()


def test_dose_in_two_bags_is_one_dose(courses):
    """The change of bag takes half an hour, so that the dose lasts half an hour longer."""
    assert most_activated(courses["two bags"]) == pytest.approx(
        most_activated(courses["single"]), rel=0.02
    )


def test_repeat_of_a_dose_after_a_week_recruits_few_cells_and_a_step_up_many(courses):
    single = most_activated(courses["single"])
    assert most_activated(courses["repeat"]) < 0.15 * single
    assert most_activated(courses["step"]) > single


def test_steroid_lowers_il6_and_does_not_delay_the_departure_of_t_cells(courses):
    plain, steroid = courses["single"], courses["steroid"]
    assert steroid.peak("il6") < 0.5 * plain.peak("il6")
    six_hours = [course.at(course.t_cells, 0.25) for course in (plain, steroid)]
    assert six_hours[0] < 0.5
    assert six_hours[1] == pytest.approx(six_hours[0], abs=0.02)


def test_release_memory_forms_despite_the_steroid(courses):
    """Less IL-10 inhibits release less, so that the memory is slightly larger."""
    plain, steroid = (
        course.at(course.state.model.release.memory, 2)
        for course in (courses["single"], courses["steroid"])
    )
    assert plain < steroid < 1.1 * plain


def test_t_cells_return_to_blood_although_contacts_persist(courses):
    """On day 2 contacts still activate, but recruitment, and with it margination, is over."""
    course = courses["persistent"]
    p, margination = course.scenario.parameters.model, course.state.model.margination
    contact = jax.jit(jax.vmap(lambda x: algebraic(x, p, ModelStructure()).contact))
    activating = np.asarray(contact(course.state.model).activating)[:, LYMPHOID]
    assert course.at(activating, 2) > 0.5 * activating.max()
    assert course.at(margination, 2) < 0.1 * np.max(margination)
    assert course.t_cells.min() < 0.2
    assert course.at(course.t_cells, 4) > 0.8


def test_no_state_falls_below_zero_by_more_than_its_tolerance(courses):
    for name, course in courses.items():
        assert not course.failed
        p = course.scenario.parameters.model
        first = jax.tree.map(lambda leaf: leaf[0], course.state.model)
        tolerance = negligible(first, p)
        below = jax.tree.map(
            lambda leaf, most: bool(np.any(np.asarray(leaf) < -np.asarray(most))),
            course.state.model,
            tolerance,
        )
        assert not any(jax.tree.leaves(below)), name
