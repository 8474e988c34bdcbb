"""Configuration of all tests: double precision, headless figures, caches, order of files."""

import contextlib
import gc
import os
from pathlib import Path

import hypothesis
import jax
import pytest

pytest.register_assert_rewrite("tests.golden_messages")

# The command line hides dask from xarray, which remembers that; dask is tested in this process too.
with contextlib.suppress(ImportError):
    import dask  # noqa: F401

# Figures need no display.
os.environ.setdefault("MPLBACKEND", "Agg")

# Tests do not write to the cache of the user who runs them; scripts/check has one of its own.
os.environ.setdefault("QSP_CACHE_DIR", "")

# scripts/check sets JAX_COMPILATION_CACHE_DIR. Small programs are cached too, because the suite
# compiles hundreds of them.
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

# Tracing creates millions of objects without reference cycles, which gc would scan in vain.
gc.set_threshold(20_000, 20, 20)

# The first example of a property compiles, so a deadline would measure XLA. With fixed examples,
# the suite runs the same tests everywhere.
hypothesis.settings.register_profile("qsp", deadline=None, derandomize=True)
hypothesis.settings.load_profile("qsp")

LONG = (
    *("model/test_derivatives.py", "cluster/test_submit.py", "behavior/test_twin.py"),
    *("run/test_rules.py", "engine/test_adaptive.py", "run/test_blocks.py", "test_explain.py"),
    *("engine/test_backends.py", "behavior/test_targets.py", "engine/test_gradients.py"),
    *("model/test_pharmacokinetics.py", "run/test_command_line.py", "report/test_page.py"),
    *("engine/test_whole_model.py", "cluster/test_finalize.py", "behavior/test_corrections.py"),
    *("model/test_batch_axis.py", "behavior/test_population.py", "plots/test_figures.py"),
    *("endpoints/statistics/test_blocks.py", "engine/solvers/test_rkc2.py", "test_drugs.py"),
    *("docs/test_snippets.py", "docs/test_tasks.py", "behavior/test_twin_lesions.py"),
    *("engine/solvers/test_rock.py", "cluster/test_shard.py", "native/test_programs.py"),
)
"""The slowest files. They start first, because a long file at the end would leave a core idle.
Files that use the same program are not adjacent, so that the second one finds it in the cache."""


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the golden files of error messages; review their diff",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    place = {Path(__file__).parent / name: n for n, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def double_precision():
    """Enable double precision, as the command line does, before any other fixture creates an array.

    Arrays created while a test module is imported have single precision: create them in a fixture
    or in the test.
    """
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session", autouse=True)
def strict_types(double_precision):
    """Raise an error for implicit type promotion of arrays; Python numbers are still promoted."""
    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture(scope="session", autouse=True)
def one_process():
    """Draw the figures of reports in this process; `tests/report/test_drawing.py` uses another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qsp.report.drawing._cores", lambda: 1)
        yield


@pytest.fixture
def no_figures(monkeypatch):
    """Write reports without pictures, which take most of the time, to test the rest."""
    from qsp.report.drawing import Picture

    def empty(_: object, title: str, caption: str, *, vector: bool = False) -> Picture:
        return Picture(title, caption, data="", kind="png")

    monkeypatch.setattr("qsp.report.pictures._picture", empty)
