"""Observations in a file are read as NONMEM, nlmixr2 and Monolix read them, or refused by line."""

from time import perf_counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsp.errors import ConfigError, InputErrors
from qsp.observations.columns import NAMES
from tests.observations.files import (
    ARM,
    DOSE,
    DRUG_AND_IL6,
    HEADER,
    TABLE,
    TRIAL,
    lines,
    load_text,
    of_file,
    of_table,
)
from tests.run.conftest import call


def row(time, dv, dvid=2, lloq=".", blq=".", id=1):
    return f"{id},{time},.,.,0,2,{dv},{dvid},0,{lloq},{blq}"


# --- columns of a dose table


@pytest.mark.parametrize("column", [*NAMES["dv"], *NAMES["mdv"], *NAMES["lloq"], *NAMES["blq"]])
def test_columns_of_observations_are_passed_over_without_observations(column, tmp_path):
    header = f"ID,TIME,AMT,RATE,EVID,CMT,{column}"
    config = of_table(tmp_path, header=header, dose="{id},0,1,0.25,1,2,.", observed="")
    assert config.observed is None


def test_another_name_of_dv_may_be_mapped_or_ignored(tmp_path):
    header = HEADER.replace("DV,DVID", "CONC,DVID")
    with pytest.raises(ConfigError, match=r'or columns = { dv = "CONC" } in \[observations\]'):
        of_table(tmp_path, row(4, 35), header=header)


# --- preview


def test_check_lists_observations_with_their_units_and_days(tmp_path):
    rows = [row(4, 120, 1), row(4, 35), row(24, ".", lloq=2, blq=1), row(28, 900, 1)]
    of_table(tmp_path, *rows, ids=(1,))
    done = call("check", tmp_path / "trial.toml")
    assert done.code == 0, done.err
    assert "Observations, from doses.csv" in done.out
    drug, il6 = (
        " ".join(line.split()) for line in done.out.splitlines() if "day 1 to day 2" in line
    )
    assert drug == "Free drug in blood 2 1 0 0.12 to 0.9 ug/mL day 1 to day 2"
    assert il6 == "IL-6 2 1 1 35 to 35 pg/mL day 1 to day 2"


def test_check_prints_the_table_of_doses_alone_as_csv(tmp_path):
    of_table(tmp_path, row(4, 35))
    done = call("check", tmp_path / "trial.toml", "--csv")
    assert "Observations" not in done.out
    assert "Observations" in done.err


# --- values


def test_rows_of_a_dose_table_are_observations_in_units_of_the_results(tmp_path):
    found = of_table(tmp_path, row(4, 120, 1), row(4, 35), row(24, ".", lloq=2, blq=1)).observed
    assert found.quantity.tolist() == ["drug", "il6", "il6"]
    np.testing.assert_allclose(found.time * 24, [4, 4, 24])
    np.testing.assert_allclose(found.value, [0.12, 35, np.nan])
    assert found.unit.tolist() == ["ug/mL", "pg/mL", "pg/mL"]
    assert found.is_blq.tolist() == [False, False, True]
    np.testing.assert_allclose(found.lloq, [np.nan, np.nan, 2])
    assert found.line.tolist() == [3, 4, 5]
    assert set(found.arm) == {"dose_table"}


def test_limits_differ_between_patients_and_all_may_be_below(tmp_path):
    rows = [row(4, 1, lloq=2, blq=1, id=1), row(4, ".", lloq=7.5, blq=1, id=2)]
    config = of_table(tmp_path, *rows, ids=(1, 2))
    found = config.observed
    assert found.is_blq.all()
    np.testing.assert_allclose(found.lloq, [2, 7.5])
    assert np.isnan(found.value).all()
    assert "doses.csv: every value of il6 of patients 1, 2 is below its LLOQ." in config.notes


def test_lines_with_mdv_and_without_dv_are_counted(tmp_path):
    rows = ["1,4,.,.,0,2,35,9,1,.,.", row(8, "."), row(9, 3)]
    config = of_table(tmp_path, *rows)
    assert len(config.observed) == 1
    assert config.observed.missing == 2
    assert any("2 lines are passed over" in note for note in config.notes)


