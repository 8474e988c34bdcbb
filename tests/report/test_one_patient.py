"""A run with a single patient is reported as values of that patient, never as a population."""

import csv

import pytest

from qsp import report
from qsp.endpoints import add_best_response
from qsp.report import one_patient as single
from tests import synthetic
from tests.report.test_page import Page, supplement


@pytest.fixture(scope="module")
def patient():
    ds = synthetic.neutral(arms=("a", "b"), patients=1)
    ds["crs_grade"].values[0, 0] = [2, 0]
    ds["crs_onset"].values[0, 0, 0] = 0.25
    ds["crs_duration"].values[0, 0, 0] = 1.0
    return add_best_response(synthetic.typical(ds))


@pytest.fixture(scope="module")
def page(patient):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qsp.report.pictures.RESOLUTION", 30)
        return Page(report.render(patient, supplement()))


def test_page_explains_that_the_typical_patient_is_not_the_median(page):
    assert "Not a population. This run simulates the typical patient" in page.text
    assert "results differ from the median of the population" in page.text


@pytest.mark.parametrize(
    "words", ["95 %", "Monte Carlo", "trial of", "median (", "(same patients", "percentile"]
)
def test_page_has_no_statistics_over_patients(page, words):
    assert words not in page.text


def test_page_has_no_waterfall_of_one_bar_nor_an_incidence(page):
    alts = {attrs["alt"] for tag, attrs in page.tags if tag == "img"}
    assert "Change in tumor volume" in alts
    assert "CRS grade by dose period, and doses" in alts
    assert not [alt for alt in alts if "ncidence" in alt or "Best change" in alt]


def test_patient_sampled_from_the_population_is_not_called_typical(patient):
    assert "typical" not in single.notice("one patient")
    rows = dict(report.facts.run_facts(synthetic.with_record(patient, request=None)))
    assert rows["Virtual patients"] == "one patient, the same in every arm"


def test_crs_table_has_grade_and_times_of_the_patient(patient):
    rows = list(single.crs_table(patient).plain_rows())
    assert rows[0] == ("a", "SUD1", "day 1", "1 mg", "2", "6.00", "24.0")
    assert rows[1][:5] == ("a", "FD1", "day 8", "2 mg", "0")
    assert rows[2][:5] == ("a", "any dose", "", "", "2")


def test_headline_and_response_name_what_happened(patient):
    assert single.headline_table(patient).groups[0].rows[0] == ("a", "2", "30.0", "stable disease")
    rows = single.response_table(patient).groups[0].rows
    assert rows[0] == ("a", "stable disease", "0", "50.0", "50.0")


def test_medians_become_values(patient):
    table = single.plain(report.exposure_table(patient))
    assert [column.title for column in table.columns][:4] == [
        "Dose period", "Start", "Dose", "Cmax [µg/mL]",
    ]  # fmt: skip
    assert table.groups[0].rows[0][3] == "0.292"


def test_sex_of_the_patient_is_no_percentage(patient):
    assert report.facts.patient_table(patient).groups[0].rows[-1] == ("Sex", "male", "")


def test_patient_who_failed_has_dashes():
    dead = synthetic.fail(synthetic.neutral(patients=1), 0, 0)
    dead = add_best_response(dead)
    assert single.headline_table(dead).groups[0].rows[0] == ("a", "–", "–", "–")


def test_summary_of_one_patient_has_values_without_intervals(patient, tmp_path, monkeypatch):
    monkeypatch.setattr("qsp.report.pictures.RESOLUTION", 30)
    _, summary = report.write(patient, tmp_path, supplement())
    with summary.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert any(row["value"] for row in rows)
    for name in ("lower", "upper", "interval", "trial_lower", "trial_upper"):
        assert {row[name] for row in rows} == {""}
