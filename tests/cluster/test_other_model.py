"""Shards of a plan of another major version of the model are neither computed nor combined."""

import pytest

from qsp.cluster.finalize import finalize
from qsp.cluster.host import environment
from qsp.cluster.shard import run_shard
from qsp.errors import ConfigError
from qsp.model import MODEL_VERSION
from qsp.results.model_version import major
from qsp.version import __version__
from tests.run.conftest import call

SAME, OTHER = major(MODEL_VERSION), str(int(major(MODEL_VERSION)) + 1)
REFUSED = (
    f"the plan must be of model {OTHER}, the model of this version, but is of model "
    f"{MODEL_VERSION}. Install the version that made it, qsp {__version__}"
)


@pytest.fixture
def package(monkeypatch):
    """Return a function that makes this the package of another version, and so of other code."""

    def become(version):
        changed = environment() | {"code": "0" * 64}
        monkeypatch.setattr("qsp.cluster.plan.environment", lambda: changed)
        monkeypatch.setattr("qsp.model.MODEL_VERSION", version)

    return become


@pytest.mark.parametrize("refused", [lambda plan: run_shard(plan, 0), finalize])
def test_another_model_is_refused_by_name(plan, package, refused):
    package(f"{OTHER}.0")
    with pytest.raises(ConfigError, match="or make a new plan with qsp plan") as caught:
        refused(plan)
    assert str(caught.value).startswith(f"{plan.run}: {REFUSED}")
    assert not list(plan.path("attempts").iterdir())


@pytest.mark.parametrize(
    "words",
    [("shard", "RUN", 0), ("submit", "RUN", "--local"), ("resume", "RUN", "--local"),
     ("finalize", "RUN"), ("sbatch", "RUN")],
    ids=lambda words: words[0],
)  # fmt: skip
def test_commands_refuse_it_in_one_line(plan, package, words):
    package(f"{OTHER}.0")
    done = call(*(plan.run if word == "RUN" else word for word in words))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"qsp: {plan.run}: {REFUSED}")
    assert done.err.count("\n") == 1


def test_its_status_is_still_shown(plan, package):
    package(f"{OTHER}.0")
    assert call("status", plan.run).code == 0


def test_the_same_major_version_is_refused_for_its_code_only(plan, package):
    package(f"{SAME}.99")
    plan.check_model()
    with pytest.raises(ConfigError, match="code and packages must be those that made the plan"):
        run_shard(plan, 0)
