"""Capacity for IL-6: production relative to a reference that all populations share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.populations import sample
from qsp.populations.derived import derive

HOURS_PER_DAY = 24.0
P_IL6, REFERENCE, RHO = "cytokines.p_IL6", "severity.p_IL6_reference", "severity.rho"


def capacity(people):
    return people.parameters.model.severity.capacity


@pytest.fixture(scope="module")
def people(mosunetuzumab):
    return sample(mosunetuzumab, range(200), seed=4, periods=1)


@pytest.fixture(scope="module")
def rho(mosunetuzumab):
    exponent = float(mosunetuzumab.rows[RHO].value)
    assert 0.0 < exponent < 1.0
    return exponent


@pytest.fixture(scope="module")
def doubled(mosunetuzumab):
    """Twice the median of production [pg/mL/hour]."""
    return 2.0 * float(mosunetuzumab.rows[P_IL6].value) / HOURS_PER_DAY


def test_reference_is_the_same_in_all_populations(table):
    assert table.rows[REFERENCE].value == pytest.approx(450.0 * HOURS_PER_DAY)
    at_reference = table.values | {P_IL6: table.rows[REFERENCE].value}
    assert float(table.complete(at_reference)["severity.capacity"]) == 1.0


def test_capacity_is_a_power_of_production_over_the_reference(people, mosunetuzumab, rho):
    production = people.parameters.model.cytokines.p_IL6
    expected = (production / (450.0 * HOURS_PER_DAY)) ** rho
    np.testing.assert_allclose(capacity(people), expected, rtol=1e-12)
    median = (mosunetuzumab.rows[P_IL6].value / (450.0 * HOURS_PER_DAY)) ** rho
    assert np.median(capacity(people)) == pytest.approx(median, rel=0.25)
    assert np.ptp(np.log(capacity(people))) > 1.0


def test_capacities_follow_the_median_of_all_patients(people, rho, doubled):
    changed = people.changed({P_IL6: f"{doubled} pg/mL/hour"}, where="test")
    np.testing.assert_allclose(capacity(changed), 2.0**rho * capacity(people), rtol=1e-12)
    np.testing.assert_allclose(
        changed.parameters.model.cytokines.p_IL6, 2.0 * people.parameters.model.cytokines.p_IL6
    )


def test_first_patient_with_another_median_is_that_of_the_changed_people(people, rho, doubled):
    with jax.enable_x64(True):
        first = people.first_with({P_IL6: jnp.asarray(doubled * HOURS_PER_DAY)})
    assert float(first.model.severity.capacity) == pytest.approx(
        2.0**rho * float(capacity(people)[0])
    )
    assert float(first.model.cytokines.p_IL6) == pytest.approx(
        2.0 * float(people.parameters.model.cytokines.p_IL6[0])
    )


def test_a_higher_reference_lowers_all_capacities(people, rho):
    found = capacity(people.changed({REFERENCE: "900 pg/mL/hour"}, where="test"))
    np.testing.assert_allclose(found, capacity(people) / 2.0**rho, rtol=1e-12)


@pytest.mark.parametrize("change", [{RHO: "0"}, {P_IL6: "0 pg/mL/hour"}])
def test_without_exponent_or_production_all_capacities_are_one(change, people):
    changed = people.changed(change, where="test")
    assert np.all(capacity(changed) == 1.0)
    assert changed.plausible.all()


def test_capacity_is_one_where_its_parameters_are_absent(mosunetuzumab):
    values = {k: v for k, v in mosunetuzumab.values.items() if k != RHO}
    assert "severity.capacity" not in derive(values, target="CD20", clearance="time_varying")
    assert float(mosunetuzumab.complete(values)["severity.capacity"]) == 1.0
