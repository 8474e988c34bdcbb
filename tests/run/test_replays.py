"""A replay reads the recorded request again and names the changes in the input."""

import dataclasses

import pytest
import xarray as xr

from qsp import run as runs
from qsp.errors import ConfigError
from qsp.model import MODEL_VERSION
from qsp.results.record import ATTRIBUTE, RunRecord
from qsp.run import Request, prepare
from qsp.run.record import request_of, run_record
from qsp.run.replays import changes


def test_a_request_is_the_same_after_it_was_recorded(small_config):
    words = ("patients=4", "seed=7", 'arms.flat.parameters.t_cells.k_act="0.2 1/hour"')
    first = run_record(prepare(Request(small_config, words)))
    again = run_record(prepare(request_of(first.request)))
    assert again == first
    assert changes(first, again) == []


def test_changes_are_named_with_both_values(small_config, tmp_path):
    config = tmp_path / small_config.name
    config.write_text(small_config.read_text())
    before = run_record(prepare(Request(config)))
    text = config.read_text().replace('amount = "20 mg"', 'amount = "10 mg"')
    config.write_text(f"# a comment\n{text}")
    found = changes(before, run_record(prepare(Request(config))))
    assert found == [
        "config.premedication.steroid.amount: '20 mg' -> '10 mg'",
        "arms.0.regimens.0.doses.0.amount_mg: 20.0 -> 10.0",
        "arms.0.regimens.0.doses.2.amount_mg: 20.0 -> 10.0",
    ]


def test_comments_and_layout_of_a_config_do_not_count(small_config, tmp_path):
    config = tmp_path / small_config.name
    config.write_text(small_config.read_text())
    before = run_record(prepare(Request(config)))
    config.write_text("# a comment\n\n" + config.read_text().replace(" = ", "  =  "))
    assert changes(before, run_record(prepare(Request(config)))) == []


def test_another_table_of_covariates_is_a_change(small_config, tmp_path):
    file = tmp_path / "who.csv"
    records = []
    for weight in (80, 81):
        file.write_text(f"id,body_weight\n1,{weight}\n")
        records.append(run_record(prepare(Request(small_config, covariates=file))))
    (change,) = changes(*records)
    assert change.startswith("data_files.covariates: ")


def test_another_version_of_the_model_is_a_change():
    one = RunRecord(model_version="1.0", qsp_version="0.1.0")
    other = dataclasses.replace(one, model_version="1.1", qsp_version="0.2.0")
    assert changes(one, other) == ["model_version: '1.0' -> '1.1'"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (None, "must record their resolved input, .* but is without a record"),
        (RunRecord(model_version=MODEL_VERSION), "the run must come from a config"),
    ],
)
def test_results_without_a_request_are_refused(record, message):
    attrs = {} if record is None else {ATTRIBUTE: record.to_json()}
    ds = xr.Dataset({"administered_time": 0.0, "patient": [0]}, attrs=attrs)
    with pytest.raises(ConfigError, match=message):
        runs.replay(xr.DataTree(ds))
