"""CRS by fever and leak: mosunetuzumab with one program for each form of severity.

Levels do not vary between patients and events here, so that the rule of events can be applied to
the saved time courses.
"""

import dataclasses

import numpy as np
import pytest

import qsp
from qsp.api.simulate import prepare
from qsp.run import run
from tests.reference.events import events

LEVEL = {"grade_1": 0.3, "grade_2": 0.15, "grade_3": 0.5, "grade_4": 0.9}
MARGIN = 0.05
"""Grades that change with levels this much higher or lower are not compared."""
HOUR = 1.0 / 24.0


def simulated(form, days, names=("step", "flat")):
    """Results with time courses every half an hour."""
    people = qsp.population("nhl").sample(12, molecule=qsp.molecule("mosunetuzumab"), seed=2)
    for name, value in {"sd_level": 0.0, "sd_level_event": 0.0}.items():
        people = people.set(f"severity.{name}", value)
    for grade, value in LEVEL.items():
        people = people.set(f"severity.level.{grade}", value)
    step = qsp.regimen(
        qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
        qsp.iv("2 mg", day=8, over="4 h", period="SUD2"),
        qsp.iv("60 mg", day=15, over="4 h", period="FD1"),
        before=qsp.dexamethasone("20 mg", lead="1 h"),
    )
    flat = qsp.regimen(qsp.iv("60 mg", over="4 h", period="FD1"))
    arms = {name: {"step": step, "flat": flat}[name] for name in names}
    trial = qsp.Trial.of(arms, people, days=days, method={"severity": form, "rtol": 1e-7})
    prepared = prepare(trial)
    times = tuple(np.arange(prepared.trial.start, days + HOUR / 4, HOUR / 2).tolist())
    dense = dataclasses.replace(prepared.trial, save_times=times)
    return run(dataclasses.replace(prepared, trial=dense)).to_dataset()


@pytest.fixture(scope="module")
def two_axes():
    return simulated("two_axes", 21)


def rule(ds, arm, patient, factor=1.0):
    """Events of the rule on the saved time course, with levels times a factor."""
    one = ds.sel(arm=arm, patient=patient)
    leak = one["leak"].values if "leak" in ds else one["fever"].values
    signals = np.stack([one["fever"].values, leak, leak, leak], axis=1)
    starts = one["dose_time"].dropna("dose_period").values
    levels = np.broadcast_to(factor * np.array([*LEVEL.values()]), (len(starts), 4))
    return events(ds["time"].values, signals, starts, levels)


def compare(ds):
    """Check events against the rule; return the grades that were compared."""
    compared = []
    for arm in ds["arm"].values:
        for patient in ds["patient"].values:
            near = [rule(ds, arm, patient, f) for f in (1 - MARGIN, 1.0, 1 + MARGIN)]
            if len({(end, *(one.grade for one in periods)) for periods, end in near}) > 1:
                continue
            one = ds.sel(arm=arm, patient=patient)
            for n, period in enumerate(near[1][0]):
                assert int(one["crs_grade"][n]) == period.grade
                onset = float(one["crs_onset"][n] + one["dose_time"][n])
                assert onset == pytest.approx(period.onset, abs=HOUR, nan_ok=True)
                if period.grade:
                    assert float(one["crs_duration"][n]) == pytest.approx(
                        period.duration, abs=2 * HOUR
                    )
                    assert bool(one["crs_censored"][n]) == (near[1][1] == n + 1)
                compared.append(period.grade)
    return compared


@pytest.mark.slow
def test_events_are_those_of_the_rule_on_the_time_course(two_axes):
    compared = compare(two_axes)
    assert len(compared) > 24
    assert {0, 1, 2} <= set(compared)


@pytest.mark.slow
def test_fever_and_leak_are_zero_before_the_first_dose(two_axes):
    before = two_axes.sel(time=two_axes["time"] <= 0.0)
    assert before.sizes["time"] >= 1
    for name in ("crs_severity", "fever", "leak"):
        assert float(np.abs(before[name]).sel(arm="flat").max()) == 0.0
        assert float(np.abs(before[name]).max()) < 1e-3


@pytest.mark.slow
def test_peaks_are_those_of_the_time_courses(two_axes):
    for name in ("fever", "leak"):
        highest = two_axes[name].max("time")
        peaks = two_axes[f"{name}_peak"].max("dose_period")
        assert bool((peaks >= highest - 1e-6).all())
        np.testing.assert_allclose(peaks, highest, rtol=0.02, atol=1e-3)


@pytest.mark.slow
def test_fever_is_gone_within_days_and_leak_follows_il6(two_axes):
    late = two_axes["fever"].sel(arm="flat").sel(time=slice(10.0, None))
    assert float(late.max()) < 0.05


@pytest.mark.slow
def test_events_at_the_end_of_the_trial_are_censored():
    ends = simulated("two_axes", 1, names=("flat",))
    ds = ends.sel(arm="flat")
    running = ds["fever"].isel(time=-1) >= LEVEL["grade_1"]
    grade, flag = ds["crs_grade"].isel(dose_period=0), ds["crs_censored"].isel(dose_period=0)
    assert bool(running.any())
    assert np.array_equal(flag == 1, running & (grade >= 1))
    found = qsp.endpoints.crs.duration(ends, by="any").sel(arm="flat")
    assert int(found["censored"]) == int(running.sum())


@pytest.mark.slow
def test_one_axis_has_no_leak_and_the_same_events_of_grade_1(two_axes):
    one = simulated("one_axis", 21)
    assert "leak" not in one
    assert "leak_peak" not in one
    assert compare(one)
    # The two programs choose other steps.
    np.testing.assert_allclose(one["fever_peak"], two_axes["fever_peak"], rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(one["crs_grade"] >= 1, two_axes["crs_grade"] >= 1)
