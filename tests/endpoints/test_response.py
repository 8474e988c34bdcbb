"""Best response of sequences of volumes, checked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.endpoints import CRITERIA, add_best_response, best_response, response, tumor
from qsp.endpoints.response import surrogate, surrogate_of
from qsp.errors import ConfigError
from tests import synthetic

LUGANO, RECIST = CRITERIA["lugano"], CRITERIA["recist"]
NE, CR, PR, SD, PD = range(5)


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([100.0, 100.0], SD),
        ([35.4, 35.4], PR),  # exactly 0.354
        ([35.41, 35.41], SD),
        ([35.4, 100.0], PR),  # one visit is enough
        ([0.5, 0.5], PR),  # complete is below 0.5 mL
        ([0.499, 0.499], CR),
        ([50.0, 0.1], CR),
        ([1.5**1.5 * 100, 10.0], PD),  # exactly the limit; what follows does not count
        ([183.7, 183.7], SD),
        ([90.0, 170.0, 30.0], PD - 1),  # 170 is beyond 1.84 x 90: stable before, then over
        ([30.0, 60.0, 0.1], PR),  # 60 is progression from the nadir of 30
        ([np.nan, 30.0], PR),
        ([np.nan, np.nan], NE),
        ([], NE),
        ([0.1, 0.8, 0.1], CR),  # 0.8 mL is no progression from what could not be measured
    ],
)
def test_lugano(volumes, expected):
    assert best_response(volumes, 100.0, LUGANO) == expected


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([34.3, 34.3], PR),  # exactly 0.343, twice
        ([34.4, 34.4], SD),
        ([34.3, 40.0], SD),  # not confirmed
        ([34.3, 40.0, 34.3], SD),  # never twice in a row
        ([34.3, np.nan, 34.3], PR),  # a missed visit is no visit
        ([0.4, 0.4], CR),
        ([0.4, 20.0], PD - 1),  # 20 is progression from the nadir: the response is not confirmed
        ([0.4, 0.8], PR),  # a complete response confirms the partial one
        ([30.0, 0.4], PR),
        ([30.0, 0.4, 0.4], CR),
        ([30.0], SD),  # nothing left to confirm it
        ([1.2**3 * 100], PD),
        ([172.7], SD),
    ],
)
def test_recist_needs_two_visits_in_a_row(volumes, expected):
    assert best_response(volumes, 100.0, RECIST) == expected


def test_tumor_too_small_to_measure_is_not_evaluable():
    assert best_response([[0.1], [0.1]], [0.5, 0.51], LUGANO).tolist() == [NE, CR]
    assert best_response([0.1], np.nan, LUGANO) == NE


def test_shape_and_type_are_those_of_the_patients():
    codes = best_response(np.full((2, 3, 4), 10.0), np.full((2, 3), 100.0), LUGANO)
    assert codes.shape == (2, 3)
    assert codes.dtype == np.int8


volumes = st.lists(st.floats(0.01, 500.0), min_size=1, max_size=6)


@given(volumes, st.floats(1.0, 200.0), st.floats(1.5, 3.0))
def test_response_does_not_depend_on_the_unit_of_volume_but_for_the_complete_one(
    sizes, start, scale
):
    large = np.array(sizes) + 1.0
    before = best_response(large, start, LUGANO)
    after = best_response(large * scale, start * scale, LUGANO)
    assert before == after


@given(volumes, st.floats(1.0, 200.0))
def test_confirmation_and_the_stricter_limit_never_improve_a_response(sizes, start):
    assert best_response(sizes, start, RECIST) >= best_response(sizes, start, LUGANO)


@given(volumes, st.floats(1.0, 200.0))
def test_a_later_visit_never_worsens_the_best_response(sizes, start):
    for criteria in CRITERIA.values():
        codes = [int(best_response(sizes[:k], start, criteria)) for k in range(1, len(sizes) + 1)]
        assert codes == sorted(codes, reverse=True)


@pytest.fixture
def five():
    """Four patients who are complete, partial, stable and progressive, and one who failed."""
    ds = synthetic.neutral(patients=5, visits=(0.0, 42.0, 84.0))
    sizes = [[50, 0.1, 0.1], [50, 10, 10], [50, 40, 60], [50, 100, 200], [50, 1, 1]]
    return add_best_response(synthetic.fail(synthetic.put(ds, tumor_volume_visit=sizes), 0, 4))


def test_best_response_of_a_dataset_carries_its_codes(five):
    best = five["best_response"]
    assert best.values.tolist() == [[CR, PR, SD, PD, -1]]
    assert best.dtype == np.int8
    assert best.attrs["flag_values"].tolist() == [0, 1, 2, 3, 4]
    assert best.attrs["flag_meanings"].split()[2] == "partial_response"
    assert best.attrs["units"] == "1"
    assert best.encoding["_FillValue"] == -1


def test_visit_at_the_first_dose_is_no_assessment():
    ds = synthetic.neutral(patients=1, visits=(0.0, 42.0))
    ds = add_best_response(synthetic.put(ds, tumor_volume_visit=[[50.0, 200.0]]))
    assert ds["best_response"].item() == PD
    nothing = synthetic.neutral(patients=1, visits=(0.0,))
    assert add_best_response(nothing)["best_response"].item() == NE


def test_surrogate_criteria_of_a_disease_without_measurable_tumor_are_named(five):
    assert surrogate("DLBCL", "lugano") == surrogate_of(five) == ""
    assert surrogate("SCLC", "recist") == ""
    caveat = surrogate_of(five.assign_attrs(disease="multiple myeloma"))
    assert caveat == surrogate("multiple myeloma", "lugano")
    assert "IMWG criteria (M-protein, marrow), which are not modeled: the Lugano" in caveat
    assert "percentage of blasts in marrow" in surrogate("ALL", "lugano")


def test_criteria_come_from_the_run(five):
    unconfirmed = synthetic.put(five, tumor_volume_visit=[50.0, 10.0, 20.0])
    assert (add_best_response(unconfirmed)["best_response"][0, :4] == PR).all()
    solid = add_best_response(unconfirmed.assign_attrs(response_criteria="recist"))
    assert (solid["best_response"][0, :4] == SD).all()
    with pytest.raises(
        ConfigError, match="response_criteria must be one of lugano, recist, but is 'luganoo'"
    ):
        add_best_response(five.assign_attrs(response_criteria="luganoo"))


def test_rates_over_the_evaluable(five):
    overall = response.objective_response(five).sel(arm="a")
    assert overall["value"].item() == 0.5
    assert (overall["evaluable"].item(), overall["failed"].item()) == (4, 1)
    assert response.complete_response(five)["value"].item() == 0.25
    parts = response.best_responses(five)["value"].sel(arm="a")
    assert parts.values.tolist() == [0.25] * 4
    assert overall["trial_upper"] - overall["trial_lower"] > 0.5


def test_not_evaluable_patients_are_unassessed(five):
    ds = synthetic.put(five, best_response=[CR, NE, SD, PD, -1])
    overall = response.objective_response(ds).sel(arm="a")
    assert overall["value"].item() == pytest.approx(1 / 3)
    assert overall["unassessed"].item() == 1
    assert overall["failed"].item() == 1


def test_tumor_change_in_percent(five):
    change = tumor.change(five)
    assert change.sel(arm="a", patient=1).values.tolist() == pytest.approx([0.0, -80.0, -80.0])
    assert change.sel(patient=4).isnull().all()
    assert tumor.best_change(five).sel(arm="a").values[:4] == pytest.approx([-99.8, -80, -20, 100])
    at = tumor.change_at_visits(five, quantiles=(0.5,)).sel(visit=84.0)
    assert at["value"].item() == pytest.approx((-80 + 20) / 2)
    assert at["failed"].item() == 1


def test_best_change_without_a_visit_is_not_a_number():
    ds = synthetic.neutral(visits=(0.0,))
    assert tumor.best_change(ds).isnull().all()
