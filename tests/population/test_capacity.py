"""Capacity for IL-6: production relative to the median patient of the same population."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.populations import sample
from qsp.populations.derived import derive

P_IL6, RHO = "cytokines.p_IL6", 0.736


def capacity(people):
    return people.parameters.model.severity.capacity


@pytest.fixture(scope="module")
def people(mosunetuzumab):
    return sample(mosunetuzumab, range(200), seed=4, periods=1)


def test_median_patient_has_capacity_one(table):
    assert table.nominal().model.severity.capacity == 1.0


def test_capacity_is_a_power_of_production_over_its_median(people, mosunetuzumab):
    median = mosunetuzumab.rows[P_IL6].value
    production = people.parameters.model.cytokines.p_IL6
    expected = (production / median) ** RHO
    np.testing.assert_allclose(capacity(people), expected, rtol=1e-12)
    assert np.median(capacity(people)) == pytest.approx(1.0, abs=0.25)
    assert capacity(people).max() > 3.0


def test_another_median_of_all_patients_changes_no_capacity(people):
    doubled = people.changed({P_IL6: "2080 pg/mL/hour"}, where="test")
    np.testing.assert_allclose(capacity(doubled), capacity(people), rtol=1e-12)
    np.testing.assert_allclose(
        doubled.parameters.model.cytokines.p_IL6, 2.0 * people.parameters.model.cytokines.p_IL6
    )


def test_first_patient_with_another_median_is_that_of_the_changed_people(people):
    with jax.enable_x64(True):
        first = people.first_with({P_IL6: jnp.asarray(2080.0 * 24.0)})
    assert float(first.model.severity.capacity) == pytest.approx(float(capacity(people)[0]))
    assert float(first.model.cytokines.p_IL6) == pytest.approx(
        2.0 * float(people.parameters.model.cytokines.p_IL6[0])
    )


def test_a_given_reference_holds_in_all_populations(people):
    changes = {"severity.p_IL6_reference": "2080 pg/mL/hour"}
    found = capacity(people.changed(changes, where="test"))
    np.testing.assert_allclose(found, capacity(people) / 2.0**RHO, rtol=1e-12)


@pytest.mark.parametrize("change", [{"severity.rho": "0"}, {P_IL6: "0 pg/mL/hour"}])
def test_without_exponent_or_production_all_capacities_are_one(change, people):
    changed = people.changed(change, where="test")
    assert np.all(capacity(changed) == 1.0)
    assert changed.plausible.all()


def test_capacity_is_one_where_its_parameters_are_absent(mosunetuzumab):
    values = {k: v for k, v in mosunetuzumab.values.items() if k != "severity.rho"}
    assert "severity.capacity" not in derive(values, target="CD20", clearance="time_varying")
    assert float(mosunetuzumab.complete(values)["severity.capacity"]) == 1.0
