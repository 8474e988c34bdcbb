"""Response of runs with lesions: the rule of the disease, applied to the results."""

import math

import jax
import numpy as np
import pytest
import xarray as xr

from qsp.endpoints import response
from qsp.engine.precision import double
from qsp.errors import ConfigError
from qsp.populations.draws import normals
from qsp.response import geometry
from qsp.response.blasts import Blasts, BlastVisits
from qsp.response.category import CODES, MEANINGS, RESPONSES
from qsp.response.events import no_events
from qsp.response.geometry import Scans
from qsp.response.imwg import Disease, Imwg, MyelomaVisits, marrow_share
from qsp.response.lugano import Lugano
from qsp.response.m_protein import ELIMINATION, Isotype
from qsp.response.recist import Recist
from qsp.response.rules import RULES
from qsp.results import lesion_response
from qsp.results.lesion_response import Assessed, with_lesion_response

VISITS = (0.0, 42.0, 84.0, 126.0)
START = np.array([20.0, 8.0])
NE, CR, PR, SD, PD, VGPR, CRI = range(7)
EXACT = Assessed(other_marrow=100.0)


def results(volume, *, visits=VISITS, baseline=START, arms=("a",), viable=None, **more):
    """Results of patients with the same volumes (visit, lesion) [mL] in every arm.

    Args:
        volume: (visit, lesion), or (patient, visit, lesion).
        more: Other variables at visits (visit,), or of patients.
    """
    volume = np.asarray(volume, float)
    volume = volume if volume.ndim == 3 else volume[None]
    shape = (len(arms), len(volume))
    dims = ("arm", "patient")
    every = {
        "lesion_volume_visit": ((*dims, "visit", "lesion"), volume, "mL"),
        "lesion_viable_visit": (
            (*dims, "visit", "lesion"),
            volume if viable is None else np.asarray(viable, float),
            "mL",
        ),
        "lesion_volume_baseline": ((*dims, "lesion"), np.asarray(baseline, float), "mL"),
        "outcome": (dims, np.int8(0), "1"),
    }
    for name, values in more.items():
        of = (*dims, "visit") if name.endswith("_visit") else dims
        every[name] = (of, np.asarray(values, float), "1")
    sizes = {"visit": len(visits), "lesion": volume.shape[-1]}
    data = {
        name: (
            of,
            np.broadcast_to(data, (*shape, *(sizes[d] for d in of[2:]))).copy(),
            {"units": u},
        )
        for name, (of, data, u) in every.items()
    }
    lesions = [f"lesion_{n}" for n in range(1, volume.shape[-1] + 1)]
    coords = {
        "arm": list(arms),
        "patient": np.arange(volume.shape[0]),
        "visit": list(visits),
        "lesion": lesions,
    }
    return xr.Dataset(data, coords, {"response_criteria": "lugano"})


def shrinking(*factors):
    """Volumes relative to baseline at each visit, the same in both lesions."""
    return np.array([1.0, *factors])[:, None] * START


def codes(ds, name="best_response"):
    return ds[name].values[0].tolist()


def scans(volume, start, error, error_0, residual, new=None):
    """Scans as `with_lesion_response` makes them, for a direct call of a rule."""
    now = geometry.measured(volume, volume, error, residual)
    before = geometry.measured(start, start, error_0, residual)
    new = np.zeros(len(VISITS), bool) if new is None else new
    return Scans(np.array(VISITS), now, before, new)


def check(ds, found):
    """Compare the variables of the only patient with the result of a rule."""
    code = np.array([CODES[category] for category in sorted(CODES)])
    assert codes(ds) == [code[int(found.best)]]
    assert codes(ds, "best_response_unconfirmed") == [code[int(found.best_unconfirmed)]]
    np.testing.assert_array_equal(ds.response_visit[0, 0], code[np.asarray(found.category)])
    for name, value in {
        "disease_change_visit": found.change,
        "best_disease_change": found.best_change,
        "response_time": found.response_time,
        "complete_response_time": found.complete_time,
        "progression_time": found.progression_time,
        "progression_free_time": found.progression_free.time,
        "response_duration": found.response.time,
        "complete_response_duration": found.complete.time,
    }.items():
        np.testing.assert_allclose(ds[name].values[0, 0], value, rtol=1e-12, err_msg=name)
    event = np.where(np.isfinite(found.response.time), found.response.event, -1)
    assert ds.response_duration_event.item() == event
    assert ds.progression_free_event.item() == found.progression_free.event