def test_cens_of_nlmixr2_has_the_limit_in_dv(tmp_path):
    header = "ID,TIME,AMT,RATE,EVID,CMT,DV,DVID,CENS"
    rows = ["1,4,.,.,0,2,2.5,2,1", "1,8,.,.,0,2,6,2,0"]
    found = of_table(tmp_path, *rows, header=header, dose="{id},0,1,0.25,1,2,.,.,0").observed
    assert found.is_blq.tolist() == [True, False]
    np.testing.assert_allclose(found.lloq, [2.5, np.nan])


def test_without_a_column_of_flags_a_value_below_its_limit_is_blq(tmp_path):
    text = lines("ID,TIME,DV,DVID,LLOQ", "1,1,1.5,2,2", "1,2,2,2,2", "1,3,0,2,2")
    found = of_file(tmp_path, text).observed
    assert found.is_blq.tolist() == [True, False, True]


def test_limit_of_the_config_applies_to_lines_without_one(tmp_path):
    observed = """
[observations]
quantities.2 = { quantity = "il6", unit = "ng/L", lloq = "3 ng/L" }
"""
    text = lines("ID,TIME,DV,DVID,LLOQ,BLQ", "1,1,.,2,.,1", "1,2,.,2,5,Y", "1,3,9,2,.,N")
    found = of_file(tmp_path, text, observed=observed).observed
    np.testing.assert_allclose(found.lloq, [3, 5, 3])
    assert found.is_blq.tolist() == [True, True, False]


def test_one_quantity_needs_no_dvid_and_columns_have_other_names(tmp_path):
    observed = """
[observations]
columns = { dv = "conc", blq = "below" }
time_unit = "hour"
quantities.1 = { quantity = "drug", unit = "nmol/L", lloq = "0.5 nmol/L" }
"""
    text = lines("ID,TIME,CONC,BELOW,SITE", "7,12,3,0,A", "7,24,.,1,A")
    config = of_file(tmp_path, text, observed=observed)
    found = config.observed.in_mass(146.0)
    np.testing.assert_allclose(found.value, [3 * 0.146, np.nan])
    np.testing.assert_allclose(found.lloq, [0.5 * 0.146] * 2)
    assert set(found.unit) == {"ug/mL"}
    assert "observed.csv: columns SITE are not read." in config.notes


def test_cmt_names_the_quantity_where_there_is_no_dvid(tmp_path):
    header, dose = "ID,TIME,AMT,RATE,EVID,CMT,DV", "{id},0,1,0.25,1,2,."
    observed = DRUG_AND_IL6.replace("quantities.1", "quantities.2").replace(
        'quantities.2 = { quantity = "il6"', 'quantities.3 = { quantity = "il6"'
    )
    rows = ["1,4,.,.,0,2.0,9", "1,4,.,.,0,3,30"]
    found = of_table(tmp_path, *rows, header=header, dose=dose, observed=observed).observed
    assert found.quantity.tolist() == ["drug", "il6"]


def test_quantities_that_are_not_compared_are_kept(tmp_path):
    observed = """
[observations]
quantities.1 = { quantity = "drug", unit = "ng/mL", form = "total" }
quantities.temp = { quantity = "temperature", unit = "degC" }
quantities.sld = { quantity = "lesion_sum", unit = "cm" }
quantities.crs = { quantity = "crs", grading = "ASTCT2019" }
quantities.t = { quantity = "t_cells", unit = "Mcell/L" }
"""
    text = lines(
        "ID,TIME,DV,DVID", "1,1,5,1", "1,1,38.6,TEMP", "1,1,4.5,SLD", "1,1,0,CRS", "1,1,900,T"
    )
    found = of_file(tmp_path, text, observed=observed).observed
    assert found.quantity.tolist() == ["drug_total", "temperature", "lesion_sum", "crs", "t_cells"]
    np.testing.assert_allclose(found.value, [0.005, 38.6, 45, 0, 900])


