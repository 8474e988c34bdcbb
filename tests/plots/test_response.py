"""Figures of response by the rule of the disease: values drawn, order, text, missing variables."""

import io
import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection

from qsp import plots
from qsp.endpoints import add_best_response
from qsp.errors import ConfigError
from qsp.plots.response_measure import measure_of
from qsp.plots.style import RESPONSE_COLORS, RESPONSE_TITLES
from tests import synthetic, synthetic_response

ALL = (plots.waterfall, plots.spider, *plots.LESION_FIGURES)
every = pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
RULES = {
    rule.measure: rule
    for rule in (
        synthetic_response.LYMPHOMA,
        synthetic_response.SOLID,
        synthetic_response.MYELOMA,
        synthetic_response.LEUKEMIA,
    )
}


@pytest.fixture(scope="module")
def trial():
    ds = synthetic_response.responding(patients=90)
    return synthetic.fail(ds, 0, 3)


def panels(figure):
    return [ax for ax in figure.get_axes() if ax.get_visible()]


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def color(code):
    return matplotlib.colors.to_rgba(RESPONSE_COLORS[code])


@every
@pytest.mark.parametrize("arms", [("one",), ("a", "b", "c"), tuple("abcdefghi")])
def test_figure_for_any_number_of_arms_and_one_patient(function, arms):
    assert png(function(synthetic_response.responding(patients=1, arms=arms))).startswith(
        b"\x89PNG"
    )


@every
def test_text_does_not_overlap_and_fits_into_the_figure(function):
    arms = ("step up to 1.5 mg/kg every week", "b")
    figure = function(synthetic_response.responding(synthetic_response.MYELOMA, arms=arms))
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for ax in panels(figure):
        labels = [label for label in ax.get_xticklabels() if label.get_text()]
        texts = [[label.get_window_extent(renderer) for label in labels if label.get_visible()]]
        texts.append([label.get_window_extent(renderer) for label in ax.get_yticklabels()])
        texts.append([text.get_window_extent(renderer) for text in ax.texts])
        for group in texts:
            assert not any(a.overlaps(b) for a, b in itertools.combinations(group, 2))
        above = [ax._left_title, ax._right_title]
        left, right = (text.get_window_extent(renderer) for text in above)
        assert left.x1 < right.x0 or not ax.get_title(loc="right")
        assert ax.get_tightbbox(renderer).y0 >= 0
    box = figure.legends[0].get_window_extent(renderer)
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width


@every
def test_arm_in_which_all_simulations_failed_has_a_note(function, trial):
    outcome = trial["outcome"].values.copy()
    outcome[1] = 2
    figure = function(synthetic.put(trial, outcome=outcome))
    texts = [text.get_text() for ax in panels(figure) for text in ax.texts] + legend(figure)
    assert any("no evaluable patient" in text for text in texts)


@every
def test_results_without_response_are_drawn_without_a_warning(function):
    ds = synthetic_response.responding(patients=30, hardest=True)
    figure = function(ds)
    assert png(figure)
    texts = [text.get_text() for ax in panels(figure) for text in ax.texts]
    if function in (plots.duration_of_response, plots.response_swimmer):
        assert "no response" in texts


@pytest.mark.parametrize("function", plots.LESION_FIGURES, ids=lambda f: f.__name__)
def test_results_without_times_of_response_are_refused(function):
    with pytest.raises(ConfigError, match="must be present"):
        function(add_best_response(synthetic.neutral()))


@pytest.mark.parametrize("function", plots.LESION_FIGURES, ids=lambda f: f.__name__)
def test_times_in_another_unit_are_refused(function, trial):
    names = ("progression_free_time", "response_duration")
    hours = {name: trial[name].assign_attrs(units="hour") for name in names}
    with pytest.raises(ConfigError, match="the unit must be day"):
        function(trial.assign(hours))


