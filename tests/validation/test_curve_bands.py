"""Comparison of observed curves with simulated bands: shares, ratios, table and figure."""

import csv
import dataclasses

import numpy as np
import pytest
import xarray as xr

from qsp import plots
from qsp.errors import ConfigError
from qsp.validation import curve_bands, curves
from qsp.validation.curve_bands import COLUMNS, compare_curves, compared_curve, write_curves
from qsp.validation.curve_file import Curve
from qsp.validation.judge import Verdict
from qsp.validation.study import Study

PATIENTS = 101


def curve(day, value, *, statistic="individual", per_unit=1.0, low=None, high=None):
    day, value = np.array(day, float), np.array(value, float)
    none = np.full(len(day), np.nan)
    return Curve(
        file="made_up.csv",
        quantity="il6",
        unit="ng/mL" if per_unit > 1 else "pg/mL",
        per_unit=per_unit,
        molecule="tebentafusp",
        study="tebentafusp",
        arm="TEBE_20_30_68",
        statistic=statistic,
        source="made up",
        line=np.arange(len(day)) + 6,
        day=day,
        value=value,
        low=none if low is None else np.array(low, float),
        high=none if high is None else np.array(high, float),
    )


@pytest.fixture
def study():
    """Patient k has k pg/mL on day 0 and 10 k on day 1; one more patient failed."""
    levels = np.arange(PATIENTS + 1.0)
    values = np.stack([levels, 10 * levels], axis=-1)[None]
    values[0, -1] = np.nan
    outcome = np.zeros((1, PATIENTS + 1), int)
    outcome[0, -1] = 2
    coords = {"arm": ["TEBE_20_30_68"], "patient": np.arange(PATIENTS + 1), "time": [0.0, 1.0]}
    dims = ("arm", "patient", "time")
    results = xr.Dataset(
        {"il6": (dims, values), "outcome": (dims[:2], outcome, {"units": "1"})}, coords
    )
    return Study(results, results)


def test_share_and_ratio_are_of_the_patients_who_were_simulated(study):
    # The band is 5 to 95 on day 0 and 50 to 950 on day 1; the medians are 50 and 500.
    observed = curve([0, 0, 1, 1], [5, 96, 1000, 50])
    compared = compared_curve(observed, study, np.array([0.0, 1.0]))
    np.testing.assert_allclose(compared.band, [[5, 50], [50, 500], [95, 950]])
    assert compared.within.tolist() == [True, False, False, True]
    assert compared.share_within == 0.5
    ratio = (50 / 5 * 50 / 96 * 500 / 1000 * 500 / 50) ** 0.25
    assert compared.ratio == pytest.approx(ratio)
    cells = dict(zip(COLUMNS, compared.cells(), strict=True))
    assert cells["within the 90 % band"] == "50 % (2 of 4)"
    assert cells["simulated / observed"] == "x 2.26"
    assert cells["quantity"] == "il6 [pg/mL]"


def test_units_of_the_file_are_compared(study):
    compared = compared_curve(curve([1], [0.5], per_unit=1000.0), study, np.array([1.0]))
    assert compared.ratio == pytest.approx(1.0)
    np.testing.assert_allclose(compared.band[:, 0], [0.05, 0.5, 0.95])


def test_means_are_compared_with_means(study):
    values = study.results["il6"].values.copy()
    values[0, :PATIENTS] **= 2
    skewed = study.results.assign(il6=(study.results["il6"].dims, values))
    mean = np.mean(np.arange(PATIENTS) ** 2)
    observed = curve([0], [mean], statistic="mean")
    compared = compared_curve(observed, Study(skewed, skewed), np.array([0.0]))
    assert compared.ratio == pytest.approx(1.0)
    as_median = dataclasses.replace(observed, statistic="median")
    compared = compared_curve(as_median, Study(skewed, skewed), np.array([0.0]))
    assert compared.ratio == pytest.approx(2500 / mean)


def test_zeros_count_within_the_band_but_have_no_ratio(study):
    compared = compared_curve(curve([0, 0], [0, 50]), study, np.array([0.0]))
    assert compared.within.tolist() == [False, True]
    assert compared.cells()[-2] == "x 1 (1 without a ratio)"
    without = compared_curve(curve([0], [0]), study, np.array([0.0]))
    assert np.isnan(without.ratio)
    assert without.cells()[-2] == " (1 without a ratio)"


def test_points_outside_the_trial_are_refused_before_it_is_simulated(monkeypatch):
    monkeypatch.setattr(curve_bands, "conduct", lambda *_: pytest.fail("simulated"))
    outside = curve([-5, 1, 400], [1, 2, 3])
    with pytest.raises(ConfigError, match=r"made_up.csv: line 6: time must be within .* day -5"):
        compare_curves([outside], patients=2)


def test_table_and_figure_are_written(study, tmp_path):
    observed = curve([0, 1], [40, 1e-9], low=[30, np.nan], high=[60, np.nan])
    compared = [compared_curve(observed, study, np.linspace(0, 1, 2))]
    table, figure = write_curves(compared, tmp_path / "new")
    with table.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert tuple(row) == COLUMNS
    assert row["points"] == "2"
    assert figure.stat().st_size > 5000


def test_figure_draws_each_point_and_marks_those_below_the_axis(study):
    observed = curve([0, 0.5, 1], [40, 60, 1e-9])
    compared = [compared_curve(observed, study, np.linspace(0, 1, 2))] * 3
    figure = plots.observed_curves(compared)
    assert len(figure.axes) == 3 + 1  # one hidden
    lines = {line.get_marker(): line for line in figure.axes[0].lines if line.get_marker()}
    np.testing.assert_allclose(lines["o"].get_xdata(), [0, 12])
    np.testing.assert_allclose(lines["o"].get_ydata(), [40, 60])
    np.testing.assert_allclose(lines["v"].get_xdata(), [24])
    low, _ = figure.axes[0].get_ylim()
    assert lines["v"].get_ydata()[0] > low
    assert figure.axes[0].get_xlabel() == "Hours since the first dose"


def test_file_of_an_old_name_with_a_header_is_compared_by_its_header(tmp_path, monkeypatch):
    monkeypatch.setattr(curves, "dose_starts", lambda study, arm: (0.0,))
    (tmp_path / curves.PK_FILE).write_text("# quantity: drug\n")
    facts, rows = curves.curve_facts(tmp_path, {"mosunetuzumab": None})
    assert facts == ()
    assert rows[0].verdict is Verdict.SKIPPED
    assert rows[0].cells()[7] == "skipped: compared over time, by its header"


@pytest.mark.slow
def test_curve_is_compared_with_a_simulated_study():
    observed = dataclasses.replace(
        curve([0.1, 0.5, 3], [20, 200, 10]), study="approved/tebentafusp", arm="approved"
    )
    (compared,) = compare_curves([observed], patients=6, seed=2)
    assert compared.band.shape == (3, 200)
    assert np.isfinite(compared.band).all()
    assert (np.diff(compared.band, axis=0) >= 0).all()
    assert 0.01 < compared.ratio < 100
    assert compared.cells()[2] == "tebentafusp"
