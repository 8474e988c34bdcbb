"""Forms of the model and populations that do not go together."""

import re
from pathlib import Path

import pytest

from qsp import molecules
from qsp.config import load
from qsp.engine.method import Method
from qsp.errors import ConfigError
from qsp.molecules import Entry, ParameterFile
from qsp.populations import nominal, read_cohort
from qsp.run.structure import structure

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "approved" / "mosunetuzumab_iv.toml"


def chosen(tumor, **values):
    entries = {path: Entry(path, text, "test", "user") for path, text in values.items()}
    cohort = read_cohort(ROOT / "populations" / "nhl_dlbcl.toml")
    table = nominal(molecules.load("mosunetuzumab"), cohort, [ParameterFile("test", entries)])
    return structure(load(CONFIG, (f"method.tumor={tumor}",)), Method(), table).tumor


@pytest.mark.parametrize("kind", ["malignant", "antigen_low"])
@pytest.mark.parametrize("flow", ["k_home", "k_exchange"])
def test_lesions_refuse_tumor_cells_that_exchange_or_return(kind, flow):
    """Cells of lesions have neither homeostasis nor exchange with blood, which one pool has."""
    path = f"targets.{flow}.{kind}.tumor"
    with pytest.raises(ConfigError, match=rf"{path} must be 0 with lesions"):
        chosen("lesions", **{path: "0.01 1/day"})
    assert type(chosen("pool", **{path: "0.01 1/day"})).__name__ == "Pool"
    assert chosen("lesions", **{path: "0 1/day"}).number == 4


@pytest.mark.parametrize(
    ("population", "molecule", "left_out", "message"),
    [
        ("nhl", "mosunetuzumab", "kill_rate", "tumor.kill_rate must be given with lesions"),
        ("nhl", "mosunetuzumab", "kill_sd", "tumor.kill_sd must be given with lesions"),
        ("b_all", "blinatumomab", "other_marrow", "tumor.other_marrow must be .* = 'blasts'"),
        ("myeloma", "teclistamab", "other_marrow", "tumor.other_marrow must be .* = 'imwg'"),
        ("myeloma", "teclistamab", "m_protein_baseline", "lesions.m_protein_baseline must be"),
        ("myeloma", "teclistamab", "k_protein", "lesions.k_protein must be given"),
        ("b_all", "blinatumomab", "lesion_count", "lesion_count must be 1, the marrow"),
    ],
)
def test_lesions_refuse_a_population_without_values_of_killing_or_response(
    population, molecule, left_out, message, tmp_path
):
    """Otherwise lesions would grow under every dose, or no patient could respond."""
    lines = (ROOT / "populations" / f"{population}.toml").read_text().splitlines()
    named = re.compile(rf'(values\.")?(lesions\.)?{left_out}"? = ')
    kept = [line for line in lines if not named.match(line)]
    assert len(kept) < len(lines)
    file = tmp_path / f"{population}.toml"
    file.write_text("\n".join(kept))
    table = nominal(molecules.load(molecule), read_cohort(file), [])
    with pytest.raises(ConfigError, match=message):
        structure(load(CONFIG, ("method.tumor=lesions",)), Method(), table)
    pool = structure(load(CONFIG, ("method.tumor=pool",)), Method(), table)
    assert type(pool.tumor).__name__ == "Pool"


def test_lesions_accept_killing_rates_of_their_own(tmp_path):
    """Rates of all simulated lesions replace the distribution from which they are derived."""
    text = (ROOT / "populations" / "b_all.toml").read_text()
    file = tmp_path / "b_all.toml"
    own = '[lesions.k_kill]\nlesion_1 = { value = "0.5 1/day", status = "assumed" }\n'
    file.write_text(re.sub(r"(?m)^kill_(rate|sd) .*\n", "", text) + own)
    table = nominal(molecules.load("blinatumomab"), read_cohort(file), [])
    found = structure(load(CONFIG, ("method.tumor=lesions",)), Method(), table).tumor
    assert (type(found).__name__, found.number) == ("Lesions", 1)
