"""Validation: order and text of the rows, invalid input, and one run end to end."""

from pathlib import Path

import jax
import numpy as np
import pytest

from qsp.errors import ConfigError
from qsp.validation import COLUMNS, Verdict, validate
from qsp.validation.judge import rule
from qsp.validation.measure import Simulated
from qsp.validation.row import Fact, Figure, Row
from tests.run.conftest import call

POPULATIONS = Path(__file__).parents[2] / "populations"


def fact(published=10.0, unit="pg/mL", simulated=20.0, how="within 3-fold", **other):
    return Fact(
        molecule="mosunetuzumab",
        study="mosunetuzumab",
        what="IL-6 peak, median",
        when="SUD1",
        published=Figure(published, unit, **other),
        measure=lambda _: Simulated(simulated),
        rule=rule(how, points=unit == "%", where="test"),
        certainty="paper",
        source="somewhere",
    )


def test_row_has_one_cell_per_column():
    cells = fact(low=5.0, high=1234.5).compared(None).cells()
    assert dict(zip(COLUMNS, cells, strict=True)) == {
        "molecule": "mosunetuzumab",
        "quantity": "IL-6 peak, median",
        "dose or time": "SUD1",
        "published": "10 pg/mL (5 to 1234)",
        "simulated": "20 pg/mL",
        "difference": "x 2.00",
        "verdict": "within 3-fold",
        "certainty": "paper",
        "source": "somewhere",
    }


def test_rate_shows_its_interval_and_points():
    compared = fact(15.0, "%", 30.0, "within 12 points").compared(None)
    row = Row(compared.fact, Simulated(30.0, 24.9, 35.6), compared.verdict)
    assert row.cells()[4:7] == ("30 % (24.9 to 35.6)", "+15.0 points", "outside 12 points")


def test_range_without_a_value_has_no_difference():
    cells = fact(np.nan, "%", 80.0, "shown: recalled", low=75.0, high=88.0).compared(None).cells()
    assert cells[3:7] == ("75 to 88 %", "80 %", "", "shown: recalled")


def test_no_evaluable_patient_is_reported():
    cells = fact(simulated=np.nan).compared(None).cells()
    assert cells[4:7] == ("no evaluable patient", "", "outside 3-fold")


def test_missing_populations_are_an_error_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match=r"nhl.toml must exist in the folder of populations"):
        validate(patients=2, populations=tmp_path)


def test_number_of_patients_is_checked():
    with pytest.raises(ConfigError, match="patients"):
        validate(patients=0, populations=POPULATIONS)


def test_a_molecule_without_published_values_is_refused():
    message = "must have published values: .*but is 'teclistamab'. qsp compare teclistamab"
    with pytest.raises(ConfigError, match=message):
        validate(molecule="teclistamab")


def test_the_tables_of_reports_are_not_written_from_one_molecule():
    done = call("validate", "tebentafusp", "--write")
    assert done.code == 2
    assert "--write: the tables must hold every molecule" in done.err


@pytest.mark.slow
def test_one_molecule_is_compared_in_its_studies_only():
    with jax.numpy_dtype_promotion("standard"):  # as the command line runs
        rows = validate(molecule="tebentafusp", patients=8, seed=3)
    assert {row.fact.molecule for row in rows} == {"tebentafusp"}
    assert {row.fact.study for row in rows} == {"tebentafusp"}
    assert all(row.simulated is not None for row in rows)


@pytest.mark.slow
def test_validation_runs_end_to_end(tmp_path):
    (tmp_path / "mosunetuzumab_pk.csv").write_text("day,ug/mL\n0.1,0.2\n5,0.05\n41,2\n")
    with jax.numpy_dtype_promotion("standard"):  # as the command line runs
        rows = validate(patients=8, seed=3, curves=tmp_path, populations=POPULATIONS)
    verdicts = [row.verdict for row in rows]
    assert verdicts == sorted(verdicts)
    assert {row.fact.molecule for row in rows} == {"mosunetuzumab", "blinatumomab", "tebentafusp"}
    assert verdicts.count(Verdict.SKIPPED) == 2
    assert all(len(row.cells()) == len(COLUMNS) for row in rows)
    found = {(row.fact.what, row.fact.when): row for row in rows}
    serum = found["Serum concentration, median vs digitized mean", "day 41"].simulated
    assert 0.5 < serum.value < 10.0
    # The initial concentration depends on dose and volume only: 60 mg in 5.5 L.
    peak = found["Cmax, mean", "FD1, 60 mg"].simulated
    assert 6.0 < peak.value < 20.0
    assert found["ORR", "metastatic uveal melanoma"].simulated.value >= 0.0
