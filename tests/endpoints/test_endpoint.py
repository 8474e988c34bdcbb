"""Properties of every endpoint: units, checks of the input, counts of failures, stored results."""

import inspect

import numpy as np
import pytest
import xarray as xr

from qsp import endpoints
from qsp.endpoints import crs, cytokines
from qsp.errors import ConfigError
from qsp.units import is_unit
from tests import synthetic
from tests.synthetic_lesions import with_lesions


@pytest.fixture(scope="module")
def trial():
    return with_lesions(synthetic.lively(40))


def call(function, ds):
    return function(ds, reference="flat") if function is cytokines.peak_ratio else function(ds)


every = pytest.mark.parametrize("function", endpoints.ENDPOINTS, ids=lambda f: f.__name__)


@every
def test_result_and_each_of_its_variables_carry_unit_and_name(function, trial):
    result = call(function, trial)
    found = [result, *(result.data_vars.values() if isinstance(result, xr.Dataset) else [])]
    for variable in found:
        assert is_unit(variable.attrs["units"]), variable.attrs
        assert variable.attrs["long_name"]
    assert result.attrs["definition"]
    assert result.attrs["units"] == function.meaning.units


@every
def test_docstring_states_the_unit_of_the_result(function):
    text = inspect.getdoc(function)
    assert "Args:" in text
    assert "Returns:" in text
    assert any(f"[{unit}]" in text for unit in (function.meaning.units, "nmol/L"))


@every
def test_missing_variable_is_named(function, trial):
    name = next(iter(function.meaning.needs))
    with pytest.raises(ConfigError, match=f"results: the variable {name} must be present"):
        call(function, trial.drop_vars(name))


@every
def test_wrong_unit_is_refused(function, trial):
    name = next(name for name, unit in function.meaning.needs.items() if unit is not None)
    wrong = trial.assign({name: trial[name].assign_attrs(units="m")})
    with pytest.raises(ConfigError, match=f"results: {name}: the unit must be .*, but is 'm'"):
        call(function, wrong)


@every
def test_same_answer_from_a_file_read_back(function, trial, tmp_path):
    path = tmp_path / "results.nc"
    trial.to_netcdf(path)
    with xr.open_dataset(path) as back:
        assert back["crs_grade"].dtype.kind == "f"  # the fill value makes the codes floats
        xr.testing.assert_allclose(call(function, back.load()), call(function, trial))


counted = pytest.mark.parametrize(
    "function",
    [f for f in endpoints.ENDPOINTS if f.__name__ not in ("change", "best_change")],
    ids=lambda f: f.__name__,
)


@counted
def test_failed_patients_are_counted(function):
    ds = with_lesions(synthetic.neutral(arms=("flat", "b"), patients=5))
    before, after = call(function, ds), call(function, synthetic.fail(ds, 0, 2))
    assert int(before["failed"].max()) == 0
    assert (after["failed"].sel(arm="flat") == 1).all()
    assert (after["failed"].sel(arm="b") == 0).all()
    total = sum(after[name] for name in ("evaluable", "failed", "unassessed"))
    if "onset" not in function.__name__ and "duration" not in function.__name__:
        assert (total == 5).all()


def test_other_spelling_of_a_unit_is_accepted(trial):
    spelled = trial.assign(crs_onset=trial["crs_onset"].assign_attrs(units="d"))
    xr.testing.assert_equal(crs.onset(spelled), crs.onset(trial))


def test_unit_of_the_same_dimension_but_another_size_is_refused(trial):
    hours = trial.assign(crs_onset=trial["crs_onset"].assign_attrs(units="hour"))
    with pytest.raises(ConfigError, match="the unit must be day, but is 'hour'"):
        crs.onset(hours)


def test_missing_unit_is_refused(trial):
    bare = trial.assign(crs_onset=trial["crs_onset"].drop_attrs())
    with pytest.raises(ConfigError, match="crs_onset: the unit must be day, but is missing"):
        crs.onset(bare)


def test_unknown_grouping_is_refused(trial):
    with pytest.raises(ConfigError, match="'label', 'dose_period' or 'any', but is 'dose'"):
        crs.incidence(trial, by="dose")


def test_endpoints_do_not_change_their_input(trial):
    before = trial.copy(deep=True)
    for function in endpoints.ENDPOINTS:
        call(function, trial)
    xr.testing.assert_identical(trial, before)


def test_quantiles_of_weighted_patients():
    values = xr.DataArray([[1.0, 2.0, 3.0, np.nan]], dims=("arm", "patient"))
    ds = synthetic.neutral(patients=4)
    equal = endpoints.statistics.patients.spread(
        values.assign_coords(ds["patient"].coords), ds, (0.5,)
    )
    heavy = synthetic.put(ds, prevalence_weight=[1.0, 1.0, 8.0, 90.0])
    weighted = endpoints.statistics.patients.spread(values, heavy, (0.5,))
    assert equal["value"].item() == 2.0
    assert weighted["value"].item() == 3.0
    assert weighted["evaluable"].item() == 3
    assert weighted["unassessed"].item() == 1
