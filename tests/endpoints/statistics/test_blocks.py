"""Results in blocks of patients: the same values, with memory independent of the run size."""

import inspect
import tracemalloc

import numpy as np
import pytest
import xarray as xr

from qsp import endpoints
from qsp.endpoints import crs, cytokines
from qsp.endpoints.statistics.blocks import add_blocks, blocks
from qsp.endpoints.steps import gather, labels, steps, with_steps
from qsp.results import load, save_blocks
from tests import synthetic
from tests.synthetic_lesions import with_lesions

PATIENTS = 20


@pytest.fixture(scope="module")
def trial():
    """Two arms with a failed patient each; doses by weight; a held dose in every third patient."""
    ds = synthetic.lively(PATIENTS, arms=("step_up", "flat"))
    random = np.random.default_rng(3)
    label = ds["dose_label"].values.copy()
    label[:, ::3, 3:] = label[:, ::3, 2:-1]
    label[:, ::3, 2] = ""
    amount = ds["dose_amount"].values * random.lognormal(0.0, 0.2, (1, PATIENTS, 1))
    time = ds["dose_time"].values + random.uniform(0.0, 0.1, ds["dose_time"].shape)
    ds = synthetic.put(ds, dose_label=label, dose_amount=amount, dose_time=time)
    return with_lesions(ds)


