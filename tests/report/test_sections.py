"""The first part of the page: each number in it is recomputed here from the results."""

import io
import re

import numpy as np
import PIL.Image
import pytest
import xarray as xr

from qsp import report
from qsp.endpoints import add_best_response
from qsp.endpoints.statistics.paired import Cells, newcombe
from qsp.model import MODEL_VERSION
from qsp.parameter_record import ParameterRecord
from qsp.report import glance, standing
from qsp.report.provenance import provenance, ranking_table
from qsp.results.record import DoseRecord, RegimenRecord
from tests import synthetic
from tests.report.test_page import Page, supplement

SECTIONS = ("regimen", "sure", "drivers", "unknown")
HOURS = (24, 48, 72)
IDENTIFIERS = r"step up no premedication|step_up\w*|flat\w*|FD\d|SUD\d|IL-6"


def parameters():
    rows = [("t_cells.k_act", "tuned"), ("body.q", "assumed"), ("body.v", "published")]
    return tuple(ParameterRecord(p, "1", "1", p, "", s, "", "", "") for p, s in rows)


@pytest.fixture(scope="module")
def trial():
    ds = add_best_response(synthetic.lively(60))
    return synthetic.with_record(ds, parameters=parameters())


@pytest.fixture(scope="module")
def sampled(trial):
    """The first parameter follows fever, the second is random, the third is fixed."""
    worst = trial["fever_peak"].isel(arm=0).max("dose_period").fillna(0.0).values
    noise = np.random.default_rng(3).normal(size=worst.size)
    values = {"t_cells.k_act": worst**2, "body.q": noise, "body.v": np.ones(worst.size)}
    return xr.Dataset({name: ("patient", each) for name, each in values.items()})


@pytest.fixture(scope="module")
def text(trial, sampled):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qsp.report.pictures.RESOLUTION", 30)
        return report.render(trial, supplement(sampled=sampled, date="2026-01-31"))


def section(text, name):
    """Sentences of a section, without the tables below them."""
    part = text.partition(f'<h2 id="{name}">')[2].partition("</ul>")[0]
    return [Page(item).text for item in re.findall(r"<li>(.*?)</li>", part, re.S)]


def three(value):
    """Number with three significant digits, as the page writes it."""
    return f"{value:#.3g}".rstrip(".")


class Numbers:
    """Numbers that the sections may contain, computed with NumPy alone."""

    def __init__(self, ds):
        self.ds = ds
        solved = ds["outcome"].values == 0
        grade = np.where(solved[..., None], ds["crs_grade"].values, np.nan).astype(float)
        self.worst = grade.max(axis=-1)
        self.solved, self.grade = solved, grade
        self.onset = ds["crs_onset"].values * 24
        self.duration = ds["crs_duration"].values * 24
        self.found = {"100", "24", "48", "72", "2", "0", "95", "90", "5"}
        for arm in range(ds.sizes["arm"]):
            self._arm(arm)
        peak = np.where(solved, ds["il6_peak"].max("dose_period").values, np.nan)
        middle = np.nanmedian(peak, axis=1)
        self.found |= {three(ratio) for ratio in middle / middle[0]}
        self.found |= {f"{(~solved).sum()}", f"{solved.size}", "3", "1", "33"}  # values by status
        self.found |= {"0.5"}  # weight in the utility
        until = ds["dose_time"].values + (self.onset + self.duration) / 24
        events = (grade >= 1) & np.isfinite(self.duration)
        self.lasting = int((events & (until >= ds.attrs["days"] - 1e-6)).sum())
        self.found |= {str(self.lasting), str(int(events.sum()))}

    def _arm(self, arm):
        ok, worst = self.solved[arm], self.worst[arm]
        self.found.add(str(int(ok.sum())))
        for least in (1, 2):
            self.found.add(f"{100 * (worst[ok] >= least).mean():.1f}")
        for hours in HOURS:
            for least in (1, 2):
                late = ((self.grade[arm] >= least) & (self.onset[arm] > hours)).any(axis=-1)[ok]
                self.found |= {f"{100 * late.mean():.1f}", *shown(wilson(late.sum(), late.size))}
        long = self.duration[arm][self.grade[arm] >= 1]
        self.found |= {three(np.quantile(long, q)) for q in (0.5, 0.9)}
        self._difference(arm)
        for period in range(self.grade.shape[-1]):
            self._period(arm, period)

    def _difference(self, arm):
        both = self.solved[0] & self.solved[arm]
        first, second = (self.worst[place][both] >= 2 for place in (arm, 0))
        cells = (first & second, first & ~second, ~first & second, ~first & ~second)
        bounds = newcombe(Cells(*(float(cell.sum()) for cell in cells)))
        found = (first.mean() - second.mean(), bounds.lower, bounds.upper)
        self.found |= {f"{abs(100 * value):.1f}" for value in found} | {str(first.size)}

    def _period(self, arm, period):
        ok, grade = self.solved[arm], self.grade[arm, :, period]
        self.found.add(f"{100 * (grade[ok] >= 1).mean():.1f}")
        cmax = self.ds["cmax"].values[arm, :, period]
        late = ((grade >= 1) & (self.onset[arm, :, period] > HOURS[0]))[ok]
        self.found.add(f"{100 * late.mean():.1f}")
        low, high = np.quantile(cmax[ok], (0.25, 0.75))
        ends = [grade[part] >= 2 for part in (ok & (cmax <= low), ok & (cmax > high))]
        self.found |= {f"{100 * end.mean():.1f}" for end in ends}
        (p, low_p, high_p), (q, low_q, high_q) = (
            (end.mean(), *wilson(end.sum(), end.size)) for end in ends
        )
        below, above = np.hypot(q - low_q, high_p - p), np.hypot(high_q - q, p - low_p)
        self.found |= shown((q - p, q - p - below, q - p + above))


