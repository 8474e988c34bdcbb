"""Importing the equations imports no packages for units, labels or files."""

import subprocess
import sys

import pytest

FORBIDDEN = ("pint", "xarray", "matplotlib", "pydantic", "netCDF4", "rich", "typer")


@pytest.mark.parametrize(
    "modules", ["qsp.model, qsp.interventions, qsp.system", "qsp.engine.batch, qsp.system"]
)
def test_importing_the_equations_imports_no_other_layer(modules):
    code = f"import sys, {modules}; print(*set({FORBIDDEN}) & set(sys.modules), sep=',')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_importing_the_package_does_not_change_jax_settings():
    code = (
        "import jax; before = dict(jax.config.values); import qsp.system, qsp.engine.batch;"
        "print({k for k, v in jax.config.values.items() if before.get(k) != v})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
