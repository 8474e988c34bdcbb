"""Dose tables as NONMEM, nlmixr2, mrgsolve and Excel write them give the right doses, or an error.

Each table is the smallest with a property of real files. Where programs differ, the doses are those
of NONMEM.
"""

import pytest

from qsp.errors import ConfigError, InputErrors
from qsp.problems import MOST_ERRORS
from tests.cases.tables import config_of, doses

HEADER = "ID,TIME,AMT,RATE,EVID,CMT"
FIRST = "1,0,1,0.25,1,2"
SECOND = "1,168,2,0.5,1,2"
UNTREATED = (
    "doses.csv has no dose of the molecule for {}; simulated untreated, and not counted in the "
    "rates of CRS."
)
TWO_DOSES = [(0.0, 1.0, 4.0), (168.0, 2.0, 4.0)]


def lines(*rows):
    return "\n".join(rows) + "\n"


# Name of the case: table, doses of its first patient.
READ = {
    "EVID 101 of RxODE": (lines("ID,TIME,AMT,EVID,CMT", "1,0,1,101,2"), [(0.0, 1.0, 0.0)]),
    "EVID 2": (lines(HEADER, FIRST, "1,24,.,.,2,2", SECOND), TWO_DOSES),
    "EVID is a dot": (lines(HEADER + ",DV", FIRST + ",.", "1,5,.,.,.,2,0.5"), TWO_DOSES[:1]),
    "EVID is NA": (lines(HEADER + ",DV", FIRST + ",.", "1,5,NA,NA,NA,2,0.5"), TWO_DOSES[:1]),
    "NA cells": (
        lines("ID,TIME,AMT,RATE,II,ADDL,EVID,CMT", "1,0,1,NA,NA,NA,1,2", "1,5,NA,NA,NA,NA,0,2"),
        [(0.0, 1.0, 0.0)],
    ),
    "empty columns of Excel": (lines(HEADER + ",,", FIRST + ",,", SECOND + ",,"), TWO_DOSES),
    "empty cells of Excel after the columns": (lines(HEADER, FIRST + ",,", SECOND), TWO_DOSES),
    "empty lines of Excel": (lines(HEADER, FIRST, ",,,,,", "", SECOND, ",,,,,"), TWO_DOSES),
    "every cell quoted": (
        lines(*('"' + row.replace(",", '","') + '"' for row in (HEADER, FIRST, SECOND))),
        TWO_DOSES,
    ),
    "lower-case names": (lines(HEADER.lower(), FIRST, SECOND), TWO_DOSES),
    "numbers with decimals": (lines(HEADER, "1.0,0.0,1.00,2.5E-1,1.0,2.0"), TWO_DOSES[:1]),
    "exponents of Fortran": (lines(HEADER, "1,0,1D0,2.5D-1,1,2"), TWO_DOSES[:1]),
    "overlapping infusions": (
        lines(HEADER, "1,0,10,0.1,1,2", "1,24,60,1,1,2"),
        [(0.0, 10.0, 100.0), (24.0, 60.0, 60.0)],
    ),
    "a column DV twice": (lines(HEADER + ",DV,DV", FIRST + ",.,.", SECOND + ",1,2"), TWO_DOSES),
}
ENCODINGS = {
    "UTF-8 with byte order mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 of a big-endian machine": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "lines of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "lines of old Macs": lambda text: text.replace("\n", "\r").encode(),
    "no end of the last line": lambda text: text.rstrip("\n").encode(),
}


@pytest.mark.parametrize("name", READ)
def test_table_has_these_doses(name, tmp_path):
    table, expected = READ[name]
    assert doses(config_of(tmp_path, table)) == expected


WITHOUT_CMT = "dose_table.default_compartment=central"
# Layouts of public data sets: table, doses of its first patient if a default compartment is given.
BY_DEFAULT = {
    "no CMT, and rates of infusions": (
        lines("ID,TIME,AMT,RATE,DV,MDV,EVID", "1,0,1,0.25,.,1,1", "1,9,0,0,4.1,0,0"),
        TWO_DOSES[:1],
    ),
    "neither EVID nor CMT": (
        lines("id,time,amt,dv,wt", "1,0,10,.,70", "1,5,.,3.1,70", "1,24,20,.,70"),
        [(0.0, 10.0, 0.0), (24.0, 20.0, 0.0)],
    ),
    "no EVID, and zeros for observations": (
        lines("ID,TIME,AMT,RATE,CMT", "1,0,1,0.25,2", "1,5,0,0,2", "1,168,2,0.5,2"),
        TWO_DOSES,
    ),
    "CMT missing in some lines": (
        lines("ID,TIME,AMT,EVID,CMT", "1,0,1,1,.", "1,24,2,1,0", "1,48,3,1,1", "1,50,0,0,3"),
        [(0.0, 1.0, 0.0), (24.0, 2.0, 0.0), (48.0, 3.0, 0.0)],
    ),
}


