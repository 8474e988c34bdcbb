"""The command line in unusual surroundings: encodings, pipes, notebooks, users without a home."""

import os
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

import qsp
from qsp import run as runs
from qsp.config import load
from qsp.config.load import name_of
from qsp.errors import ConfigError, SolveError
from qsp.populations import draws
from tests.cases.tables import CONFIG
from tests.run.conftest import CONFIGS, call

SAY = """
import sys
from qsp.cli import app

@app.app.command()
def say() -> None:
    text = "grade \\u2265 2, \\u00b1 3 \\u00b5g, \\u201cna\\u00efve\\u201d \\u2192 \\u4f60"
    app.console.print(text)

sys.argv = ["qsp", "say"]
app.main()
"""
WITHOUT_HOME = """
import os
os.path.expanduser = lambda path: path  # as for a user whom the system does not know
from qsp import process
process.start()
from qsp.engine.cache import user_cache_dir
import matplotlib
print(user_cache_dir(), os.path.isdir(matplotlib.get_configdir()))
"""
BACKEND = """
from qsp import process
process.start()
from qsp.plots import Figure
import matplotlib
import io
Figure().savefig(io.BytesIO())
print(matplotlib.get_backend())
"""


def python(program, *, without=(), **variables):
    """Output of a program in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if key not in without}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | variables,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_a_log_in_cp1252_has_plain_letters_for_others():
    printed = python(SAY, PYTHONIOENCODING="cp1252").decode("cp1252")
    assert printed.strip() == "grade >= 2, \xb1 3 \xb5g, \u201cna\xefve\u201d -> ?"


def test_a_log_in_ascii_has_no_other_letters():
    printed = python(SAY, PYTHONIOENCODING="ascii").decode("ascii")
    assert printed.strip() == "grade >= 2, +/- 3 ug, ?naive? -> ?"


def test_utf8_keeps_every_letter():
    assert "\u2265 2" in python(SAY, PYTHONIOENCODING="utf-8").decode()


def test_a_user_without_a_home_has_figures_and_no_cached_programs():
    hidden = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "QSP_CACHE_DIR")
    assert python(WITHOUT_HOME, without=hidden).split() == [b"None", b"True"]


@pytest.mark.parametrize("name", ["module://missing_package.backend_inline", "nothing"])
def test_figures_do_not_use_the_backend_of_a_notebook(name):
    assert python(BACKEND, MPLBACKEND=name).strip() == b"agg"


def test_jax_platforms_without_its_device_is_one_line(monkeypatch):
    def fail(**_):
        raise AssertionError  # as JAX does for JAX_PLATFORMS=cuda on a machine without it

    monkeypatch.setattr(jax, "local_devices", fail)
    draws._cpu.cache_clear()
    try:
        with pytest.raises(SolveError, match="unset JAX_PLATFORMS$"):
            draws.normals(0, np.zeros(1, int), ["a"])
    finally:
        draws._cpu.cache_clear()


def test_a_config_with_spaces_in_its_name_has_a_name(tmp_path):
    text = (CONFIGS / "mosunetuzumab_sc_vs_iv.toml").read_text(encoding="utf-8")
    file = tmp_path / "trial one (b).toml"
    file.write_text(text.replace('"../populations/nhl.toml"', '"nhl"'), encoding="utf-8")
    assert load(file).name == "trial_one_b_"
    done = call("check", file)
    assert done.code == 0, done.err
    assert f"{file} is valid." in done.out


@pytest.mark.parametrize(
    ("file", "name"), [("a.b-c_1", "a.b-c_1"), ("\u00e4 b", "b"), ("_x", "x"), ("\u4f60", "trial")]
)
def test_names_of_files_become_names_of_runs(file, name, tmp_path):
    assert name_of(tmp_path / f"{file}.toml") == name


def test_a_name_in_the_config_is_not_changed(tmp_path):
    text = (CONFIGS / "mosunetuzumab_sc_vs_iv.toml").read_text(encoding="utf-8")
    (tmp_path / "a.toml").write_text('name = "trial one"\n' + text, encoding="utf-8")
    with pytest.raises(ConfigError, match="name must be letters"):
        load(tmp_path / "a.toml")


def test_ten_billion_patients_are_refused_with_an_estimate():
    config = CONFIGS / "mosunetuzumab_sc_vs_iv.toml"
    done = call("check", config, "--set", "patients=10000000000")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "at most method.most_patients (10000000), but is 10000000000" in done.err
    assert "GB" in done.err


def test_the_limit_of_patients_can_be_raised():
    words = ("patients=20000000", "method.most_patients=20000000")
    assert load(CONFIGS / "mosunetuzumab_sc_vs_iv.toml", words).patients == 20_000_000


def test_estimates_grow_with_the_number_of_periods(tmp_path, monkeypatch):
    (tmp_path / "trial.toml").write_text(CONFIG, encoding="utf-8")

    def seconds(count):
        rows = "".join(f"1,{n},1,1,1\n" for n in range(count))
        (tmp_path / "doses.csv").write_text(f"ID,TIME,AMT,EVID,CMT\n{rows}", encoding="utf-8")
        done = call("check", tmp_path / "trial.toml")
        return float(done.out.rpartition("about ")[2].split()[0])

    monkeypatch.setattr("qsp.run.estimate.chosen", lambda _: None)  # nothing is cached
    assert seconds(1) == pytest.approx(20.0, abs=1.0)
    assert seconds(200) == pytest.approx(108.0, abs=10.0)  # as measured on two cores


def test_several_errors_are_one_line_each(tmp_path):
    (tmp_path / "trial.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "doses.csv").write_text("ID,TIME,AMT,EVID,CMT\n1,0,x,1,1\n2,0,y,1,1\n")
    done = call("check", tmp_path / "trial.toml")
    assert done.code == 2
    assert [line[:22] for line in done.err.strip().splitlines()] == [
        "qsp: doses.csv: line 2",
        "qsp: doses.csv: line 3",
    ]


@pytest.mark.parametrize("command", ["check", "run"])
def test_notes_about_the_dose_table_are_printed(command, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise SolveError("stopped before the simulation")

    monkeypatch.setattr(runs, "run_into", stop)
    (tmp_path / "trial.toml").write_text(CONFIG, encoding="utf-8")
    table = "ID,TIME,AMT,EVID,CMT,SEX\n1,0,1,1,1,0\n2,0,.,0,1,1\n"
    (tmp_path / "doses.csv").write_text(table, encoding="utf-8")
    options = ("--out", tmp_path / "run", "--no-cache") if command == "run" else ()
    done = call(command, tmp_path / "trial.toml", *options)
    notes = [line for line in done.out.splitlines() if line.startswith("Note: ")]
    assert notes == [
        "Note: doses.csv has no dose of the molecule for patient 2; simulated untreated, and not "
        "counted in the rates of CRS.",
        "Note: Covariates of the patients are in doses.csv: SEX (SEX: 0 is male, 1 is female).",
    ]
    is_listed = "no dose" in map(str.strip, done.out.splitlines())
    assert is_listed == (command == "check")


def test_a_path_is_printed_on_one_line(tmp_path):
    long = tmp_path / ("[a]" * 40)
    done = call("new", "mine", "--out", long)
    file = long / "mine.toml"
    assert done.out.splitlines() == [
        f"Fill in {file}",
        f"Next: qsp check approved/mosunetuzumab_iv --set 'molecule={file}'",
        f"Next: qsp run approved/mosunetuzumab_iv --set 'molecule={file}'",
    ]
    shutil.rmtree(long)


def test_ten_billion_patients_are_refused_in_python():
    with pytest.raises(ConfigError, match="n must be at most 10000000, but is 10000000000"):
        qsp.population("nhl").sample(10**10, molecule="mosunetuzumab")