@pytest.mark.parametrize("rule", ["lugano", "recist"])
def test_scans_are_judged_as_by_the_rule_itself(rule):
    """Two lesions with errors of measurement; hand-made draws by their names."""
    volume = shrinking(0.2, 0.1, 0.6)
    ds = with_lesion_response(results(volume), rule, Assessed(seed=5))
    when = ["baseline", "visit.0", *(f"visit.{int(day * 86400)}" for day in VISITS[1:])]
    names = [f"response.lesion_{n}.{visit}" for visit in when for n in (1, 2)]
    z = normals(5, np.arange(1), names).reshape(len(when), 2)
    with double():
        error = np.asarray(geometry.error_factor(z))
        made = scans(volume, START, error[1:], error[0], geometry.RESIDUAL)
        found = {"lugano": Lugano, "recist": Recist}[rule]()(made, no_events())
        check(ds, jax.device_get(found))
        has = np.ones(2, bool)
        products = geometry.sum_of_products(made.lesions, has)
        diameters = geometry.sum_of_diameters(made.lesions.long, has)
    np.testing.assert_allclose(ds.sum_of_products_visit[0, 0], products, rtol=1e-12)
    np.testing.assert_allclose(ds.sum_of_diameters_visit[0, 0], diameters, rtol=1e-12)
    assert ds.disease_change_visit.attrs["measure"] == RULES[rule].measure
    assert not np.allclose(error, 1.0)


def test_marrow_and_plasmacytoma_are_judged_as_by_imwg_itself():
    marrow, outside = np.array([1.0, 0.1, 0.02, 0.02]) * 50, np.array([4.0, 1.0, 0.2, 0.1])
    volume = np.stack([marrow, outside], axis=-1)
    protein = np.array([30.0, 12.0, 2.0, 1.0])
    given = {"m_protein_visit": protein, "m_protein_baseline": 30.0}
    ds = results(volume, baseline=[50.0, 4.0], m_protein_elimination=0.05, **given)
    ds = with_lesion_response(ds, "imwg", EXACT)
    with double():
        lesions = geometry.measured(outside[:, None], outside[:, None], np.ones((4, 1)))
        before = geometry.measured(np.array([4.0]), np.array([4.0]), np.ones(1))
        now = Disease(protein, marrow, marrow_share(marrow, 100.0), lesions)
        start = Disease(np.array(30.0), np.array(50.0), np.array(1 / 3), before)
        none = np.zeros(4, bool)
        visits = MyelomaVisits(np.array(VISITS), now, start, none, np.array(0))
        found = Imwg()(visits, no_events())
        check(ds, jax.device_get(found))
    assert codes(ds) == [VGPR]
    assert "sum_of_products_visit" not in ds


def test_blasts_are_judged_as_by_the_rule_itself():
    marrow = np.array([200.0, 100.0, 2.0, 300.0])
    ds = with_lesion_response(results(marrow[:, None], baseline=[200.0]), "blasts", EXACT)
    share = marrow / (marrow + 100.0)
    with double():
        visits = BlastVisits(np.array(VISITS), share, share[0], np.array(True))
        check(ds, jax.device_get(Blasts()(visits, no_events())))
    assert codes(ds, "response_visit")[0] == [NE, SD, CR, PD]
    assert ds.response_duration.item() == 42.0


def test_recovery_of_counts_decides_between_complete_remissions():
    many = results(np.tile(np.array([[200.0], [1.0], [1.0], [1.0]]), (400, 1, 1)), baseline=[200.0])
    ds = with_lesion_response(many, "blasts", Assessed(other_marrow=100.0, seed=1))
    found, counts = np.unique(ds.best_response, return_counts=True)
    assert found.tolist() == [CR, CRI]
    assert counts[0] / 400 == pytest.approx(0.77, abs=0.06)
    assert response.objective_response(ds)["value"].item() == 1.0
    assert response.complete_response(ds)["value"].item() == counts[0] / 400


