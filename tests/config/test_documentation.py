"""configs/README.md explains every key, and its examples are valid."""

import re
from pathlib import Path

import pytest

from qsp.config import Config, observation_tables, tables
from qsp.config.renamed import RENAMED
from qsp.populations.covariate_file import SHORT
from qsp.populations.covariates import UNITS
from qsp.populations.plausible import COVARIATE_LIMITS
from qsp.trial.dose_rows import IGNORED, OPTIONAL, REQUIRED
from tests.run.conftest import call

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "configs" / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```\w+ (\S+)\n(.+?)^```$", flags=re.MULTILINE | re.DOTALL)
ROW_OF_TABLE = {
    "arms.*.doses.*": "| dose of the molecule |",
    "arms.*.rules.*": "| rule |",
    "rescue.*": "| `[rescue.NAME]` |",
}
EXAMPLES = dict(BLOCK.findall(TEXT))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The examples as files, with the populations of the repository."""
    (tmp_path / "populations").symlink_to(ROOT / "populations")
    (tmp_path / "mine").mkdir()
    for name, text in EXAMPLES.items():
        (tmp_path / "mine" / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "mine")


@pytest.mark.parametrize(
    "words",
    [
        ("trial.toml",),
        ("premedication.toml",),
        ("table.toml",),
        ("table.toml", "--covariates", "patients.csv"),
        ("trial.toml", "--covariates", "patients.csv"),
        ("trial.toml", "--parameters", "parameters.toml"),
        ("observed.toml",),
    ],
    ids=" ".join,
)
def test_example_is_valid(words, folder):
    done = call("check", *words)
    assert done.code == 0, done.err


def test_each_example_is_checked():
    assert set(EXAMPLES) == {
        *("trial.toml", "premedication.toml", "rules.toml", "table.toml", "doses.csv"),
        *("patients.csv", "parameters.toml", "observed.toml", "observed.csv"),
    }


@pytest.mark.parametrize(
    "table",
    [
        Config,
        tables.Arm,
        tables.Dose,
        tables.Repeat,
        tables.Premedication,
        tables.Calendar,
        tables.Rescue,
        tables.DosingRule,
        tables.DoseTable,
        observation_tables.Observations,
        observation_tables.Observed,
        tables.Utility,
        tables.Method,
        tables.Trajectories,
    ],
    ids=lambda table: table.__name__,
)
def test_every_key_is_explained(table):
    keys = [field.alias or name for name, field in table.model_fields.items()]
    assert not [key for key in keys if not re.search(rf"`[^`]*\b{key}\b[^`]*`", TEXT)]


@pytest.mark.parametrize("entry", RENAMED, ids=lambda entry: f"{entry.table}.{entry.old}")
def test_every_renamed_key_is_listed(entry):
    section = TEXT[TEXT.index("## Keys of earlier versions") :]
    (row,) = [line for line in section.splitlines() if ROW_OF_TABLE[entry.table] in line]
    assert re.search(rf"\b{entry.old}\b.*`{entry.new}`", row)


def test_every_column_is_explained():
    columns = [*REQUIRED, *OPTIONAL, *IGNORED, *UNITS, *(name.upper() for name in SHORT)]
    assert not [name for name in columns if name != "SS" and not re.search(rf"\b{name}\b", TEXT)]


@pytest.mark.parametrize("name", COVARIATE_LIMITS)
def test_limits_of_covariates_are_those_of_the_code(name):
    low, high = COVARIATE_LIMITS[name]
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}`")]
    assert f" {UNITS[name]} | {low:g} to {high:g}" in row


def test_shipped_dose_table_runs_with_its_patients():
    stem = ROOT / "configs" / "mosunetuzumab_dose_table"
    people = f"{stem}_patients.csv"
    done = call("check", f"{stem}.toml", "--covariates", people)
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    for who in ("patients 101, 102", "patient 117", "patient 230"):
        assert f"dose_table, {who} " in said
    assert "SUD3 4 mg in 2 doses" in said
    assert "4 patients x 1 arm x 42 days" in said
    assert "Note" not in said
