"""`qsp escalate` on a folder of results: arms are the levels."""

import numpy as np
import pytest

from qsp.results import save
from qsp.run import folder
from tests import synthetic
from tests.run.conftest import call


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Two levels: one in ten has grade 3 at the first, six in ten at the second."""
    import xarray as xr

    ds = synthetic.lively(200, arms=("low", "high"))
    grade = np.zeros(ds["crs_grade"].shape)
    grade[0, :20], grade[1, :120] = 3, 3
    ds = synthetic.put(ds, crs_grade=grade, outcome=np.zeros(ds["outcome"].shape))
    home = tmp_path_factory.mktemp("escalation")
    save(xr.DataTree(ds), home / folder.RESULTS)
    return home


def test_the_level_below_the_target_is_selected(out):
    done = call("escalate", out, "--target", "0.25", "--replicates", "400")
    assert done.code == 0, done.err
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line.strip()}
    assert float(rows["low"][1]) == 10.0
    assert float(rows["high"][1]) == 60.0
    assert float(rows["low"][2]) > 85.0


def test_an_unknown_design_is_refused(out):
    done = call("escalate", out, "--design", "4+4")
    assert done.code == 2
    assert "boin" in done.err
