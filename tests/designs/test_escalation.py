"""Operating characteristics: properties of every design, and enrollment."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qsp.designs import BOIN, ThreePlusThree, dose_limiting, named, operating_characteristics
from qsp.designs import enrollment as enrolling
from qsp.designs.design import COMPLETE, NONE, TOXIC, conduct
from qsp.designs.enrollment import Population, enrollment
from qsp.errors import ConfigError
from qsp.units import is_unit
from tests import synthetic

DESIGNS = (ThreePlusThree(), ThreePlusThree(six=False), BOIN(0.25), BOIN(0.3, stop_at=9))
every = pytest.mark.parametrize("design", DESIGNS, ids=repr)


def people(rates=(0.1, 0.25, 0.5), patients=400, seed=4):
    """Virtual patients with one tolerance each, for all levels."""
    tolerance = np.random.default_rng(seed).random(patients)
    toxic = (tolerance < np.array(rates)[:, None]).astype(float)
    return xr.DataArray(toxic, dims=("level", "patient"), coords={"level": ["a", "b", "c"]})


@every
def test_safe_levels_select_the_highest(design):
    found = operating_characteristics((0.0, 0.0, 0.0), design, replicates=50)
    assert found["selected"].values.tolist() == [0, 0, 1]
    assert found["dlts"].sum() == 0
    assert found["stopped_for_toxicity"] == 0


@every
def test_toxic_levels_select_none(design):
    found = operating_characteristics((1.0, 1.0), design, replicates=50)
    assert found["none_selected"] == 1
    assert found["stopped_for_toxicity"] == found["stopped_early"] == 1
    assert found["patients"].values.tolist() == found["dlts"].values.tolist() == [3, 0]


potentials = arrays.arrays(bool, st.tuples(st.integers(1, 5), st.just(36), st.integers(1, 6)))


@every
@given(potential=potentials)
@settings(max_examples=40)
def test_a_trial_follows_the_rules_for_any_toxicities(design, potential):
    levels = potential.shape[2]
    trials = conduct(potential[:, : design.most_patients(levels)], design)
    treated, dlts = trials.table.treated, trials.table.dlts
    assert (dlts <= treated).all()
    assert (treated.sum(axis=1) <= design.most_patients(levels)).all()
    reached = treated > 0
    assert reached[:, 0].all()
    assert (reached[:, 1:] <= reached[:, :-1]).all()  # no level is skipped
    assert (trials.stop >= COMPLETE).all()
    assert (trials.selected[trials.stop == TOXIC] == NONE).all()
    for trial in np.flatnonzero(trials.selected != NONE):
        level = trials.selected[trial]
        assert treated[trial, level] > 0
        if design == ThreePlusThree():
            assert treated[trial, level] == 6
            assert dlts[trial, level] <= 1


@every
def test_numbers_add_up_and_carry_units(design):
    found = operating_characteristics(people(), design, replicates=300)
    assert float(found["selected"].sum() + found["none_selected"]) == pytest.approx(1)
    assert float(found["patients"].sum()) == pytest.approx(float(found["trial_size"]))
    assert (found["dlts"] <= found["patients"]).all()
    for variable in (found, *found.variables.values()):
        assert is_unit(variable.attrs["units"])
        assert variable.attrs["long_name"]
    assert found["level"].values.tolist() == ["a", "b", "c"]
    assert found.attrs["source"] == design.source
    assert found.attrs["design"] == repr(design)
    assert found.attrs["design_title"] == design.title


def test_errors_are_standard_errors_of_the_mean():
    found = operating_characteristics((0.1, 0.3), ThreePlusThree(), replicates=400)
    share = found["selected"].values
    expected = np.sqrt(share * (1 - share) / 400)
    assert found["selected_se"].values == pytest.approx(expected)


@every
@pytest.mark.parametrize("toxic", [(0.1, 0.25, 0.4), people()], ids=["rates", "patients"])
def test_results_depend_on_the_seed_only(design, toxic):
    run = lambda seed: operating_characteristics(toxic, design, replicates=200, seed=seed)
    xr.testing.assert_identical(run(7), run(7))
    assert not run(7)["patients"].equals(run(8)["patients"])


def test_patients_depend_only_on_seed_and_trial(monkeypatch):
    population = enrollment(people())
    order = population.order(50, 30, seed=3)
    assert all(len(set(row)) == 30 for row in order.tolist())  # without replacement
    np.testing.assert_array_equal(population.order(20, 30, seed=3), order[:20])
    np.testing.assert_array_equal(population.order(50, 18, seed=3), order[:, :18])
    monkeypatch.setattr(enrolling, "DRAWS_PER_BLOCK", 7 * 400)
    np.testing.assert_array_equal(population.order(50, 30, seed=3), order)


def test_true_rates_give_the_same_patients_under_every_design():
    rates = enrollment((0.2, 0.4))
    sample = rates.sample(20, 30, seed=3)
    np.testing.assert_array_equal(rates.sample(9, 12, seed=3), sample[:9, :12])
    assert (sample[..., 0] <= sample[..., 1]).all()


def test_failed_patient_does_not_change_the_order_of_the_others():
    whole = people()
    order = enrollment(whole).order(30, 30, seed=3)
    without = whole.copy()
    without[1, 17] = np.nan
    after = enrollment(without).order(30, 30, seed=3)
    for before, now in zip(order.tolist(), after.tolist(), strict=True):
        others = [patient for patient in before if patient != 17]
        assert now[: len(others)] == others
        assert 17 not in now


def test_failed_patients_are_counted_and_noted():
    toxic = people()
    toxic[0, :5] = np.nan
    toxic[2, 3:8] = np.nan
    found = operating_characteristics(toxic, BOIN(0.25), replicates=20)
    assert found["not_enrolled"] == 8
    assert found["enrollable"] == 392
    assert found["unknown"].values.tolist() == [5, 0, 5]
    assert "8 of 400 virtual patients cannot be enrolled" in found.attrs["notes"]
    assert found["dlt_rate"].values == pytest.approx(toxic[:, 8:].mean("patient").values)


def test_patients_are_sampled_in_proportion_to_their_weight():
    weight = np.array([0.0, 1.0, 2.0, 5.0])
    population = Population(("a",), np.zeros((1, 4)), weight)
    first = population.order(20_000, 1, seed=2)[:, 0]
    share = np.bincount(first, minlength=4) / first.size
    assert share == pytest.approx(weight / 8, abs=4 * np.sqrt(0.25 / first.size))
    assert share[0] == 0
    np.testing.assert_array_equal(
        Population(("a",), np.zeros((1, 4)), np.full(4, 0.1)).order(50, 4, seed=2),
        Population(("a",), np.zeros((1, 4)), np.full(4, 3.0)).order(50, 4, seed=2),
    )


def test_many_patients_give_the_same_results_as_their_rates():
    toxic = people(patients=4000)
    rates = toxic.mean("patient").values
    by_patient = operating_characteristics(toxic, BOIN(0.25), replicates=2000, seed=1)
    by_rate = operating_characteristics(rates, BOIN(0.25), replicates=2000, seed=2)
    for name in ("selected", "patients", "dlts"):
        error = np.hypot(by_patient[f"{name}_se"], by_rate[f"{name}_se"])
        assert (abs(by_patient[name] - by_rate[name]) <= 4 * error).all(), name


def test_too_few_patients_are_refused():
    few = people(patients=17)
    with pytest.raises(ConfigError, match="must be at least 18, the size of a trial, but is 17"):
        operating_characteristics(few, ThreePlusThree())


FAR_BELOW, FAR_ABOVE = "every level is far below", "every level is far above"


@pytest.mark.parametrize(
    ("rates", "noted"),
    [
        ((0.02, 0.05), FAR_BELOW),
        ((0.02, 0.1), None),  # the upper bound of 10 % in 300 patients is above half the target
        ((0.6, 0.9), FAR_ABOVE),
        ((0.52, 0.9), None),
        ((0.05, 0.6), None),
    ],
)
def test_levels_that_are_all_far_from_the_target_are_noted(rates, noted):
    toxic = np.stack([np.arange(300) < 300 * rate for rate in rates]).astype(float)
    found = operating_characteristics(
        xr.DataArray(toxic, dims=("level", "patient"), coords={"level": ["a", "b"]}),
        BOIN(0.25),
        replicates=10,
    )
    notes = [line for line in found.attrs["notes"].splitlines() if "every level is far" in line]
    assert [note[: len(FAR_BELOW)] for note in notes] == ([noted] if noted else [])
    for name, compare in (("lower", np.less), ("upper", np.greater)):
        assert compare(found[f"dlt_rate_{name}"], found["dlt_rate"]).all()


def test_bounds_of_true_rates_are_the_rates():
    found = operating_characteristics([0.01, 0.124], BOIN(0.25), replicates=10)
    assert found.attrs["notes"].startswith(FAR_BELOW)
    for name in ("lower", "upper"):
        assert found[f"dlt_rate_{name}"].values.tolist() == [0.01, 0.124]


def test_a_design_without_a_target_has_no_level_far_from_it():
    found = operating_characteristics([0.01, 0.02], ThreePlusThree(), replicates=10)
    assert found.attrs["notes"] == ""


def test_weighted_patients_have_wider_bounds():
    toxic = np.stack([np.arange(200) < 40, np.arange(200) < 80]).astype(float)
    weight = np.where(np.arange(200) % 2 == 0, 1.0, 0.01)

    def width(coords):
        data = xr.DataArray(toxic, dims=("level", "patient"), coords=coords)
        found = operating_characteristics(data, BOIN(0.25), replicates=10)
        return found["dlt_rate_upper"] - found["dlt_rate_lower"]

    weighted = width({"prevalence_weight": ("patient", weight)})
    assert (weighted > 1.2 * width({})).all()


def test_levels_out_of_order_and_large_trials_are_noted():
    found = operating_characteristics(people((0.3, 0.1, 0.5), 100), BOIN(0.3), replicates=5)
    decreasing, crowded = found.attrs["notes"].splitlines()
    assert decreasing.startswith("the rate of toxicity decreases from a (0.22) to b (0.07)")
    assert "30 of 100" in crowded
    fine = operating_characteristics(people(), BOIN(0.3), replicates=5)
    assert fine.attrs["notes"] == ""


@pytest.mark.parametrize(
    ("toxic", "options", "message"),
    [
        ((0.1, 1.2), {}, "a rate must be from 0 to 1, but is 1.2"),
        ((0.1, np.nan), {}, "a rate must be from 0 to 1, but is nan"),
        ((), {}, "must be level, or level and patient"),
        (people() * 3, {}, "must be 0, 1 or NaN, but is 3"),
        (people().rename(level="arm"), {}, "must be level, or level and patient"),
        ((0.1, 0.2), {"replicates": 0}, "number of trials must be at least 1"),
        ((0.1, 0.2), {"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_invalid_arguments_are_refused(toxic, options, message):
    with pytest.raises(ConfigError, match=message):
        operating_characteristics(toxic, BOIN(0.25), **options)


def test_results_survive_a_file(tmp_path):
    toxic = dose_limiting(synthetic.lively(150), levels=["step_up", "flat"], at_least=2)
    found = operating_characteristics(toxic, named("boin", target=0.25), replicates=100)
    assert found["not_enrolled"] == 1  # the same patient failed in both arms
    assert found["level"].values.tolist() == ["step_up", "flat"]
    found.to_netcdf(tmp_path / "escalation.nc")
    with xr.open_dataset(tmp_path / "escalation.nc") as back:
        xr.testing.assert_allclose(back.load(), found)
        assert back.attrs["notes"] == found.attrs["notes"]


def test_designs_are_found_by_name():
    assert named("3+3", target=None) == ThreePlusThree()
    assert named("boin", target=0.25, largest=45) == BOIN(0.25, largest=45)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bion", {}, "must be one of 3\\+3, boin, but is 'bion'. Did you mean 'boin'?"),
        ("3+3", {"target": 0.25}, "target must not be set, but is 0.25. Remove --target."),
        ("boin", {}, "target must be set, but is missing"),
    ],
)
def test_unknown_design_or_argument_is_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        named(name, **options)


class Recorder:
    """Progress that records its calls."""

    def __init__(self):
        self.trials, self.done = None, []

    def start(self, sims):
        self.trials = sims

    def compiled(self, seconds):
        raise AssertionError("no program is compiled")

    def advance(self, sims):
        self.done.append(sims)


@pytest.mark.parametrize("toxic", [people(), (0.1, 0.25, 0.5)], ids=["patients", "rates"])
def test_progress_reports_finished_trials(toxic, monkeypatch):
    whole = operating_characteristics(toxic, BOIN(0.25), replicates=50)
    monkeypatch.setattr(enrolling, "DRAWS_PER_BLOCK", 6000)
    recorder = Recorder()
    found = operating_characteristics(toxic, BOIN(0.25), replicates=50, progress=recorder)
    assert recorder.trials == sum(recorder.done) == 50
    assert len(recorder.done) > 2
    xr.testing.assert_identical(found, whole)


@pytest.mark.parametrize(
    ("design", "title"),
    [
        (ThreePlusThree(), "3+3, six patients at the recommended level"),
        (BOIN(0.25), "BOIN, target 25 %, cohorts of 3, at most 30 patients"),
        (
            BOIN(0.3, too_low=0.2, stop_at=9, largest=24),
            "BOIN, target 30 %, too low 20 %, cohorts of 3, at most 24 patients, ends at 9 at a "
            "level",
        ),
    ],
)
def test_the_title_describes_the_design(design, title):
    assert design.title == title