def test_second_sample_with_another_value_is_kept(tmp_path):
    assert len(of_table(tmp_path, row(4, 35), row(4, 36)).observed) == 2


def test_lines_without_a_table_of_observations_are_counted(tmp_path):
    config = of_table(tmp_path, row(4, 35), row(5, 36), observed="")
    assert config.observed is None
    assert config.notes == (
        "doses.csv: 2 lines with EVID 0 are not read; [observations] maps DVID to quantities to "
        "compare them.",
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 5),
            st.floats(0.5, 600, allow_nan=False).map(lambda x: round(x, 3)),
            st.sampled_from([1, 2]),
            st.floats(1e-3, 1e5).map(lambda x: float(f"{x:.6g}")),
            st.one_of(st.none(), st.floats(1e-3, 1e3).map(lambda x: float(f"{x:.6g}"))),
        ),
        max_size=12,
        unique_by=lambda cells: cells[:3],
    )
)
def test_every_line_is_one_observation_with_its_own_cells(tmp_path, rows):
    """For any values: the number, order and units of lines, and the rule of the limit."""
    body = [
        f"{id},{time!r},{dv!r},{dvid},{'.' if lloq is None else repr(lloq)}"
        for id, time, dvid, dv, lloq in rows
    ]
    observed = DRUG_AND_IL6.replace("[observations]", '[observations]\ntime_unit = "hour"')
    found = of_file(tmp_path, lines("ID,TIME,DV,DVID,LLOQ", *body), observed=observed).observed
    assert len(found) == len(rows)
    for n, (id, time, dvid, dv, lloq) in enumerate(rows):
        factor = 1e-3 if dvid == 1 else 1.0
        assert found.patient[n] == id
        assert found.time[n] == pytest.approx(time / 24)
        assert found.is_blq[n] == (lloq is not None and dv < lloq)
        expected = np.nan if found.is_blq[n] else dv * factor
        assert found.value[n] == pytest.approx(expected, nan_ok=True)
        assert found.lloq[n] == pytest.approx(
            np.nan if lloq is None else lloq * factor, nan_ok=True
        )


# --- errors

WRONG_LINES = {
    "DV is 0": (row(4, 0), "DV must be above 0"),
    "DV is negative": (row(4, -3, 1), "DV must be above 0"),
    "DV is text": (row(4, "<2"), "DV must be a number, but is '<2'"),
    "BLQ without a limit": (row(4, ".", blq=1), "a value with BLQ 1 must have its limit"),
    "LLOQ is 0": (row(4, 5, lloq=0), "LLOQ must be above 0"),
    "LLOQ is text": (row(4, 5, lloq="low"), "LLOQ must be a number"),
    "BLQ with a value above": (
        row(4, 5, lloq=2, blq=1),
        "DV must not be above LLOQ where BLQ is 1",
    ),
    "value below its limit": (row(4, 1, lloq=2, blq=0), "DV must not be below LLOQ where BLQ is 0"),
    "BLQ is -1": (row(4, 5, blq=-1), "BLQ must be 0 or 1, but is -1"),
    "unknown DVID": (row(4, 5, dvid=9), "DVID must be one of 1, 2, but is '9'"),
    "missing DVID": (row(4, 5, dvid="."), "DVID must be given"),
    "MDV is 2": ("1,4,.,.,0,2,5,2,2,.,.", "MDV must be 0, 1 or missing, but is 2"),
    "missing TIME": ("1,.,.,.,0,2,5,2,0,.,.", "TIME must be given"),
}


@pytest.mark.parametrize("name", WRONG_LINES)
def test_line_is_refused(tmp_path, name):
    text, message = WRONG_LINES[name]
    with pytest.raises(ConfigError, match="doses.csv: line 3: ") as error:
        of_table(tmp_path, text)
    assert message in str(error.value)


def test_repeated_line_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="line 4: an observation must appear once"):
        of_table(tmp_path, row(4, 35), row(4, 35))


