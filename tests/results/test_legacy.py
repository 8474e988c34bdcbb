"""Results of qsp 0.1.0: read with one warning, under the names of this version, and usable."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qsp import plots
from qsp import run as runs
from qsp.endpoints import decisions, exposure, summary
from qsp.errors import ConfigError
from qsp.plots.names import arm_titles
from qsp.results import load, record_of, save
from qsp.results.legacy import OldResultsWarning
from qsp.run import listing

OLD = Path(__file__).resolve().parents[1] / "old" / "results.nc"


@pytest.fixture(scope="module")
def results():
    with pytest.warns(OldResultsWarning):
        return load(OLD)


def test_one_warning_names_the_version_and_the_changes():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        load(OLD)
    assert [str(each.message) for each in found] == [
        "results of qsp 0.1.0, read under the names of this version; renamed: attribute "
        "lane_width -> chunk_size, variables given_* -> administered_*"
    ]


def test_no_value_changes(results):
    with xr.open_dataset(OLD) as old:
        for name, values in old.data_vars.items():
            new = name.replace("given_", "administered_")
            np.testing.assert_array_equal(results[new].values, values.values, err_msg=name)
        assert results.attrs["chunk_size"] == old.attrs["lane_width"]
        assert len(results.data_vars) == len(old.data_vars)
    assert not {"lane_width", "doses", "parameters", "rules"} & set(results.attrs)


def test_the_record_holds_the_input_of_the_run(results):
    record = record_of(results)
    assert (record.qsp_version, record.model_version) == ("0.1.0", "")
    assert (record.molecule, record.seed, record.days) == ("mosunetuzumab", 1, 29.0)
    assert (record.method.solver, record.method.backend) == ("ROCK4", "native")
    request = record.request
    assert request.config == "tests/old/mosunetuzumab_rules.toml"
    assert request.parameters == "tests/old/parameters.toml"
    assert request.overrides == (("trajectories.patients", "1"),)
    assert not request.typical
    assert record.config["rescue"]["tocilizumab"]["at_most"] == 4
    (arm,) = record.arms
    assert arm.rules == ("repeat after grade 2", "tocilizumab at grade 2")
    assert arm.planned_doses == ("SUD1", "SUD2", "FD1")
    doses = [(dose.time, dose.period, dose.amount_mg, dose.kind) for dose in arm.regimens[0].doses]
    assert doses == [(0.0, "SUD1", 1.0, "drug_iv"), (7.0, "SUD2", 2.0, "drug_iv"),
                     (14.0, "FD1", 60.0, "drug_iv")]  # fmt: skip
    assert listing.dose_rows(record)[0]["over"] == "4 h"
    assert len(record.parameters) > 100
    own = next(row for row in record.parameters if row.path == "t_cells.k_act")
    assert (own.value, own.file) == ("0.1 1/hour", "parameters.toml")


def test_endpoints_and_figures_take_them(results):
    ds = results.to_dataset()
    assert arm_titles(ds) == {"watched": "1/2/60 mg with rules"}
    assert len(summary(ds)) > 20
    assert "cmax_mass" in exposure.metrics(ds)
    assert decisions.planned_doses(ds) == {"watched": ["SUD1", "SUD2", "FD1"]}
    buffer = io.BytesIO()
    plots.crs_by_dose(ds).savefig(buffer, format="png", dpi=40)
    assert buffer.getvalue().startswith(b"\x89PNG")


def test_the_report_is_written_from_them(results, tmp_path, no_figures):
    page, _ = runs.write_report(results, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "1/2/60 mg with rules" in text
    assert "Dosing decisions by planned dose" in text
    assert "made up, to show a file" in text  # the note of a user parameter


def test_a_replay_is_refused(results, monkeypatch):
    """Also by a package of the same major version: the file does not hold the whole input."""
    monkeypatch.setattr("qsp.model.MODEL_VERSION", "1.2")
    with pytest.raises(ConfigError, match="but is of qsp 0.1.0. Run the trial again: qsp run"):
        runs.replay(results)


def test_a_second_copy_needs_no_warning(results, tmp_path):
    save(results, tmp_path / "results.nc")
    assert record_of(load(tmp_path / "results.nc")) == record_of(results)


def test_a_large_file_is_read_on_use(monkeypatch):
    monkeypatch.setattr("qsp.results.netcdf.LARGE", 0)
    with pytest.warns(OldResultsWarning):
        results = load(OLD)
    with results:
        assert not results["administered_time"].variable._in_memory
        assert np.isfinite(results["administered_time"].values).any()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"day": "day -1", "hour": "23", "amount": "20 mg", "over": "1 h", "period": ""},
            {"time": -1 / 24, "amount_mg": 20.0, "duration": 1 / 24},
        ),
        (
            {"day": "day 8", "hour": "0", "amount": "15 ug/m^2/day, at most 28 ug/day",
             "over": "7 day", "period": "FD1"},
            {"time": 7.0, "amount_mg": 0.105, "per": "m2", "cap_mg": 0.196, "duration": 7.0},
        ),
        (
            {"day": "day 1", "hour": "6", "amount": "8 mg/kg, at most 800 mg", "over": "bolus",
             "period": "A"},
            {"time": 0.25, "amount_mg": 8.0, "per": "kg", "cap_mg": 800.0, "duration": 0.0},
        ),
    ],
)  # fmt: skip
def test_rows_of_text_become_numbers(row, expected):
    from qsp.results.legacy import _dose

    found = _dose({"drug": "m", "route": "IV", **row}, "m")
    for name, value in expected.items():
        assert getattr(found, name) == (
            value if isinstance(value, str) else pytest.approx(value)
        ), name


def test_patients_of_individual_doses_are_read():
    from qsp.results.legacy import _patients

    assert _patients(", patients 3 to 6") == (3, 4, 5, 6)
    assert _patients(", patients 4, 9 and 12 more") == (4, 9)
    assert _patients("") == ()
