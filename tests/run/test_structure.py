"""Forms of the model and populations that do not go together."""

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
