"""Patients shared by the tests of the equations."""

import numpy as np
import pytest

from tests.model import patient


@pytest.fixture(scope="session")
def typical(strict_types):
    """The patient without variability."""
    return patient.typical()


@pytest.fixture(scope="session")
def complete(strict_types):
    """The same with every process on."""
    return patient.complete()


@pytest.fixture
def rng():
    return np.random.default_rng(2024)
