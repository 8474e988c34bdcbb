"""Artists of the figures: lines, bars, bands and marks have the values of the endpoints."""

import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection

from qsp import plots
from qsp.endpoints import add_best_response, bands, crs, exposure, steps, tumor
from qsp.plots.style import RESPONSE_COLORS, arm_colors
from tests import synthetic

every = pytest.mark.parametrize("function", plots.FIGURES, ids=lambda f: f.__name__)
PER_ARM = [
    plots.cytokine_bands,
    plots.drug_concentration,
    plots.waterfall,
    plots.spider,
    plots.swimmer,
]


@pytest.fixture(scope="module")
def trial():
    return add_best_response(synthetic.lively(40))


def panels(figure):
    return [ax for ax in figure.get_axes() if ax.get_visible()]


@pytest.mark.parametrize("function", PER_ARM, ids=lambda f: f.__name__)
@pytest.mark.parametrize("count", [1, 3, 9])
def test_one_panel_per_arm_in_their_order(function, count):
    arms = tuple("abcdefghi"[:count])
    figure = function(add_best_response(synthetic.lively(6, arms=arms)))
    assert [ax.get_title(loc="left") for ax in panels(figure)] == list(arms)
    assert [bool(ax.get_ylabel()) for ax in panels(figure)] == [k % 2 == 0 for k in range(count)]


@every
def test_labels_do_not_overlap_and_fit_into_the_figure(function, trial):
    figure = function(trial)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for ax in panels(figure):
        low, high = sorted(ax.get_xlim())
        labels = [
            label.get_window_extent(renderer)
            for label in ax.get_xticklabels()
            if label.get_text() and low <= label.get_position()[0] <= high
        ]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(labels))
    (legend,) = figure.legends
    box = legend.get_window_extent(renderer)
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    texts = [text.get_window_extent(renderer) for text in legend.get_texts()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(texts, 2))


def test_error_bars_are_the_monte_carlo_and_prediction_intervals(trial):
    ax = panels(plots.crs_by_dose(trial, trial_size=50))[0]
    names = [step.label for step in steps(trial) if step.arm == "step_up"]
    rates = 100 * crs.incidence(trial, at_least=(1,), trial_size=50).sel(
        arm="step_up", label=names, grade=1
    )
    prediction, monte_carlo = (
        np.array([segment[:, 1] for segment in item.get_segments()])
        for item in ax.collections
        if isinstance(item, LineCollection)
    )
    np.testing.assert_allclose(prediction, rates[["trial_lower", "trial_upper"]].to_array().T)
    np.testing.assert_allclose(monte_carlo, rates[["lower", "upper"]].to_array().T)
    figure = plots.crs_by_dose(trial, trial_size=50)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[-2:] == [
        "95 % Monte Carlo interval (grade ≥ 1)",
        "95 % prediction interval, trial of 50",
    ]


def test_cumulative_incidence_is_that_of_the_endpoint(trial):
    figure = plots.cumulative_crs(trial, at_least=2)
    (ax,) = panels(figure)
    curves = 100 * crs.cumulative_incidence(trial, at_least=2)["value"]
    lines = [line for line in ax.get_lines() if line.get_drawstyle() == "steps-post"]
    assert len(lines) == trial.sizes["arm"]
    for line, (arm, color) in zip(lines, arm_colors(trial).items(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), curves["time"])
        np.testing.assert_allclose(line.get_ydata(), curves.sel(arm=arm))
        assert line.get_color() == color
    marks = {line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "v"}
    assert marks == {round(step.time, 3) for step in steps(trial)}
    assert ax.get_ylabel() == "Cumulative incidence of CRS,\ngrade ≥ 2 [%]"


