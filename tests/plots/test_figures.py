"""Figures: axes, artists and labels show the values of the results; unusual input is handled."""

import io
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from qsp import plots
from qsp.endpoints import add_best_response, crs, exposure, response
from qsp.plots.crs import rounded
from qsp.plots.style import GRADE_COLORS, RESPONSE_COLORS, arm_colors, log_axis, number
from qsp.results.record import DoseRecord, RegimenRecord
from tests import synthetic


@pytest.fixture(scope="module")
def trial():
    return add_best_response(synthetic.lively(40))


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def panels(figure):
    return [ax for ax in figure.get_axes() if ax.get_visible()]


def titles(figure):
    return [ax.get_title(loc="left") for ax in panels(figure)]


every = pytest.mark.parametrize("function", plots.FIGURES, ids=lambda f: f.__name__)


@every
def test_figure_draws_without_a_warning_and_names_its_axes(function, trial):
    figure = function(trial)
    assert isinstance(figure, Figure)
    assert png(figure).startswith(b"\x89PNG")
    written = [ax.get_ylabel() for ax in panels(figure)]
    assert any("[" in text for text in written), written
    assert figure.legends


@every
@pytest.mark.parametrize("arms", [("one",), ("a", "b", "c"), tuple("abcdefghi")])
def test_figure_for_any_number_of_arms(function, arms):
    assert png(function(add_best_response(synthetic.lively(20, arms=arms))))


@every
@pytest.mark.parametrize(
    "names", [(r"$\frac{", "a$b$c", "<script>", "µ_é"), ("x" * 200, "flat")], ids=["signs", "long"]
)
def test_figure_survives_any_name_of_an_arm(function, names):
    with warnings.catch_warnings():
        # A name that leaves no room is the user's; it must not end the run.
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        assert png(function(add_best_response(synthetic.lively(20, arms=names))))


@every
def test_arm_in_which_all_simulations_failed_has_a_note(function, trial):
    outcome = trial["outcome"].values.copy()
    outcome[1] = 2
    figure = function(synthetic.put(trial, outcome=outcome))
    assert png(figure)
    texts = [text.get_text() for ax in panels(figure) for text in ax.texts]
    texts += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    if function is not plots.cytokine_overview:  # one panel per cytokine: the arm has no line
        assert any("no evaluable patient" in text for text in texts)


@every
def test_figure_does_not_change_the_settings_of_matplotlib(function, trial):
    before = dict(matplotlib.rcParams)
    function(trial)
    assert dict(matplotlib.rcParams) == before


@every
def test_figure_of_a_run_in_which_nothing_happens(function):
    assert png(function(add_best_response(synthetic.neutral(arms=("a", "b")))))


def test_crs_bars_are_stacked_to_the_rate_of_any_grade(trial):
    figure = plots.crs_by_dose(trial)
    rate = crs.incidence(trial, at_least=(1,)).sel(arm="flat")["value"]
    upper = next(ax for ax in panels(figure) if ax.get_title(loc="left") == "flat")
    bars = np.array([[bar.get_height() for bar in stack] for stack in upper.containers[:4]])
    labels = ["FD1", "FD2", "FD3", "FD4", "FD5", "FD6"]
    np.testing.assert_allclose(bars.sum(axis=0), 100 * rate.sel(label=labels).values.ravel())
    colors = [stack[0].get_facecolor() for stack in upper.containers[:4]]
    assert colors == [matplotlib.colors.to_rgba(color) for color in GRADE_COLORS.values()]


def test_dose_bars_have_label_day_and_amount(trial):
    figure = plots.crs_by_dose(trial)
    upper = next(
        k for k, ax in enumerate(figure.get_axes()) if ax.get_title(loc="left") == "step up"
    )
    lower = figure.get_axes()[upper + 1]
    assert [bar.get_height() for bar in lower.patches] == [1, 2, 60, 60, 30, 30]
    ticks = [text.get_text() for text in lower.get_xticklabels()]
    assert ticks[:3] == ["SUD1\nday 1", "SUD2\nday 8", "FD1\nday 15"]


