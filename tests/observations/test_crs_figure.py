"""Observed CRS grades in the figure of CRS by dose."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import qsp
from tests import synthetic


def marks(figure):
    """Height of the diamonds in each upper panel."""
    upper = [part.axes[0] for part in figure.subfigs]
    return [
        [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "D"] for ax in upper
    ]


def test_figure_shows_the_observed_share_of_each_dose_period(run):
    figure = qsp.plots.crs_by_dose(run)
    assert marks(figure) == [[[100.0]], [[0.0]]]  # one visit in each arm
    upper = [part.axes[0] for part in figure.subfigs]
    counts = [[t.get_text() for t in ax.texts if "/" in t.get_text()] for ax in upper]
    assert counts == [["1/1"], ["0/1"]]
    assert "observed, grade ≥ 1" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_figure_without_observations_has_no_marks():
    assert marks(qsp.plots.crs_by_dose(synthetic.lively(8))) == [[]] * 4


@pytest.mark.parametrize(
    "function",
    [
        qsp.plots.crs_by_dose,
        qsp.plots.drug_concentration,
        lambda run: qsp.plots.cytokine_bands(run, "il6"),
    ],
)
def test_legend_of_one_arm_with_observations_fits_into_the_figure(function, run):
    figure = function(run.ds.isel(arm=[0]))
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    (legend,) = figure.legends
    box = legend.get_window_extent(renderer)
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