@pytest.mark.parametrize("rule", ["lugano", "recist"])
def test_random_numbers_depend_on_patient_and_visit_alone(rule, monkeypatch):
    random = np.random.default_rng(1)
    volume = random.lognormal(2.0, 1.0, (7, 4, 2))
    hazard = np.array([0.0, 0.3, 0.6, 0.9])
    ds = results(volume, arms=("a", "b"), new_lesion_hazard_visit=hazard)
    patients = Assessed(k_death=2e-3, seed=3)
    whole = with_lesion_response(ds, rule, patients)
    xr.testing.assert_identical(whole.isel(arm=0, drop=True), whole.isel(arm=1, drop=True))
    order = [5, 2, 0]
    part = with_lesion_response(ds.isel(patient=order), rule, patients)
    xr.testing.assert_identical(part, whole.isel(patient=order))
    fewer = with_lesion_response(ds.isel(visit=[0, 1, 2]), rule, Assessed(seed=3))
    longer = with_lesion_response(ds, rule, Assessed(seed=3))
    sums = "sum_of_diameters_visit"
    xr.testing.assert_identical(fewer[sums], longer[sums].isel(visit=[0, 1, 2]))
    monkeypatch.setattr(lesion_response, "SIMULATIONS", 4)
    xr.testing.assert_identical(with_lesion_response(ds, rule, patients), whole)
    other = with_lesion_response(ds, rule, Assessed(k_death=2e-3, seed=4))
    assert not np.allclose(other[sums], whole[sums])


def test_a_missed_visit_is_skipped():
    """RECIST: a response at days 42 and 126 is confirmed although the visit between is missed."""
    volume = shrinking(0.2, np.nan, 0.2)
    ds = with_lesion_response(results(volume), "recist", EXACT)
    assert codes(ds) == [PR]
    assert codes(ds, "response_visit")[0] == [NE, PR, NE, PR]
    assert ds.response_time.item() == 42.0
    assert math.isnan(ds.disease_change_visit[0, 0, 2])
    assert math.isnan(ds.sum_of_diameters_visit[0, 0, 2])


@pytest.mark.parametrize(("outside", "best"), [(0.0, CR), (4.0, PD)])
def test_a_plasmacytoma_counts_only_in_a_patient_who_has_one(outside, best):
    """M-protein and marrow clear, while the second lesion grows from 4 mL, or is absent."""
    volume = np.array([[50.0, outside], [0.0, 4 * outside], [0.0, 9 * outside], [0.0, 9 * outside]])
    given = {"m_protein_visit": [30.0, 0.0, 0.0, 0.0], "m_protein_baseline": 30.0}
    ds = results(volume, baseline=[50.0, outside], m_protein_elimination=0.05, **given)
    assert codes(with_lesion_response(ds, "imwg", EXACT)) == [best]


@pytest.mark.parametrize(("isotype", "best"), [("IGG", SD), ("IGA", SD), ("LIGHT_CHAIN", PD)])
def test_elimination_tells_the_isotype(isotype, best):
    """A rise from 0.5 to 1.5 g/L is progression by a light chain alone."""
    elimination = ELIMINATION[Isotype[isotype]] * 1.05
    given = {"m_protein_visit": [0.5, 1.5, 1.5, 1.5], "m_protein_baseline": 0.5}
    ds = results(np.full((4, 1), 50.0), baseline=[50.0], m_protein_elimination=elimination, **given)
    assert codes(with_lesion_response(ds, "imwg", EXACT)) == [best]


def test_patients_without_assessment_are_in_the_denominator():
    volume = np.stack([shrinking(0.1, 0.1, 0.1), shrinking(np.nan, np.nan, np.nan)])
    ds = with_lesion_response(results(volume), "lugano", EXACT)
    assert codes(ds) == [PR, NE]
    assert ds.progression_free_time.values[0].tolist() == [126.0, 0.0]
    rate = response.objective_response(ds)
    assert rate["value"].item() == 0.5
    assert rate["evaluable"].item() == 2
    shares = response.best_responses(ds)["value"].isel(arm=0)
    assert shares.sel(response="not_evaluable").item() == 0.5
    assert shares.sum().item() == 1.0