@pytest.mark.parametrize("grade", [5, 1.5, -1])
def test_grade_is_refused(tmp_path, grade):
    observed = '[observations]\nquantities.1 = { quantity = "crs", grading = "ASTCT2019" }\n'
    with pytest.raises(ConfigError, match="a CRS grade must be 0, 1, 2, 3 or 4"):
        of_file(tmp_path, lines("ID,TIME,DV", f"1,1,{grade}"), observed=observed)


def test_temperature_in_fahrenheit_is_refused(tmp_path):
    observed = '[observations]\nquantities.1 = { quantity = "temperature", unit = "degC" }\n'
    with pytest.raises(ConfigError, match="a temperature must be 30 to 45 degC, but is 101"):
        of_file(tmp_path, lines("ID,TIME,DV", "1,1,101"), observed=observed)


def test_errors_of_doses_and_observations_come_together(tmp_path):
    rows = [row(4, 0), row(5, "x"), row(6, 5, dvid=7), "1,7,-1,.,1,2,.,.,1,.,."]
    with pytest.raises(InputErrors) as error:
        of_table(tmp_path, *rows)
    message = str(error.value)
    assert message.count("doses.csv: line") == 4
    assert [f"line {n}" in message for n in (3, 4, 5, 6)] == [True] * 4


def test_twenty_errors_are_listed_and_the_others_counted(tmp_path):
    with pytest.raises(InputErrors) as error:
        of_table(tmp_path, *(row(4 + n, 0) for n in range(25)))
    assert len(error.value.errors) == 20
    assert error.value.more == 5


def test_drug_before_the_first_dose_is_refused(tmp_path):
    (tmp_path / "doses.csv").write_text(lines(HEADER, row(-24, 100, 1), DOSE.format(id=1)))
    rule = "a concentration of the drug must have a dose before it"
    with pytest.raises(ConfigError, match=f"doses.csv: line 2: {rule}"):
        load_text(tmp_path, TRIAL + TABLE + DRUG_AND_IL6)
    with pytest.raises(ConfigError, match=rule):
        of_file(tmp_path, lines("ID,TIME,DV,DVID", "1,-1,100,1"))


QUANTITY = '{ quantity = "il6", unit = "pg/mL" }'
WRONG_TABLES = {
    "no quantity": ("quantities = {}", "observations.quantities must map each DVID to a quantity"),
    "unknown quantity": ('quantities.1 = { quantity = "il7" }', "must be one of drug, il6"),
    "no unit": (
        'quantities.1 = { quantity = "il6" }',
        "observations.quantities.1.unit must be given",
    ),
    "other unit": (
        'quantities.1 = { quantity = "il6", unit = "mL" }',
        "observations.quantities.1.unit must be a unit like pg/mL",
    ),
    "grading": (
        'quantities.1 = { quantity = "crs", grading = "Lee2014" }',
        "observations.quantities.1.grading must be ASTCT2019",
    ),
    "form": (
        'quantities.1 = { quantity = "il6", unit = "pg/mL", form = "total" }',
        "observations.quantities.1.form must be given for the drug only",
    ),
    "limit": (
        'quantities.1 = { quantity = "il6", unit = "pg/mL", lloq = "0 pg/mL" }',
        "observations.quantities.1.lloq must be above 0",
    ),
    "column": (
        f'columns = {{ dv = "CONC" }}\nquantities.1 = {QUANTITY}',
        "observations.columns.dv must be a column of observed.csv, but is 'CONC'",
    ),
    "role": (f'columns = {{ dvv = "DV" }}\nquantities.1 = {QUANTITY}', "observations.columns"),
}


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_table_is_refused(tmp_path, name):
    text, message = WRONG_TABLES[name]
    observed = f"[observations]\n{text}\n"
    with pytest.raises(ConfigError) as error:
        of_file(tmp_path, lines("ID,TIME,DV", "1,1,5"), observed=observed)
    assert message in str(error.value)


def test_arms_without_a_file_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"observations.file must be given, unless"):
        load_text(tmp_path, TRIAL + "patients = 2\n" + ARM + DRUG_AND_IL6)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no.csv: the file of observations must exist"):
        load_text(
            tmp_path,
            TRIAL
            + "patients = 2\n"
            + ARM
            + DRUG_AND_IL6.replace("[observations]", '[observations]\nfile = "no.csv"'),
        )


