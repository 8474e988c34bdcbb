"""Validation: order and text of the rows, invalid input, and one run end to end."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from qsp.errors import ConfigError
from qsp.validation import COLUMNS, Verdict, validate
from qsp.validation.judge import rule
from qsp.validation.row import Fact, Figure, Row
from qsp.validation.selected import NotComputed, Simulated
from tests.run.conftest import call

POPULATIONS = Path(__file__).parents[2] / "populations"


def fact(
    published=10.0, unit="pg/mL", simulated=20.0, how="within 3-fold", certainty="paper", **other
):
    return Fact(
        molecule="mosunetuzumab",
        study="mosunetuzumab",
        what="IL-6 peak, median",
        when="SUD1",
        published=Figure(published, unit, **other),
        measure=lambda _: Simulated(simulated),
        rule=rule(how, unit=unit, published=published, where="test"),
        certainty=certainty,
        source="somewhere",
    )


def test_row_has_one_cell_per_column():
    cells = fact(low=5.0, high=1234.5).compared(None).cells()
    assert dict(zip(COLUMNS, cells, strict=True)) == {
        "molecule": "mosunetuzumab",
        "quantity": "IL-6 peak, median",
        "dose or time": "SUD1",
        "published": "10 pg/mL (5 to 1234)",
        "recalled": "",
        "simulated": "20 pg/mL",
        "difference": "x 2.00",
        "verdict": "within 3-fold",
        "certainty": "paper",
        "source": "somewhere",
    }


def test_rate_shows_its_interval_and_points():
    compared = fact(15.0, "%", 30.0, "within 12 points").compared(None)
    row = Row(compared.fact, Simulated(30.0, 24.9, 35.6), compared.verdict)
    assert row.cells()[5:8] == ("30 % (24.9 to 35.6)", "+15.0 points", "outside 12 points")


def test_range_without_a_value_has_no_difference():
    cells = fact(np.nan, "%", 80.0, "shown: range", low=75.0, high=88.0).compared(None).cells()
    assert cells[3:8] == ("75 to 88 %", "", "80 %", "", "shown: range")


def test_value_from_general_knowledge_has_a_column_of_its_own():
    row = fact(30.0, "%", 10.0, "shown: recalled", certainty="own-knowledge").compared(None)
    assert row.cells()[3:8] == ("", "30 %", "10 %", "-20.0 points", "shown: recalled")
    assert row.verdict is Verdict.SHOWN


def test_rare_event_shows_its_odds_and_a_fraction_its_difference():
    rare = fact(2.0, "%", 4.0, "within 3-fold odds").compared(None)
    assert rare.cells()[6] == "odds x 2.04"
    cells = fact(0.2, "1", 0.5, "within 0.25").compared(None).cells()
    assert cells[3:8] == ("0.2", "", "0.5", "+0.30", "outside 0.25")


def test_value_that_cannot_be_computed_is_skipped_with_the_reason():
    def measured(_):
        raise NotComputed("no rescue in the study")

    row = dataclasses.replace(fact(), measure=measured).compared(None)
    assert row.verdict is Verdict.SKIPPED
    assert row.cells()[5:8] == ("", "", "skipped: no rescue in the study")


def test_rows_are_in_the_order_of_verdicts_estimands_and_deviations():
    near, far = (fact(simulated=value).compared(None) for value in (40.0, 400.0))
    other = dataclasses.replace(near.fact, order=1).compared(None)
    within = fact(simulated=11.0).compared(None)
    unknown = fact(simulated=np.nan).compared(None)
    rows = [within, other, unknown, near, far]
    assert sorted(rows, key=lambda row: row.place) == [far, near, unknown, other, within]


def test_a_median_time_that_is_not_reached_is_reported():
    row = fact(simulated=np.nan)
    published = dataclasses.replace(row.published, unit="month")
    cells = dataclasses.replace(row, published=published).compared(None).cells()
    assert cells[5] == "not reached"


def test_no_evaluable_patient_is_reported():
    cells = fact(simulated=np.nan).compared(None).cells()
    assert cells[5:8] == ("no evaluable patient", "", "outside 3-fold")


def test_missing_populations_are_an_error_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match=r"nhl.toml must exist in the folder of populations"):
        validate(patients=2, populations=tmp_path)


def test_a_molecule_without_published_values_is_refused():
    message = "must have published values: .*but is 'odronextamab'. qsp compare odronextamab"
    with pytest.raises(ConfigError, match=message):
        validate(molecule="odronextamab")


def test_the_tables_of_reports_are_not_written_from_one_molecule():
    done = call("validate", "tebentafusp", "--write")
    assert done.code == 2
    assert "--write: the tables must hold every molecule" in done.err


@pytest.mark.slow
def test_one_molecule_is_compared_in_its_studies_only():
    with jax.numpy_dtype_promotion("standard"):  # as the command line runs
        rows = validate(molecule="tebentafusp", patients=8, seed=3)
    assert {row.fact.molecule for row in rows} == {"tebentafusp"}
    assert {row.fact.study for row in rows} == {"tebentafusp", "tebentafusp_response"}
    assert all(row.simulated is not None for row in rows)


def test_number_of_patients_is_checked():
    with pytest.raises(ConfigError, match="patients"):
        validate(patients=0, populations=POPULATIONS)


@pytest.mark.slow
def test_validation_runs_end_to_end(tmp_path):
    (tmp_path / "mosunetuzumab_pk.csv").write_text("day,ug/mL\n0.1,0.2\n5,0.05\n41,2\n")
    with jax.numpy_dtype_promotion("standard"):  # as the command line runs
        rows = validate(
            molecule="mosunetuzumab", patients=8, seed=3, curves=tmp_path, populations=POPULATIONS
        )
    verdicts = [row.verdict for row in rows]
    assert verdicts == sorted(verdicts)
    assert {row.fact.molecule for row in rows} == {"mosunetuzumab"}
    assert all(len(row.cells()) == len(COLUMNS) for row in rows)
    found = {(row.fact.what, row.fact.when): row for row in rows}
    serum = found["Serum concentration, median vs digitized mean", "day 41"].simulated
    assert 0.5 < serum.value < 10.0
    # The initial concentration depends on dose and volume only: 60 mg in 5.5 L.
    peak = found["Cmax, mean", "FD1, MOSU_IV_1_2_60_30, R/R NHL"].simulated
    assert 6.0 < peak.value < 20.0
    assert found["ORR", "R/R FL >=2 lines"].simulated.value >= 0.0
