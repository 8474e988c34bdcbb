"""What `qsp explain` says: every kind of name, and a word where there is none."""

import tomllib
from pathlib import Path

import pytest

from qsp.errors import ConfigError
from qsp.explain import KINDS, explain

ROOT = Path(__file__).parents[1]
POPULATIONS = ROOT / "populations"


def told(name):
    return "\n".join(explain(name, POPULATIONS))


def test_parameter_by_path_and_by_ending_with_its_values():
    text = told("synapse.alpha")
    assert text == told("alpha")
    assert text.startswith("Parameter synapse.alpha [1]: Cross-linking efficiency")
    file = ROOT / "qsp" / "molecules" / "mosunetuzumab.toml"
    entry = tomllib.loads(file.read_text())["synapse"]["alpha"]
    line = next(line for line in text.splitlines() if "mosunetuzumab.toml" in line)
    assert entry["value"] in line
    assert entry["status"] in line
    assert entry["note"] in line


def test_field_with_axes_shows_its_elements():
    text = told("traffic.k_exit")
    assert text.startswith("Parameter traffic.k_exit (tissue) [1/day]:")
    assert "lymphoid physiology.toml" in text
    assert told("traffic.k_exit.lymphoid").startswith("Parameter traffic.k_exit.lymphoid [1/day]")


def test_source_and_covariates_are_named():
    text = told("disposition.CL_ss")
    assert "published, Bender2024" in text
    assert "body_weight model" in text


def test_value_that_no_file_gives_says_so():
    assert "it follows from other values" in told("release.IL10_50")
    assert "or is 0 where what it belongs to is absent" in told("disposition.competitor")


def test_what_becomes_a_parameter_is_known_too():
    assert told("tumor.cells").startswith("Parameter tumor.cells [Mcell]: Tumor cells")
    assert "nhl.toml" in told("antigens.CD20.copies.normal")


def test_name_of_several_things_has_them_all():
    text = told("margination")
    assert "Parameter traffic.margination" in text
    assert "State margination [1]" in text


def test_state_by_ending():
    assert told("post_activated") == (
        "State t_cells.post_activated (tissue) [Mcell]: Post-activated T cells"
    )


def test_result_variable_has_axes_unit_and_codes():
    assert told("crs_grade").startswith("Result crs_grade (arm, patient, dose_period) [1]: ")
    assert "2: partial_response" in told("best_response")


def test_endpoint_has_its_definition():
    text = told("incidence")
    assert text.startswith("Endpoint incidence [1]: Incidence of CRS")
    assert "source: Lee et al. 2019" in text


@pytest.mark.parametrize("name", ["t_cells", "release", "severity", "dexamethasone"])
def test_mechanism_tells_its_idea_functions_and_parameters(name):
    text = told(name)
    assert f".{name}\n" in text
    assert "\nFunctions\n" in text
    assert f"Parameter {'supportive.' if name == 'dexamethasone' else ''}{name}." in text


def test_functions_stand_in_the_order_of_their_file():
    lines = explain("severity", POPULATIONS)
    functions = [line.split(":")[0].strip() for line in lines if line.startswith("  ")]
    assert functions.index("inflammation") < functions.index("severity_rate")


def test_population_says_where_its_response_is_a_surrogate():
    assert "IMWG criteria (M-protein, marrow), which are not modeled" in told("myeloma")
    assert "IMWG" not in told("nhl")


def test_molecule_and_population():
    text = told("tebentafusp")
    assert "against gp100" in text
    assert "synapse.beta50_act" in text
    text = told("nhl")
    assert "Whom it represents" in text
    assert "mixture b_cells" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_that_is_listed_is_explained(kind):
    names = explain(kind, POPULATIONS)
    assert len(names) == len(set(names)) > 2
    for name in names:
        assert explain(name, POPULATIONS), name


def test_unknown_name_has_the_nearest_ones():
    with pytest.raises(ConfigError) as error:
        explain("alhpa", POPULATIONS)
    assert str(error.value).startswith("explain: the name must be one of the model")
    assert "Did you mean 'alpha'?" in str(error.value)
    assert "parameters, states, results" in str(error.value)


def test_without_a_folder_of_populations_the_rest_is_told(tmp_path):
    assert explain("alpha", tmp_path)
    with pytest.raises(ConfigError):
        explain("nhl", tmp_path)
