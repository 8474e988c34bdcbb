"""Parameter tables of shipped molecules in shipped populations."""

from pathlib import Path

import pytest

from qsp import molecules
from qsp.populations import ParameterTable, nominal, read_cohort

POPULATIONS = Path(__file__).parents[2] / "populations"
PAIRS = {
    "mosunetuzumab": "nhl",
    "tebentafusp": "uveal_melanoma",
    "blinatumomab": "nhl_blinatumomab",
}


def table_of(molecule: str) -> ParameterTable:
    cohort = read_cohort(POPULATIONS / f"{PAIRS[molecule]}.toml")
    return nominal(molecules.load(molecule), cohort)


@pytest.fixture(scope="session", params=PAIRS)
def table(request) -> ParameterTable:
    """Each molecule in its population."""
    return table_of(request.param)


@pytest.fixture(scope="session")
def mosunetuzumab() -> ParameterTable:
    return table_of("mosunetuzumab")


@pytest.fixture(scope="session")
def tebentafusp() -> ParameterTable:
    return table_of("tebentafusp")


@pytest.fixture(scope="session")
def blinatumomab() -> ParameterTable:
    return table_of("blinatumomab")