@pytest.mark.parametrize("name", BY_DEFAULT)
def test_doses_without_cmt_are_into_the_default_compartment(name, tmp_path):
    table, expected = BY_DEFAULT[name]
    config = config_of(tmp_path, table, WITHOUT_CMT)
    assert doses(config) == expected
    kinds = [dose.kind for dose in config.trial(1000.0).arms[0].regimens[0].administrations]
    assert kinds[0] == "drug_iv"
    assert set(kinds[:2]) == {"drug_iv"}  # a CMT that is given is kept


def test_default_compartment_does_not_replace_a_cmt(tmp_path):
    table = lines("ID,TIME,AMT,EVID,CMT", "1,0,1,1,1")
    regimen = config_of(tmp_path, table, WITHOUT_CMT).trial(1000.0).arms[0].regimens[0]
    assert regimen.administrations[0].kind == "drug_sc"


def test_file_without_evid_is_noted(tmp_path):
    config = config_of(tmp_path, lines("ID,TIME,AMT,CMT", "1,0,1,2", "1,5,0,2"))
    (note,) = config.notes
    assert note == "doses.csv has no EVID: its lines with an AMT are doses, as in NONMEM."


# Name: table, changes of the config, error.
NOT_GUESSED = {
    "no CMT, without a default": (
        lines("ID,TIME,AMT,EVID", "1,0,1,1"),
        (),
        "must name CMT, but is ID, TIME, AMT, EVID. Add the column, or write default_compartment =",
    ),
    "a missing CMT, without a default": (
        lines("ID,TIME,AMT,EVID,CMT", "1,0,1,1,."),
        (),
        "line 2: CMT must be one of .*but is ''. Name one of them, or write default_compartment",
    ),
    "an unknown default": (
        lines("ID,TIME,AMT,EVID", "1,0,1,1"),
        ("dose_table.default_compartment=centrall",),
        "default_compartment.*must be one of .*Did you mean 'central'",
    ),
    "an infusion into the depot": (
        lines("ID,TIME,AMT,RATE,EVID", "1,0,1,1,1"),
        ("dose_table.default_compartment=depot",),
        "line 2: RATE must be 0 for depot, but is 1",
    ),
    "a rate without an amount or EVID": (
        lines("ID,TIME,AMT,RATE,CMT", "1,0,1,1,2", "1,5,0,1,2"),
        (),
        "line 3: RATE must be 0 or missing without AMT, but is 1",
    ),
    "a dose of 0, which NONMEM refuses": (
        lines(HEADER, FIRST, "1,24,0,0,1,2"),
        (),
        "line 3: AMT must be above 0, but is 0. Correct it, or write EVID 2: NONMEM takes no dose",
    ),
    "an infusion of RxODE": (
        lines(HEADER, "1,0,137,0,10101,2"),
        (),
        "RxODE wrote 10101 for an infusion into compartment 1, and its rate in AMT",
    ),
    "an injection of RxODE": (
        lines(HEADER, "1,0,137,0,1201,2"),
        (),
        "RxODE wrote 1201 for a dose into compartment 12: write 1, and the compartment in CMT",
    ),
}


@pytest.mark.parametrize("name", NOT_GUESSED)
def test_layout_that_has_two_readings_is_refused(name, tmp_path):
    table, changes, message = NOT_GUESSED[name]
    with pytest.raises(ConfigError, match=message):
        doses(config_of(tmp_path, table, *changes))


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_gives_the_same_doses(name, tmp_path):
    content = ENCODINGS[name](lines(HEADER, FIRST, SECOND))
    assert doses(config_of(tmp_path, content)) == TWO_DOSES


def test_a_row_flagged_c_is_not_dosed(tmp_path):
    table = lines("C," + HEADER, ".," + FIRST, "C,1,24,60,15,1,2", ".," + SECOND)
    config = config_of(tmp_path, table)
    assert doses(config) == TWO_DOSES
    assert config.notes == ("doses.csv: 1 line flagged C is skipped (line 3).",)


def test_a_flagged_row_may_hold_anything(tmp_path):
    table = lines("C," + HEADER, ".," + FIRST, "C,x,?,-1,-2,7,lost", "C,1,-3,,,1,2")
    config = config_of(tmp_path, table)
    assert doses(config) == TWO_DOSES[:1]
    assert config.notes == ("doses.csv: 2 lines flagged C are skipped (the first is line 3).",)


