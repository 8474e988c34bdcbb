"""Six tasks with the code of the guides, from the wheel, in a folder that holds nothing else.

Each guide becomes one script: its files are written, its commands run and its Python blocks run in
order. The wheel is installed into a folder of its own, and the script sees this folder and the
dependencies, but not the repository.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.docs.code_blocks import blocks

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
NOT_HERE = {"replay", "explain"}
"""Commands that other tests run."""

START = """
import json, pathlib, sys
import qsp
from qsp.cli.app import app as _app


def _command(words):
    assert not _app(words, standalone_mode=False)

"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder with the package from its wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")]
    module(*build, cwd=ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    module("pip", "install", *options, "--target", str(folder / "package"), str(wheel), cwd=folder)
    return folder / "package"


@pytest.fixture(scope="module")
def environment(installed, tmp_path_factory):
    """Variables of a new process that imports the wheel; all tasks share compiled programs.

    Without `site` (option -S), Python reads no .pth file, and so no link to this repository.
    """
    shared = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    cache = Path(shared) / "native" if shared else tmp_path_factory.mktemp("cache")
    paths = [str(installed), sysconfig.get_path("purelib")]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JAX_ENABLE"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "QSP_CACHE_DIR": str(cache)}


def module(*words, cwd):
    done = subprocess.run([sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def script(page, result):
    """Return a page as a script that prints a result as JSON in its last line."""
    parts = [START]
    for block in blocks(page):
        if block.language == "python":
            parts.append(block.code)
        elif block.language in ("toml", "csv"):
            parts.append(f"pathlib.Path({block.title!r}).write_text({block.code!r})\n")
        elif block.language == "sh":
            commands = [words for words in block.commands() if words[0] not in NOT_HERE]
            parts += [f"_command({words!r})\n" for words in commands]
    return "".join(parts) + f"print()\nprint(json.dumps({result} | {{'package': qsp.__file__}}))\n"


@pytest.fixture
def follow(installed, environment, tmp_path):
    """Function that follows a guide in an empty folder and returns a result of its variables."""

    def run(name, result):
        done = subprocess.run(
            [sys.executable, "-S", "-c", script(GUIDES / name, result)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert Path(found.pop("package")).is_relative_to(installed)
        return found

    return run


def test_own_regimen(follow, tmp_path):
    found = follow(
        "own-regimen.md",
        "{'periods': step.periods, 'is_same': again == trial, 'days': float(run.ds['time'][-1]),"
        " 'doses': run.ds['dose_amount'].sel(arm='step').isel(patient=0).values.tolist()"
        " if 'patient' in run.ds['dose_amount'].dims"
        " else run.ds['dose_amount'].sel(arm='step').values.tolist(), 'failures': run.failures}",
    )
    assert found["periods"] == ["SUD1", "SUD2", "FD1", "FD2"]
    assert found["is_same"] is True
    assert found["doses"] == pytest.approx([1, 2, 60, 60])
    assert found["days"] == 28
    assert found["failures"] == 0
    assert "[arms.protected" in (tmp_path / "trial.toml").read_text()


def test_halved_parameter(follow):
    found = follow(
        "python.md",
        "{'il6': [float(r.ds['il6_peak'].sel(arm='step', dose_period=1).median())"
        " for r in (run, halved)],"
        " 'alpha': [p.parameters['synapse.alpha'].tolist() for p in (people, weaker)],"
        " 'k_act': [p.parameters['t_cells.k_act'].tolist() for p in (people, half, same)]}",
    )
    whole, weaker = found["alpha"]
    assert weaker == pytest.approx([value / 2 for value in whole])
    whole, half, same = found["k_act"]
    assert half == pytest.approx([value / 2 for value in whole])
    assert len(set(half)) == 50
    assert same == pytest.approx(half)
    assert found["il6"][1] < 0.9 * found["il6"][0]


def test_gradient(follow):
    found = follow(
        "gradients.md",
        "{'slope': float(slope), 'difference': float(difference),"
        " 'by_dose': float(by_dose), 'by_day': float(by_day), 'value': float(value)}",
    )
    assert found["slope"] == pytest.approx(found["difference"], rel=1e-3)
    assert abs(found["slope"]) * 9e-4 > 0.01 * found["value"]
    assert 0 < abs(found["by_dose"]) < 1e3
    assert 0 < abs(found["by_day"]) < 1e3


def test_il6_plot(follow, tmp_path):
    found = follow(
        "first-trial.md",
        "{'titles': [ax.get_title() for ax in figure.axes],"
        " 'lines': [len(ax.lines) for ax in figure.axes],"
        " 'label': figure.axes[0].get_ylabel()}",
    )
    code = next(b.code for b in blocks(GUIDES / "first-trial.md") if "cytokine_bands" in b.code)
    assert len(code.splitlines()) <= 5
    picture = (tmp_path / "il6.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
    assert len(found["lines"]) == 2
    assert min(found["lines"]) > 30  # 30 patients, the median and marks of doses
    assert "IL-6" in found["label"]
    for folder in ("first", "from_python"):
        files = {path.name for path in (tmp_path / "runs" / folder).iterdir()}
        assert files == {"report.html", "summary.csv", "results.nc"}


def test_own_molecule(follow, tmp_path):
    found = follow(
        "own-molecule.md",
        "{'name': drug.name, 'v1': float(people.parameters['disposition.V1'].median()),"
        " 'rates': list(rates.values()), 'best': best}",
    )
    assert found["name"] == "my_antibody"
    assert found["v1"] == pytest.approx(4.0, rel=0.15)
    assert found["rates"] == sorted(found["rates"])
    assert found["rates"][0] < found["rates"][-1]
    assert found["best"] in (1e-4, 1e-3, 1e-2)
    assert "my_antibody" in (tmp_path / "runs" / "my_antibody" / "report.html").read_text()


def test_own_data(follow):
    found = follow(
        "own-data.md",
        "{'patients': run.ds['patient'].values.tolist(),"
        " 'weight': run.ds['body_weight'].values.tolist(),"
        " 'simulated': observed['simulated'].tolist(),"
        " 'peak': il6.max('time').sel(patient=observed['ID'].values).values.tolist(),"
        " 'share': float(is_within.mean())}",
    )
    assert found["patients"] == [101, 102]
    assert found["weight"] == [71, 58]
    assert len(found["simulated"]) == 5
    assert all(
        0 < each <= peak for each, peak in zip(found["simulated"], found["peak"], strict=True)
    )
    assert len(set(found["simulated"])) == 5
    assert 0 <= found["share"] <= 1
