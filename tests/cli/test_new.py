"""`qsp new`: the file of a molecule, and an example that runs with it."""

import pytest

from qsp import molecules
from tests.run.conftest import call


def next_steps(done):
    """Words of the commands that are printed as the next steps."""
    lines = [line for line in done.out.splitlines() if line.startswith("Next: qsp ")]
    return [line.removeprefix("Next: qsp ").split() for line in lines]


@pytest.mark.parametrize(
    ("words", "config"),
    [
        ((), "approved/mosunetuzumab_iv"),
        (("--target", "BCMA"), "approved/elranatamab"),
        (("--target", "gp100"), "approved/tebentafusp"),
        (("--like", "talquetamab"), "approved/talquetamab_0.4_weekly"),
    ],
)
def test_the_next_step_checks_the_file(words, config, tmp_path):
    done = call("new", "mine", "--out", tmp_path, *words)
    assert done.code == 0, done.err
    file = tmp_path / "mine.toml"
    assert done.out.splitlines()[0] == f"Fill in {file}"
    check, run = next_steps(done)
    assert check == ["check", config, "--set", f"molecule={file}"]
    assert run == ["run", *check[1:]]
    checked = call(*check)
    assert checked.code == 0, checked.err
    assert f"{file} in " in checked.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--target", "bcma"),
            "--target: the target must be an antigen of shipped molecules: CD19, BCMA, CD20, "
            "GPRC5D, DLL3, gp100, but is 'bcma'. Did you mean 'BCMA'?",
        ),
        (("--like", "teclistamap"), "--like: the value must be the name of a shipped molecule"),
        (("--like", "teclistamap"), "but is 'teclistamap'. Did you mean 'teclistamab'"),
        (("--like", "teclistamab", "--target", "BCMA"), "is combined with --target"),
    ],
)
def test_other_molecules_and_targets_are_refused(words, message, tmp_path):
    done = call("new", "mine", "--out", tmp_path, *words)
    assert done.code == 2
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_shipped_molecule_has_another_as_remedy(tmp_path):
    done = call("new", "teclistamab", "--out", tmp_path)
    assert done.code == 2
    assert "qsp new my_teclistamab --like teclistamab" in done.err


def test_every_molecule_can_be_the_model_of_a_new_one(tmp_path):
    for name in molecules.names():
        done = call("new", f"my_{name}", "--out", tmp_path, "--like", name)
        assert len(next_steps(done)) == 2, name
