"""Files for contributors: hooks of pre-commit, templates of issues, and names they mention."""

import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import qsp
from qsp.cli.app import app
from qsp.results.record import ATTRIBUTE

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
FORMS = [path for path in TEMPLATES if path.name != "config.yml"]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_hooks_are_local_and_their_commands_exist():
    repositories = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert len({hook["id"] for hook in hooks}) == len(hooks) >= 4
    for hook in hooks:
        assert hook["language"] == "system"  # other languages download packages
        program, *words = hook["entry"].split()
        assert program.startswith(".venv/bin/")
        assert (Path(sys.prefix) / "bin" / Path(program).name).is_file()
        if Path(program).name == "python":
            assert (ROOT / words[0]).is_file()


@pytest.mark.parametrize("name", ["format", "lint", "style", "layers"])
def test_hook_is_a_check_of_the_repository(name):
    check = (ROOT / "scripts" / "check").read_text()
    (hook,) = [
        hook
        for hook in read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
        if hook["id"] == name
    ]
    command = re.sub(r"^\.venv/bin/(\S+)", r'"$bin/\1"', hook["entry"]).split(" --")[0]
    assert command in check


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_template_is_a_form(path):
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations", {}).get("required") for field in fields)
    for field in fields:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]


def test_there_are_forms_for_a_bug_a_wrong_number_and_a_feature():
    assert {path.stem for path in FORMS} == {"bug", "wrong_number", "feature"}
    assert f'attrs["{ATTRIBUTE}"]' in (TEMPLATES[0].parent / "bug.yml").read_text()


def test_version_option_prints_what_a_bug_report_needs():
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.output.startswith(f"qsp {qsp.__version__}, jax {version('jax')}, ")
    assert len(done.output.splitlines()) == 1


def test_files_named_in_the_guide_for_contributors_exist():
    paths = re.findall(
        r"`((?:qsp|tests|scripts|configs|benchmarks)/[\w/.-]*|populations/)", CONTRIBUTING
    )
    assert len(paths) > 15
    for path in paths:
        assert (ROOT / path).exists(), path
