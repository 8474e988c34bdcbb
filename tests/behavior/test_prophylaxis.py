"""Tocilizumab ahead of the first step lowers the rate of CRS and raises measured IL-6.

The shipped config with 100 patients, each in every arm; 8 mg/kg, at most 800 mg.
"""

from pathlib import Path

import numpy as np
import pytest

from qsp.run import Request, prepare, run

CONFIG = Path(__file__).parents[2] / "configs" / "strategies" / "tocilizumab_prophylaxis.toml"
PATIENTS = 100
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ds(double_precision):
    request = Request(CONFIG, [f"patients={PATIENTS}", "trajectories.patients=2"])
    done = run(prepare(request)).to_dataset()
    assert (done["outcome"] == 0).all()
    return done


def rate(ds, arm, grade, period=None):
    """Share of patients with CRS of a grade or higher, in one dose period or in any."""
    grades = ds["crs_grade"].sel(arm=arm)
    worst = grades.max("dose_period") if period is None else grades.sel(dose_period=period)
    return float((worst >= grade).mean())


def test_tocilizumab_before_the_first_step_lowers_crs(ds):
    """Any grade falls by at least a fifth, and grade 2 by a third."""
    for grade, most in ((1, 0.8), (2, 0.67)):
        assert 0.0 < rate(ds, "first_step", grade) < most * rate(ds, "without", grade)


def test_tocilizumab_before_the_first_step_halves_crs_after_it(ds):
    """Any grade after the first step."""
    rates = [rate(ds, arm, 1, period=1) for arm in ("first_step", "without")]
    assert rates[0] < 0.5 * rates[1], f"rates {rates}"


def test_tocilizumab_raises_measured_il6(ds):
    """The median of the highest IL-6 rises 1.5- to 5-fold; it is higher in every patient."""
    largest = ds["il6_peak"].max("dose_period")
    without, treated = (largest.sel(arm=arm) for arm in ("without", "first_step"))
    assert 1.5 < np.median(treated) / np.median(without) < 5.0
    assert (treated > without).all()


def test_tocilizumab_spares_the_tumor_and_does_not_act_before_it_is_given(ds):
    """Tumors are within 1 % of those without it; given ahead of the full dose, it leaves the first
    step unchanged."""
    early = ds["il6_peak"].sel(dose_period=1)
    np.testing.assert_allclose(early.sel(arm="full_dose"), early.sel(arm="without"), rtol=1e-3)
    volume = ds["tumor_volume_end"]
    np.testing.assert_allclose(volume.sel(arm="first_step"), volume.sel(arm="without"), rtol=0.01)
    assert rate(ds, "full_dose", 1, period=3) < rate(ds, "without", 1, period=3)
