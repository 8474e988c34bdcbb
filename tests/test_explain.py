"""Output of `qsp explain` for every kind of name, and errors for unknown names."""

import tomllib
from pathlib import Path

import pytest

from qsp.errors import ConfigError
from qsp.explain import KINDS, explain

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
    assert "body_weight model" in text


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


def test_endpoint_shows_its_definition():
    text = explained("incidence")
    assert text.startswith("Endpoint incidence [1]: Incidence of CRS")
    assert "source: Lee et al. 2019" in text


@pytest.mark.parametrize("name", ["t_cells", "release", "severity", "dexamethasone"])
def test_mechanism_shows_description_functions_and_parameters(name):
    text = explained(name)
    assert f".{name}\n" in text
    assert "\nFunctions\n" in text
    assert f"Parameter {'supportive.' if name == 'dexamethasone' else ''}{name}." in text


def test_functions_are_in_the_order_of_their_file():
    lines = explain("severity", POPULATIONS)
    functions = [line.split(":")[0].strip() for line in lines if line.startswith("  ")]
    assert functions.index("inflammation") < functions.index("severity_rate")


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
    assert "dM/dt = (k_on z_2)/(S_50 + z_2) (1 - M) - k_off M" in explained("margination")
    assert "Eq. R1, net_arrival" in explained("traffic.k_exit.lymphoid")


def test_mechanism_shows_its_equations():
    assert "  Eq. L3: dz_1/dt = k_transit D - k_transit z_1" in explained("release")
