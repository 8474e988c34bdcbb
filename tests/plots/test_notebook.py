"""The notebook path: stored results, endpoints, figures; without pyplot and a GUI backend."""

import os
import subprocess
import sys

import pytest
import xarray as xr
from matplotlib.figure import Figure

from qsp import plots
from qsp.endpoints import add_best_response, crs, response
from qsp.results import load, save
from tests import synthetic

CELLS = """
import pathlib
import sys

import qsp.results
from qsp import plots
from qsp.endpoints import crs

with qsp.results.load(pathlib.Path(sys.argv[1])) as results:
    ds = results.to_dataset()
    rates = crs.incidence(ds, by="any")
    assert rates["value"].dims == ("grade", "arm"), rates
    for function in plots.FIGURES:
        png = function(ds)._repr_png_()
        assert png.startswith(b"\\x89PNG"), function
assert "matplotlib.pyplot" not in sys.modules
print(len(plots.FIGURES))
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebook") / "results.nc"
    save(xr.DataTree(add_best_response(synthetic.lively(12, arms=("step_up", "flat")))), path)
    return path


def test_stored_results_give_endpoints_and_figures_of_the_same_values(stored):
    with load(stored) as results:
        ds = results.to_dataset()
        rates = 100 * crs.incidence(ds, by="any", at_least=(1,))["value"].isel(grade=0)
        responses = response.objective_response(ds)
        figures = {function.__name__: function(ds) for function in plots.FIGURES}
        for figure in figures.values():
            assert isinstance(figure, Figure)
            assert figure._repr_png_().startswith(b"\x89PNG")
    assert responses["value"].dims == ("arm",)
    steps = figures["cumulative_crs"].get_axes()[0].get_lines()[:2]
    assert [line.get_ydata()[-1] for line in steps] == pytest.approx(rates.values.tolist())


def test_figures_are_displayed_without_pyplot_and_a_gui_backend(stored):
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment |= {"DISPLAY": "", "MPLBACKEND": "qtagg"}  # a backend that could not start
    done = subprocess.run(
        [sys.executable, "-c", CELLS, str(stored)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(plots.FIGURES))]
