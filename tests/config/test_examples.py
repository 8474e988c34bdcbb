"""The shipped configs: each loads, says how to run it, and holds the doses its title promises."""

import pathlib

import numpy as np
import pytest

from qsp.config import load
from qsp.trial import event_table, period_table

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted((ROOT / "configs").glob("*.toml"))


def tables(name, kda=146.0, surface=1.8):
    trial = load(ROOT / "configs" / f"{name}.toml").trial(kda)
    events = event_table(trial, np.array([70.0]), np.array([surface]))
    return trial, events, period_table(trial, events)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_config_loads_and_begins_with_its_command_and_time(file):
    config = load(file)
    assert config.trial(100.0).arms
    command, runtime, blank, *_ = file.read_text(encoding="utf-8").splitlines()
    assert command.startswith(f"# qsp run configs/{file.name}")
    assert all((ROOT / word).is_file() for word in command.split() if word.startswith("configs/"))
    assert runtime == "# about 1 minute on 2 cores"
    assert blank == ""
    assert config.title
    assert all(arm.title for arm in config.arms.values())


def test_mosunetuzumab_is_the_main_job():
    trial, events, periods = tables("mosunetuzumab_step_up_vs_flat")
    names = ["step_up", "flat", "step_up_no_premedication", "flat_no_premedication"]
    assert [arm.name for arm in trial.arms] == names
    assert trial.days == 84.0
    for arm, mg in enumerate([[1, 2, 60, 60, 30, 30], [60, 60, 60, 60, 30, 30]] * 2):
        np.testing.assert_allclose(periods.amount[arm, 0, :6], mg)
        assert periods.time[arm, 0, :6].tolist() == [0, 7, 14, 21, 42, 63]
        molecule = events.kind[arm, 0] == 0
        hours = events.duration[arm, 0][molecule] * 24
        np.testing.assert_allclose(hours, [4, 4, 4, 2, 2, 2])
        steroid = events.time[arm, 0][events.kind[arm, 0] == 3]
        expected = np.array([0, 7, 14, 21]) - 1 / 24 if arm < 2 else []
        np.testing.assert_allclose(steroid, expected)
        assert set(events.amount[arm, 0][events.kind[arm, 0] == 3]) <= {20.0}


def test_tebentafusp_has_each_regimen_with_and_without_skin():
    trial, events, periods = tables("tebentafusp_step_up", kda=77.0)
    np.testing.assert_allclose(periods.amount[:2, 0] * 1000, [[20, 30] + [68] * 6, [68] * 8])
    np.testing.assert_array_equal(periods.amount[:2], periods.amount[2:])
    assert periods.time[1, 0].tolist() == [7 * week for week in range(8)]
    assert periods.label[1, 0].tolist() == [f"FD{dose}" for dose in range(1, 9)]
    minutes = events.duration[events.kind == 0] * 24 * 60
    assert np.all((minutes >= 14.9) & (minutes <= 20.1))
    without = {"targets.baseline.normal.skin": "0 Mcell"}
    assert [dict(arm.parameters) for arm in trial.arms] == [{}, {}, without, without]


def test_blinatumomab_runs_28_days_by_body_surface():
    _, events, periods = tables("blinatumomab_nhl_5_15_60", kda=54.0, surface=2.0)
    np.testing.assert_allclose(periods.amount[0, 0, :3] * 1000, [5 * 14, 15 * 14, 60 * 28])
    np.testing.assert_allclose(periods.amount[1, 0, 0] * 1000, 60 * 2 * 28)
    real = events.kind == 0
    ends = (events.time + events.duration)[real]
    np.testing.assert_allclose(ends, [7, 14, 28, 28])


def test_mosunetuzumab_routes_differ_in_nothing_else():
    _, events, periods = tables("mosunetuzumab_sc_vs_iv")
    np.testing.assert_allclose(periods.amount[0, 0], [5, 45, 45, 45])
    np.testing.assert_array_equal(periods.amount[0], periods.amount[1])
    np.testing.assert_array_equal(events.time[0], events.time[1])
    molecule = events.period[0, 0] > 0
    assert set(events.kind[0, 0][molecule]) == {1}
    assert set(events.kind[1, 0][molecule]) == {0}