def shown(rates):
    return {f"{abs(100 * rate):.1f}" for rate in rates}


def wilson(events, n):
    z, p = 1.959964, events / n
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return [(middle + s * half) / (1 + z**2 / n) for s in (-1, 1)]


@pytest.mark.parametrize("name", SECTIONS)
def test_each_number_of_a_section_is_in_the_results(text, trial, name):
    numbers = Numbers(trial)
    reference = numbers.worst[0][numbers.solved[0]]
    numbers.found |= shown(wilson((reference >= 2).sum(), reference.size))
    sentences = section(text, name)
    assert sentences
    for sentence in sentences:
        # The prediction interval of a trial is tested in tests/endpoints/statistics.
        plain = re.sub(r"would observe [\d.–]+ %", "", re.sub(IDENTIFIERS, "", sentence))
        # So are the probabilities of the utility, in tests/endpoints.
        plain = re.sub(r"is [<> ]*[\d.]+ in the population.*, with the par", "", plain)
        for number in re.findall(r"\d[\d,]*\.?\d*", plain):
            assert number.rstrip(".,") in numbers.found, (number, sentence)


def test_sections_answer_their_questions(text):
    regimen, sure, drivers, unknown = (" ".join(section(text, name)) for name in SECTIONS)
    assert "CRS of grade 2 or higher is least frequent with step_up (" in regimen
    assert "By the utility 1 P(CR or PR) - 0.5 P(grade ≥ 2) - 2 P(grade ≥ 3), whose resp" in regimen
    assert "discharge 24 h after each dose: CRS of any grade would start at home in" in regimen
    assert "Median and 90th percentile of the duration of CRS" in regimen
    assert "percentage points in the same 59 patients; the Monte Carlo interval excludes" in sure
    assert "1 published (33 %), 1 assumed (33 %), 1 tuned to data (33 %)" in sure
    assert "the dose period with the most CRS is" in drivers
    assert "quartile of Cmax" in drivers
    assert "No interval is adjusted for the number of comparisons." in sure
    assert "no comparison of the objective response rate with a trial is stored" in unknown
    assert "Grades follow from indices of fever and leak" in unknown
    assert "No published incidence of CRS" in unknown


def test_page_begins_with_date_versions_and_size(text):
    words = Page(text).text
    assert "A. Author" not in words
    model = f"model {MODEL_VERSION}"
    assert f"2026-01-31 · qsp 0.1.0 · {model} · mosunetuzumab · population nhl · 60 pat" in words


def test_author_of_the_config_is_named(trial):
    ds = synthetic.with_record(trial, config={"author": "A. Author"})
    assert report.facts.about(ds, supplement(date="2026-01-31")).startswith(
        "2026-01-31 · A. Author · qsp 0.1.0"
    )


def test_ranking_finds_the_parameter_that_drives_fever(trial, sampled, text):
    found = provenance(trial, "step_up", parameters(), sampled)
    first, second = found.ranked  # the third does not vary
    assert (first.record.path, second.record.path) == ("t_cells.k_act", "body.q")
    assert first.correlation == pytest.approx(1.0)
    assert abs(second.correlation) < 0.5
    assert found.patients == int((trial["outcome"].isel(arm=0) == 0).sum())
    assert "Of the 2 varying parameters that matter most for CRS in this run, 2 are" in found.gap
    words = Page(text).text
    assert "Parameters that matter most for CRS in this run" in words
    assert "Rank correlation (Spearman) of the value with the highest fever, over" in words


