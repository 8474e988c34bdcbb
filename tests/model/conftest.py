"""Patients shared by the tests of the equations."""

import numpy as np
import pytest

from tests.model import patient


@pytest.fixture(scope="session")
def typical(strict_types):
    """Parameters of the typical patient."""
    return patient.typical()


@pytest.fixture(scope="session")
def complete(strict_types):
    """Parameters with every process active."""
    return patient.complete()


@pytest.fixture
def rng():
    return np.random.default_rng(2024)