@pytest.fixture(scope="module")
def weighted(trial):
    weight = np.random.default_rng(4).uniform(0.0, 3.0, PATIENTS)
    weight[::5] = 0.0
    return synthetic.put(trial, prevalence_weight=weight)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 7 patients, and 9 cells per pass through the results."""
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.CHUNK", 7)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.SIMULATIONS", 0)
    monkeypatch.setattr("qsp.endpoints.statistics.pools.MEMORY", 9 * 8 * PATIENTS)


def call(function, ds, **how):
    how |= {"reference": "flat"} if function is cytokines.peak_ratio else {}
    return function(ds, **how)


def groupings(function):
    by = "by" in inspect.signature(function).parameters
    return [{"by": "label"}, {"by": "any"}] if by else [{}]


every = pytest.mark.parametrize("function", endpoints.ENDPOINTS, ids=lambda f: f.__name__)


@every
@pytest.mark.parametrize("name", ["trial", "weighted"])
def test_blocks_give_the_numbers_of_the_whole(function, name, request):
    ds = request.getfixturevalue(name)
    whole = [call(function, ds, **how) for how in groupings(function)]
    request.getfixturevalue("small_blocks")
    for how, expected in zip(groupings(function), whole, strict=True):
        found = call(function, ds, **how)
        xr.testing.assert_allclose(found, expected, rtol=1e-12)
        assert found.attrs == expected.attrs
        if isinstance(expected, xr.Dataset):
            for variable in expected.data_vars:
                assert found[variable].attrs == expected[variable].attrs
                assert found[variable].dims == expected[variable].dims


@every
def test_counts_and_quantiles_of_blocks_are_exact(function, trial, request):
    expected = call(function, trial)
    request.getfixturevalue("small_blocks")
    found = call(function, trial)
    if "quantile" in expected.dims:
        xr.testing.assert_identical(found, expected)
    else:
        names = [name for name in ("evaluable", "failed", "unassessed") if name in expected]
        assert names or isinstance(expected, xr.DataArray)
        for name in names:
            xr.testing.assert_identical(found[name], expected[name])


def test_steps_of_blocks_are_those_of_the_whole(trial, request):
    expected = steps(trial), labels(trial)
    assert len(blocks(trial)) == 1
    request.getfixturevalue("small_blocks")
    assert len(blocks(trial)) == 3
    assert (steps(trial), labels(trial)) == expected


def test_part_of_the_patients_keeps_the_steps_of_all(trial):
    part = with_steps(trial).isel(patient=slice(2))
    assert steps(part) == steps(trial)
    assert labels(part) == labels(trial)
    assert with_steps(part) is part


def test_subset_by_a_user_has_its_own_steps(trial):
    few = trial.sel(patient=[0, 1])
    assert {step.patients for step in steps(few)} <= {1, 2}


def test_codes_are_indices_of_the_labels(trial):
    coded = with_steps(trial)
    names = np.append(coded["label"].values, "")  # -1 is the last
    np.testing.assert_array_equal(names[coded["label_code"].values], trial["dose_label"].values)
    assert coded["label_code"].dtype == np.int8


def test_label_is_gathered_from_its_periods(trial):
    """Gathering by code equals selecting periods by text, for one or several periods per label."""
    picked = trial["cmax"].where(trial["dose_label"] == "FD2").max("dose_period")
    found = gather(trial["cmax"], trial, "label").sel(label="FD2", drop=True)
    np.testing.assert_array_equal(found.values, picked.values)
    fixed = synthetic.lively(12)
    picked = fixed["auc"].where(fixed["dose_label"] == "FD2").sum("dose_period", min_count=1)
    one_arm = fixed.sel(arm=["step_up"])
    found = gather(one_arm["auc"], one_arm, "label", "sum").sel(label="FD2", drop=True)
    np.testing.assert_array_equal(found.values, picked.sel(arm=["step_up"]).values)


def test_blocks_with_other_coordinates_are_not_added():
    parts = [xr.Dataset({"n": ("label", [1])}, {"label": [name]}) for name in ("SUD1", "FD1")]
    with pytest.raises(ValueError, match="exact"):
        add_blocks(parts)


# === cumulative incidence


@pytest.mark.parametrize("weights", [False, True])
def test_cumulative_incidence_by_its_definition(trial, weighted, weights):
    """``sum(w [T <= t]) / sum(w)`` at unsorted times, some of them equal to an event time."""
    ds = weighted if weights else trial
    first = crs.first_event(ds, at_least=2)
    assert np.isinf(first).any()
    assert first.isnull().any()
    events = first.values[np.isfinite(first.values)]
    times = [30.0, *events[:3], 0.0, 84.0, events[0], np.inf, -1.0]
    found = crs.cumulative_incidence(ds, times=times, at_least=2)
    known = first.notnull().values
    w = np.where(known, ds["prevalence_weight"].values, 0.0)
    for place, time in enumerate(times):
        by_then = first.values <= time
        share = (w * by_then).sum(axis=1) / w.sum(axis=1)
        np.testing.assert_allclose(found["value"].values[place], share, rtol=1e-12)
        np.testing.assert_array_equal(found["events"].values[place], (by_then & known).sum(axis=1))
    assert found["value"].dims == found["failed"].dims == ("time", "arm")
    assert found["failed"].isel(time=0).values.tolist() == [1, 1]
    assert (found["evaluable"] + found["failed"] + found["unassessed"] == PATIENTS).all()
    assert found["time"].attrs["units"] == "day"


# === memory


BLOCK = 2_000


def stored(tmp_path, patients):
    """Save results in chunks of one block; return them opened, not loaded."""
    ds = synthetic.neutral(patients=BLOCK, labels=tuple(f"FD{k}" for k in range(1, 9)))
    ds = ds.drop_vars([name for name in ds.data_vars if "time" in ds[name].dims])
    ds = ds.assign_attrs(compile_s=0.0, wall_s=0.0)
    parts = (
        xr.DataTree(ds.assign_coords(patient=np.arange(first, first + BLOCK)))
        for first in range(0, patients, BLOCK)
    )
    path = tmp_path / f"{patients}.nc"
    save_blocks(parts, path)
    return load(path)


def peak(work):
    """Return the peak memory of a function call [bytes], including NumPy arrays."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "question",
    [
        crs.incidence,
        crs.cumulative_incidence,
        lambda ds: cytokines.peaks(ds, of=("il6",)),
        lambda ds: crs.onset(ds, by="any"),
    ],
    ids=["rate", "cumulative", "quantiles", "pooled"],
)
def test_memory_does_not_grow_with_the_patients(question, tmp_path, monkeypatch):
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.CHUNK", BLOCK)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.SIMULATIONS", 0)
    monkeypatch.setattr("qsp.endpoints.statistics.pools.MEMORY", 8 * 20_000)
    monkeypatch.setattr("qsp.results.netcdf.LARGE", 0)
    taken = []
    for patients in (4_000, 20_000):
        with stored(tmp_path, patients) as results:
            ds = with_steps(results.to_dataset())
            question(ds.isel(patient=slice(BLOCK)))  # warm up: allocations made once
            taken.append(peak(lambda ds=ds: question(ds)))
    # One variable alone has 1 MB more in the eight periods of 16,000 more patients.
    assert taken[1] - taken[0] < 900_000
