"""Shipped configs: each loads, begins with its command, and has the doses of its title."""

import dataclasses
import pathlib

import numpy as np
import pytest

from qsp import molecules
from qsp.config import load
from qsp.model import ModelStructure
from qsp.model.axes import OneAxis, TwoAxes
from qsp.model.t_cells import Adaptation, MassAction, Threshold
from qsp.run import Request, prepare, run
from qsp.trial import event_table, period_table, plan_table, plan_widths
from qsp.trial.plans import planned_doses
from qsp.validation.approved import of_compared_arm
from tests.engine.toy import programs

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
    steps = ([1, 2, 60, 60, 30, 30], [0, 7, 14, 21, 42, 63], [4, 4, 4, 2, 2, 2])
    flat = ([60, 60, 30, 30], [0, 7, 28, 49], [4, 2, 2, 2])
    for arm, (mg, days, duration) in enumerate([steps, flat] * 2):
        count = len(days)
        np.testing.assert_allclose(periods.amount[arm, 0, :count], mg)
        assert np.isnan(periods.amount[arm, 0, count:]).all()
        assert periods.time[arm, 0, :count].tolist() == days
        molecule = events.kind[arm, 0] == 0
        np.testing.assert_allclose(events.duration[arm, 0][molecule] * 24, duration)
        steroid = events.time[arm, 0][events.kind[arm, 0] == 3]
        expected = np.array([day for day in days if day <= 21]) - 1 / 24 if arm < 2 else []
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


RESCUES = ("tocilizumab", "dexamethasone")
LIBRARY = sorted(
    [*(ROOT / "configs").glob("approved/*.toml"), *(ROOT / "configs").glob("strategies/*.toml")]
)


def in_folder(file):
    return file.relative_to(ROOT / "configs").with_suffix("").as_posix()


@pytest.mark.parametrize("file", LIBRARY, ids=in_folder)
def test_regimen_is_valid_and_begins_with_its_command_and_time(file):
    command, runtime, blank, *_ = file.read_text(encoding="utf-8").splitlines()
    assert command == f"# qsp run configs/{in_folder(file)}.toml"
    assert runtime == "# about 1 minute on 2 cores"
    assert blank == ""
    prepared = prepare(Request(file, ["patients=4"]))
    assert prepared.config.title
    assert 200 <= load(file).patients <= 1000
    assert all(arm.title for arm in prepared.config.arms.values())
    assert prepared.cohort.plausible.all()


def test_every_molecule_has_an_approved_regimen():
    approved = {load(file).molecule for file in LIBRARY if file.parent.name == "approved"}
    assert approved == set(molecules.names())


APPROVED = [file for file in LIBRARY if file.parent.name == "approved"]


@pytest.mark.parametrize("file", APPROVED, ids=in_folder)
def test_approved_regimens_carry_the_management_of_crs(file):
    """Every 6 h for 5 days, then daily to day 7 after steps and two full doses, and not later."""
    managed, plain = load(file).trial(150.0).arms
    assert (managed.name, plain.name) == ("approved", "without_rescue")
    assert (managed.regimens, plain.reaction) == (plain.regimens, None)
    reaction, regimen = managed.reaction, managed.regimens[0]
    doses = planned_doses(regimen)
    steps = [label for label in regimen.labels if label.startswith("SUD")]
    full = [label for label in regimen.labels if label not in steps][:2]
    watched = [dose.time for dose in doses if regimen.labels[dose.period - 1] in (*steps, *full)]
    every = {0.25 * n for n in range(21)} | {6.0, 7.0}
    visits = {time + after for time in watched for after in every}
    np.testing.assert_allclose(
        reaction.calendar, sorted({*visits, *(dose.time for dose in doses)}), atol=1e-9
    )
    assert {rule.act for rule in reaction.rules} == {"give"}  # doses are given as planned
    ends = [[c.level for c in rule.when if c.observable == "day"] for rule in reaction.rules]
    assert ends == [[max(watched) + 7.0]] * len(ends)
    assert all(0.0 < rule.probability <= 1.0 for rule in reaction.rules)


@pytest.mark.parametrize("file", APPROVED, ids=in_folder)
def test_rescue_drugs_of_approved_regimens_are_capped(file):
    """8 mg/kg of tocilizumab are 240 mg at 30 kg, and at most 800 mg at 150 kg."""
    arms = load(file).trial(150.0).arms
    plan = plan_table(arms[0], plan_widths(arms), np.array([30.0, 150.0]), np.array([1.1, 2.6]))
    drugs = [drug.name for drug in arms[0].reaction.rescues]
    assert drugs == (["dexamethasone"] if "blinatumomab" in file.name else [*RESCUES])
    for n, name in enumerate(drugs):
        steroid = [arms[0].reaction.rescues[n].amount.value] * 2
        expected = [240.0, 800.0] if name == "tocilizumab" else steroid
        np.testing.assert_allclose(plan.rescues.amount[:, n], expected)
        assert plan.rescues.per_event[0, n] <= (2 if name == "tocilizumab" else 9)


