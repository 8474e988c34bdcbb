"""Agreement of the package with the twin on lesions, and on bridges without a fall at high drug.

The twin has both from the pages on lesions, tumors and synapses of the book of the model alone.
"""

import dataclasses
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.model import ModelStructure
from qsp.model.synapse import Plateau
from qsp.model.tissues import LYMPHOID, TUMOR, TUMOR_KINDS
from qsp.model.tumors import Lesions
from qsp.run.structure import REFINEMENTS
from qsp.system import System
from tests.model.patient import busy, complete, typical
from tests.reference import twin
from tests.reference.adapter import twin_parameters, twin_state
from tests.reference.agreement import (
    TARGET,
    agree,
    courses_agree,
    derivatives_agree,
    reference,
    without_other_drugs,
)
from tests.scenarios import Scenario, Subject, mosunetuzumab, solve

LITERS = 1e-3  # per mL
INFUSION = np.array([30.0, 20.0, 500.0, 20.0, 30.0, 100.0])
"""Rates of the drugs of the twin [nmol/day or mg/day]."""


class Form(NamedTuple):
    """A structure of the package, and the same in the twin."""

    structure: ModelStructure
    twin: twin.Forms
    lesions: int


LYMPHOMA = Form(
    ModelStructure(synapse=Plateau(), tumor=Lesions(4)), twin.Forms(bridges="plateau"), 4
)
MYELOMA = Form(
    ModelStructure(synapse=Plateau(), tumor=Lesions(2, m_protein=True)),
    twin.Forms(bridges="plateau"),
    2,
)
TWO_ARMS = Form(
    ModelStructure(synapse=Plateau(REFINEMENTS), tumor=Lesions(4)),
    twin.Forms(bridges="plateau"),
    4,
)
LEUKEMIA = Form(ModelStructure(tumor=Lesions(1)), twin.DEFAULT, 1)
BOTH = Form(
    ModelStructure(synapse=Plateau(), tumor=Lesions(4, m_protein=True)),
    twin.Forms(bridges="plateau"),
    4,
)
"""A form for lymphoma and myeloma, so that one program simulates both."""
EVERYTHING = Form(
    ModelStructure(synapse=Plateau(), tumor=Lesions(3, m_protein=True)),
    twin.Forms(bridges="plateau"),
    3,
)


def only_what_the_twin_has(p):
    """Parameters without depletion by a competitor, and with homeostasis in one tissue."""
    no_depletion = jnp.zeros_like(p.model.targets.k_depletion)
    home = jnp.zeros(4).at[LYMPHOID].set(0.0042)
    where = lambda p: (p.model.targets.k_depletion, p.model.t_cells.k_home)  # noqa: E731
    return eqx.tree_at(where, p, (no_depletion, home))


def with_a_lost_clone(p):
    """A patient of whose tumor cells a thousandth have lost the antigen, and some are killed."""
    q = dataclasses.replace(
        p.model.lesions,
        loss_share=jnp.asarray(1e-3),
        loss_copies=jnp.asarray(0.1),
        loss_kill=jnp.asarray(0.3),
        weight=jnp.array([1.0, 0.0, 2.0, 0.3, 1.0, 1.0]),
    )
    return eqx.tree_at(lambda p: p.model.lesions, p, q)


PATIENTS = {
    "lymphoma": (LYMPHOMA, lambda: typical("mosunetuzumab", "nhl")),
    "lymphoma, a lost clone": (LYMPHOMA, lambda: with_a_lost_clone(typical())),
    "lymphoma, two target arms": (TWO_ARMS, lambda: typical("glofitamab", "nhl_dlbcl")),
    "myeloma": (MYELOMA, lambda: typical("teclistamab", "myeloma")),
    "leukemia": (LEUKEMIA, lambda: typical("blinatumomab", "b_all")),
    "every process": (EVERYTHING, complete),
}


def random_state(p, system, rng):
    """A random state during treatment whose tumor is the sum of its lesions.

    Lesions have from a tenth of a cell to ten thousand million cells.
    """
    x = without_other_drugs(busy(p, system, rng))
    q = x.model.lesions
    positive = q.positive * 10.0 ** rng.uniform(-11.0, 0.0, q.positive.shape)
    q = dataclasses.replace(q, positive=positive)
    clones = jnp.stack([q.positive.sum(), q.loss.sum()])
    targets = dataclasses.replace(
        x.model.targets,
        viable=x.model.targets.viable.at[TUMOR_KINDS, TUMOR].set(clones),
        dying=q.dying.sum(),
    )
    return eqx.tree_at(lambda x: (x.model.targets, x.model.lesions), x, (targets, q))


