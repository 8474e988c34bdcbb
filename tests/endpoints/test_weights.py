"""Weighted patients: rules of weights, and the same estimates as from copies of patients."""

import inspect

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from qsp import endpoints, weights
from qsp.endpoints import add_best_response, crs, cytokines, differences, utility
from qsp.endpoints.statistics.bands import bands
from qsp.endpoints.statistics.paired import Sampling
from qsp.endpoints.statistics.patients import COUNTS
from qsp.errors import ConfigError
from qsp.report import facts
from qsp.results.schema import bands as stored_bands
from tests import synthetic
from tests.synthetic_lesions import with_lesions

PATIENTS = 24
FEW = Sampling(trial_size=50, replicates=200)
OF_PATIENTS = {"change", "best_change"}
"""Endpoints with a value for each patient, which no weight enters."""


@pytest.fixture(scope="module")
def trial():
    """Two arms with failed patients, whose weights are whole numbers from 0 to 3."""
    ds = with_lesions(synthetic.lively(PATIENTS, arms=("step_up", "flat")))
    return synthetic.put(ds, prevalence_weight=np.arange(PATIENTS) % 4)


@pytest.fixture(scope="module")
def copies(trial):
    """The same patients, each as many times as its weight."""
    count = trial["prevalence_weight"].values.astype(int)
    ds = trial.isel(patient=np.repeat(np.arange(PATIENTS), count)).copy(deep=True)
    ds = ds.assign_coords(patient=np.arange(ds.sizes["patient"]))
    return synthetic.put(ds, prevalence_weight=1.0)


@pytest.fixture(scope="module")
def split(trial):
    """The same patients, each as two copies with a third and two thirds of its weight."""
    ds = trial.isel(patient=np.repeat(np.arange(PATIENTS), 2)).copy(deep=True)
    ds = ds.assign_coords(patient=np.arange(2 * PATIENTS))
    parts = np.tile([1.0, 2.0], PATIENTS) / 3.0
    return synthetic.put(ds, prevalence_weight=ds["prevalence_weight"].values * parts)


def value(function, ds):
    how = {"reference": "flat"} if function is cytokines.peak_ratio else {}
    if "by" in inspect.signature(function).parameters:
        how["by"] = "any"
    found = function(ds, **how)
    if isinstance(found, xr.DataArray):
        return found
    names = ["value"] if "value" in found else [name for name in found if name not in COUNTS]
    return xr.concat([found[name].drop_attrs() for name in names], "name")


every = pytest.mark.parametrize(
    "function",
    [each for each in endpoints.ENDPOINTS if each.__name__ not in OF_PATIENTS],
    ids=lambda f: f.__name__,
)
RATES = [
    each
    for each in endpoints.ENDPOINTS
    if each.__name__ not in {*OF_PATIENTS, "explained_variance"}
    and "quantiles" not in inspect.signature(each).parameters
]
"""Quantiles of copies interpolate between neighboring values, those of weights do not."""


@every
def test_splitting_the_weight_of_patients_changes_no_estimate(function, trial, split):
    expected, found = value(function, trial), value(function, split)
    xr.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("function", RATES, ids=lambda f: f.__name__)
def test_weight_counts_a_patient_as_often_as_its_copies(function, trial, copies):
    xr.testing.assert_allclose(value(function, trial), value(function, copies), rtol=1e-9)


def test_these_weights_move_the_estimates(trial):
    equal = synthetic.put(trial, prevalence_weight=1.0)
    moved = [each for each in RATES if not value(each, trial).equals(value(each, equal))]
    assert len(moved) > 0.6 * len(RATES), [each.__name__ for each in moved]


def test_comparisons_of_arms_count_a_patient_as_often_as_its_copies(trial, copies):
    trial, copies = add_best_response(trial), add_best_response(copies)
    for table, names in ((differences.table, ("value", "difference")), (utility.table, ("win",))):
        found, expected = table(trial, sampling=FEW), table(copies, sampling=FEW)
        for name in set(names) & set(found.columns):
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-9)


