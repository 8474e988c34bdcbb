"""An environment in which only the wheel of the package is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel_python(tmp_path_factory):
    """Python of an environment with the wheel, which finds no file of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [str(ROOT / "scripts" / "install_wheel"), sys.prefix, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "venv" / "bin" / "python"
