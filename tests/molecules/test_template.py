"""The file that `qsp new` writes is valid and complete, and never overwrites a file."""

from pathlib import Path

import jax
import numpy as np
import pytest

import qsp
from qsp import molecules
from qsp.errors import ConfigError
from qsp.molecules.template import write_copy, write_template
from qsp.populations import nominal, read_cohort
from qsp.populations.covariates import covariate_models

NHL = Path(__file__).parents[2] / "populations" / "nhl.toml"


def test_written_file_loads_and_completes_a_patient(tmp_path):
    path = write_template("newmab_2", tmp_path)
    assert path == tmp_path / "newmab_2.toml"
    molecule = molecules.load(path)
    assert (molecule.name, molecule.title) == ("newmab_2", "Newmab 2")
    patient = nominal(molecule, read_cohort(NHL)).nominal()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(patient))


def test_alpha_has_the_recommended_prior(tmp_path):
    entry = molecules.load(write_template("newmab", tmp_path)).parameters.entries["synapse.alpha"]
    assert (entry.value, entry.status) == ("1e-3", "assumed")
    assert "sd 2.7" in entry.note


def test_no_placeholder_claims_a_source_for_this_molecule(tmp_path):
    entries = molecules.load(write_template("newmab", tmp_path)).parameters.entries.values()
    assert {entry.status for entry in entries} == {"assumed"}


def test_commented_alternatives_load_when_uncommented(tmp_path):
    path = write_template("newmab", tmp_path)
    lines = path.read_text().replace("# CL_base", "CL_base").replace("# half_life", "half_life")
    lines = lines.replace("# ka =", "ka =").replace("# bioavail", "bioavail")
    lines = lines.replace('clearance = "mechanistic"', 'clearance = "time_varying"')
    lines = lines.replace('routes = ["iv"]', 'routes = ["iv", "sc"]')
    without = [line for line in lines.splitlines() if not line.startswith("k_int")]
    path.write_text("\n".join(without))
    parameters = nominal(molecules.load(path), read_cohort(NHL)).nominal().model
    assert parameters.disposition.CL_base == 1.0
    assert parameters.disposition.ka == 0.3


def test_template_is_not_a_shipped_molecule():
    assert "template" not in molecules.names()


@pytest.mark.parametrize("name", ["", "New", "new mab", "new.toml", "../new", "2new", "new-mab"])
def test_invalid_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="the name must be lower-case letters"):
        write_template(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_name_of_a_shipped_molecule_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must not be the name of a shipped molecule"):
        write_template("mosunetuzumab", tmp_path)


def test_existing_file_is_not_overwritten(tmp_path):
    (tmp_path / "newmab.toml").write_text("mine")
    with pytest.raises(ConfigError, match=r"newmab.toml: the file must not exist yet"):
        write_template("newmab", tmp_path)
    assert (tmp_path / "newmab.toml").read_text() == "mine"


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--out must be a folder, but is missing"):
        write_template("newmab", tmp_path / "absent")


def test_covariate_models_of_the_comment_are_valid(tmp_path):
    path = write_template("newmab", tmp_path)
    text = path.read_text()
    lines = text[text.index("#   covariates = ") :].splitlines()[:2]
    model = "".join(line.removeprefix("#").strip() for line in lines)
    value = 'V1 = { value = "4 L"'
    path.write_text(text.replace(value, f"{value}, {model}"))
    (first, second) = covariate_models(molecules.load(path).parameters.entries["disposition.V1"])
    assert (first.covariate, first.exponent) == ("body_weight", 0.75)
    assert (second.level, second.factor) == ("female", -0.16)


def test_malformed_covariate_model_is_refused_where_the_file_is_read(tmp_path):
    path = write_template("newmab", tmp_path)
    value = 'V1 = { value = "4 L"'
    model = 'covariates = [{ name = "age", reference = "50 year", exponent = 1 }]'
    path.write_text(path.read_text().replace(value, f"{value}, {model}"))
    with pytest.raises(qsp.QSPError, match="covariate must be one of"):
        qsp.molecule(path)


@pytest.mark.parametrize("name", molecules.names())
def test_a_copy_has_the_values_of_its_model_as_assumed_ones(tmp_path, name):
    model, copy = molecules.load(name), molecules.load(write_copy("my_copy", tmp_path, name))
    for field in ("target", "format", "routes", "clearance", "synapse", "molecular_weight"):
        assert getattr(copy, field) == getattr(model, field)
    assert copy.title == "My copy"
    mine, theirs = copy.parameters, model.parameters
    assert list(mine.entries) == list(theirs.entries)
    pairs = [
        *((mine.entries[path], theirs.entries[path]) for path in theirs.entries),
        *((copy.in_vitro[effect], model.in_vitro[effect]) for effect in model.in_vitro),
        *zip(mine.correlations, theirs.correlations, strict=True),
        *zip(mine.mixtures, theirs.mixtures, strict=True),
    ]
    for own, other in pairs:
        origin = f"value of {name}, {other.status} there"
        assert own.status == "assumed"
        assert own.note == (f"{origin}: {other.note}" if other.note else origin)
        assert _plain(own) == _plain(other)


def _plain(entry):
    """Fields of an entry that a copy does not change."""
    changed = ("status", "note", "file", "where")
    return {key: value for key, value in vars(entry).items() if key not in changed}


TARGETS = sorted({molecules.load(name).target for name in molecules.names()})


@pytest.mark.parametrize("target", TARGETS)
def test_template_of_a_target_has_the_values_that_depend_on_it(tmp_path, target):
    molecule = molecules.load(write_template("newmab", tmp_path, target))
    assert molecule.target == target
    assert molecule.routes == ("iv", "sc")
    entries = molecule.parameters.entries
    assert {entry.status for entry in entries.values()} == {"assumed"}
    assert ("binding.KD_soluble" in entries) == (target == "BCMA")
    known = {
        molecules.load(name).parameters.entries["synapse.beta50_act"].value
        for name in molecules.names()
        if molecules.load(name).target == target
    }
    assert entries["synapse.beta50_act"].value in known
    assert "value of" in entries["synapse.beta50_act"].note
    text = (tmp_path / "newmab.toml").read_text()
    assert target == "CD20" or "CD20" not in text