def test_a_failed_patient_has_no_values():
    ds = results(np.stack([shrinking(0.1, 0.1, 0.1)] * 2))
    ds["outcome"].values[0, 1] = 2
    ds = with_lesion_response(ds, "lugano", EXACT)
    made = [name for name in ds if name not in results(shrinking(1, 1, 1))]
    assert len(made) >= 15
    for name in made:
        value = ds[name].isel(arm=0, patient=1).values
        assert np.all(value == -1) if ds[name].dtype == np.int8 else np.all(np.isnan(value)), name
    assert response.objective_response(ds)["evaluable"].item() == 1


def test_death_without_progression_ends_the_assessment():
    """The time is E / h with the exponential draw E of the patient, up to the last visit."""
    ds = results(np.tile(shrinking(0.1, 0.1, 0.1), (40, 1, 1)))
    ds = with_lesion_response(ds, "lugano", Assessed(k_death=0.01, seed=2))
    z = normals(2, np.arange(40), ["response.death"])[:, 0]
    day = -np.log([0.5 * math.erfc(each / math.sqrt(2.0)) for each in z]) / 0.01
    expected = np.where(day <= 126.0, day, np.nan)
    np.testing.assert_allclose(ds.death_time.values[0], expected, rtol=1e-9)
    np.testing.assert_allclose(ds.progression_free_time.values[0], np.minimum(day, 126.0))
    np.testing.assert_array_equal(ds.progression_free_event.values[0], day <= 126.0)
    np.testing.assert_array_equal(ds.best_response.values[0] == NE, day <= 42.0)
    assert 0 < np.isfinite(expected).sum() < 40


def test_a_new_lesion_is_progression_at_the_next_visit():
    ds = results(
        np.tile(shrinking(0.1, 0.1, 0.1), (40, 1, 1)), new_lesion_hazard_visit=[0, 0, 2, 2]
    )
    ds = with_lesion_response(ds, "lugano", Assessed(seed=2))
    z = normals(2, np.arange(40), ["response.new_lesion"])[:, 0]
    has = -np.log([0.5 * math.erfc(each / math.sqrt(2.0)) for each in z]) <= 2.0
    np.testing.assert_array_equal(ds.progression_time.values[0] == 84.0, has)
    assert 0 < has.sum() < 40


def test_visits_before_and_at_the_first_dose_are_no_assessments():
    volume = shrinking(0.01, 0.01, 0.01)
    visits = (-7.0, 0.0, 42.0, 84.0)
    ds = with_lesion_response(results(volume, visits=visits), "lugano", EXACT)
    assert codes(ds, "response_visit")[0][:2] == [NE, NE]
    assert ds.response_time.item() == 42.0


def test_results_without_visits_are_not_evaluable():
    empty = results(np.empty((0, 2)), visits=())
    ds = with_lesion_response(empty, "lugano", Assessed(k_death=1.0, seed=1))
    assert codes(ds) == [NE]
    assert ds.response_visit.shape == (1, 1, 0)
    assert ds.progression_free_time.item() == 0.0
    assert ds.sizes["visit"] == 0


def test_what_is_missing_or_unknown_is_named():
    ds = results(shrinking(1, 1, 1))
    with pytest.raises(ConfigError, match="must be one of lugano, recist, imwg, blasts"):
        with_lesion_response(ds, "lugan", EXACT)
    with pytest.raises(ConfigError, match="the variable m_protein_visit must be present for imwg"):
        with_lesion_response(ds, "imwg", EXACT)


def test_codes_and_meanings_agree():
    assert sorted(CODES.values()) == list(range(len(MEANINGS)))
    assert [MEANINGS[CODES[category]] for category in RESPONSES] == [
        "partial_response",
        "very_good_partial_response",
        "complete_remission_incomplete_recovery",
        "complete_response",
    ]
    ds = with_lesion_response(results(shrinking(1, 1, 1)), "lugano", EXACT)
    assert ds.best_response.attrs["flag_meanings"].split() == list(MEANINGS)
    for name in ds:
        assert "units" in ds[name].attrs, name
