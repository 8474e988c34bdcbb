"""Output of `qsp explain` for every kind of name, and errors for unknown names."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qsp.cli.app import app
from qsp.errors import ConfigError
from qsp.explain import KINDS, explain
from qsp.explain.aliases import ALIASES, alias, plain_word
from qsp.explain.equations import using
from qsp.explain.values import shipped

ROOT = Path(__file__).parents[1]
POPULATIONS = ROOT / "populations"


def explained(name):
    return "\n".join(explain(name, POPULATIONS))


def test_parameter_by_path_or_by_its_last_part_shows_its_values():
    text = explained("synapse.alpha")
    assert text == explained("alpha")
    assert text.startswith("Parameter synapse.alpha [1]: Cross-linking efficiency")
    file = ROOT / "qsp" / "molecules" / "mosunetuzumab.toml"
    entry = tomllib.loads(file.read_text())["synapse"]["alpha"]
    line = next(line for line in text.splitlines() if "mosunetuzumab.toml" in line)
    assert entry["value"] in line
    assert entry["status"] in line
    assert entry["note"] in line


def test_array_parameter_shows_its_elements():
    text = explained("traffic.k_exit")
    assert text.startswith("Parameter traffic.k_exit (tissue) [1/day]:")
    assert "lymphoid physiology.toml" in text
    assert explained("traffic.k_exit.lymphoid").startswith(
        "Parameter traffic.k_exit.lymphoid [1/day]"
    )


def test_value_shows_source_and_covariate_models():
    text = explained("disposition.CL_ss")
    assert "published, Bender2024" in text
    assert "body_weight model (" in text
    assert "exponent" in text


def test_derived_and_absent_values_are_labeled():
    assert "in no file: derived from other values" in explained("release.IL10_50")
    assert "or 0 if its process is absent" in explained("disposition.competitor")


def test_inputs_of_derived_parameters_are_explained():
    assert explained("tumor.cells").startswith("Parameter tumor.cells [Mcell]: Tumor cells")
    assert "nhl.toml" in explained("antigens.CD20.copies.normal")


def test_ambiguous_name_shows_all_meanings():
    text = explained("margination")
    assert "Parameter traffic.margination" in text
    assert "State margination [1]" in text


def test_state_by_its_last_part():
    assert explained("post_activated").splitlines()[0] == (
        "State t_cells.post_activated (tissue) [Mcell]: Post-activated T cells"
    )


def test_result_variable_shows_axes_unit_and_codes():
    assert explained("crs_grade").startswith("Result crs_grade (arm, patient, dose_period) [1]: ")
    assert "2: partial_response" in explained("best_response")


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("lesion_exhaustion_visit", "(arm, patient, visit, lesion) [1]: Share of the killing"),
        ("exhaustion_visit", "(arm, patient, visit) [1]: Exhaustion of T cells, mean of"),
        ("loss_share_visit", "(arm, patient, visit) [1]: Share of tumor cells without antigen"),
        ("sum_of_products_visit", "(arm, patient, visit) [cm^2]: Sum of products of diameters"),
        ("sum_of_diameters_baseline", "(arm, patient) [cm]: Sum of longest diameters before"),
        ("disease_change_visit", "(arm, patient, visit) [%]: Measure of the disease: change"),
        ("response_visit", "(arm, patient, visit) [1]: Response at visits (rule of the disease)"),
        ("progression_free_time", "(arm, patient) [day]: Progression-free survival"),
        ("response_duration_event", "(arm, patient) [1]: Duration of response: whether it ended"),
        ("m_protein_visit", "(arm, patient, visit) [g/L]: M-protein in serum"),
    ],
)
def test_result_variable_of_lesions_and_response_has_its_unit(name, about):
    assert explained(name).startswith(f"Result {name} {about}")


def test_endpoint_shows_its_definition():
    text = explained("incidence")
    assert text.startswith("Endpoint incidence [1]: Incidence of CRS")
    assert "source: Lee et al. 2019" in text


@pytest.mark.parametrize("name", ["t_cells", "release", "cytokines", "dexamethasone"])
def test_mechanism_shows_description_functions_and_parameters(name):
    text = explained(name)
    assert f".{name}\n" in text
    assert "\nFunctions\n" in text
    assert f"Parameter {'supportive.' if name == 'dexamethasone' else ''}{name}." in text


def test_functions_are_in_the_order_of_their_file():
    lines = explain("axes", POPULATIONS)
    functions = [line.split(":")[0].strip() for line in lines if line.startswith("  ")]
    assert functions.index("rises") < functions.index("fever_drive") < functions.index("fever")


def test_population_shows_if_its_response_is_a_surrogate():
    assert "IMWG criteria (M-protein, marrow), which are not modeled" in explained("myeloma")
    assert "IMWG" not in explained("nhl")


def test_molecule_and_population_show_their_values():
    text = explained("tebentafusp")
    assert "against gp100" in text
    assert "synapse.beta50_act" in text
    text = explained("nhl")
    assert "Represents: " in text
    assert "mixture b_cells" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_listed_name_is_explained(kind):
    names = explain(kind, POPULATIONS)
    assert len(names) == len(set(names)) > 2
    for name in names:
        assert explain(name, POPULATIONS), name


def test_error_for_an_unknown_name_suggests_similar_ones():
    with pytest.raises(ConfigError) as error:
        explain("alhpa", POPULATIONS)
    assert str(error.value).startswith("explain: the name must be one of the model")
    assert "Did you mean 'alpha'?" in str(error.value)
    assert "parameters, states, results" in str(error.value)


def test_without_a_folder_of_populations_other_names_are_explained(tmp_path):
    assert explain("alpha", tmp_path)
    with pytest.raises(ConfigError):
        explain("nhl", tmp_path)


def test_parameters_and_states_show_the_equations_that_use_them():
    text = explained("alpha")
    assert "equations, with the symbol alpha:" in text
    assert "Eq. S4, trimers: a = (alpha c_k (n + kappa t))/(K_D_CD3 K_T)" in text
    assert "with the symbol F_sc" in explained("disposition.bioavailability")
    assert "dM/dt = k_on g_M (1 - M) - k_off M" in explained("margination")
    assert "Eq. R1, net_arrival" in explained("traffic.k_exit.lymphoid")


def test_equations_of_a_state_are_not_those_of_the_parameters_of_its_group():
    assert [each.label for each in using("severity.k_fever")] == ["V7"]
    assert [each.label for each in using("severity")] == ["V5", "V6", "V7"]
    assert using("traffic.k_exit.lymphoid") == using("traffic.k_exit")
    assert "R1" in [each.label for each in using("cytokines.baseline.cxcl10")]
    assert "R1" not in [each.label for each in using("cytokines.baseline.il6")]
    assert "R1" in [each.label for each in using("cytokines.baseline")]


def test_mechanism_shows_its_equations():
    assert "  Eq. L3: dz_1/dt = k_transit z_in - k_transit z_1" in explained("release")


def test_quantity_shows_the_equations_that_define_it():
    text = explained("contact.touching")
    assert text.startswith("Quantity contact.touching (tissue) [1]: Fraction of T cells in contact")
    assert "defined, with the symbol p, by:\n    Eq. E2, contact: q_j_k =" in text
    assert "Eq. B3, gap_receptors" in explained("gap.receptors.cd3")
    assert "Eq. B1, receptors" in explained("receptors.cd3")


# === words that users type
# ===============================================================================================


@pytest.fixture(scope="module")
def known_names():
    files = shipped(POPULATIONS)
    return {name for kind in KINDS.values() for name in kind.names(files)}


@pytest.mark.parametrize("word", ALIASES)
def test_every_alias_resolves(word, known_names):
    entry = ALIASES[word]
    assert word == plain_word(word)
    assert entry.names
    assert {*entry.names, *entry.see} <= known_names
    assert alias(f" {word.upper()}- ") == entry


def test_plural_and_punctuation_of_an_alias_do_not_matter():
    assert alias("Trimers") == alias("trimer") == ALIASES["trimer"]
    assert alias("IL-6") == alias("il 6") == ALIASES["il6"]
    assert alias("no such word").names == ()


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("tumor", "Parameter tumor.cells [Mcell]"),
        ("tumour burden", "Result tumor_volume "),
        ("IL6", "Result il6_peak "),
        ("IL-6", "Parameter cytokines.p_IL6 "),
        ("CRS", "Result crs_grade "),
        ("crs grade", "Result crs_grade "),
        ("grade", "Parameter severity.level "),
        ("T cells", "Mechanism qsp.model.t_cells"),
        ("Steroid", "Mechanism qsp.interventions.dexamethasone"),
        ("toci", "Mechanism qsp.interventions.tocilizumab"),
        ("trimers", "Result trimers_peak "),
        ("Bcells", "Result b_cells_blood "),
        ("clearance", "Parameter disposition.CL_base "),
        ("CL", "Parameter disposition.CL_ss "),
        ("CL", "Parameter supportive.tocilizumab.CL "),
        ("V1", "Parameter disposition.V1 "),
        ("v1", "Parameter disposition.V1 "),
        ("KA", "Parameter disposition.ka "),
        ("EC50", "The EC50 of a drug is not a parameter"),
        ("EC50", "Parameter synapse.alpha "),
        ("SYNAPSE.ALPHA", "Parameter synapse.alpha "),
        ("Mosunetuzumab", "Molecule Mosunetuzumab"),
        ("B-ALL", "Population "),
        ("CD20", "Parameter antigens.CD20.copies.normal "),
        ("il6_peak", "  one value per dose period, from the start of a dose to that of the next"),
    ],
)
def test_words_that_users_type_are_explained(word, line):
    assert any(each.startswith(line) for each in explain(word, POPULATIONS))


def test_names_for_another_word_are_listed_first():
    assert explain("IL-6", POPULATIONS)[0].startswith("IL-6 is explained by: il6, il6_peak")
    assert explain("crs grade", POPULATIONS)[-1] == "See also: qsp explain severity"


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [("steriod", "steroid"), ("il6_peek", "il6_peak"), ("Tocilzumab", "tocilizumab")],
)
def test_mistyped_word_gets_a_suggestion(word, suggestion):
    with pytest.raises(ConfigError, match=f"Did you mean '{suggestion}'"):
        explain(word, POPULATIONS)


# === files of one's own
# ===============================================================================================


@pytest.fixture
def own_molecule(tmp_path):
    text = (ROOT / "qsp" / "molecules" / "mosunetuzumab.toml").read_text()
    entry = 'alpha = { value = "7.7e-3", status = "tuned", source = "Li2022", note = "my assay" }'
    lines = [entry if line.startswith("alpha =") else line for line in text.splitlines()]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines))
    return path


def test_value_of_an_own_molecule_comes_first_with_status_and_source(own_molecule):
    lines = explain("synapse.alpha", POPULATIONS, [own_molecule])
    assert lines[0].startswith("Parameter synapse.alpha [1]")
    assert lines[1].split() == ["mine.toml", "7.7e-3;", "tuned,", "Li2022:", "my", "assay"]
    assert any("mosunetuzumab.toml" in line for line in lines)


def test_value_that_an_own_file_does_not_have_is_named(own_molecule):
    assert explain("k_act", POPULATIONS, [own_molecule])[1] == "  mine.toml has no value of it"


def test_own_molecule_without_a_name_shows_all_its_values(own_molecule):
    text = "\n".join(explain("", POPULATIONS, [own_molecule]))
    assert text.startswith("Molecule Mosunetuzumab")
    assert "7.7e-3; tuned, Li2022: my assay" in text
    assert "myeloma, " not in text  # potency only where the target is


def test_own_population_and_own_parameters(tmp_path):
    population = tmp_path / "clinic.toml"
    population.write_text((POPULATIONS / "nhl.toml").read_text().replace("30000 mol", "12345 mol"))
    parameters = tmp_path / "changes.toml"
    parameters.write_text('[t_cells]\nk_act = { value = "3 1/day" }\n')
    text = "\n".join(explain("", POPULATIONS, [population, parameters]))
    assert text.startswith("Population ")
    assert "Values of clinic.toml" in text
    assert "12345 molecule/cell" in text
    assert "Values of changes.toml\n  t_cells.k_act  3 1/day; user" in text
    assert explain("k_act", POPULATIONS, [parameters])[1] == "  changes.toml     3 1/day; user"


def test_own_file_replaces_a_shipped_file_of_the_same_name(own_molecule):
    same = own_molecule.rename(own_molecule.with_name("mosunetuzumab.toml"))
    lines = explain("alpha", POPULATIONS, [same])
    [line] = [each for each in lines if "mosunetuzumab.toml" in each]
    assert "7.7e-3" in line


def test_missing_file_is_an_error_and_a_name_of_a_file_is_suggested(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="the file must exist"):
        explain("alpha", POPULATIONS, [tmp_path / "none.toml"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drugx.toml").write_text("")
    with pytest.raises(ConfigError, match=r"`qsp explain drugx.toml` explains the file"):
        explain("drugx", POPULATIONS)


@pytest.mark.parametrize(
    "order",
    [
        lambda path: ["synapse.alpha", "--molecule", path],
        lambda path: ["synapse.alpha", path],
        lambda path: [path, "synapse.alpha"],
        lambda path: [path, "Synapse", "Alpha"],
    ],
)
def test_command_accepts_a_name_and_a_file_in_any_order(order, own_molecule):
    result = CliRunner().invoke(app, ["explain", *order(str(own_molecule))])
    assert result.exit_code == 0
    assert "mine.toml           7.7e-3; tuned, Li2022: my assay" in result.output