@pytest.mark.parametrize("name", PATIENTS)
def test_derivatives_agree_at_random_states(name, double_precision):
    """At 30 random states, with infusions of every drug of the twin, they agree to 1e-9."""
    form, patient = PATIENTS[name]
    p, system = only_what_the_twin_has(patient()), System(form.structure)
    of_twin, rng = twin_parameters(p, form.lesions), np.random.default_rng(11)
    rates = jax.jit(lambda t, x, p: system.rates(t, x, p, jnp.asarray(INFUSION)))
    inputs: dict[str, float] = dict(zip(TARGET.values(), INFUSION, strict=True))
    for _ in range(30):
        time, x = rng.uniform(0.0, 60.0), random_state(p, system, rng)
        theirs = twin.derivative(time, twin_state(x), of_twin, form.twin, inputs=inputs)
        derivatives_agree(twin_state(rates(jnp.asarray(time), x, p)), theirs)
    start = system.initial(p)
    before, ours = twin_state(start), twin_state(rates(jnp.asarray(0.0), start, p))
    theirs = twin.derivative(0.0, twin.initial_state(of_twin), of_twin, form.twin, inputs=inputs)
    for state, rate in theirs.items():
        assert before[state] == pytest.approx(twin.initial_state(of_twin)[state], rel=1e-12)
        scale = np.abs(np.append(rate, before[state])).max(initial=0.0)  # many rates are zero
        assert ours[state] == pytest.approx(rate, rel=1e-9, abs=1e-9 * scale), state


def lymphoma():
    """Four lesions of which one is hardly killed, and a clone with few copies."""
    nhl = mosunetuzumab()
    sizes, kill = (1.0, 0.5, 2.0, 0.3), (0.8, 0.3, 2.0, 0.05)
    changes = {
        **{f"lesions.weight.lesion_{i + 1}": size for i, size in enumerate(sizes)},
        **{f"lesions.k_kill.lesion_{i + 1}": rate for i, rate in enumerate(kill)},
        **{"lesions.loss_share": 1e-3, "lesions.loss_copies": 0.05, "lesions.loss_kill": 0.3},
    }
    return Scenario(nhl.patient(changes), nhl.iv((0, 7, 14, 21, 42), (1, 2, 60, 60, 30)))


def myeloma():
    """Marrow and a small extramedullary lesion, with IgG in serum; two lesions are absent."""
    teclistamab = Subject.of("teclistamab", "myeloma")
    changes = {
        **{f"lesions.weight.lesion_{i + 1}": size for i, size in enumerate((1.0, 0.1, 0.0, 0.0))},
        "lesions.loss_share": 1e-6,
    }
    doses = teclistamab.sc((0, 3, 6, 13, 20, 27), (4.5, 22.5, *[112.5] * 4))
    return Scenario(teclistamab.patient(changes), doses)


@pytest.fixture(scope="module")
def courses(double_precision):
    """Both patients, by one program."""
    found = solve({"lymphoma": lymphoma(), "myeloma": myeloma()}, structure=BOTH.structure)
    assert not any(course.failed for course in found.values())
    return found


@pytest.mark.parametrize("name", ["lymphoma", "myeloma"])
def test_package_and_twin_agree_over_84_days(name, courses):
    """Every state, and volumes, loss share, hazard of new lesions and M-protein."""
    course = courses[name]
    assert course.times[-1] == 84.0
    y = reference(course.scenario, course.times, BOTH.twin, BOTH.lesions)
    courses_agree(course, y)
    shown = course.shown.lesions
    agree("volume", shown.volume, LITERS * y["V_lesion"])
    agree("viable", shown.viable, LITERS * y["V_viable"])
    agree("loss_share", shown.loss_share, y["lost"])
    agree("new_lesions", shown.new_lesions, y["new"])
    agree("m_protein", shown.m_protein, y["MP"])
    # the courses have responses, exhaustion and the growth of a clone
    assert y["V_viable"][:, 0].min() < 0.5 * y["V_viable"][0, 0]
    assert y["xi"].max() > 0.2
    assert y["lost"].max() > 10 * y["lost"][0].max()


def test_courses_have_hazard_and_m_protein(courses):
    """One patient has a hazard of new lesions, and the other an M-protein that falls."""
    assert courses["lymphoma"].shown.lesions.new_lesions[-1] > 0.05
    protein = courses["myeloma"].shown.lesions.m_protein
    assert protein[-1] < 0.7 * protein[0]
