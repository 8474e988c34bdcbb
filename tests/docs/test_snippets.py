"""Every code block of README and docs runs, and every command line is one of the command line."""

import contextlib
import io
from collections import Counter
from pathlib import Path

import jax
import pytest
import typer
from typer.testing import CliRunner

from qsp import shipped
from qsp.cli.app import app
from tests.docs.code_blocks import OUTPUT, blocks, docstring_block, same_output

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_CODE = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
LANGUAGES = {"python", "toml", "csv", "sh", "text", ""}
AT_ONCE = ("new", "check", "explain", "molecules")
"""Commands that run here, as does `run` if the page reads its folder; others are only parsed."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Folder of compiled programs, which pages share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def empty_folder(tmp_path, monkeypatch, cache):
    """An empty working folder, and JAX with the settings of a new process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QSP_CACHE_DIR", str(cache))
    monkeypatch.setattr("qsp.engine.cache.enable_jax_cache", lambda folder, **_: None)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        yield tmp_path


def follow(page, folder):
    """Do what a page says, block by block; return the namespace of its Python blocks."""
    namespace, printed = {"__name__": "__main__"}, ""
    for block in blocks(page):
        if block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                block.run(namespace)
            printed = out.getvalue()
        elif block.language in ("toml", "csv") and block.title:
            (folder / block.title).write_text(block.code)
        elif block.title == OUTPUT:
            where = f"{page.name}, line {block.line}"
            assert same_output(block.code, printed), f"{where} must be:\n{printed}"
        elif block.language in ("sh", ""):
            for words in block.commands():
                is_read = words[0] == "run" and f'qsp.read("{words[-1]}")' in page.read_text()
                if is_read or (words[0] in AT_ONCE and words[1:2] != ["NAME"]):
                    invoke(words)
    return namespace


def invoke(words):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, (words, done.output, done.exception)


# The default tests run the README from the wheel (`test_readme.py`).
@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=[page.stem for page in WITH_CODE])
def test_code_of_page_runs(page, empty_folder):
    follow(page, empty_folder)


@pytest.mark.slow
def test_code_of_package_docstring_runs(empty_folder):
    docstring_block(ROOT / "qsp" / "__init__.py").run({})


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_commands_of_page_exist(page, empty_folder):
    """Each option is known, and trials are those of the package or of the page itself."""
    known = set(shipped.names("configs"))
    group = typer.main.get_command(app)
    for block in blocks(page):
        if block.language in ("toml", "csv") and block.title:
            (empty_folder / block.title).write_text(block.code)
        if block.language not in ("sh", ""):
            continue
        for name, *words in block.commands():
            assert name in group.commands, (page.name, name)
            found = group.commands[name].make_context(name, list(words)).params
            config = str(found.get("config", "CONFIG"))
            if name == "new" and found["molecule"] != "NAME":
                invoke([name, *words])
            elif not config.isupper():
                written = (empty_folder / config).is_file()
                in_python = f'"{config}"' in page.read_text()
                assert config in known or written or in_python, (page.name, config)
                if config in known or written:
                    check(config, found)


def check(config, found):
    """Check a trial with the options of a command, without simulating it."""
    keys = {"patients": found.get("patients"), "seed": found.get("seed")}
    changes = [f"{key}={value}" for key, value in keys.items() if value is not None]
    words = [word for text in [*(found["changes"] or ()), *changes] for word in ("--set", text)]
    for name in ("parameters", "covariates"):
        words += [f"--{name}", str(found[name])] if found.get(name) else []
    invoke(["check", config, *words])


def test_no_block_looks_as_if_it_could_run():
    """Python always runs; shell blocks have commands, and other blocks are files or text."""
    languages = Counter(block.language for page in PAGES for block in blocks(page))
    assert set(languages) <= LANGUAGES
    assert languages["python"] >= 30
    for page in PAGES:
        for block in blocks(page):
            if block.language == "sh":
                assert block.code.strip(), (page.name, block.line)
            elif block.language in ("toml", "csv"):
                assert block.title, f"{page.name}, line {block.line}: the file needs a title"


def test_output_is_compared_word_by_word_and_number_by_number():
    assert same_output("a  1.00 2,000\n", "a 1.01\n2010")
    assert not same_output("a 1.0", "a 1.1")
    assert not same_output("a 1.0", "b 1.0")
    assert not same_output("a 1.0", "a 1.0 2.0")