def test_strategies_compare():
    for file in LIBRARY:
        assert len(load(file).arms) > 1 or file.parent.name == "approved", file.name


@pytest.mark.parametrize(
    ("change", "name", "form"),
    [
        ("recruitment=adaptation", "recruitment", Adaptation()),
        ("recruitment=threshold", "recruitment", Threshold()),
        ("recruitment=mass_action", "recruitment", MassAction()),
        ("severity=two_axes", "severity", TwoAxes()),
        ("severity=one_axis", "severity", OneAxis()),
    ],
)
def test_method_selects_one_form_and_leaves_the_others(change, name, form):
    default = prepare(Request(FILES[0], ["patients=1"])).system.structure
    assert (default.recruitment, default.severity) == (Adaptation(), TwoAxes())
    changed = prepare(Request(FILES[0], [f"method.{change}", "patients=1"])).system.structure
    fields = [field.name for field in dataclasses.fields(ModelStructure)]
    expected = {each: getattr(default, each) for each in fields} | {name: form}
    assert {each: getattr(changed, each) for each in fields} == expected


@pytest.mark.slow
@pytest.mark.parametrize("file", LIBRARY, ids=in_folder)
def test_regimen_can_be_simulated(file):
    ds = run(prepare(Request(file, ["patients=8"]))).to_dataset()
    assert (ds["outcome"] == 0).all()
    assert np.isfinite(ds["il6_peak"].isel(dose_period=0)).all()


@pytest.mark.slow
def test_an_implicit_solver_simulates_a_molecule_with_two_target_arms():
    """Glofitamab with Kvaerno5, whose Jacobian must be finite, as with the default solver."""
    first = '[{period="SUD1",time="0 day",amount="2.5 mg",route="iv",duration="4 hour"}]'
    short = ["patients=2", "days=2", 'visits=["2 day"]', f"arms.approved.doses={first}"]
    short.append('premedication.dexamethasone.until="1 day"')
    short.append("calendar.visits=[]")
    file = ROOT / "configs" / "approved" / "glofitamab.toml"
    implicit, default = (
        run(
            of_compared_arm(prepare(Request(file, [*short, f"method.solver={solver}"])))
        ).to_dataset()
        for solver in ("Kvaerno5", "ROCK4")
    )
    assert (implicit["outcome"] == 0).all()
    for name in ("il6_peak", "cmax"):
        np.testing.assert_allclose(implicit[name], default[name], rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mosunetuzumab_iv", "mosunetuzumab_sc"),
        ("odronextamab_dlbcl", "odronextamab_fl"),
        ("epcoritamab_dlbcl", "epcoritamab_fl"),
    ],
)
def test_regimens_of_one_shape_share_a_program(one, other):
    """Event tables have the same shape if the padded numbers of doses and periods agree."""
    simulate = [
        prepare(Request(ROOT / "configs" / "approved" / f"{name}.toml", ["patients=8"]))
        for name in (one, other)
    ]
    run(simulate[0])
    before = programs()
    run(simulate[1])
    assert programs() == before


def test_teclistamab_by_weight():
    config = load(ROOT / "configs" / "approved" / "teclistamab_1.5_weekly.toml")
    trial = config.trial(146.0)
    events = event_table(trial, np.array([60.0, 90.0]), np.array([1.7, 2.0]))
    periods = period_table(trial, events)
    assert trial.arms[1].name == "without_rescue"
    np.testing.assert_allclose(periods.amount[1, :, :3], [[3.6, 18, 90], [5.4, 27, 135]])
    np.testing.assert_allclose(periods.time[1, 0, :4], [0, 3, 6, 13])
    steroid = events.time[1, 0][events.kind[1, 0] == 3]
    np.testing.assert_allclose(steroid, np.array([0, 3, 6]) - 1 / 24)


def test_odronextamab_has_each_step_in_two_parts():
    config = load(ROOT / "configs" / "approved" / "odronextamab_dlbcl.toml")
    trial = config.trial(146.0)
    events = event_table(trial, np.array([70.0]), np.array([1.8]))
    periods = period_table(trial, events)
    assert trial.arms[1].name == "without_rescue"
    np.testing.assert_allclose(periods.amount[1, 0, :4], [0.7, 4, 20, 160])
    np.testing.assert_allclose(periods.time[1, 0, :4], [0, 7, 14, 21])
    times = events.time[1, 0][events.period[1, 0] > 0]
    np.testing.assert_allclose(times[:7], [0, 1, 7, 8, 14, 15, 21])