def test_cytokine_band_is_median_and_outer_percentiles(trial):
    figure = plots.cytokine_bands(trial, "ifn_gamma", window=(0.0, 28.0))
    band = bands(trial, "ifn_gamma")
    for ax, arm in zip(panels(figure), trial["arm"].values, strict=True):
        (median,) = [line for line in ax.get_lines() if line.get_linewidth() == 1.8]
        np.testing.assert_allclose(median.get_ydata(), band.sel(arm=arm, quantile=0.5))
        (area,) = ax.collections
        vertices = area.get_paths()[0].vertices
        outer = band.sel(arm=arm, quantile=[0.05, 0.95]).values
        assert vertices[:, 1].min() == pytest.approx(np.nanmin(outer))
        assert vertices[:, 1].max() == pytest.approx(np.nanmax(outer))
        assert ax.get_yscale() == "log"
        assert ax.get_xlim()[0] < 0.0 < 28.0 < ax.get_xlim()[1] < 30.0
    assert panels(figure)[0].get_ylabel() == "IFN-γ [pg/mL]"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["median", "5th to 95th percentile", "individual patients"]


def test_drug_concentration_is_the_median_in_mass_units(trial):
    ax = panels(plots.drug_concentration(trial))[1]
    (line,) = [line for line in ax.get_lines() if line.get_linewidth() == 1.8]
    median = bands(trial, "drug_central").sel(arm="flat", quantile=0.5)
    expected = (median * exposure.mass_per_molar(trial)).sel(time=slice(0.0, None)).values
    shown = expected > 0
    assert shown.any()
    np.testing.assert_allclose(line.get_ydata()[shown], expected[shown])
    doses = [step for step in steps(trial) if step.arm == "flat"]
    marks = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "v"]
    assert marks == [step.time for step in doses]
    assert [text.get_text() for text in ax.texts] == ["60", "60", "60", "60", "30", "30"]


def test_spider_lines_are_the_changes_in_the_color_of_the_response(trial):
    ax = panels(plots.spider(trial, patients=10))[0]
    (lines,) = [item for item in ax.collections if isinstance(item, LineCollection)]
    change = tumor.change(trial).isel(arm=0)
    after = change.isel(visit=trial["visit"].values > 0).transpose("patient", "visit").values
    solved = np.flatnonzero(np.isfinite(after).any(axis=1))[:10]
    found = np.array([segment[1:, 1] for segment in lines.get_segments()])
    np.testing.assert_allclose(found, after[solved])
    codes = trial["best_response"].isel(arm=0).values[solved].astype(int)
    colors = [matplotlib.colors.to_hex(color) for color in lines.get_colors()]
    assert colors == [RESPONSE_COLORS[code].lower() for code in codes]


def test_swimmer_shows_doses_and_crs_of_each_patient(trial):
    ds = trial.isel(patient=slice(5))
    ax = panels(plots.swimmer(ds))[0]
    grades = crs.grades(ds).isel(arm=0)
    onset = (ds["dose_time"] + ds["crs_onset"]).isel(arm=0).where(grades >= 1)
    starts = sorted(bar.get_x() for bar in ax.patches)
    assert starts
    np.testing.assert_allclose(starts, np.sort(onset.values[np.isfinite(onset.values)]))
    rows = [text.get_text() for text in ax.get_yticklabels()]
    assert rows == [str(patient) for patient in ds["patient"].values]


def test_swimmer_has_a_mark_for_each_rescue_drug(trial):
    ds = trial.isel(patient=slice(3)).copy()
    dims, shape = ("arm", "patient", "administration"), (ds.sizes["arm"], 3, 2)
    reasons = {"flag_values": [0, 1], "flag_meanings": "planned rescue"}
    drugs = {"flag_values": [0, 1], "flag_meanings": "tocilizumab dexamethasone"}
    ds["administered_time"] = dims, np.full(shape, 15.0)
    ds["administered_reason"] = dims, np.ones(shape, int), reasons
    ds["administered_drug"] = dims, np.broadcast_to([0, 1], shape), drugs
    figure = plots.swimmer(ds)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named[1:3] == ["rescue: tocilizumab", "rescue: dexamethasone"]
    rows = [np.round(marks.get_offsets()[:, 1], 2) for marks in panels(figure)[0].collections]
    assert len(rows) == 3 * 3  # doses and two drugs of three patients
    # Doses are below the middle of a row, drugs above it on the events.
    assert {round(float(row[0] % 1), 2) for row in rows} == {0.24, 0.86}
