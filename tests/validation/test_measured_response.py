"""Simulated counterparts of published response, on synthetic results."""

import numpy as np
import pytest
import xarray as xr

from qsp.validation.measured_response import RESPONSE_FUNCTIONS, share_at
from qsp.validation.selected import NotComputed
from qsp.validation.study import Study
from tests import synthetic
from tests.synthetic_lesions import with_lesions
from tests.validation.rows import target

MONTH = 365.25 / 12.0


@pytest.fixture
def found():
    """Four patients in one arm: a complete, a very good partial, a partial response, and none."""
    ds = with_lesions(synthetic.neutral(("a",), patients=4, labels=("SUD1",)))
    put = {
        "best_response": [1, 5, 2, 4],
        "progression_free_time": [20 * MONTH, 10 * MONTH, 6 * MONTH, 1 * MONTH],
        "progression_free_event": [0, 1, 1, 1],
        "response_duration": [18 * MONTH, 8 * MONTH, 4 * MONTH, np.nan],
        "response_duration_event": [0, 1, 1, -1],
        "complete_response_duration": [17 * MONTH, np.nan, np.nan, np.nan],
        "complete_response_duration_event": [0, -1, -1, -1],
    }
    for name, values in put.items():
        ds[name] = ds[name].copy(data=np.array([values], ds[name].dtype))
    return Study(ds, ds)


def value(name, study, **row):
    return RESPONSE_FUNCTIONS[name](study, target(**row)).value


def test_rates_are_over_all_treated_patients(found):
    assert value("orr", found) == 75.0
    assert value("vgpr", found) == 50.0
    assert value("cr", found) == 25.0


def test_medians_are_those_of_kaplan_and_meier(found):
    assert value("pfs_median", found) == pytest.approx(6.0)
    assert value("dor_median", found) == pytest.approx(8.0)


def test_proportions_at_a_time(found):
    hours = 24.0 * MONTH
    assert value("pfs_rate", found, hours=7.0 * hours) == pytest.approx(50.0)
    assert value("dor_rate", found, hours=5.0 * hours) == pytest.approx(200.0 / 3.0)
    assert value("cr_kept", found, hours=12.0 * hours) == 100.0
    assert np.isnan(value("cr_kept", found, hours=18.0 * hours))  # no patient was observed as long


def test_share_at_a_time_of_no_responder_is_zero(found):
    ds = found.results.copy()
    ds["response_duration"] = xr.full_like(ds["response_duration"], np.nan)
    variables = ("response_duration", "response_duration_event")
    assert share_at(Study(ds, ds), target(), variables, 30.0) == 0.0
    assert share_at(found, target(), variables, 5.0 * MONTH) == pytest.approx(200.0 / 3.0)


def test_one_pool_of_cells_has_no_survival():
    ds = synthetic.neutral(("a",), patients=2, labels=("SUD1",))
    with pytest.raises(NotComputed, match=r"no lesions"):
        value("pfs_median", Study(ds, ds))