def test_another_flag_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="line 2: C must be C or missing, but is D"):
        config_of(tmp_path, lines("C," + HEADER, "D," + FIRST))


def test_comments_are_skipped_and_the_header_may_be_one(tmp_path):
    table = lines("# made by hand", "#" + HEADER, FIRST, "#1,168,60,15,1,2", SECOND)
    config = config_of(tmp_path, table)
    assert doses(config) == TWO_DOSES
    assert config.notes == ("doses.csv: 1 line flagged # is skipped (line 4).",)


def test_an_id_that_comes_back_is_refused(tmp_path):
    table = lines(HEADER, FIRST, "2,0,1,0,1,2", SECOND)
    with pytest.raises(ConfigError, match="line 4: the lines of an ID must be together, but is 1"):
        config_of(tmp_path, table)


def test_an_id_may_come_back_in_another_arm(tmp_path):
    table = lines(HEADER + ",ARM", FIRST + ",a", "2,0,1,0,1,2,a", "1,0,5,0,1,2,b", "2,0,6,0,1,2,b")
    config = config_of(tmp_path, table)
    assert doses(config, 2, arm=1) == [(0.0, 6.0, 0.0)]


def test_an_observation_with_an_amount_is_refused(tmp_path):
    rule = "line 3: AMT must be 0 or missing where EVID is 0 or missing, but is 60"
    with pytest.raises(ConfigError, match=rule):
        config_of(tmp_path, lines(HEADER, FIRST, "1,168,60,15,0,2"))


def test_a_patient_without_a_dose_is_untreated_and_named(tmp_path):
    config = config_of(tmp_path, lines(HEADER, FIRST, "2,0,.,.,0,2", "3,0,4,.,1,1"))
    assert config.patient_ids == (1, 2, 3)
    assert doses(config, 2) == []
    assert doses(config, 3) == [(0.0, 4.0, 0.0)]
    assert config.notes == (UNTREATED.format("patient 2"),)


def test_a_patient_with_supportive_drugs_only_is_untreated_and_named(tmp_path):
    config = config_of(tmp_path, lines(HEADER, FIRST, "2,0,20,.,1,dexamethasone", "3,0,.,.,0,2"))
    assert doses(config, 2) == [(0.0, 20.0, 0.0)]
    assert config.notes == (UNTREATED.format("2 patients: 2, 3"),)


def test_a_run_of_untreated_patients_only_is_refused(tmp_path):
    table = lines(HEADER, FIRST, "2,0,20,.,1,dexamethasone", "3,0,.,.,0,2")
    rule = "doses.csv: the table must hold a dose of the molecule for a patient of the run"
    with pytest.raises(ConfigError, match=rule):
        config_of(tmp_path, table, "patients=[2, 3]")


def test_an_arm_without_a_dose_is_named(tmp_path):
    table = lines(HEADER + ",ARM", FIRST + ",a", "2,0,1,0,1,2,a", "1,0,.,.,0,2,b", "2,0,.,.,0,2,b")
    config = config_of(tmp_path, table)
    note = UNTREATED.replace("molecule", "molecule in arm 'b'").format("2 patients: 1, 2")
    assert config.notes == (note,)


def test_an_arm_without_a_dose_is_kept(tmp_path):
    table = lines(HEADER + ",ARM", FIRST + ",active", "1,0,.,.,0,2,none")
    config = config_of(tmp_path, table)
    assert [arm.name for arm in config.trial(150.0).arms] == ["active", "none"]
    assert doses(config, arm=1) == []


def test_all_unknown_columns_are_named_with_the_line_to_paste(tmp_path):
    header = "ID,TIME,DV,LNDV,MDV,AMT,RATE,EVID,DOSE,V,CL,SS,II,SD,CMT"
    row = "1,0,.,.,1,1,0.25,1,1,70,4,0,0,1,2"
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path, lines(header, row))
    found = str(caught.value)
    assert "'LNDV', 'DOSE', 'V', 'CL', 'SD'" in found
    pasted = found[found.index("ignore = ") : found.index("]") + 1].removeprefix("ignore = ")
    assert doses(config_of(tmp_path, lines(header, row), f"dose_table.ignore={pasted}"))


@pytest.mark.parametrize(
    ("letter", "name"), [("\t", "a tab"), (";", "a semicolon"), (" ", "a space")]
)
def test_another_separator_is_named(letter, name, tmp_path):
    with pytest.raises(ConfigError, match=f"must be a comma, but is {name}"):
        config_of(tmp_path, lines(HEADER, FIRST).replace(",", letter))


