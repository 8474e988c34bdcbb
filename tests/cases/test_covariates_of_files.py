"""Covariates of a file of their own, or of the columns of a dose table."""

import numpy as np
import pytest

from qsp.errors import ConfigError, InputErrors
from qsp.populations import read_covariates
from qsp.populations.covariate_file import SHORT
from qsp.populations.covariates import UNITS
from qsp.run import Request, prepare
from qsp.trial.dose_rows import COVARIATES
from tests.cases.tables import config_of

HEADER = "ID,TIME,AMT,EVID,CMT,WT,SEX"
ROWS = "3,0,1,1,2,70,0\n3,5,.,0,2,.,.\n3,168,2,1,2,70,0\n8,0,1,1,2,NA,1\n"


def written(folder, text):
    path = folder / "c.csv"
    path.write_text(text, encoding="utf-8")
    return path


def prepared(folder, table, *changes, covariates=None):
    config_of(folder, table)
    return prepare(Request(folder / "trial.toml", changes, covariates=covariates))


def test_ids_may_have_decimals_and_na_is_missing(tmp_path):
    table = read_covariates(written(tmp_path, "id,WT\n1.0,70\n2.0,NA\n"))
    assert table.ids.tolist() == [1, 2]
    np.testing.assert_equal(table.values["body_weight"], [70.0, np.nan])


def test_errors_of_a_file_of_covariates_are_reported_together(tmp_path):
    with pytest.raises(InputErrors) as caught:
        read_covariates(written(tmp_path, "id,WT,AGE\n1,7000,50\n1,70,old\nx,70,50\n"))
    shown = str(caught.value).splitlines()
    assert [text.split(":")[1] for text in shown] == [" line 2", " line 3", " line 3", " line 4"]


def test_an_open_quote_in_a_file_of_covariates_is_named_by_line(tmp_path):
    with pytest.raises(ConfigError, match="c.csv: line 2: a quote must be closed"):
        read_covariates(written(tmp_path, 'id,WT\n1,"70\n' + "2,70\n" * 30_000))


def test_names_of_columns_are_those_of_the_population():
    names = {SHORT.get(name.lower(), name.lower()) for name in COVARIATES}
    assert names == {*UNITS, "sex"}


def test_covariates_may_stand_in_the_dose_table(tmp_path):
    run = prepared(tmp_path, f"{HEADER}\n{ROWS}")
    assert run.ids.tolist() == [3, 8]
    assert run.covariates is not None
    np.testing.assert_equal(run.covariates.values["body_weight"], [70.0, np.nan])
    covariates = run.cohort.people.covariates
    assert covariates["body_weight"][0] == 70.0
    assert covariates["sex"].tolist() == [0.0, 1.0]
    note = "Covariates of the patients are in doses.csv: WT, SEX (SEX: 0 is male, 1 is female)."
    assert note in run.config.notes


def test_the_patient_of_a_table_with_covariates_is_the_only_one(tmp_path):
    run = prepared(tmp_path, f"{HEADER}\n3,0,1,1,2,70,0\n")
    assert run.ids.tolist() == [3]


def test_patients_of_a_table_with_covariates_may_be_chosen_by_id(tmp_path):
    run = prepared(tmp_path, f"{HEADER}\n{ROWS}", "patients=[8]")
    assert run.ids.tolist() == [8]
    assert run.cohort.people.covariates["sex"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("rows", "change", "rule"),
    [
        (ROWS, "patients=typical", "patients must be patients of the dose table"),
        ("3,0,1,1,2,70,0\n", "patients=typical", "patients must be patients of the dose table"),
        ("3,0,1,1,2,70,0\n", "patients=[4]", "patients must be ids of the dose table"),
        (ROWS, "draws.xi_patient=1", "draws must not be given with the patients of doses.csv"),
    ],
)
def test_choices_of_other_patients_than_those_of_the_covariates_are_refused(
    rows, change, rule, tmp_path
):
    with pytest.raises(ConfigError, match=rule):
        prepared(tmp_path, f"{HEADER}\n{rows}", change)


def test_ignored_covariates_are_not_used(tmp_path):
    run = prepared(tmp_path, f"{HEADER}\n{ROWS}", 'dose_table.ignore=["WT", "SEX"]')
    assert run.covariates is None


def test_a_covariate_that_changes_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match="line 4: WT must have one value for a patient, but is 75"
    ):
        prepared(tmp_path, f"{HEADER}\n{ROWS.replace('2,1,2,70', '2,1,2,75')}")


def test_an_impossible_value_that_a_patient_repeats_is_one_error(tmp_path):
    rows = "3,0,1,1,2,160,0\n3,5,.,0,2,160,.\n3,9,.,0,2,1600,.\n8,0,1,1,2,160,1\n8,5,.,0,2,160,1\n"
    with pytest.raises(InputErrors) as caught:
        prepared(tmp_path, f"{HEADER.replace('WT', 'HT')}\n{rows}")
    shown = str(caught.value).splitlines()
    assert [text.split(":")[1] for text in shown] == [" line 2", " line 4", " line 5"]
    assert shown[0] == (
        "doses.csv: line 2: height must be from 0.8 to 2.5 m, but is 160. Check the value and its "
        "unit (m), or name HT in dose_table.ignore."
    )


def test_covariates_in_two_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="covariates must be in one file, doses.csv or c.csv"):
        prepared(tmp_path, f"{HEADER}\n{ROWS}", covariates=written(tmp_path, "id,AGE\n3,50\n"))
