"""One throw-away Slurm for all tests of a session."""

import os

import pytest

from tests.cluster.mini_slurm import MiniSlurm, installed


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    if not installed():
        reason = "needs Slurm: scripts/slurm/install as root"
        if os.environ.get("REQUIRE_SLURM") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    cluster = MiniSlurm(tmp_path_factory.mktemp("slurm"))
    cluster.start()
    yield cluster
    cluster.stop()
