"""Public names: few, loaded when they are used, and documented."""

import subprocess
import sys

import pytest

import qsp
from qsp.drugs import DRUG_BY_NAME

NAMES = [
    "QSPError",
    "Trial",
    "__version__",
    "anakinra",
    "anti_tnf",
    "civ",
    "dexamethasone",
    "endpoints",
    "hydrocortisone",
    "iv",
    "jak_inhibitor",
    "kinase_inhibitor",
    "methylprednisolone",
    "molecule",
    "obinutuzumab",
    "plots",
    "populate",
    "population",
    "prednisolone",
    "prednisone",
    "read",
    "regimen",
    "rules",
    "sc",
    "siltuximab",
    "simulate",
    "tocilizumab",
    "trajectory",
    "weigh",
    "when",
]


def test_public_names_are_these():
    assert dir(qsp) == NAMES
    assert len(NAMES) <= 30
    assert set(DRUG_BY_NAME) < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_name_is_there_and_documented(name):
    assert getattr(qsp, name).__doc__


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'molecul'"):
        _ = qsp.molecul


def test_import_is_fast_and_leaves_jax_alone():
    code = (
        "import time; start = time.perf_counter(); import qsp; used = time.perf_counter() - start;"
        "import sys; assert used < 0.5, used;"
        "assert not {'jax', 'numpy', 'xarray'} & set(sys.modules);"
        "assert qsp.molecule('mosunetuzumab').name == 'mosunetuzumab'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_simulation_changes_no_setting_of_jax(run):
    code = (
        "import jax, qsp; before = dict(jax.config.values);"
        "people = qsp.population('nhl').sample(2, molecule='mosunetuzumab'); people.parameters;"
        "run = qsp.simulate(qsp.regimen(qsp.iv('5 mg')), people, days=28, visits=[14, 28]);"
        "assert run.failures == 0;"
        "changed = {k for k, v in jax.config.values.items() if before.get(k, v) != v};"
        "assert not changed, changed"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
