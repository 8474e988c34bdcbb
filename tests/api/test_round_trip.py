"""A trial from Python and a config build the same objects, and each writes itself as the other."""

import dataclasses
import tomllib
from collections.abc import Mapping

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import qsp
from qsp import shipped
from qsp.config.toml_text import toml_text
from qsp.version import PACKAGE
from tests.api.generated_trials import trials

WEIGHT = 150.0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A molecule and a population of the user."""
    folder = tmp_path_factory.mktemp("own")
    mine = (PACKAGE / "molecules" / "mosunetuzumab.toml").read_text()
    (folder / "mine.toml").write_text(mine)
    base = shipped.folder("populations") / "nhl.toml"
    (folder / "ours.toml").write_text(base.read_text())
    return folder


@pytest.fixture(scope="module")
def generated(files):
    molecules = st.sampled_from([qsp.molecule("mosunetuzumab"), qsp.molecule(files / "mine.toml")])
    populations = st.sampled_from([qsp.population("nhl"), qsp.population(files / "ours.toml")])
    return trials(molecules, populations)


def same(one, other):
    assert one == other
    assert one.people == other.people
    assert one.arms == other.arms
    assert one.config.trial(WEIGHT) == other.config.trial(WEIGHT)


def schedule(trial):
    """Arms with doses, rules and visits, times to 1e-9 days."""
    return rounded(dataclasses.asdict(trial.config.trial(WEIGHT)))


def rounded(value):
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def run_source(trial):
    """The trial that its own source builds."""
    names = {}
    exec(trial.to_python(), names)  # noqa: S102
    return names["trial"]


@settings(max_examples=40, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_trial_is_the_same_after_each_way_of_writing_it(data, generated, tmp_path_factory):
    trial = data.draw(generated)
    file = tmp_path_factory.getbasetemp() / "trial.toml"
    text = trial.to_toml(file)
    again = qsp.read(file)
    same(again, trial)
    assert again.to_toml() == text
    config = trial.config
    chosen = config.trajectories.patients or config.trajectories.ids or None
    rebuilt = qsp.Trial.of(
        again.arms,
        again.people,
        days=again.days,
        visits=config.visits,
        title=config.title or "",
        author=config.author or "",
        name=config.name,
        method=config.method.model_dump(),
        response=config.response,
        trajectories=chosen,
        reference=config.reference,
        utility=config.utility.model_dump(),
    )
    same(rebuilt, trial)
    by_source = run_source(trial)
    assert by_source.people == trial.people
    assert schedule(by_source) == schedule(trial)
    assert by_source.config.method == config.method
    assert by_source.config.reference == config.reference
    assert by_source.config.author == config.author
    assert by_source.config.utility == config.utility
    assert by_source.config.trajectories == config.trajectories


@pytest.mark.parametrize("name", shipped.names("configs"))
def test_shipped_config_is_the_same_after_each_way_of_writing_it(name, tmp_path):
    trial = qsp.read(name)
    assert trial.config.arms.keys() == trial.arms.keys()
    trial.to_toml(tmp_path / "trial.toml")
    same(qsp.read(tmp_path / "trial.toml"), trial)
    if trial.config.dose_table is None:
        by_source = run_source(trial)
        assert by_source.people == trial.people
        assert by_source.config.trial(WEIGHT) == trial.config.trial(WEIGHT)


def test_source_is_what_a_user_would_write(people):
    half = people.scale("t_cells.k_act", 0.5)
    arm = qsp.regimen(
        qsp.iv("1 mg", over="4 h", period="SUD1"),
        qsp.iv("60 mg", day=15, over="4 h", every="21 day", times=4, period="FD"),
        before=qsp.dexamethasone("20 mg", lead="1 h"),
    )
    trial = qsp.Trial.of({"step": arm}, half, days=84)
    assert (
        trial.to_python()
        == """import qsp

people = (
    qsp.population("nhl")
    .sample(6, molecule="mosunetuzumab", seed=1)
    .scale("t_cells.k_act", 0.5)
)
arms = {
    "step": qsp.regimen(
        qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
        qsp.iv("60 mg", day=15, over="4 h", every="21 day", times=4, period="FD"),
        before=qsp.dexamethasone("20 mg", lead="1 h"),
    ),
}
trial = qsp.Trial.of(arms, people, days=84, name="trial")
"""
    )


def test_file_is_that_of_the_patients_where_another_has_its_name(people, tmp_path):
    (tmp_path / "populations").mkdir()
    (tmp_path / "populations" / "nhl.toml").write_text("title = 'Other patients'")
    trial = qsp.Trial.of(qsp.regimen(qsp.sc("5 mg")), people, days=7)
    trial.to_toml(tmp_path / "trial.toml")
    same(qsp.read(tmp_path / "trial.toml"), trial)


def test_relative_path_of_a_molecule_holds_in_every_folder(files, tmp_path, monkeypatch):
    monkeypatch.chdir(files)
    people = qsp.population("ours.toml").sample(2, molecule="mine.toml")
    trial = qsp.Trial.of(qsp.regimen(qsp.sc("5 mg")), people, days=7)
    monkeypatch.chdir(tmp_path)
    trial.to_toml("trial.toml")
    same(qsp.read("trial.toml"), trial)
    assert run_source(trial).people == people


JSON = st.recursive(
    st.text(max_size=5) | st.booleans() | st.integers(-5, 5) | st.floats(-1e9, 1e9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(tables=st.dictionaries(st.sampled_from(["arms", "a b", "x.y", "n"]), JSON))
def test_toml_text_is_read_as_the_same_tables(tables):
    assert tomllib.loads(toml_text(tables)) == tables