def test_many_doses_are_labeled_sparsely():
    labels = [f"FD{k}" for k in range(1, 41)]
    figure = plots.crs_by_dose(add_best_response(synthetic.neutral(labels=labels)))
    assert len(panels(figure)[1].get_xticklabels()) <= 8


def test_many_bars_have_numbers_from_two_percent_above_their_intervals():
    labels = [f"FD{n}" for n in range(1, 13)]
    ds = synthetic.neutral(("a",), labels=labels, patients=100)
    ds["crs_grade"].values[0, :30, 0] = 1
    ds["crs_grade"].values[0, :1, 5] = 1
    ax = panels(plots.crs_by_dose(add_best_response(ds)))[0]
    assert [text.get_text() for text in ax.texts] == ["30"]
    assert ax.texts[0].get_horizontalalignment() == "center"
    assert ax.texts[0].xy[1] > 30.0


@pytest.mark.parametrize(
    ("ends", "written"),
    [
        ((150.0, 9000.0), ["200", "500", "2,000", "5,000"]),  # one decade is on the axis
        ((4.0, 60.0), ["5", "20", "50"]),
        ((0.9, 110.0), []),  # 1, 10 and 100 have numbers
    ],
)
def test_axis_with_fewer_than_two_decades_has_more_numbers(ends, written):
    ax = Figure().subplots()
    log_axis(ax, *ends)
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.yaxis.get_minorticklocs() if low <= tick <= high]
    texts = [ax.yaxis.get_minor_formatter()(tick, n) for n, tick in enumerate(ticks)]
    assert [text for text in texts if text] == written


def test_doses_close_together_have_their_amounts_in_rows():
    days = np.arange(366.0)
    ds = synthetic.neutral(("a",), labels=("SUD1", "SUD2", "FD1", "FD2"), times=days)
    ds["cmax"].values[:] = 1.0
    (ax,) = panels(plots.drug_concentration(add_best_response(ds)))
    amounts = [text for text in ax.texts if text.get_text() in "1234"]
    assert [text.get_text() for text in amounts] == ["1", "2", "3"]
    assert len({text.get_position()[1] for text in amounts}) == 3


def test_arm_keeps_its_color_and_no_two_are_alike(trial):
    colors = arm_colors(trial)
    assert len(set(colors.values())) == 4
    lines = plots.cytokine_overview(trial).get_axes()[0].get_lines()
    assert [line.get_color() for line in lines] == list(colors.values())


def test_first_day_of_the_axis_is_day_1(trial):
    ax = plots.cumulative_crs(trial).get_axes()[0]
    ticks = [ax.xaxis.get_major_formatter()(tick) for tick in ax.get_xticks()]
    assert ticks[:3] == ["1", "8", "15"]
    assert ax.get_xlabel().startswith("Protocol day")


def test_individual_lines_are_at_most_thirty_solved_patients(trial):
    outcome = trial["outcome"].values.copy()
    outcome[:, :5] = 2
    ds = synthetic.put(trial, outcome=outcome)
    ax = plots.cytokine_bands(ds, "il6").get_axes()[0]
    thin = [line for line in ax.get_lines() if line.get_linewidth() == 0.5]
    assert len(thin) == 30
    np.testing.assert_array_equal(thin[0].get_ydata(), ds["il6"].values[0, 5])


def test_large_run_draws_bands_and_its_stored_patients(trial):
    names = [name for name in trial.data_vars if "time" in trial[name].dims]
    large = trial.drop_vars(names)
    for name in ("il6", "drug_central"):
        stored = trial[name].quantile([0.05, 0.25, 0.5, 0.75, 0.95], "patient")
        large[f"{name}_quantiles"] = stored.assign_attrs(trial[name].attrs)
    stored = trial[["il6"]].isel(patient=slice(10)).rename(patient="patient_traj")
    bands = plots.cytokine_bands(large, "il6").get_axes()[0].get_lines()
    both = plots.cytokine_bands(large, "il6", trajectories=stored).get_axes()[0].get_lines()
    assert len(both) == len(bands) + 10
    assert png(plots.drug_concentration(large))