def test_waterfall_bars_are_the_best_changes_in_order_and_color(trial):
    for ax, arm in zip(panels(plots.waterfall(trial)), trial["arm"].values, strict=True):
        (bars,) = [item for item in ax.collections if isinstance(item, PolyCollection)]
        heights = np.array([path.vertices[1, 1] for path in bars.get_paths()])
        own = trial.sel(arm=arm)
        known = own["best_disease_change"].notnull() & (own["outcome"] == 0)
        best = own["best_disease_change"].values[known]
        order = np.argsort(-best, kind="stable")
        np.testing.assert_allclose(heights, np.clip(best[order], -100, plots.HIGHEST))
        codes = own["best_response"].values[known][order]
        faces = [tuple(face) for face in bars.get_facecolors()]
        assert faces == [color(code) for code in codes]


def test_spider_lines_are_the_changes_up_to_progression_over_missed_visits(trial):
    ax = panels(plots.spider(trial, patients=20))[0]
    (lines,) = [item for item in ax.collections if isinstance(item, LineCollection)]
    own = trial.isel(arm=0)
    after = np.flatnonzero(trial["visit"].values > 0)
    change = own["disease_change_visit"].values[:, after]
    shown = [row for row, ok in zip(change, own["outcome"].values == 0, strict=True) if ok]
    shown = [row for row in shown if np.isfinite(row).any()][:20]
    assert any(np.isnan(row[: np.flatnonzero(np.isfinite(row))[-1]]).any() for row in shown)
    for segment, row in zip(lines.get_segments(), shown, strict=True):
        seen = np.isfinite(row)
        np.testing.assert_array_equal(segment[0], (0.0, 0.0))
        np.testing.assert_array_equal(segment[1:, 0], trial["visit"].values[after][seen])
        np.testing.assert_array_equal(segment[1:, 1], row[seen])


@pytest.mark.parametrize(
    ("measure", "limits", "responses"),
    [
        ("sum of products of diameters", [-50, 50], (1, 2, 3, 4)),
        ("sum of diameters", [-30, 20], (1, 2, 3, 4)),
        ("M-protein", [-90, -50], (1, 5, 2, 3, 4)),
        ("blasts in marrow", [], (1, 6, 3, 4)),
    ],
)
@pytest.mark.parametrize("function", [plots.waterfall, plots.spider], ids=lambda f: f.__name__)
def test_measure_limits_and_responses_are_those_of_the_rule(function, measure, limits, responses):
    figure = function(synthetic_response.responding(RULES[measure], patients=6))
    ax = panels(figure)[0]
    assert f"{measure} [%]" in ax.get_ylabel().replace("\n", " ")
    dashed = [line.get_ydata()[0] for line in ax.get_lines() if line.get_linewidth() == 0.9]
    assert sorted(dashed) == pytest.approx(limits)
    titles = [RESPONSE_TITLES[code] for code in responses]
    assert legend(figure)[: len(titles)] == titles
    assert len(legend(figure)) == len(titles) + bool(limits)


def test_unknown_measure_has_its_name_without_limits_and_a_missing_one_is_refused(trial):
    change = trial["best_disease_change"]
    other = trial.assign(best_disease_change=change.assign_attrs(measure="PSA"))
    assert measure_of(other).limits == ()
    assert panels(plots.waterfall(other))[0].get_ylabel() == "Best change in\nPSA [%]"
    longest = trial.assign(
        best_disease_change=change.assign_attrs(measure="sum of longest diameters")
    )
    assert measure_of(longest).limits == (-30.0, 20.0)
    assert measure_of(longest).name == "sum of longest diameters"
    nameless = trial.assign(best_disease_change=change.assign_attrs(measure=""))
    with pytest.raises(ConfigError, match="must name the measure"):
        plots.waterfall(nameless)


def test_results_of_one_volume_keep_its_name_and_responses():
    figure = plots.waterfall(add_best_response(synthetic.lively(12, arms=("a",))))
    assert panels(figure)[0].get_ylabel() == "Best change in\ntumor volume [%]"
    assert legend(figure)[:4] == [RESPONSE_TITLES[code] for code in (1, 2, 3, 4)]
    assert len(legend(figure)) == 5
