"""The equations know neither units nor labels nor files: importing them imports none of it."""

import subprocess
import sys

import pytest

FORBIDDEN = ("pint", "xarray", "matplotlib", "pydantic", "netCDF4", "rich", "typer")


@pytest.mark.parametrize(
    "modules", ["qsp.model, qsp.interventions, qsp.system", "qsp.engine.batch, qsp.system"]
)
def test_importing_the_equations_imports_no_units_labels_or_figures(modules):
    code = f"import sys, {modules}; print(*set({FORBIDDEN}) & set(sys.modules), sep=',')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_importing_the_package_changes_no_setting_of_jax():
    code = (
        "import jax; before = dict(jax.config.values); import qsp.system, qsp.engine.batch;"
        "print({k for k, v in jax.config.values.items() if before.get(k) != v})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