def test_drug_axis_has_a_readable_mass_unit(trial):
    def unit(scale):
        names = ("drug_central", "cmax")
        ds = trial.assign({name: trial[name] * scale for name in names})
        return plots.drug_concentration(ds).get_axes()[0].get_ylabel()

    assert unit(1.0) == "Free drug in blood [µg/mL]"
    assert unit(1e-3) == "Free drug in blood [ng/mL]"
    assert unit(1e-6) == "Free drug in blood [pg/mL]"
    assert exposure.mass_per_molar(trial) == pytest.approx(0.146)


def test_waterfall_falls_and_is_colored_by_response(trial):
    ax = panels(plots.waterfall(trial))[0]
    (bars,) = [item for item in ax.collections if isinstance(item, PolyCollection)]
    heights = [path.vertices[1, 1] for path in bars.get_paths()]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == int((trial["outcome"].values[0] == 0).sum())
    allowed = {matplotlib.colors.to_rgba(color) for color in RESPONSE_COLORS.values()}
    assert {tuple(color) for color in bars.get_facecolors()} <= allowed
    assert bars.get_paths()[-1].vertices[:, 0].max() == pytest.approx(100)


def test_waterfall_bars_are_as_wide_as_the_weight_of_the_patient(trial):
    weight = np.ones(40)
    weight[7] = 41.0  # half of all with the 39 others less one failed
    ax = panels(plots.waterfall(synthetic.put(trial, prevalence_weight=weight)))[0]
    (bars,) = [item for item in ax.collections if isinstance(item, PolyCollection)]
    widths = [np.ptp(path.vertices[:, 0]) for path in bars.get_paths()]
    assert max(widths) == pytest.approx(100 * 41 / (41 + 38))


def test_waterfall_of_many_patients_draws_some_evenly_spaced(trial, monkeypatch):
    def bars():
        ax = panels(plots.waterfall(trial))[0]
        (found,) = [item for item in ax.collections if isinstance(item, PolyCollection)]
        return [path.vertices for path in found.get_paths()]

    all_heights = [bar[1, 1] for bar in bars()]
    monkeypatch.setattr("qsp.plots.tumor.MOST_BARS", 13)
    few = bars()
    assert [bar[1, 1] for bar in few] == all_heights[1::3]  # of 39 solved patients
    np.testing.assert_allclose([np.ptp(bar[:, 0]) for bar in few], 100 / 13)
    assert few[-1][:, 0].max() == pytest.approx(100)