def test_rate_and_interval_by_their_definition(trial):
    found = crs.incidence(trial, by="any").sel(arm="flat", grade=1)
    arm = trial.sel(arm="flat")
    known = arm["outcome"].values == 0
    w = np.where(known, trial["prevalence_weight"].values, 0.0)
    event = arm["crs_grade"].values.max(-1) >= 1
    rate, size = (w * event).sum() / w.sum(), w.sum() ** 2 / (w**2).sum()
    assert found["value"].item() == pytest.approx(rate)
    assert found["effective_size"].item() == pytest.approx(size)
    z = 1.959963984540054
    half = z * np.sqrt(rate * (1 - rate) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    assert found["upper"].item() - found["lower"].item() == pytest.approx(2 * half)


def test_equal_weights_of_any_size_give_the_bits_of_no_weights(trial):
    bare = trial.drop_vars("prevalence_weight")
    for weight in (1.0, 2.0):
        equal = synthetic.put(trial, prevalence_weight=weight)
        for function in (*RATES, crs.onset, cytokines.peaks):
            np.testing.assert_array_equal(value(function, equal), value(function, bare))


def test_stored_bands_are_those_of_the_time_courses(trial):
    found = stored_bands(trial[["il6", "fever"]], trial["prevalence_weight"].values)
    for name in ("il6", "fever"):
        expected = bands(trial, name)
        seen = found[f"{name}_quantiles"].sel(quantile=[0.05, 0.5, 0.95])
        np.testing.assert_array_equal(seen, expected)
        assert seen.dims == expected.dims
        assert seen.attrs["units"] == trial[name].attrs["units"]


def test_stored_bands_of_equal_weights_interpolate_also_if_patients_were_not_run(trial):
    weight = np.ones(PATIENTS)
    weight[5:9] = np.nan
    ds = trial[["il6"]].copy(deep=True)
    ds["il6"].values[:, 5:9] = np.nan
    found = stored_bands(ds, weight)["il6_quantiles"]
    np.testing.assert_array_equal(found, np.nanquantile(ds["il6"], found["quantile"], axis=1))


def test_baseline_characteristics_are_those_of_the_weighted_patients(trial):
    age = np.linspace(20.0, 90.0, PATIENTS)
    ds = synthetic.put(trial, age=age, sex=np.arange(PATIENTS) % 2)
    rows = {row[0]: row[1] for row in facts.patient_table(ds).groups[0].rows}
    w = trial["prevalence_weight"].values
    middle = np.quantile(age, 0.5, weights=w, method="inverted_cdf")
    assert rows["Age"].startswith(f"{middle:.3g} ")
    assert rows["Female"].startswith(f"{100 * w[1::2].sum() / w.sum():.1f}")


@given(st.integers(1, 40), st.floats(1e-6, 1e6))
def test_equal_weights_have_the_effective_size_of_the_patients(count, scale):
    w = weights.check_weights(np.full(count, scale), where="here")
    assert (w == 1.0).all()
    assert weights.effective_size(w.sum(), (w**2).sum()) == count
    assert weights.scaled_to_effective_size(w).sum() == count


@given(st.lists(st.floats(0.1, 2.0), min_size=30, max_size=60))
def test_effective_size_is_at_most_the_patients_and_free_of_scale(numbers):
    w = weights.check_weights(np.array(numbers), where="here")
    assert w.mean() == pytest.approx(1.0)
    size = weights.effective_size(w.sum(), (w**2).sum())
    assert 1.0 <= size <= len(numbers) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0, -0.5, 1.0], "every weight must be 0 or more, but is -0.5 in the patient at place 2"),
        ([1.0, np.nan], "every weight must be a finite number, but is nan in the patient at"),
        ([np.inf, 1.0], "every weight must be a finite number, but is inf"),
        ([0.0, 0.0], "at least one weight must be above 0, but is 0 in all patients"),
        ([], "the weights must be one number for each patient"),
        ([[1.0]], "the weights must be one number for each patient"),
        ([8.0, 1.0, 1.0], "no patient may have more than 50% of the total weight, but is 80%"),
        ([1.0, 0.0, 0.0], "but is 100% in one of 3 patients. Use more patients"),
    ],
)
def test_impossible_weights_are_refused_with_a_remedy(weight, message):
    with pytest.raises(ConfigError, match="^here: ") as caught:
        weights.check_weights(np.array(weight), where="here")
    assert message in str(caught.value)
    assert caught.value.todo
