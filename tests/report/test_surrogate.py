"""Where response stands for that of a disease without a tumor of a size, it is said beside it."""

import io

import pytest
import xarray as xr
from rich.console import Console

from qsp import report
from qsp.cli.tables import print_results
from qsp.endpoints import add_best_response
from qsp.report import facts, one_patient
from tests import synthetic

SAID = "IMWG criteria (M-protein, marrow), which are not modeled: the Lugano categories are a"


def trial(disease, patients=30):
    ds = synthetic.neutral(patients=patients)
    return add_best_response(ds.assign_attrs(disease=disease))


@pytest.mark.parametrize("make", [report.response_table, report.headline_table])
def test_tables_with_a_response_say_it(make):
    assert SAID in make(trial("multiple myeloma")).note
    assert "surrogate" not in make(trial("DLBCL")).note


def test_the_facts_say_it():
    assert dict(facts.run_facts(trial("multiple myeloma")))["Response criteria"] == (
        "Lugano, a surrogate"
    )
    assert dict(facts.run_facts(trial("DLBCL")))["Response criteria"] == "Lugano"


def test_one_patient_has_it_too():
    assert SAID in one_patient.response_table(trial("multiple myeloma", 1)).note
    assert one_patient.response_table(trial("FL", 1)).note.endswith("to the volume.")


@pytest.mark.parametrize(("disease", "count"), [("multiple myeloma", 1), ("NHL", 0)])
def test_the_terminal_says_it(disease, count):
    console = Console(file=io.StringIO(), width=100)
    print_results(xr.DataTree(trial(disease)), console)
    assert " ".join(console.file.getvalue().split()).count(SAID) == count
