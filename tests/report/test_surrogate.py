"""Tumor size criteria in a disease without a measurable tumor are marked as a surrogate."""

import io

import pytest
import xarray as xr
from rich.console import Console

from qsp import report
from qsp.cli import tables
from qsp.cli.output import Output
from qsp.endpoints import add_best_response
from qsp.report import facts, one_patient
from tests import synthetic

CAVEAT = "IMWG criteria (M-protein, marrow), which are not modeled: the Lugano categories,"


def trial(disease, patients=30):
    ds = synthetic.neutral(patients=patients)
    return add_best_response(ds.assign_attrs(disease=disease))


@pytest.mark.parametrize("make", [report.response_table, report.headline_table])
def test_tables_with_a_response_have_the_caveat(make):
    assert CAVEAT in make(trial("multiple myeloma")).note
    assert "surrogate" not in make(trial("DLBCL")).note


def test_facts_mark_the_criteria():
    assert dict(facts.run_facts(trial("multiple myeloma")))["Response criteria"] == (
        "Lugano (surrogate)"
    )
    assert dict(facts.run_facts(trial("DLBCL")))["Response criteria"] == "Lugano"


def test_single_patient_table_has_the_caveat():
    assert CAVEAT in one_patient.response_table(trial("multiple myeloma", 1)).note
    assert one_patient.response_table(trial("FL", 1)).note.endswith("to the tumor volume.")


@pytest.mark.parametrize(("disease", "count"), [("multiple myeloma", 1), ("NHL", 0)])
def test_terminal_prints_the_caveat_once(disease, count):
    console = Console(file=io.StringIO(), width=100)
    Output().show(tables.results(xr.DataTree(trial(disease))), console)
    assert " ".join(console.file.getvalue().split()).count(CAVEAT) == count
