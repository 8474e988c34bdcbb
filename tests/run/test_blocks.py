"""A run in blocks of patients leaves the file of the same run in one piece."""

import pytest

from qsp import run as runs
from qsp.results import trajectories
from qsp.run import prepare
from tests.run.conftest import CONFIGS


@pytest.mark.parametrize("kept", ["trajectories.patients=3", "trajectories.patients=6"])
def test_blocks_leave_the_same_results(kept, small_config, tmp_path):
    found = []
    for block in (10_000, 4):
        prepared = prepare(runs.Request(small_config, ["patients=9", kept]))
        assert len(prepared.in_blocks(block)) == (1 if block > 9 else 3)
        out = tmp_path / str(block)
        runs.run_into(out, prepared, block=block)
        found.append(runs.read(out))
        assert (out / "report.html").is_file()
    whole, parts = (tree.to_dataset() for tree in found)
    for name in whole.variables:
        assert whole[name].identical(parts[name]), name
    assert whole.attrs.keys() == parts.attrs.keys()
    apart = [trajectories(tree) for tree in found]
    assert apart[0] is not None
    assert apart[0].equals(apart[1])


def test_progress_of_blocks_is_that_of_one_run(small_config, tmp_path):
    told = []

    class Heard:
        def compiled(self, seconds):
            told.append("compiled")

        def start(self, lanes):
            told.append(("start", lanes))

        def advance(self, lanes):
            told.append(lanes)

    prepared = prepare(runs.Request(small_config, ["patients=9", "trajectories.patients=1"]))
    runs.run_into(tmp_path / "run", prepared, progress=Heard(), block=4)
    assert told[:2] == ["compiled", ("start", 18)]
    assert sum(told[2:]) == 18


def test_patients_with_doses_of_their_own_stay_together():
    """Their trial begins with the earliest dose of any of them."""
    config = CONFIGS / "mosunetuzumab_dose_table.toml"
    who = CONFIGS / "mosunetuzumab_dose_table_patients.csv"
    prepared = prepare(runs.Request(config, covariates=who))
    assert len(prepared.ids) > 2
    assert len(prepared.in_blocks(2)) == 1