def test_ranking_of_results_of_the_first_model_is_by_their_severity_index(trial, sampled):
    index = trial["crs_severity_peak"].isel(arm=0).max("dose_period").fillna(0.0)
    values = sampled.assign({"body.q": ("patient", -index.values)})
    found = provenance(trial.drop_vars("fever_peak"), "step_up", parameters(), values)
    of_index = {row.record.path: row.correlation for row in found.ranked}
    assert of_index["body.q"] == pytest.approx(-1.0)
    assert "with the highest severity index, over" in ranking_table(found, "step_up").note


def test_ranking_needs_stored_values_and_patients(trial, sampled):
    assert provenance(trial, "step_up", parameters(), None).ranked == ()
    few = trial.isel(patient=slice(0, 15)), sampled.isel(patient=slice(0, 15))
    assert provenance(few[0], "step_up", parameters(), few[1]).ranked == ()
    assert "not determined" in provenance(few[0], "step_up", parameters(), few[1]).gap


def test_equal_values_share_their_rank():
    from scipy.stats import rankdata

    from qsp.report.provenance import _ranks

    values = np.array([3.0, 1.0, 3.0, 2.0, 1.0, 1.0])
    np.testing.assert_array_equal(_ranks(values), rankdata(values))


def rows_of(ds):
    table = glance.glance_table(glance.glance(ds))
    return {row[0]: row[1:] for group in table.groups for row in group.rows}


def test_glance_counts_events_and_pairs_patients():
    ds = synthetic.neutral(arms=("a", "b"), patients=4)
    ds["crs_grade"].values[0] = [[0, 2], [1, 1], [3, 0], [0, 0]]
    ds["crs_grade"].values[1] = [[0, 2], [0, 1], [2, 0], [1, 0]]
    rows = rows_of(add_best_response(ds))
    assert [cell.partition(" (")[0] for cell in rows["CRS, any grade"]] == ["75.0 %", "100.0 %"]
    assert [cell.partition(" (")[0] for cell in rows["CRS, grade ≥ 3"]] == ["25.0 %", "0.0 %"]
    reference, other = rows["difference, any grade [points]"]
    assert reference == "reference"
    assert other.startswith("+25.0 (")  # 3 of 4 and 4 of 4 patients
    assert rows["Tocilizumab received"] == ("no rule gives it", "no rule gives it")
    assert rows["Peak IL-6 [pg/mL]"][0].startswith("30.0 (")
    assert "Objective response" not in rows


def test_pair_without_a_value_in_one_arm_is_dropped():
    ds = synthetic.neutral(arms=("a", "b"), patients=4)
    ds["crs_grade"].values[1, :, 0] = [1, 1, 1, 1]
    failed = add_best_response(synthetic.fail(synthetic.fail(ds, 0, 0), 1, 1))
    found = glance.glance(failed)
    assert found.difference("b", 1).pairs == 2
    assert rows_of(failed)["difference, any grade [points]"][1].startswith("+100.0 (")


def test_planned_tocilizumab_is_named():
    dose = DoseRecord(-1 / 24, "tocilizumab", "tocilizumab", "IV", 8.0, "kg")
    ds = add_best_response(synthetic.neutral(arms=("a", "b")))
    ds = synthetic.with_record(ds, arms={"b": {"regimens": (RegimenRecord((dose,)),)}})
    assert rows_of(ds)["Tocilizumab received"] == ("no rule gives it", "planned for all")


def test_published_rates_and_response_are_shown_where_they_belong(monkeypatch):
    ds = add_best_response(synthetic.neutral(arms=("a", "b")))
    row = next(row for row in standing.rates() if row.molecule == "mosunetuzumab")
    known = {"a": {row.grade: row}, "b": {}}
    monkeypatch.setattr("qsp.report.glance.published_rates", lambda record, arm: known[arm])
    for name in ("glance.shows_response", "pictures.shows_response"):
        monkeypatch.setattr(f"qsp.report.{name}", lambda record: True)
    monkeypatch.setattr("qsp.report.glance.response_sentence", lambda record: "")
    rows = rows_of(ds)
    assert rows["published, any grade"] == ("39 % (label)", "–")
    assert rows["Objective response"][0].startswith("0.0 % (")


def test_one_arm_has_no_differences():
    rows = rows_of(add_best_response(synthetic.neutral()))
    assert not [name for name in rows if name.startswith("difference")]


def test_tables_of_times_and_quartiles_read_as_counted(trial):
    ds = synthetic.neutral(patients=4)
    ds["crs_grade"].values[0] = [[1, 0], [2, 1], [0, 3], [0, 0]]
    ds["crs_onset"].values[0, :, 0] = [30 / 24, 30 / 24, np.nan, np.nan]
    ds["crs_onset"].values[0, :, 1] = [np.nan, 0.5, 0.5, np.nan]
    ds["crs_duration"].values[0] = [[1, np.nan], [2, 1], [np.nan, 3], [np.nan] * 2]
    rows = list(report.crs_times.times_table(ds).plain_rows())
    assert rows[0][4:] == (
        "2",
        "36.0",
        "45.6",
        "48.0",
        "66.0",
        "75.6",
        "78.0",
        "50.0",
        "0.0",
        "0.0",
        "25.0",  # the grade is 2 in one of the two patients
    )
    assert rows[2][4] == "4"  # events of any dose
    table = report.crs_times.quartile_table(trial)
    assert table.groups
    assert all(len(row) == len(table.columns) for group in table.groups for row in group.rows)
    assert report.crs_times.quartile_table(synthetic.neutral()).groups == ()