@pytest.mark.parametrize("patients", [12, 60])
def test_spider_in_blocks_draws_the_same_patients(trial, patients, monkeypatch):
    def lines():
        axes = panels(plots.spider(trial, patients=patients))
        found = [item for ax in axes for item in ax.collections if isinstance(item, LineCollection)]
        return [np.array(item.get_segments()) for item in found]

    whole = lines()
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.CHUNK", 7)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.SIMULATIONS", 0)
    for found, expected in zip(lines(), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_spider_starts_every_patient_at_zero(trial):
    ax = panels(plots.spider(trial, patients=12))[0]
    (lines,) = [item for item in ax.collections if isinstance(item, LineCollection)]
    starts = [segment[0] for segment in lines.get_segments()]
    assert len(starts) == 12
    assert all(tuple(start) == (0.0, 0.0) for start in starts)


def test_numbers_on_axes_have_no_exponent():
    assert [number(value) for value in (0.001, 0.5, 3.0, 100.0, 20000.0)] == [
        "0.001", "0.5", "3", "100", "20,000",
    ]  # fmt: skip


TITLED = {
    "step_up": {"title": "1/2/60 mg step-up"},
    "flat": {
        "title": "60 mg flat, a title so long that it does not fit above its panel in one line"
    },
}


@every
def test_arms_are_called_by_their_titles(function, trial):
    figure = function(synthetic.with_record(trial, arms=TITLED))
    words = " ".join(titles(figure))
    words += " ".join(text.get_text() for leg in figure.legends for text in leg.get_texts())
    words = words.replace("\n", " ")
    assert "1/2/60 mg step-up" in words
    assert "60 mg flat, a title so long that it does not fit above its panel in one line" in words
    assert "flat no premedication" in words  # has none


@pytest.mark.parametrize(
    ("percent", "text"),
    [(24.5, "25"), (15.5, "16"), (24.499999999999996, "25"), (24.4, "24"), (100.0, "100"),
     (0.0, "0"), (0.25, "0.3"), (0.949, "0.9")],
)  # fmt: skip
def test_half_a_percent_is_rounded_up(percent, text):
    assert rounded(percent) == text


def test_bar_of_all_patients_leaves_room_for_its_number():
    ds = synthetic.put(synthetic.neutral(patients=20), crs_grade=1, crs_onset=0.2)
    upper = panels(plots.crs_by_dose(add_best_response(ds)))[0]
    assert upper.get_ylim()[1] > 110
    assert max(upper.get_yticks()) <= 120
    assert "100" in [text.get_text() for text in upper.texts]


def test_dose_bars_are_in_proportion_and_their_amounts_in_micrograms(trial):
    ds = trial.assign(dose_amount=trial["dose_amount"].copy(data=trial["dose_amount"] * 1e-3))
    lower = plots.crs_by_dose(ds).get_axes()[1]
    assert lower.get_yscale() == "linear"
    assert lower.get_ylabel() == "Dose\n[µg]"
    assert [text.get_text() for text in lower.texts] == ["1", "2", "60", "60", "30", "30"]


def test_drug_begins_at_the_first_dose_from_below_the_scale(trial):
    ax = plots.drug_concentration(trial).get_axes()[0]
    median = next(line for line in ax.get_lines() if line.get_linewidth() == 1.8)
    assert median.get_xdata()[0] == 0.0
    assert median.get_ydata()[0] < ax.get_ylim()[0]
    ticks = [ax.xaxis.get_major_formatter()(tick) for tick in ax.get_xticks()]
    assert ticks[0] == "1"


def test_supportive_drugs_are_marked_at_their_times(trial):
    dose = DoseRecord(-1 / 24, "tocilizumab", "tocilizumab", "IV", 8.0, "kg")
    ds = synthetic.with_record(trial, arms={"flat": {"regimens": (RegimenRecord((dose,)),)}})
    for function in (plots.cytokine_bands, plots.cytokine_overview):
        figure = function(ds)
        legend = [text.get_text() for text in figure.legends[0].get_texts()]
        assert "tocilizumab" in legend
        marks = [ax.get_lines() for ax in panels(figure)]
        squares = [line for lines in marks for line in lines if line.get_marker() == "s"]
        assert squares
        assert all(line.get_xdata()[0] == pytest.approx(-1 / 24) for line in squares)


def test_single_patient_is_shown_as_a_line_and_grades():
    ds = synthetic.lively(5).isel(patient=[0])
    ds["outcome"].values[:] = 0
    ds = add_best_response(synthetic.typical(ds))
    figure = plots.cytokine_bands(ds)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["the typical patient"]
    upper = panels(plots.crs_by_dose(ds))[0]
    grades = crs.grades(ds).isel(patient=0, arm=0).values
    assert [bar.get_height() for bar in upper.patches] == list(grades)
    assert upper.get_ylabel() == "Worst CRS grade [ASTCT]"
    assert not upper.collections  # no whiskers, no brackets


def test_benefit_risk_plane_has_a_point_per_arm_at_its_rates(trial):
    ax = panels(plots.benefit_risk(trial))[0]
    risk = crs.incidence(trial, by="any", at_least=(2,)).isel(grade=0)
    benefit = response.objective_response(trial)
    assert len(ax.containers) == 4
    for arm, container in zip(trial["arm"].values, ax.containers, strict=True):
        point = container.lines[0]
        assert point.get_xdata()[0] == pytest.approx(100 * risk["value"].sel(arm=arm).item())
        assert point.get_ydata()[0] == pytest.approx(100 * benefit["value"].sel(arm=arm).item())
        ends = container.lines[2][0].get_segments()[0][:, 0]
        bounds = [100 * risk[name].sel(arm=arm).item() for name in ("lower", "upper")]
        assert ends.tolist() == pytest.approx(bounds)