def test_an_open_quote_in_a_long_file_is_named_by_line(tmp_path):
    rows = [f"{n},0,1,0.25,1,{chr(34) if n == 1 else ''}2" for n in range(1, 10_001)]
    with pytest.raises(ConfigError, match="line 2: a quote must be closed on its line"):
        config_of(tmp_path, lines(HEADER, *rows))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PK\x03\x04\x00rest of an Excel workbook", "a zip file, such as an Excel workbook"),
        (HEADER.encode("utf-16-le"), "not readable as text"),
        (lines(HEADER, FIRST).encode() + b"1,5,.,.,0,\xb5", "byte 0xb5"),
    ],
    ids=["workbook", "UTF-16 without mark", "latin 1"],
)
def test_other_encodings_are_refused(content, found, tmp_path):
    with pytest.raises(ConfigError, match=found):
        config_of(tmp_path, content)


def test_errors_of_a_file_are_reported_together(tmp_path):
    table = lines(HEADER, "1,0,one,0.25,1,2", "1,08:00,2,.,1,2", "1,9,3,.,4,2", "1,10,3,.,1,9")
    with pytest.raises(InputErrors) as caught:
        config_of(tmp_path, table)
    shown = str(caught.value).splitlines()
    assert [text.split(":")[1] for text in shown] == [f" line {n}" for n in (2, 3, 4, 5)]
    assert all(" must " in text and text.endswith(".") for text in shown)


def test_only_the_first_errors_are_listed(tmp_path):
    rows = [f"{n},0,x,.,1,2" for n in range(MOST_ERRORS + 5)]
    with pytest.raises(InputErrors) as caught:
        config_of(tmp_path, lines(HEADER, *rows))
    shown = str(caught.value).splitlines()
    assert len(shown) == MOST_ERRORS + 1
    assert shown[-1] == "and 5 more errors."


def test_errors_of_the_doses_of_patients_are_reported_together(tmp_path):
    table = lines(HEADER, FIRST, "2,24,1,.,1,2", "3,0,1,.,1,2", "4,48,1,.,1,2")
    with pytest.raises(InputErrors) as caught:
        config_of(tmp_path, table)
    assert [error.where for error in caught.value.errors] == [
        "doses.csv: line 3",
        "doses.csv: line 5",
    ]


def test_doses_at_one_time_are_one_period(tmp_path):
    config = config_of(tmp_path, lines(HEADER, FIRST, "1,0,25,0,1,1", SECOND))
    (arm,) = config.trial(150.0).arms
    assert arm.labels == ("D1", "D2")
    assert [dose.period for dose in arm.administrations] == [1, 1, 2]
    assert sorted(doses(config)) == [(0.0, 1.0, 4.0), (0.0, 25.0, 0.0), (168.0, 2.0, 4.0)]


def test_a_time_that_begins_again_is_refused(tmp_path):
    """As in the data of mavoglurant, where the second occasion begins at 0."""
    table = lines(HEADER, FIRST, "1,24.2,.,.,0,2", "1,0,50,300,1,2")
    with pytest.raises(ConfigError, match="line 4: TIME must not decrease, but is 0"):
        config_of(tmp_path, table)


def test_covariates_in_the_columns_of_theophylline(tmp_path):
    """The columns of theo_sd of nlmixr2data: EVID 101, an observation at the time of the dose."""
    rows = ("1,0,0,319.992,101,1,79.6", "1,0,0.74,0,0,2,79.6", "2,0,0,318.56,101,1,72.4")
    config = config_of(tmp_path, lines("ID,TIME,DV,AMT,EVID,CMT,WT", *rows))
    assert [doses(config, patient) for patient in (1, 2)] == [
        [(0.0, 319.992, 0.0)],
        [(0.0, 318.56, 0.0)],
    ]


def test_a_thousand_periods_are_refused_and_the_limit_can_be_raised(tmp_path):
    rows = [f"1,{8 * n},0.01,0,1,2" for n in range(1000)]
    with pytest.raises(ConfigError, match=r"at most method.most_periods \(200\), but is 1000"):
        config_of(tmp_path, lines(HEADER, *rows), "days=350")
    config = config_of(tmp_path, lines(HEADER, *rows), "days=350", "method.most_periods=1000")
    assert len(doses(config)) == 1000
    one_period = [f"{row},FD" for row in rows]
    assert doses(config_of(tmp_path, lines(HEADER + ",PERIOD", *one_period), "days=350"))
