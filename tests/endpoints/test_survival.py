"""Survival and depth of response of runs with lesions, against computations patient by patient."""

import numpy as np
import pytest

from qsp.endpoints import disease, response, survival
from qsp.endpoints.patient_values import RESPONSE, Column, patient_values
from tests import synthetic
from tests.synthetic_lesions import with_lesions

TIMES = [42.0, 84.0, 84.0, 126.0, 168.0, 168.0]
EVENTS = [1, 1, 0, 1, 0, 0]


def trial(visits=(0.0, 42.0, 84.0, 126.0, 168.0), **values):
    """One arm of six patients."""
    ds = with_lesions(synthetic.neutral(patients=len(TIMES), visits=visits))
    return synthetic.put(ds, **values)


def by_hand(times, events, weights, day):
    """Kaplan-Meier estimate at a day, as the product over the distinct times of events."""
    left = 1.0
    rows = list(zip(times, events, weights, strict=True))
    for at in sorted({time for time, event, _ in rows if event == 1 and time <= day}):
        risk = sum(w for time, _, w in rows if time >= at)
        left *= 1 - sum(w for time, event, w in rows if time == at and event == 1) / risk
    return left


@pytest.fixture
def followed():
    return trial(progression_free_time=TIMES, progression_free_event=EVENTS)


@pytest.mark.parametrize("months", [1.0, 2.0, 3.0, 4.5])
@pytest.mark.parametrize("weight", [[1.0] * 6, [3.0, 1.0, 0.5, 2.0, 1.0, 1.0]])
def test_progression_free_rate_is_the_estimate_of_kaplan_and_meier(followed, months, weight):
    ds = synthetic.put(followed, prevalence_weight=weight)
    found = survival.progression_free_rate(ds, months=months).isel(arm=0)
    expected = by_hand(TIMES, EVENTS, weight, months * 365.25 / 12)
    assert found["value"].item() == pytest.approx(expected, rel=1e-12)
    assert found["lower"].item() <= expected <= found["upper"].item()
    assert (found["evaluable"].item(), found["events"].item()) == (6, 3)


def test_rate_after_the_end_of_observation_is_unknown(followed):
    assert np.isnan(survival.progression_free_rate(followed, months=6.0)["value"].item())
    dead = synthetic.put(followed, progression_free_event=1)
    assert survival.progression_free_rate(dead, months=6.0)["value"].item() == 0.0


def test_median_is_the_time_at_which_half_are_left(followed):
    # 5/6, then 4/6 of the patients are left at day 84, and 4/9 at day 126.
    found = survival.progression_free_median(followed)
    assert found["value"].item() == 126.0
    assert found.attrs["units"] == "day"
    few = synthetic.put(followed, progression_free_event=[1, 0, 0, 0, 0, 0])
    found = survival.progression_free_median(few)
    assert np.isnan(found["value"].item())
    assert np.isnan(found["upper"].item())


def test_durations_are_those_of_responders():
    nan = np.nan
    ds = trial(
        response_duration=[nan, nan, 42.0, 84.0, 126.0, nan],
        response_duration_event=[-1, -1, 1, 1, 0, -1],
        complete_response_duration=[nan, nan, nan, 84.0, 600.0, nan],
        complete_response_duration_event=[-1, -1, -1, 1, 0, -1],
        response_time=[nan, nan, 42.0, 42.0, 84.0, nan],
    )
    found = survival.response_duration_median(ds)
    assert (found["value"].item(), found["evaluable"].item()) == (84.0, 3)
    assert found["unassessed"].item() == 3
    found = survival.complete_response_rate_at(ds)  # 18 months are 548 days
    assert (found["value"].item(), found["evaluable"].item()) == (0.5, 2)
    assert np.isnan(survival.complete_response_rate_at(ds, months=24)["value"].item())
    found = survival.time_to_response(ds, quantiles=(0.5,))
    assert (found["value"].item(), found["evaluable"].item()) == (42.0, 3)


def test_estimates_without_responders_are_unknown():
    ds = trial(
        complete_response_duration=np.nan, complete_response_duration_event=-1, best_response=3
    )
    found = survival.complete_response_rate_at(ds)
    assert np.isnan(found["value"].item())
    assert found["evaluable"].item() == 0
    assert np.isnan(disease.very_good_share(ds)["value"].item())


def test_shares_of_best_change():
    ds = trial(best_disease_change=[-100.0, -90.0, -50.0, 0.0, 20.0, np.nan])
    found = disease.best_change_shares(ds).isel(arm=0)
    assert found["change"].values.tolist() == [
        "-90 % or less",
        "-90 to -25 %",
        "-25 to 0 %",
        "above 0 %",
    ]
    np.testing.assert_allclose(found["value"], [0.4, 0.2, 0.2, 0.2])
    assert found["evaluable"].values.tolist() == [5] * 4
    heavy = synthetic.put(ds, prevalence_weight=[1.0, 1.0, 1.0, 1.0, 4.0, 9.0])
    weighted = disease.best_change_shares(heavy)["value"].isel(arm=0)
    np.testing.assert_allclose(weighted, np.array([2, 1, 1, 4]) / 8)


def test_very_good_partial_response_or_better_of_responders():
    ds = trial(best_response=[0, 1, 2, 5, 3, 4])
    found = disease.very_good_share(ds)
    assert found["value"].item() == pytest.approx(2 / 3)
    assert found["evaluable"].item() == 3


def test_categories_of_lesions_are_responses_and_all_patients_count():
    ds = trial(best_response=[0, 1, 2, 5, 6, 4])
    assert response.objective_response(ds)["value"].item() == pytest.approx(4 / 6)
    assert response.complete_response(ds)["value"].item() == pytest.approx(1 / 6)
    rates = response.best_responses(ds)["value"].isel(arm=0)
    assert rates.sizes["response"] == 7
    assert rates.sum().item() == pytest.approx(1.0)
    (values,) = patient_values(ds).values()
    assert values.values[Column(RESPONSE)].tolist() == [0, 1, 1, 1, 1, 0]


def test_antigen_loss_is_that_of_the_leading_lesion_at_progression():
    """The largest lesion of patients 0 and 3 has lost it; 4 progresses without a response."""
    visits, patients = 5, len(TIMES)
    viable = np.ones((1, patients, visits, 3))
    loss = np.zeros_like(viable)
    viable[:, :, :, 1] = 5.0
    loss[0, [0, 3, 4], :, 1] = 0.9
    loss[0, 1, :, 2] = 0.9  # a small lesion
    loss[0, 2, 1, 1] = 0.9  # another visit than that of progression
    ds = trial(
        lesion_viable_visit=viable,
        lesion_loss_share_visit=loss,
        progression_time=[84.0, 84.0, 84.0, 168.0, 84.0, np.nan],
        response_time=[42.0, 42.0, 42.0, 42.0, np.nan, 42.0],
    )
    found = disease.antigen_loss(ds)
    assert (found["value"].item(), found["evaluable"].item()) == (0.5, 4)
    assert disease.antigen_loss(ds, above=0.95)["value"].item() == 0.0


def test_surrogate_and_rule_of_a_run_with_lesions():
    ds = trial().assign_attrs(disease="multiple myeloma", response_criteria="imwg")
    assert response.surrogate_of(ds) == ""
    assert response.rule_of(ds).measure == "M-protein in serum"
    pool = ds.drop_vars("best_response_unconfirmed").assign_attrs(response_criteria="lugano")
    assert "surrogate" in response.surrogate_of(pool)
