"""Kaplan-Meier curves: the values of the estimator, numbers at risk, medians, censored patients."""

import numpy as np
import pytest

from qsp import plots
from qsp.endpoints.statistics.kaplan_meier import kaplan_meier, numbers_at_risk
from qsp.endpoints.survival import DAYS_PER_MONTH
from qsp.plots.style import arm_colors
from tests import synthetic, synthetic_response

survival = pytest.mark.parametrize(
    ("function", "time", "event"),
    [
        (plots.progression_free, "progression_free_time", "progression_free_event"),
        (plots.duration_of_response, "response_duration", "response_duration_event"),
    ],
    ids=["progression_free", "duration_of_response"],
)


@pytest.fixture(scope="module")
def trial():
    ds = synthetic_response.responding(patients=90)
    return synthetic.fail(ds, 0, 3)


def panels(figure):
    return [ax for ax in figure.get_axes() if ax.get_visible()]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def estimate(ds, arm, time, event):
    own = ds.sel(arm=arm)
    days = own[time].where(own["outcome"] == 0).values
    weight = ds["prevalence_weight"].values
    return kaplan_meier(days, own[event].values > 0, weight), days


@survival
@pytest.mark.parametrize("weighted", [False, True])
def test_curve_and_band_are_the_estimate_of_each_arm(trial, function, time, event, weighted):
    weight = np.random.default_rng(2).uniform(0.2, 3.0, 90) if weighted else 1.0
    ds = synthetic.put(trial, prevalence_weight=weight)
    ax = panels(function(ds))[0]
    curves = [line for line in ax.get_lines() if line.get_drawstyle() == "steps-post"]
    assert len(curves) == ds.sizes["arm"]
    for line, area, (arm, own) in zip(curves, ax.collections, arm_colors(ds).items(), strict=True):
        expected, days = estimate(ds, arm, time, event)
        x, y = line.get_data()
        np.testing.assert_allclose(x[1:-1], expected.time / DAYS_PER_MONTH)
        np.testing.assert_allclose(y[1:-1], 100 * expected.survival)
        assert (x[0], y[0]) == (0.0, 100.0)
        assert x[-1] == pytest.approx(np.nanmax(days) / DAYS_PER_MONTH)
        assert line.get_color() == own
        band = area.get_paths()[0].vertices[:, 1]
        assert band.min() == pytest.approx(100 * expected.lower.min())


@survival
def test_censored_patients_are_marked_on_the_curve(trial, function, time, event):
    ax = panels(function(trial))[0]
    marks = [line for line in ax.get_lines() if line.get_marker() == "|"]
    for line, arm in zip(marks, trial["arm"].values, strict=True):
        expected, days = estimate(trial, arm, time, event)
        happened = trial[event].sel(arm=arm).values > 0
        censored = np.unique(days[np.isfinite(days) & ~happened])
        assert censored.size
        np.testing.assert_allclose(line.get_xdata(), censored / DAYS_PER_MONTH)
        np.testing.assert_allclose(line.get_ydata(), 100 * expected.at(censored))


@survival
def test_numbers_at_risk_are_those_of_the_ticks(trial, function, time, event):
    ax, table = panels(function(trial))
    ticks = ax.get_xticks()
    assert ticks[:3].tolist() == [0, 2, 4]
    written = [text.get_text() for text in table.texts]
    expected = []
    for arm in trial["arm"].values:
        _, days = estimate(trial, arm, time, event)
        expected += [f"{count:,}" for count in numbers_at_risk(days, ticks * DAYS_PER_MONTH)]
    assert written == expected
    assert [label.get_text() for label in table.get_yticklabels()] == ["step up", "flat"]


@survival
def test_legend_has_the_median_and_its_interval(trial, function, time, event):
    expected, _ = estimate(trial, "flat", time, event)
    middle, low, high = (f"{each / DAYS_PER_MONTH:.1f}" for each in expected.quantile())
    assert legend(function(trial))[1] == f"flat: median {middle} months ({low} to {high})"
    none = trial.assign({event: trial[event] * 0})
    assert legend(function(none))[1] == "flat: median not reached"


def test_quarters_of_a_month_are_ticks_of_a_short_time_only(trial):
    def ticks(months):
        days = trial["progression_free_time"].clip(max=months * DAYS_PER_MONTH, keep_attrs=True)
        return panels(plots.progression_free(trial.assign(progression_free_time=days)))[
            0
        ].get_xticks()

    assert ticks(1).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert ticks(3).tolist() == [0, 1, 2, 3]
