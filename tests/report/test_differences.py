"""Tables of paired differences on the page and the terminal."""

import numpy as np
import pytest

from qsp import report
from qsp.endpoints import add_best_response, differences, utility
from qsp.endpoints.patient_values import ANY, QUANTITIES
from qsp.endpoints.patient_values import Column as Compared
from qsp.endpoints.statistics.paired import Sampling
from qsp.report.differences import (
    difference_table,
    preference_table,
    probability,
    sentences,
    short_table,
    tables,
)
from tests.report.test_page import Page, supplement
from tests.synthetic import lively, neutral, with_record

FEW = Sampling(trial_size=90, replicates=200)


@pytest.fixture(scope="module")
def trial():
    return add_best_response(lively(30, arms=("step_up", "flat", "flat_no_premedication")))


def test_cells_are_the_numbers_of_the_dataset(trial):
    frame = differences.table(trial, sampling=FEW)
    (group, _) = difference_table(frame).groups
    assert group.title == "flat minus step_up"
    row = frame.iloc[0]
    cells = group.rows[0]
    assert cells[0] == "CRS, any"
    assert cells[1:3] == (f"{100 * row['value']:.1f}", f"{100 * row['reference_value']:.1f}")
    assert cells[3] == f"{100 * row['difference']:+.1f}"
    assert cells[4] == f"{100 * row['lower']:+.1f} to {100 * row['upper']:+.1f}"
    assert cells[7] == row["number_needed"]
    assert cells[8] == f"{100 * row['trial_lower']:+.1f} to {100 * row['trial_upper']:+.1f}"
    assert cells[9:] == (f"{row['patients']}", f"{row['failed']}") == ("29", "1")


def test_days_have_no_percent(trial):
    frame = differences.table(trial, sampling=FEW)
    row = frame[frame["quantity"] == "time_to_full_dose"].iloc[0]
    (cells,) = [r for r in difference_table(frame).groups[0].rows if r[0] == "to full dose [day]"]
    assert cells[2:5] == ("14.0", f"{row['difference']:+.2f}", "-14.00 to -14.00")
    assert cells[7] == "–"


def test_dose_periods_without_events_are_left_out():
    ds = neutral(("a", "b"), patients=5)
    rows = difference_table(differences.table(ds, sampling=FEW)).groups[0].rows
    assert [row[0] for row in rows[:3]] == ["CRS, any", "CRS ≥ 2", "CRS ≥ 3"]
    assert not [row[0] for row in rows if "SUD1" in row[0]]
    ds["crs_grade"].values[1, 0, 0] = 2
    rows = difference_table(differences.table(ds, sampling=FEW)).groups[0].rows
    assert [row[0] for row in rows if "SUD1" in row[0]] == ["CRS, any, SUD1", "CRS ≥ 2, SUD1"]


def test_headings_say_that_parameters_are_fixed(trial):
    found = tables(trial, sampling=FEW)
    assert set(found) == {"differences", "preferences"}
    for table in found.values():
        assert table.title.endswith("Monte Carlo only: parameters fixed")
    assert "90 other patients in each arm" in found["differences"].note
    assert "1 P(CR or PR) - 0.5 P(grade ≥ 2) - 2 P(grade ≥ 3)" in found["preferences"].note


def test_one_arm_has_no_tables_and_no_sentence():
    ds = neutral(("a",))
    assert tables(ds) == {}
    assert list(sentences(ds)) == []


def test_page_has_the_tables_in_a_section(trial, no_figures):
    page = Page(report.render(with_record(trial, config={"reference": "flat"}), supplement()))
    assert "Arms compared patient by patient" in page.text
    assert "step_up minus flat" in page.text
    assert "Which arm is better. Monte Carlo only: parameters fixed" in page.text
    one = Page(report.render(trial.isel(arm=[0]), supplement()))
    assert "Arms compared" not in one.text


def test_sentence_has_the_numbers_of_the_tables(trial):
    frame, preferences = differences.table(trial), utility.table(trial)
    row, found = frame.iloc[0], list(sentences(trial))
    assert len(found) == 2
    assert found[0].startswith("flat minus step_up, same patients: CRS, any ")
    assert f"{100 * row['difference']:+.1f} points ({100 * row['lower']:+.1f} to " in found[0]
    assert "; CRS ≥ 3 " in found[0]
    chance, in_trial = (
        probability(preferences[name][0]) for name in ("probability", "trial_probability")
    )
    assert (
        f"higher utility with probability {chance}, in a trial of 2 × 218 with {in_trial}."
        in (found[0])
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "< 0.01"), (0.004, "< 0.01"), (0.5, "0.50"), (1.0, "> 0.99"), (np.nan, "–")],
)
def test_probability_is_never_zero_or_one(value, text):
    assert probability(value) == text


def test_preferences_without_rows_are_an_empty_table():
    table = preference_table(utility.table(neutral(("a",)), sampling=FEW))
    assert table.groups[0].rows == ()


def test_short_table_has_frequent_rows_and_a_number_needed_only_without_zero(trial):
    frame = differences.table(trial, sampling=FEW)
    rows = {row[0]: row for row in short_table(frame).groups[0].rows}
    shown = frame[frame["reference"] == "step_up"]
    for row in shown.itertuples():
        rare = max(row.value, row.reference_value) < 0.01
        name = Compared(QUANTITIES[row.quantity], row.period).short
        if row.units == "1" and row.arm == "flat":
            assert (name in rows) == (row.period == ANY or not rare)
            if name in rows:
                excludes = round(100 * row.lower, 1) * round(100 * row.upper, 1) > 0
                assert (rows[name][5] != "–") == excludes
    nearly = frame.iloc[:1].assign(difference=0.02, lower=1e-5, upper=0.058)
    nearly["number_needed"] = "NNTH 50 (NNTH 17 to NNTH 100,000)"
    assert short_table(nearly).groups[0].rows[0][4:] == ("+0.0 to +5.8", "–")
