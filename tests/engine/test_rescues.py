"""Rescue drugs that rules give: their limits, their infusions, and their place in the program."""

import dataclasses

import jax
import numpy as np
import pytest

from qsp.engine_input import administered_kinds
from qsp.system import CORE_KINDS, DOSE_KINDS, program_kinds
from tests.engine.adaptive_cases import DRUG, administered, arm, reacting, rule, solved

WEEKLY = ((0.0, 1.0), (7.0, 2.0), (14.0, 4.0))
LONG = {"height": (2.5, 0.0, 0.0), "center": (8.0, 2.0, 3.0), "width": (4.0, 0.3, 0.3)}
"""Grade 1 or more from day 3 to day 13."""


@pytest.mark.parametrize(
    ("limits", "days"),
    [
        ({"per_event": 2, "per_window": 4}, [3.0, 4.0]),
        (
            {"per_event": 9, "per_window": 2, "window": 5.0, "max_times": 9},
            [3.0, 4.0, 8.0, 9.0, 13.0],
        ),
        (
            {"per_event": 9, "per_window": 4, "window": 0.1, "min_interval": 3.0},
            [3.0, 6.0, 9.0, 12.0],
        ),
        ({"per_event": 9, "per_window": 4, "window": 0.1, "max_times": 3}, [3.0, 4.0, 5.0]),
    ],
)
def test_rescue_drugs_keep_to_their_limits(limits, days):
    drug = dataclasses.replace(DRUG, **limits)
    rules = [rule("crs_grade >= 1", "give", drug=DRUG.name)]
    [result] = solved(reacting(arm(*WEEKLY, rules=rules, rescues=[drug]), **LONG))
    assert [day for day, _ in administered(result, kind=2)] == days
    assert administered(result) == [*WEEKLY]  # the doses are unchanged


def test_an_infusion_started_by_a_rule_ends():
    """All 3 mg of an infusion over 6 hours are given, and no more (rxode2 1347, 1354)."""
    drug = dataclasses.replace(DRUG, per_event=1, max_times=1)
    rules = [rule("crs_grade >= 1", "give", drug=DRUG.name)]
    [result] = solved(reacting(arm(*WEEKLY, rules=rules, rescues=[drug]), **LONG))
    np.testing.assert_allclose(result.final.received, [7.0, 0.0, 3.0], rtol=1e-9)


def test_the_program_includes_drugs_that_only_rules_give():
    """Scheduled doses alone need no more than the core kinds."""
    drug = dataclasses.replace(DRUG, name="anakinra", kind="anakinra", duration=0.0)
    rules = [rule("crs_grade >= 1", "give", drug="anakinra")]
    plain, more = (
        jax.tree.map(lambda leaf: np.asarray(leaf)[None], reacting(one))
        for one in (arm(*WEEKLY), arm(*WEEKLY, rules=rules, rescues=[drug]))
    )
    assert program_kinds(administered_kinds(plain)) == CORE_KINDS
    assert program_kinds(administered_kinds(more)) == len(DOSE_KINDS)
