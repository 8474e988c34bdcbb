"""The report: complete, self-contained, and safe against markup in the user's files."""

import base64
import html.parser
import math
import re

import pytest
import xarray as xr

from qsp import report
from qsp.endpoints import add_best_response
from qsp.errors import ConfigError
from qsp.report import facts
from qsp.results import load, save
from tests import synthetic

EVIL = '<script>alert("x")</script>'


def supplement(**changes):
    defaults = {
        "dose_table": [
            {"arm": "step_up", "day": "day 1", "drug": "mosunetuzumab", "amount": "1 mg"},
            {"arm": "flat", "day": "day -1", "drug": "dexamethasone", "amount": "20 mg"},
        ],
        "parameters": [
            {"path": "disposition.CL", "value": 0.584, "unit": "L/day", "source": "Bender 2024",
             "status": "tuned"},
        ],
        "limits": ["Grades are a model of grades."],
        "command": "qsp run configs/a.toml --seed 7",
        "references": ["Bender 2024, full."],
    }  # fmt: skip
    return report.Supplement(**(defaults | changes))


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the text outside of the style sheet."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def trial():
    return add_best_response(synthetic.lively(30))


@pytest.fixture(scope="module", autouse=True)
def coarse():
    """Low resolution, for speed; the content of the figures is tested in tests/plots."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qsp.report.pictures.RESOLUTION", 30)
        yield


@pytest.fixture(scope="module")
def text(coarse, trial):
    return report.render(trial, supplement())


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_page_is_well_formed_with_one_title(page):
    assert page._open == []
    assert page.text.startswith("mosunetuzumab step up vs flat")


@pytest.mark.parametrize(
    "words",
    [
        "For research only",
        "day -1",
        "Incidence and onset of CRS",
        "Best response",
        "95 % MC",
        "95 % PI: prediction interval of the rate observed in a trial of 100 such patients",
        "Relative tolerance 1e-05",
        "Seed 7",
        "Simulations per chunk 64",
        "Backend native",
        "Total time 12.5 s",
        "of which compilation 3.1 s",
        "3 of 120 simulations failed",
        "solver failed",
        "implausible parameters",
        "Bender 2024, full.",
        "disposition.CL 0.584 L/day Bender 2024 tuned",
        "Grades are a model of grades.",
        "qsp run configs/a.toml --seed 7",
        '[trial] name = "synthetic"',
        "Lugano criteria",
    ],
)
def test_page_says(page, words):
    assert words in page.text


def test_page_is_self_contained(page):
    loads = [
        attrs[name]
        for _, attrs in page.tags
        for name in ("src", "href", "data", "poster", "srcset", "action")
        if name in attrs
    ]
    assert loads
    embedded = tuple(f"data:image/{kind};base64," for kind in ("png", "svg+xml"))
    assert all(link.startswith((*embedded, "#")) for link in loads)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed"}
    assert [attrs for tag, attrs in page.tags if tag == "img"]


def test_vector_figures_are_self_contained(page):
    """A figure in an img element cannot run scripts; it must not ask for other files either."""
    start = "data:image/svg+xml;base64,"
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    files = [base64.b64decode(s.removeprefix(start)).decode() for s in sources if start in s]
    assert len(files) == 3
    for file in files:
        assert all(link.startswith("#") for link in re.findall(r'href="(.*?)"', file))
        assert not re.findall(r"url\((?!#)", file)


def test_style_sheet_fetches_nothing(text):
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_anchors_lead_somewhere(page):
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"}
    assert links <= ids


def test_each_figure_has_an_alternative_text(page):
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 8
    assert all(attrs["alt"] for attrs in pictures)


def test_markup_in_user_input_is_escaped(no_figures):
    ds = synthetic.lively(20, arms=(f"a{EVIL}", 'b" onload="x', "c'&d"))
    ds = ds.assign_attrs(config=EVIL, config_name=EVIL, molecule=EVIL, solver=EVIL)
    ds["dose_label"].values[0] = EVIL
    ds["outcome"].attrs["flag_meanings"] = f"{EVIL.replace(' ', '_')} b c"
    wicked = supplement(
        dose_table=[{"arm": EVIL, EVIL: EVIL}],
        parameters=[{"path": EVIL, "value": EVIL, "source": EVIL}],
        limits=[EVIL],
        command=EVIL,
        references=[EVIL],
    )
    text = report.render(add_best_response(ds), wicked)
    page = Page(text)
    assert EVIL not in text
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if "onload" in attrs]
    assert page.text.count(EVIL) > 8


def test_page_without_trajectories_says_so(trial, no_figures):
    names = [name for name in trial.data_vars if "time" in trial[name].dims]
    bare = trial.drop_vars(names)
    for name in ("il6", "ifn_gamma", "tnf_alpha", "il2", "il10", "cxcl10"):
        bare[f"{name}_baseline"] = bare[f"{name}_peak"].isel(dose_period=0, drop=True) * 0.0 + 3.0
    page = Page(report.render(bare, supplement()))
    assert "The results contain no cytokine concentrations over time" in page.text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 5


def test_page_of_a_run_without_failures_has_no_warning(no_figures):
    clean = add_best_response(synthetic.neutral(arms=("a", "b")))
    page = Page(report.render(clean, supplement()))
    assert "simulations failed" not in page.text


def test_page_of_a_run_in_which_all_simulations_failed(no_figures):
    dead = synthetic.neutral(patients=2)
    for patient in range(2):
        dead = synthetic.fail(dead, 0, patient)
    page = Page(report.render(add_best_response(dead), supplement(limits=[])))
    assert "does not mean that there are none" in page.text
    assert "2 of 2 simulations failed" in page.text
    assert "nan" not in page.text.lower().split()


def test_weighted_patients_are_announced(trial):
    weighted = synthetic.put(trial, prevalence_weight=[1.0, 2.0] * 15)
    assert dict(facts.run_facts(trial))["Patient weights"] == "equal"
    assert dict(facts.run_facts(weighted))["Patient weights"] == "weighted by prevalence"
    assert facts.patient_table(weighted).note.endswith(" Weighted by prevalence.")
    assert "eighted" not in facts.patient_table(trial).note


def test_results_without_best_response_are_refused(trial):
    with pytest.raises(ConfigError, match="the variable best_response must be present"):
        report.render(trial.drop_vars("best_response"), supplement())


def test_missing_attributes_are_reported_as_not_recorded(trial):
    assert dict(facts.numerics(trial.drop_attrs()))["Solver"] == "not recorded"
    assert dict(facts.numerics(trial.drop_attrs()))["Total time"] == "not recorded"


def test_same_run_gives_the_same_page(trial, text):
    assert report.render(trial, supplement()) == text


@pytest.mark.slow
def test_page_of_a_large_file_is_that_of_the_results(trial, tmp_path, monkeypatch, no_figures):
    """Results are read block by block (5 blocks of 30 patients), and their labels once."""
    many = trial.sel(arm=["step_up", "flat"])
    many = many.drop_vars([name for name in many.data_vars if "time" in many[name].dims])
    for name in ("il6", "ifn_gamma", "tnf_alpha", "il2", "il10", "cxcl10"):
        many[f"{name}_baseline"] = trial[name].isel(time=0, drop=True)
    save(xr.DataTree(many), tmp_path / "results.nc")
    written = [file.read_text() for file in report.write(many, tmp_path, supplement())]
    monkeypatch.setattr("qsp.results.netcdf.LARGE", 0)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.CHUNK", 7)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.SIMULATIONS", 0)
    with load(tmp_path / "results.nc") as results:
        files = report.write(results.to_dataset(), tmp_path, supplement())
        assert [file.read_text() for file in files] == written


def test_waterfall_caption_states_the_number_of_bars(trial, monkeypatch, no_figures):
    assert "One bar per patient" in Page(report.render(trial, supplement())).text
    monkeypatch.setattr("qsp.plots.MOST_BARS", 29)
    text = Page(report.render(trial, supplement())).text
    assert "29 bars, for patients at evenly spaced ranks; growth above 120 %" in text


def test_write_makes_the_folder_with_page_and_summary(trial, tmp_path, no_figures):
    page, summary = report.write(trial, tmp_path / "new" / "run", supplement(), trial_size=50)
    assert (page.name, summary.name) == ("report.html", "summary.csv")
    assert "trial of 50" in page.read_text(encoding="utf-8")
    lines = summary.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("arm,dose_period,metric,value,lower,upper,interval")
    assert len(lines) > 500
    assert not any("nan" in line for line in lines)


def test_tables_for_a_console_have_as_many_cells_as_columns(trial):
    makers = (
        report.crs_table, report.worst_grade_table, report.response_table,
        report.headline_table, report.cytokine_table, report.exposure_table, report.ratio_table,
    )  # fmt: skip
    for make in makers:
        table = make(trial)
        assert table.title
        assert sum(span for _, span in table.spans()) == len(table.columns)
        for row in table.plain_rows():
            assert len(row) == len(table.columns) + 1


def test_crs_table_reads_as_counted_by_hand():
    ds = synthetic.put(
        synthetic.neutral(patients=4),
        crs_grade=[[0, 2], [1, 1], [3, 0], [0, 0]],
        crs_onset=0.5,
    )
    table = report.crs_table(ds, at_least=(2,), trial_size=10)
    titles = [column.title for column in table.columns]
    assert titles == [
        "Dose period", "Start", "Dose", "n", "failed", "rate", "95 % MC", "95 % PI",
        "median (quartiles)",
    ]  # fmt: skip
    rows = list(table.plain_rows())
    assert rows[0][:7] == ("a", "SUD1", "day 1", "1 mg", "4", "0", "25.0")
    assert rows[1][:7] == ("a", "FD1", "day 8", "2 mg", "4", "0", "25.0")
    assert rows[2][:7] == ("a", "any dose", "", "", "4", "0", "50.0")
    assert rows[2][7] == "15.0–85.0"
    assert rows[0][-1] == "12.0 (12.0–12.0)"


def test_ratios_of_the_largest_peaks_read_row_over_column():
    ds = synthetic.neutral(arms=("step_up", "flat"), patients=3)
    ds["il6_peak"].values[0] = [40.0, 20.0]
    ds["il6_peak"].values[1] = [90.0, 10.0]
    rows = [row[-2:] for row in report.ratio_table(ds).groups[0].rows]
    assert rows == [("", "0.444"), ("2.25", "")]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0123456, "0.0123"), (9.996, "10.00"), (123.4, "123"), (98765.0, "98,800"),
     (1e-9, "1.00e-09"), (math.nan, "–")],
)  # fmt: skip
def test_numbers_have_three_digits_and_no_exponent_if_it_can_be_helped(value, text):
    assert report.cells.significant(value) == text


def test_heading_is_the_title_of_the_trial(trial, no_figures):
    titled = synthetic.with_record(trial, arms={"flat": {"title": "60 mg"}})
    titled = titled.assign_attrs(title="Step-up_against flat")
    page = Page(report.render(titled, supplement()))
    assert page.text.startswith("Step-up_against flat")
    headline = report.headline_table(titled).groups[0].rows
    assert [row[0] for row in headline][:2] == ["step_up", "60 mg"]
    ratios = report.ratio_table(titled)
    assert [column.title for column in ratios.columns][3:5] == ["step_up", "60 mg"]


def test_waterfall_caption_explains_confirmation_of_responses(trial, no_figures):
    recist = add_best_response(trial.assign_attrs(response_criteria="recist"))
    words = "gray bars below the lower limit are unconfirmed responses"
    assert words in Page(report.render(recist, supplement())).text
    assert words not in Page(report.render(trial, supplement())).text


def test_exposure_has_the_unit_of_the_figure(trial):
    small = trial.assign({name: trial[name] * 1e-3 for name in ("cmax", "ctrough", "auc")})
    titles = [column.group for column in report.exposure_table(small).columns]
    assert titles[5:8] == ["Cmax [ng/mL]", "Ctrough [ng/mL]", "AUC [ng·day/mL]"]
    big, less = (report.exposure_table(ds).groups[0].rows[0][5] for ds in (trial, small))
    assert big == less  # a thousandth, in a unit a thousand times smaller


def test_amounts_of_the_dose_table_are_readable():
    rows = [{"arm": "A", "period": "SUD1", "amount": "0.035 mg/m^2"},
            {"arm": "A", "period": "FD1", "amount": "0.105 mg/m^2"},
            {"arm": "A", "day": "3 more regimens"}]  # fmt: skip
    shown = facts.dose_rows(rows, {("A", "SUD1"): "5 µg/m²/day"})
    assert [row.get("amount") for row in shown] == ["5 µg/m²/day", "0.105 mg/m²", None]
