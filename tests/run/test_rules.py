"""Arms with rules, from the config to the ledger: doses, their reasons, and their replay."""

import re

import numpy as np
import pytest
import xarray as xr

from qsp import run as runs
from qsp.errors import ConfigError
from qsp.results.decisions import REASONS
from qsp.trial import KINDS
from qsp.trial.rules import DECISIONS
from tests.run.conftest import CONFIGS, call

PATIENTS = 24
FEW_VISITS = '{ every = "12 hour", until = "4 day" }, { every = "1 day", until = "16 day" }'

CONFIG = f"""
title      = "rules"
molecule   = "mosunetuzumab"
population = "{CONFIGS.parent / "populations/nhl.toml"}"
patients   = {PATIENTS}
seed       = 2
days       = 21
response   = "lugano"

[calendar]
visits = [{FEW_VISITS}]

[rescue.tocilizumab]
drug = "tocilizumab"
amount = "8 mg/kg"
route = "iv"
duration = "1 hour"

[premedication.steroid]
drug = "dexamethasone"
amount = "20 mg"
route = "iv"
before = "1 hour"
periods = ["SUD1"]

[arms.fixed]
premedication = ["steroid"]
doses = [
  {{ period = "SUD1", time = "0 day", amount = "2 mg",  route = "iv", duration = "4 hour" }},
  {{ period = "SUD2", time = "1 day", amount = "2 mg",  route = "iv", duration = "4 hour" }},
  {{ period = "FD1",  time = "8 day", amount = "60 mg", route = "iv", duration = "4 hour" }},
]

[arms.no_rules]
same_doses_as = "fixed"
premedication = ["steroid"]
rules = []

[arms.idle]
same_doses_as = "fixed"
premedication = ["steroid"]
rules = [
  {{ when = "crs_grade >= 4 and il6 > 1e9 pg/mL", do = "stop" }},
  {{ when = "temperature > 60", give = "tocilizumab" }},
]

[arms.flexible]
same_doses_as = "fixed"
premedication = ["steroid"]
rules = [
  {{ when = "crs_grade >= 1 and step <= 2 and days_overdue < 2 day", do = "hold" }},
  {{ name = "wait", when = "crs_grade >= 1 and step >= 3", do = "hold" }},
  {{ name = "rescue", when = "crs_grade >= 1", give = "tocilizumab" }},
]

[arms.by_chance]
same_doses_as = "fixed"
premedication = ["steroid"]
rules = [
  {{ name = "rescue", when = "crs_grade >= 1", give = "tocilizumab", with_probability = 0.5 }},
]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("rules")
    (home / "rules.toml").write_text(CONFIG, encoding="utf-8")
    done = call("run", home / "rules.toml", "--out", home / "run", "--quiet", "--no-cache")
    assert done.code == 0, done.err
    return home


@pytest.fixture(scope="module")
def ds(folder):
    with runs.read(folder / "run") as results:
        return results.to_dataset().load()


def times_of(ds, arm, kind):
    """Times at which each patient of an arm received a drug."""
    one = ds.sel(arm=arm)
    is_kind = one.administered_drug.values == KINDS.index(kind)
    return [times[mine] for times, mine in zip(one.administered_time.values, is_kind, strict=True)]


def test_rules_that_never_act_change_no_bit(ds):
    outcomes = [name for name in ds if "patient" in ds[name].dims and "arm" in ds[name].dims]
    kept = [name for name in outcomes if not name.startswith(("observed_", "decision"))]
    assert len(kept) > 30
    for name in kept:
        a, b = (ds[name].sel(arm=arm).values for arm in ("no_rules", "idle"))
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), name


def test_a_plan_without_rules_agrees_with_the_fixed_schedule(ds):
    """The plan stops at more times, so the solutions agree within the tolerance."""
    fixed, planned = (ds.sel(arm=arm) for arm in ("fixed", "no_rules"))
    assert fixed.crs_grade.equals(planned.crs_grade.drop_vars("arm").assign_coords(arm=fixed.arm))
    for name in ("il6_peak", "cmax", "auc", "tumor_volume_end", "dose_time", "dose_amount"):
        np.testing.assert_allclose(planned[name], fixed[name], rtol=2e-4)
    assert (planned.dose_label.values == fixed.dose_label.values).all()


def test_the_second_step_is_flexible(ds):
    """On day 2 to 4: as soon as there is no CRS, and on day 4 in any case."""
    seconds = [times[1] for times in times_of(ds, "flexible", "drug_iv")]
    assert min(seconds) == 1.0
    assert 1.0 < max(seconds) <= 3.0
    arm, held = ds.sel(arm="flexible"), DECISIONS.index("held")
    late = np.array(seconds) > 1.0
    assert ((arm.decision.values == held).any(-1) >= late).all()
    rule = arm.decision_rule.values[arm.decision.values == held]
    assert set(rule) <= {0, 1}


def test_patients_with_crs_at_a_visit_receive_the_rescue_drug_within_its_limits(ds):
    arm = ds.sel(arm="flexible")
    rescued = [len(times) for times in times_of(ds, "flexible", "tocilizumab")]
    has_crs = (arm.observed_crs_grade >= 1).any("decision_visit").values
    assert sum(rescued) > 0
    assert ((np.array(rescued) > 0) == has_crs).all()
    assert max(rescued) <= 3
    why = arm.administered_reason.values[arm.administered_drug.values == KINDS.index("tocilizumab")]
    assert {REASONS[int(n)] for n in why} == {"rescue"}


def test_a_rule_with_a_probability_treats_some_patients_with_crs(ds):
    arm = ds.sel(arm="by_chance")
    rescued = np.array([len(times) for times in times_of(ds, "by_chance", "tocilizumab")]) > 0
    has_crs = (arm.observed_crs_grade >= 1).any("decision_visit").values
    assert 0 < rescued.sum() < has_crs.sum()
    assert (has_crs | ~rescued).all()


def test_tocilizumab_is_counted_by_dose_period(ds):
    """One at the visit of a planned dose, decided an hour before it, counts for the dose before."""
    total = ds.tocilizumab_given.sum("dose_period")
    for name in ("flexible", "by_chance", "fixed"):
        times = times_of(ds, name, "tocilizumab")
        assert total.sel(arm=name).values.tolist() == [len(each) for each in times]
        starts = ds.dose_time.sel(arm=name).values
        for patient, mine in enumerate(times):
            first = (mine[:, None] > starts[patient] + 1e-4).sum(1) - 1
            counts = np.bincount(first, minlength=starts.shape[1])
            found = ds.tocilizumab_given.sel(arm=name).values[patient]
            expected = np.where(np.isfinite(starts[patient]), counts, np.nan)
            np.testing.assert_array_equal(found, expected)
    assert (total.sel(arm="flexible") > 0).any()


def test_the_steroid_is_given_ahead_of_its_dose(ds):
    for steroid, doses in zip(
        times_of(ds, "flexible", "dexamethasone"), times_of(ds, "flexible", "drug_iv"), strict=True
    ):
        np.testing.assert_allclose(steroid, doses[:1] - 1 / 24)


def test_amounts_by_weight_are_those_of_the_patient(ds):
    arm = ds.sel(arm="flexible")
    is_rescue = arm.administered_drug.values == KINDS.index("tocilizumab")
    weight = np.broadcast_to(arm.body_weight.values[:, None], is_rescue.shape)
    np.testing.assert_allclose(arm.administered_amount.values[is_rescue], 8.0 * weight[is_rescue])


def test_ledger_and_dose_periods_agree(ds):
    arm = ds.sel(arm="flexible")
    for patient in range(PATIENTS):
        one = arm.isel(patient=patient)
        doses = one.administered_period.values > 0
        np.testing.assert_allclose(
            np.sort(one.administered_time.values[doses]), np.sort(one.dose_time.values[:3])
        )


def test_each_decision_is_about_the_dose_that_was_due(ds):
    """No rule repeats a dose here, so the doses given as planned are those of the ledger."""
    arm = ds.sel(arm="flexible")
    doses = arm.administered_period.values > 0
    for name in ("as planned", "held"):
        decided = arm.decision.values == DECISIONS.index(name)
        assert (arm.decision_step.values[decided] > 0).all()
    planned = arm.decision_step.values[arm.decision.values == DECISIONS.index("as planned")]
    assert sorted(planned) == sorted(arm.administered_step.values[doses] + 1)
    nothing = arm.decision.values == DECISIONS.index("none due")
    assert (arm.decision_step.values[nothing] == 0).all()
    assert (ds.decision_step.sel(arm="fixed").values <= 0).all()


def test_attributes_state_the_first_index(ds):
    for name in ("decision_rule", "decision_rescue", "administered_step", "administered_visit"):
        assert "from 0" in ds[name].attrs["long_name"]
    assert "from 1" in ds["decision_step"].attrs["long_name"]


def test_the_report_counts_decisions_by_planned_dose(folder, ds):
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    table = page[page.index("<caption>Dosing decisions by planned dose</caption>") :]
    table = re.sub("</?span[^>]*>", "", table[: table.index("</table>")])
    assert [table.count(f">{label}<") for label in ("1: SUD1", "2: SUD2", "3: FD1")] == [4, 4, 4]
    held = int((ds.decision == DECISIONS.index("held")).sum())
    assert f">{held} (" in table


def test_a_replay_agrees(folder):
    done = call("replay", folder / "run")
    assert done.code == 0, done.out + done.err
    assert "replay agrees" in " ".join(done.out.split())


def test_a_run_without_rules_cannot_be_replayed():
    with pytest.raises(ConfigError, match="the run must have rules"):
        runs.replay(xr.DataTree())


def test_a_config_that_has_changed_is_not_replayed(folder):
    config = folder / "rules.toml"
    config.write_text(CONFIG.replace("seed       = 2", "seed = 3"), encoding="utf-8")
    done = call("replay", folder / "run")
    config.write_text(CONFIG, encoding="utf-8")
    assert done.code == 2
    assert (
        "the input must be unchanged since the run, but is changed: config.seed: 2 -> 3" in done.err
    )


def test_a_run_in_blocks_has_the_same_ledger(folder, ds, tmp_path, no_report):
    prepared = runs.prepare(runs.Request(folder / "rules.toml"))
    with runs.run_into(tmp_path / "run", prepared, block=10) as results:
        parts = results.to_dataset().load()
    for name in ds.variables:
        if name.startswith(
            ("administered_", "decision", "observed_", "dose_", "crs_grade", "tocilizumab")
        ):
            assert ds[name].equals(parts[name]), name


def test_obinutuzumab_needs_values_for_the_target(tmp_path):
    """No source describes its competition for BCMA; a fallback would empty the receptors."""
    given = '{ drug = "obinutuzumab", amount = "1000 mg", route = "iv", duration = "4 hour", '
    path = tmp_path / "myeloma.toml"
    path.write_text(
        f"""
molecule = "teclistamab"
population = "{CONFIGS.parent / "populations/myeloma.toml"}"
patients = 2
days = 8
response = "lugano"
[premedication]
before = {given} time = "-5 day" }}
[arms.one]
premedication = ["before"]
doses = [{{ period = "SUD1", time = "0 day", amount = "60 ug/kg", route = "sc" }}]
"""
    )
    with pytest.raises(ConfigError, match="obinutuzumab must have its values in the population"):
        runs.prepare(runs.Request(path))
