"""Structure of the repository and of the package."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qsp

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted((ROOT / "qsp").rglob("*.py"))
SCRIPTS = [
    *(".ci/run", "scripts/check", "scripts/quickstart"),
    *("scripts/install_wheel", "scripts/try_wheel"),
]

# Folders of a developer's machine; lower-case names only, so that paths of URLs pass.
MACHINE_PATH = re.compile(r"(?<![\w.)}/-])/(work|root|home|Users)/\w")


def python(code: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def git_files() -> list[Path]:
    """Files that are in git or would be added to it."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize(
    "name",
    ["README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "constraints.txt", "qsp/py.typed"],
)
def test_root_file_exists(name):
    assert (ROOT / name).is_file()


def test_license_is_apache():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert PROJECT["license"] == "Apache-2.0"


def test_version_is_the_same_everywhere():
    assert qsp.__version__ == PROJECT["version"]
    assert f"\nversion: {qsp.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_import_loads_nothing_heavy():
    heavy = "{'jax', 'diffrax', 'equinox', 'matplotlib', 'xarray', 'pint', 'netCDF4'}"
    assert python(f"import sys, qsp; print(*sorted({heavy} & set(sys.modules)))") == ""


def test_no_module_changes_the_precision_on_import():
    code = """
import importlib, pkgutil, jax, qsp
for module in pkgutil.walk_packages(qsp.__path__, "qsp."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(jax.config.jax_enable_x64)
"""
    assert python(code) == "False"


def test_no_module_has_an_unspecific_name():
    unspecific = {"utils", "helpers", "common", "misc", "manager", "handler"}
    assert not [
        path for path in MODULES if path.stem in unspecific or path.parent.name in unspecific
    ]


def test_no_file_names_a_path_of_a_machine():
    found = []
    for path in git_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in MACHINE_PATH.finditer(text)]
    assert not found


def test_constraints_hold_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    pattern = re.compile(r"[A-Za-z0-9._-]+==[\w.]+( ; python_version (<|>=) \"3\.\d+\")?")
    assert [pin for pin in pins if not pattern.fullmatch(pin)] == []

    pinned = {pin.split("==")[0].lower() for pin in pins}
    needed = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    names = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in needed}
    assert names <= pinned


def test_jax_has_the_same_ceiling_with_and_without_cuda():
    """A new version of jax may change the primitives that qsp.native reads."""
    (plain,) = [name for name in PROJECT["dependencies"] if name.startswith("jax")]
    (cuda,) = PROJECT["optional-dependencies"]["cuda12"]
    assert re.fullmatch(r"jax>=0\.\d+,<0\.\d+", plain)
    assert cuda == plain.replace("jax", "jax[cuda12]")


def test_default_install_is_for_the_cpu():
    assert not [name for name in PROJECT["dependencies"] if "cuda" in name or "[" in name]


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs(name):
    path = ROOT / name
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_ci_runs_the_check_with_slurm_if_it_may_install_it():
    lines = [line.strip() for line in (ROOT / ".ci/run").read_text().splitlines()[1:]]
    assert [line for line in lines if "scripts/" in line] == [
        '"$root/scripts/slurm/install"',
        'REQUIRE_SLURM=1 exec "$root/scripts/check" --all',
        'exec "$root/scripts/check"',
    ]
    assert "set -euo pipefail" in lines