def test_arm_of_an_observation_is_one_of_the_trial(tmp_path):
    text = lines("ID,TIME,DV,DVID,ARM", "1,1,5,2,flatt", "2,1,5,2,")
    with pytest.raises(InputErrors) as error:
        of_file(tmp_path, text)
    assert "ARM must be an arm of the trial, but is flatt. Did you mean 'flat'?" in str(error.value)
    assert "but is missing" in str(error.value)


def test_two_columns_of_flags_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"observations.columns.blq must name one column"):
        of_file(tmp_path, lines("ID,TIME,DV,DVID,BLQ,CENS", "1,1,5,2,0,0"))


# --- notes

UNUSUAL = {
    "CRS without a dose": ("1,27,2,3", "CRS without a dose in the 21 days before (line 2)"),
    "after the end": ("1,40,5,2", "after the end of the trial, which is not compared (line 2)"),
    "a year later": ("1,400,5,2", "more than a year after the last dose (line 2)"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_observation_is_noted(tmp_path, name):
    text, note = UNUSUAL[name]
    observed = DRUG_AND_IL6 + 'quantities.3 = { quantity = "crs", grading = "ASTCT2019" }\n'
    config = of_file(tmp_path, lines("ID,TIME,DV,DVID", text), observed=observed)
    assert any(note in each for each in config.notes), config.notes


@pytest.mark.parametrize(("id", "is_noted"), [(2, True), (5, False)])
def test_doses_of_a_patient_who_is_not_in_the_run_are_unknown(tmp_path, id, is_noted):
    (tmp_path / "observed.csv").write_text(lines("ID,TIME,DV", f"{id},-1,2"))
    doses = lines("ID,TIME,AMT,EVID,CMT", "1,0,1,1,2", "2,0,1,1,2")
    (tmp_path / "doses.csv").write_text(doses)
    observed = '[observations]\nfile = "observed.csv"\n'
    observed += 'quantities.3 = { quantity = "crs", grading = "ASTCT2019" }\n'
    config = load_text(tmp_path, TRIAL + TABLE + observed)
    assert any("CRS without a dose" in each for each in config.notes) == is_noted


def test_theophylline_shape_is_read_without_editing(tmp_path):
    """The layout of the best-known data set: WT, a dose, ten samples, no DVID (values made up)."""
    times = (0.25, 0.57, 1.12, 2.02, 3.82, 5.1, 7.03, 9.05, 12.12, 24.37)
    curve = (2.84, 6.57, 10.5, 9.66, 8.58, 8.36, 7.47, 6.89, 5.94, 3.28)
    rows = [
        line
        for id, weight in ((1, 79.6), (2, 72.4))
        for line in (
            f"{id},0,1,1,.,1,{weight}",
            *(f"{id},{t},.,0,{c},1,{weight}" for t, c in zip(times, curve, strict=True)),
        )
    ]
    (tmp_path / "doses.csv").write_text(lines("ID,TIME,AMT,EVID,DV,CMT,WT", *rows))
    observed = '[observations]\nquantities.1 = { quantity = "drug", unit = "ug/mL" }\n'
    table = TABLE.replace('2 = "central"', '1 = "central"')
    found = load_text(tmp_path, TRIAL + table + observed).observed
    assert len(found) == 20
    np.testing.assert_allclose(found.value, 2 * curve)
    np.testing.assert_allclose(found.time * 24, 2 * times)


def test_many_lines_are_read_in_seconds(tmp_path):
    """A file of 200,000 observations of 20,000 patients, as of a large trial."""
    body = [
        f"{id},{day},{10 + id % 7 + day},{1 + day % 2},2"
        for id in range(20_000)
        for day in range(1, 11)
    ]
    text = lines("ID,TIME,DV,DVID,LLOQ", *body)
    start = perf_counter()
    found = of_file(tmp_path, text).observed
    assert perf_counter() - start < 20
    assert len(found) == 200_000
