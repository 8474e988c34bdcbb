"""Every shipped value: unit, source, and the reason for differences from the literature."""

import re
from pathlib import Path

import pytest

from qsp import molecules
from qsp.molecules import parameter_file, read_toml
from qsp.molecules.molecule import GROUPS
from qsp.populations import physiology, read_cohort
from qsp.populations.paths import antigen_of, inputs
from qsp.populations.table_from_files import row

ROOT = Path(__file__).parents[2]
REFERENCES = (ROOT / "qsp" / "references.bib").read_text(encoding="utf-8")
KEYS = set(re.findall(r"^@\w+\{(\w+),$", REFERENCES, flags=re.MULTILINE))
POPULATIONS = sorted((ROOT / "populations").rglob("*.toml"))


def shipped_files():
    files = [physiology(), *(molecules.load(name).parameters for name in molecules.names())]
    for path in POPULATIONS:
        files += read_cohort(path).parameters
    return files


def shipped_entries():
    return {
        (file.name, path): entry for file in shipped_files() for path, entry in file.entries.items()
    }


def texts():
    return [
        ROOT / "qsp" / "model" / "physiology.toml",
        *(ROOT / "qsp" / "molecules").glob("*.toml"),
        *POPULATIONS,
    ]


ENTRIES = shipped_entries()

TUNED = {
    "sclc.toml": {"lesions.k_new", "lesions.loss_share", "tumor.kill_rate", "tumor.kill_sd"},
    "nhl_fl.toml": {"lesions.loss_share", "tumor.kill_rate", "tumor.kill_sd"},
    "b_all.toml": {"lesions.loss_share", "tumor.kill_rate", "tumor.kill_sd"},
    "linvoseltamab.toml": {"synapse.beta50_act"},
    "myeloma.toml": {
        "cytokines.p_IL6",
        "lesions.loss_share",
        "tumor.kill_rate",
        "tumor.kill_sd",
        "tumor.size_exponent",
    },
    "nhl.toml": {
        "cytokines.p_IL6",
        "lesions.k_new",
        "lesions.loss_share",
        "targets.k_depletion.blood",
        "tumor.kill_rate",
        "tumor.kill_sd",
    },
    "physiology.toml": {
        "cytokines.IFN50",
        "cytokines.TNF50",
        "cytokines.contact50",
        "cytokines.f_tolerant",
        "cytokines.hill_myeloid",
        "cytokines.k_recovery",
        "cytokines.p_IFN",
        "cytokines.p_IL6",
        "cytokines.p_TNF",
        "cytokines.steroid_production",
        "cytokines.u50_myeloid",
        "disposition.k_exchange.lymphoid",
        "disposition.k_exchange.tumor",
        "disposition.k_lymph",
        "engagement.k_T.tumor",
        "engagement.k_kill.normal.skin",
        "lesions.k_exhaust",
        "lesions.k_recover",
        "release.CA50",
        "release.k_CA",
        "release.steroid_release",
        "release.weight.blood",
        "release.weight.lymphoid",
        "release.weight.skin",
        "release.weight.tumor",
        "severity.IFN_50",
        "severity.IL6_50_fever",
        "severity.IL6_50_leak",
        "severity.TNF_50",
        "severity.k_fever",
        "severity.level.grade_1",
        "severity.level.grade_2",
        "severity.level.grade_3",
        "severity.rho",
        "severity.sd_level",
        "severity.sd_level_event",
        "supportive.dexamethasone.IC50",
        "synapse.hill_act",
        "t_cells.f_re",
        "t_cells.k_XR",
        "t_cells.k_act",
        "t_cells.k_adapt",
        "t_cells.k_forget",
        "traffic.flux50",
        "traffic.k_off",
        "traffic.k_on",
        "tumor.kill_within",
    },
    "mosunetuzumab.toml": {"synapse.alpha", "synapse.beta50_act", "synapse.beta50_kill"},
    "tebentafusp.toml": {"synapse.alpha", "synapse.beta50_act", "synapse.beta50_kill"},
    "blinatumomab.toml": {"synapse.alpha", "synapse.beta50_act", "synapse.beta50_kill"},
    "elranatamab.toml": {
        "binding.KD_soluble",
        "binding.KD_target",
        "synapse.alpha",
        "synapse.beta50_act",
        "synapse.beta50_kill",
    },
    "epcoritamab.toml": {
        "disposition.CL_base",
        "disposition.CL_ss",
        "disposition.Q",
        "disposition.half_life_CL",
        "disposition.ka",
        "synapse.alpha",
        "synapse.beta50_act",
        "synapse.beta50_kill",
    },
    "glofitamab.toml": {"synapse.alpha", "synapse.beta50_act", "synapse.beta50_kill"},
    "odronextamab.toml": {"disposition.CL_ss", "disposition.half_life_CL"},
    "talquetamab.toml": {
        "disposition.CL_base",
        "disposition.Q",
        "disposition.half_life_CL",
        "disposition.ka",
        "synapse.alpha",
        "synapse.beta50_act",
        "synapse.beta50_kill",
    },
    "tarlatamab.toml": {"synapse.alpha", "synapse.beta50_act", "synapse.beta50_kill"},
    "teclistamab.toml": {
        "binding.KD_soluble",
        "binding.KD_target",
        "synapse.alpha",
        "synapse.beta50_act",
        "synapse.beta50_kill",
    },
    "uveal_melanoma.toml": {
        "engagement.k_kill.malignant.tumor",
        "lesions.k_new",
        "lesions.loss_share",
        "tumor.kill_rate",
        "tumor.kill_sd",
    },
}
"""Values that differ from the literature or from the starting value; each file says why."""