def test_palette_of_a_png_keeps_the_colors_of_the_arms(trial):
    from qsp import plots
    from qsp.plots.style import ARM_COLORS
    from qsp.report.pictures import _png

    image = PIL.Image.open(io.BytesIO(_png(plots.spider(trial)))).convert("RGB")
    pixels = np.unique(np.asarray(image).reshape(-1, 3), axis=0).astype(int)
    for color in ARM_COLORS[:4]:
        wanted = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
        assert np.abs(pixels - wanted).max(axis=1).min() <= 12, color


def test_best_arm_by_the_utility_is_that_of_the_table(trial):
    from qsp.endpoints import utility
    from qsp.report import questions

    found = glance.glance(trial)
    sentence, *others = questions._preference(found)
    ranked = [found.reference, *found.preferences["arm"]]
    change = dict(zip(ranked, [0.0, *found.preferences["difference"]], strict=True))
    best, second, *_ = sorted(ranked, key=change.get, reverse=True)
    row = utility.table(trial, reference=second).set_index("arm").loc[best]
    title = found.arms[second]
    assert (
        f"{found.arms[best]} is best: the probability that its utility is higher than" in sentence
    )
    assert f"than that of {title}, the second best, {questions._chances(row.to_frame().T)}." in (
        sentence
    )
    assert "whose response is illustrative" in sentence
    assert len(others) == (found.reference not in (best, second))


def test_best_arm_is_compared_with_the_second_best_and_the_reference():
    from qsp.report import questions

    ds = synthetic.neutral(arms=("a", "b", "c"), patients=20)
    ds["crs_grade"].values[0, :, 0] = 3
    ds["crs_grade"].values[1, :10, 0] = 3
    ds["crs_grade"].values[2, :9, 0] = 3
    first, second = questions._preference(glance.glance(add_best_response(ds)))
    assert ", c is best: the probability that its utility is higher than that of b, the se" in first
    assert ", with the parameters fixed." in first
    assert "reference, a, is > 0.99 in the population and > 0.99 in a trial" in second


def test_reference_is_named_if_it_is_best_by_the_utility():
    from qsp.report import questions

    ds = synthetic.neutral(arms=("a", "b"), patients=6)
    ds["crs_grade"].values[0, 0, 0] = 1
    ds["crs_grade"].values[1, :4, 0] = 3
    (sentence,) = questions._preference(glance.glance(add_best_response(ds)))
    assert ", a is best: the probability that its utility is higher than that of b is" in sentence
    assert not list(questions._preference(glance.glance(add_best_response(synthetic.neutral()))))


def test_events_that_last_until_the_end_are_counted():
    ds = synthetic.neutral(patients=3)  # doses on days 0 and 7 of 84
    ds["crs_grade"].values[0, :2, 1] = [1, 2]
    ds["crs_onset"].values[0, :2, 1] = [1.0, 2.0]
    ds["crs_duration"].values[0, :2, 1] = [76.0, 3.0]
    assert report.crs_times.unresolved(ds.drop_vars("crs_censored")) == (1, 2)
    assert report.crs_times.unresolved(ds) == (0, 2)
    ds["crs_duration"].values[0, 0, 1] = 20.0  # two events with a gap between them
    ds["crs_censored"].values[0, 0, 1] = 1
    assert report.crs_times.unresolved(ds) == (1, 2)
    text = report.crs_times.times_table(ds).note
    assert "1 of 2 events have not ended by the end of the trial" in text


@pytest.mark.parametrize(("events", "finding"), [(0, "no clear relation"), (20, "beyond chance")])
def test_relation_to_exposure_is_judged_by_the_interval_of_the_difference(events, finding):
    from qsp.report import questions

    ds = synthetic.neutral(patients=80)
    ds["cmax"].values[0, :, 1] = np.arange(80.0)
    ds["crs_grade"].values[0, 30, 1] = 2
    ds["crs_grade"].values[0, 80 - events :, 1] = 2
    found = " ".join(questions._drivers(ds, glance.glance(add_best_response(ds))))
    assert finding in found


def test_source_is_cited_without_the_remark_on_how_it_was_read():
    assert glance._cited("US label (read)") == "US label"
    assert glance._cited("Budde 2022 (Lancet) 23:1055") == "Budde 2022 (Lancet) 23:1055"
