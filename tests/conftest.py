"""What every test shares: double precision, quiet figures, kept compilations."""

import os

import hypothesis
import jax
import pytest

# Figures are drawn to files; no test opens a window.
os.environ.setdefault("MPLBACKEND", "Agg")

# scripts/check names a folder in JAX_COMPILATION_CACHE_DIR; keep the small programs there too,
# for a suite compiles hundreds of them.
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

# The first example of a property compiles, so a deadline would measure XLA. Fixed examples keep
# a run of the suite the same everywhere.
hypothesis.settings.register_profile("qsp", deadline=None, derandomize=True)
hypothesis.settings.load_profile("qsp")


@pytest.fixture(scope="session", autouse=True)
def double_precision():
    """Enter the scope that the command line enters, before any other fixture makes an array.

    Arrays made while a test module is imported are outside of it, and single precision: make
    them in a fixture or in the test.
    """
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session", autouse=True)
def strict_types(double_precision):
    """Refuse to mix array types silently; plain Python numbers still adapt."""
    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture
def no_figures(monkeypatch):
    """Reports without pictures, for tests of the rest; to draw them is most of their time."""
    from qsp.report.page import Picture

    monkeypatch.setattr("qsp.report.page._picture", lambda _, *words: Picture(*words, data=""))