@pytest.mark.parametrize(("file", "path"), sorted(ENTRIES))
def test_value_has_its_unit_spread_and_covariate_models(file, path):
    parameter = row(ENTRIES[file, path])
    assert parameter.unit
    assert parameter.meaning


def test_every_source_is_in_the_references():
    sources = {entry.source for entry in ENTRIES.values()} - {""}
    for path in texts():
        sources |= set(re.findall(r'source = "(\w+)"', path.read_text(encoding="utf-8")))
    assert sources <= KEYS


def test_every_reference_has_author_title_and_year():
    for body in re.findall(r"^@\w+\{\w+,\n(.*?)^\}$", REFERENCES, flags=re.MULTILINE | re.DOTALL):
        assert {"author", "title", "year"} <= set(re.findall(r"^  (\w+) +=", body, re.MULTILINE))
    assert len(KEYS) == REFERENCES.count("@")


def test_author_and_year_written_in_a_note_are_a_reference():
    named = {
        word
        for path in texts()
        for word in re.findall(r"\b[A-Z][a-z]+(?:19|20)\d\d\b", path.read_text(encoding="utf-8"))
    }
    assert named <= KEYS


def test_tuned_values_are_these_and_say_why():
    found: dict[str, set[str]] = {}
    for (file, path), entry in ENTRIES.items():
        if entry.status == "tuned":
            found.setdefault(file, set()).add(path)
            assert len(entry.note) > 20, (file, path)
    assert found == TUNED


def test_published_values_name_their_source():
    published = [entry for entry in ENTRIES.values() if entry.status == "published"]
    assert len(published) >= 25
    assert all(entry.source for entry in published)


def test_only_a_status_of_the_list_ships():
    assert {entry.status for entry in ENTRIES.values()} == {"published", "assumed", "tuned"}


@pytest.mark.parametrize("name", molecules.names())
def test_molecule_file_holds_no_disease_fact(name):
    path = ROOT / "qsp" / "molecules" / f"{name}.toml"
    groups = {p.split(".")[0] for p in molecules.load(name).parameters.entries}
    assert groups <= set(GROUPS)
    of_cells = ("copies", "area_target", "soluble_target", "competitor", "k_soluble", "baseline")
    for parameter in molecules.load(name).parameters.entries:
        assert not any(word in parameter for word in of_cells), parameter
        assert parameter not in inputs()
        assert not antigen_of(parameter)
    words = path.read_text(encoding="utf-8").lower()
    for disease in ("lymphoma", "melanoma", "leukemia", "myeloma", "tumor size of", "metasta"):
        assert disease not in words


@pytest.mark.parametrize("name", molecules.names())
def test_molecule_says_what_the_model_needs(name):
    molecule = molecules.load(name)
    assert molecule.name == name
    assert molecule.title
    assert molecule.target
    assert 20.0 < molecule.molecular_weight < 300.0
    assert set(molecule.routes) <= {"iv", "sc"}
    assert ("sc" in molecule.routes) == ("disposition.ka" in molecule.parameters.entries)


def test_clearance_of_each_molecule():
    structure = {name: molecules.load(name).clearance for name in molecules.names()}
    assert structure["mosunetuzumab"] == "time_varying"
    assert structure["tebentafusp"] == structure["blinatumomab"] == "mechanistic"


def test_slow_arm_relaxes():
    assert molecules.load("tebentafusp").synapse == "relaxed_by_cd3"
    assert molecules.load("mosunetuzumab").synapse == "plateau"


def test_molecule_of_a_file_of_the_user(tmp_path):
    text = (ROOT / "qsp" / "molecules" / "blinatumomab.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace("54 kDa", "54000 Da"), encoding="utf-8")
    mine = molecules.load(str(tmp_path / "mine.toml"))
    assert mine.name == "mine"
    assert mine.molecular_weight == pytest.approx(54.0)


@pytest.mark.parametrize("path", POPULATIONS, ids=lambda path: path.stem)
def test_population_has_a_card_with_its_limits(path):
    cohort = read_cohort(path)
    assert "Represents: " in cohort.card
    assert "Based on: " in cohort.card
    assert "Not valid for: " in cohort.card
    assert cohort.response_criteria in ("lugano", "recist")
    assert cohort.disease
    assert cohort.title


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.name)
def test_file_reads_alone(path):
    header = set(read_toml(path)) - {"correlations", "mixtures"}
    text = {key for key in header if not isinstance(read_toml(path)[key], dict)}
    aside = text | {"covariates", "molecular_weight"}
    assert parameter_file(read_toml(path), path.name, header=aside).entries
