"""Differences between arms: pairs, counts, rows, the reference, and runs of other patients."""

import numpy as np
import pytest
from scipy.stats import norm

from qsp.endpoints import add_best_response, crs, differences, response, utility
from qsp.endpoints.number_needed import number_needed
from qsp.endpoints.patient_values import ANY
from qsp.endpoints.published_size import INDICATIONS, trial_size
from qsp.endpoints.statistics.paired import Sampling
from qsp.errors import ConfigError
from qsp.results.record import DoseRecord, RegimenRecord
from tests.synthetic import fail, lively, neutral, put, typical, with_record

FEW = Sampling(trial_size=100, replicates=200)
OVERALL = ("crs_any", "crs_2", "crs_3", "response", "days_in_crs", "time_to_full_dose")
INTERVALS = ["lower", "upper", "ratio_lower", "ratio_upper", "trial_lower", "trial_upper"]


@pytest.fixture(scope="module")
def trial():
    return add_best_response(lively(80))


def overall(ds, **options):
    """Rows over all doses, by quantity; of the only arm that is compared."""
    frame = differences.table(ds, sampling=FEW, **options)
    return frame[frame["period"] == ANY].set_index("quantity")


def grades(ds, **values):
    """Copy of a Dataset with grades (patient, period) and durations of one day by arm."""
    ds = ds.copy(deep=True)
    for arm, own in values.items():
        place = list(ds["arm"].values).index(arm)
        ds["crs_grade"].values[place] = own
        ds["crs_duration"].values[place] = np.where(np.asarray(own) > 0, 1.0, np.nan)
    return ds


@pytest.fixture
def four():
    """Patients of arm a: grades 2, 0, 3, 0 in both periods; of arm b: 1, 2, 0, 0 in the first."""
    ds = neutral(("a", "b"), patients=4)
    return grades(ds, a=[[2, 0], [0, 0], [3, 1], [0, 0]], b=[[1, 0], [2, 0], [0, 0], [0, 0]])


class TestRows:
    def test_rates_are_those_of_the_endpoints(self, trial):
        """In patients with a value in all arms."""
        ok = (trial["outcome"] == 0).all("arm")
        ds = trial.sel(patient=ok)
        found = differences.table(ds, sampling=FEW).set_index(["arm", "quantity", "period"])
        whole, by_dose = crs.incidence(ds, by="any"), crs.incidence(ds)
        for grade, name in ((1, "crs_any"), (2, "crs_2"), (3, "crs_3")):
            for arm in ds["arm"].values[1:]:
                rate = whole["value"].sel(grade=grade, arm=arm)
                assert found.loc[(arm, name, ANY), "value"] == pytest.approx(float(rate))
                rate = by_dose["value"].sel(grade=grade, arm=arm, label="FD1")
                assert found.loc[(arm, name, "FD1"), "value"] == pytest.approx(float(rate))
        rate = response.objective_response(ds)["value"].sel(arm="flat")
        assert found.loc[("flat", "response", ANY), "value"] == pytest.approx(float(rate))

    def test_pairs_are_counted_in_four_cells(self, four):
        row = overall(four).loc["crs_any"]
        assert (row["arm"], row["reference"]) == ("b", "a")
        names = ["both", "arm_only", "reference_only", "neither"]
        assert row[names].tolist() == [1, 1, 1, 1]
        assert overall(four, reference="b").loc["crs_2", names].tolist() == [0, 2, 1, 1]

    def test_days_in_crs_are_of_all_events_of_a_patient(self, four):
        row = overall(four).loc["days_in_crs"]
        assert (row["value"], row["reference_value"]) == (0.5, 0.75)
        assert row["units"] == "day"

    def test_dose_periods_are_compared_by_label(self, trial):
        frame = differences.table(trial, reference="flat", sampling=FEW)
        labels = frame.groupby("arm")["period"].unique()
        assert set(labels["step_up"]) == {ANY, "FD1", "FD2", "FD3", "FD4"}
        assert set(labels["flat_no_premedication"]) == {ANY, *(f"FD{n}" for n in range(1, 7))}
        assert set(frame["event"]) >= {"any CRS", "any CRS, FD1", "response", "time to full dose"}

    def test_time_to_full_dose_is_that_of_the_first_largest_dose(self, trial):
        row = overall(trial, reference="flat", arms=["step_up"]).loc["time_to_full_dose"]
        assert (row["value"], row["reference_value"]) == pytest.approx((14.0, 0.0))

    def test_patients_who_did_not_reach_the_full_dose_are_unassessed(self, four):
        four["dose_time"].values[0, 2, 1] = np.nan
        four["dose_label"].values[0, 2, 1] = ""
        row = overall(four).loc["time_to_full_dose"]
        assert (row["patients"], row["failed"], row["unassessed"]) == (3, 0, 1)
        assert row["value"] == pytest.approx(7.0)


class TestNumbers:
    def test_order_of_the_arms_changes_signs_only(self, trial):
        one = overall(trial, reference="flat", arms=["step_up"])
        two = overall(trial, reference="step_up", arms=["flat"])
        np.testing.assert_allclose(two["difference"], -one["difference"])
        for low, high in (("lower", "upper"), ("trial_lower", "trial_upper")):
            np.testing.assert_allclose(two[low], -one[high], atol=1e-12)
        np.testing.assert_allclose(two["ratio_lower"], 1 / one["ratio_upper"])

    def test_arms_in_another_order_give_the_same_rows(self, trial):
        turned = trial.isel(arm=[2, 0, 3, 1])
        one, two = (
            differences.table(ds, reference="flat", sampling=FEW)
            .set_index(["arm", "quantity", "period"])
            .sort_index()
            for ds in (trial, turned)
        )
        assert one.equals(two.loc[one.index])

    def test_patients_without_weight_count_for_nothing(self, four):
        weight = np.array([1.0, 1.0, 0.0, 0.0])
        row = overall(put(four, prevalence_weight=weight)).loc["crs_2"]
        assert (row["value"], row["reference_value"]) == (0.5, 0.5)
        assert row["upper"] > overall(four).loc["crs_2", "upper"]


class TestSmallRuns:
    def test_one_arm_has_no_row(self):
        assert differences.table(neutral(("a",)), sampling=FEW).empty
        assert utility.table(neutral(("a",)), sampling=FEW).empty

    def test_eight_arms_have_seven_comparisons(self):
        names = [f"arm {n}" for n in range(8)]
        frame = differences.table(neutral(names), reference="arm 3", sampling=FEW)
        assert list(frame["arm"].unique()) == [name for name in names if name != "arm 3"]
        assert set(frame["reference"]) == {"arm 3"}
        assert len(utility.table(neutral(names), sampling=FEW)) == 7

    def test_no_events(self):
        row = overall(neutral(("a", "b"), patients=50)).loc["crs_any"]
        assert row["difference"] == row["value"] == 0
        assert row["lower"] == pytest.approx(-row["upper"])
        assert 0.03 < row["upper"] < 0.1
        assert row[["ratio", "ratio_lower", "ratio_upper"]].isna().all()
        assert row["number_needed"] == "∞ (NNTB 14 to ∞ to NNTH 14)"

    def test_one_patient_has_no_bootstrap(self):
        ds = grades(neutral(("a", "b"), patients=1), a=[[0, 0]], b=[[2, 0]])
        rows = overall(ds)
        row = rows.loc["crs_2"]
        assert (row["difference"], row["patients"]) == (1.0, 1)
        assert -0.5 < row["lower"] < 0 < row["upper"] <= 1  # one pair shows next to nothing
        assert (
            rows.loc[["crs_2", "days_in_crs"], ["ratio_lower", "ratio_upper"]].isna().all(axis=None)
        )
        assert np.isnan(utility.table(ds, sampling=FEW)["probability"]).all()

    @pytest.mark.parametrize("arm", [0, 1])
    def test_pair_with_a_failed_simulation_is_dropped_and_counted(self, four, arm):
        rows = overall(fail(four, arm, 0))
        assert set(rows["failed"]) == {1}
        assert set(rows["patients"]) == {3}
        assert set(rows["unassessed"]) == {0}
        assert rows.loc["crs_any", ["both", "arm_only", "reference_only"]].tolist() == [0, 1, 1]
        assert utility.table(fail(four, arm, 0), sampling=FEW)["failed"].tolist() == [1]

    def test_all_patients_failed_in_an_arm(self, four):
        for patient in range(4):
            four = fail(four, 1, patient)
        rows = overall(four)
        assert set(rows["patients"]) == {0}
        assert set(rows["failed"]) == {4}
        assert rows[["value", "difference", *INTERVALS]].isna().all(axis=None)
        assert set(rows["number_needed"]) == {""}


class TestReference:
    def test_it_is_the_first_arm_or_that_of_the_config(self, trial):
        assert differences.reference_of(trial) == "step_up"
        ds = with_record(trial, config={"reference": "flat"})
        assert set(differences.table(ds, sampling=FEW)["reference"]) == {"flat"}
        assert set(utility.table(ds, sampling=FEW)["reference"]) == {"flat"}

    def test_an_unknown_arm_is_refused(self, trial):
        with pytest.raises(ConfigError, match="Did you mean 'flat'"):
            differences.table(trial, reference="flt")


class TestTocilizumab:
    dose = DoseRecord(0.0, "tocilizumab", "tocilizumab", "IV", 560.0)

    def test_row_is_absent_where_no_arm_may_have_it(self, trial):
        assert "tocilizumab" not in overall(trial, arms=["flat"]).index

    def test_scheduled_doses_count_for_all_patients_or_those_recorded(self, four):
        arms = {
            "a": {"regimens": (RegimenRecord(()),)},
            "b": {
                "regimens": (RegimenRecord((self.dose,), (0, 3)), RegimenRecord((), (1,))),
                "regimens_left_out": 1,
            },
        }
        row = overall(with_record(four, arms=arms)).loc["tocilizumab"]
        assert (row["patients"], row["unassessed"], row["arm_only"]) == (3, 1, 2)

    def test_doses_by_rules_are_counted(self, four):
        arms = {name: {"planned_doses": ("SUD1",)} for name in ("a", "b")}
        ds = with_record(four, arms=arms, config={"rescue": {"x": {"drug": "tocilizumab"}}})
        codes = np.full((2, 4, 2), -1)
        codes[1, :2, 1] = 1
        flags = {"flag_meanings": "drug_iv tocilizumab", "flag_values": [0, 1]}
        ds["administered_drug"] = (("arm", "patient", "administration"), codes, flags)
        row = overall(ds).loc["tocilizumab"]
        assert (row["value"], row["reference_value"]) == (0.5, 0.0)
        assert row["number_needed"].startswith("NNTH 2.0")


class TestNumberNeeded:
    @pytest.mark.parametrize(
        ("numbers", "is_harm", "text"),
        [
            ((-0.25, -0.4, -0.1), True, "NNTB 4.0 (NNTB 2.5 to NNTB 10)"),
            ((-0.25, -0.4, -0.1), False, "NNTH 4.0 (NNTH 2.5 to NNTH 10)"),
            ((0.1, -0.05, 0.2), False, "NNTB 10 (NNTB 5.0 to ∞ to NNTH 20)"),
            ((0.1, -0.05, 0.2), True, "NNTH 10 (NNTB 20 to ∞ to NNTH 5.0)"),
            ((0.1, 0.0, 0.2), True, "NNTH 10 (NNTH 5.0 to ∞)"),
            ((0.0, -0.1, 0.1), True, "∞ (NNTB 10 to ∞ to NNTH 10)"),
            ((0.0004, 0.0001, 0.001), True, "NNTH 2,500 (NNTH 1,000 to NNTH 10,000)"),
            ((np.nan, -0.1, 0.1), True, ""),
        ],
    )
    def test_text(self, numbers, is_harm, text):
        assert number_needed(*numbers, is_harm=is_harm) == text


class TestTwoRuns:
    def test_difference_of_two_runs_is_that_of_two_arms_of_one(self, trial):
        parts = trial.sel(arm=["step_up"]), trial.sel(arm=["flat"])
        found = differences.between(*parts, names=("new", "old"), sampling=FEW)
        wanted = differences.table(trial, reference="flat", arms=["step_up"], sampling=FEW)
        assert set(found["arm"]) == {"new: step_up"}
        assert set(found["reference"]) == {"old: flat"}
        columns = ["event", "value", "difference", "lower", "upper", "patients", "both"]
        assert found[columns].equals(wanted[columns])

    def test_arms_of_the_same_name_are_compared(self, trial):
        found = differences.between(trial, trial.isel(arm=[1, 2]), sampling=FEW)
        assert list(found["arm"].unique()) == ["first: flat", "first: step_up_no_premedication"]
        assert (found["difference"] == 0).all()

    def test_arms_may_be_chosen(self, trial):
        found = differences.between(trial, trial, arms=("step_up", "flat"), sampling=FEW)
        assert set(found["arm"] + found["reference"]) == {"first: step_upsecond: flat"}
        preferences = utility.between(trial, trial, arms=("step_up", "flat"), sampling=FEW)
        assert len(preferences) == 1
        with pytest.raises(ConfigError, match="second: the arm must be one of the run"):
            differences.between(trial, trial, arms=("flat", "flt"))

    def test_without_common_arms_a_choice_is_asked_for(self, trial):
        with pytest.raises(ConfigError, match="Choose one arm of each run"):
            differences.between(trial.isel(arm=[0, 1]), trial.isel(arm=[2, 3]))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda ds: ds.isel(patient=slice(60)), "the patients must be the same"),
            (lambda ds: ds.assign_coords(patient=ds["patient"] + 1), "the patients must be"),
            (lambda ds: with_record(ds, seed=8), "the seed must be the same, but is 7 and 8"),
            (lambda ds: ds.assign_attrs(population="all"), "the population must be the same"),
            (lambda ds: with_record(ds, config={"draws": {"age": [1.0]}}), "the draws must be"),
            (lambda ds: typical(ds), "the kind of patients must be the same"),
            (lambda ds: put(ds, age=61.0), "the age must be the same"),
            (lambda ds: ds.assign_attrs(days=85.0), "the days must be the same"),
            (lambda ds: ds.isel(visit=[0, 1]), "the visits must be the same"),
            (lambda ds: ds.assign_attrs(response_criteria="recist"), "the response criteria must"),
        ],
    )
    def test_other_patients_are_refused(self, trial, change, words):
        with pytest.raises(ConfigError, match=words) as caught:
            differences.between(trial, change(trial), names=("one", "two"))
        assert "refused, not compared unpaired" in str(caught.value)
        assert str(caught.value).startswith("one and two: ")


class TestUtility:
    def test_it_is_the_weighted_sum_of_rates(self, trial):
        found = utility.table(trial, reference="flat", sampling=FEW).set_index("arm")
        rates = overall(trial, reference="flat", arms=["step_up"])["value"]
        wanted = rates["response"] - 0.5 * rates["crs_2"] - 2 * rates["crs_3"]
        assert found.loc["step_up", "utility"] == pytest.approx(wanted)

    def test_weights_are_those_of_the_config(self, trial):
        ds = with_record(trial, config={"utility": {"response": 0, "grade2": -1, "grade3": 0}})
        found = utility.table(ds, reference="flat", sampling=FEW).set_index("arm")
        rates = overall(trial, reference="flat", arms=["step_up"])["value"]
        assert found.loc["step_up", "utility"] == pytest.approx(-rates["crs_2"])
        assert found.attrs["utility"] == "- 1 P(grade ≥ 2)"

    def test_default_formula(self):
        text = "1 P(CR or PR) - 0.5 P(grade ≥ 2) - 2 P(grade ≥ 3)"
        assert str(utility.Weights()) == text

    def test_probabilities_of_both_orders_add_up_to_one(self, trial):
        one = utility.table(trial, reference="flat", sampling=FEW).set_index("arm")
        two = utility.table(trial, reference="step_up", sampling=FEW).set_index("arm")
        for name in ("probability", "trial_probability"):
            assert one.loc["step_up", name] + two.loc["flat", name] == pytest.approx(1.0)
        assert 0 < one.loc["step_up", "trial_probability"] < 1

    def test_probabilities_are_those_of_a_normal_approximation(self):
        """Half of the patients have grade 2 in arm b only, a third in arm a only."""
        n = 120
        a, b = np.zeros((n, 2)), np.zeros((n, 2))
        a[:52, 0], b[52:112, 0] = 2, 2
        ds = grades(neutral(("a", "b"), patients=n), a=a, b=b)
        row = utility.table(ds, sampling=Sampling(60, replicates=20_000)).iloc[0]
        difference = -0.5 * (60 - 52) / n
        assert row["difference"] == pytest.approx(difference)
        d = -0.5 * np.repeat([1.0, -1.0, 0.0], [60, 52, 8])
        one, two = 0.25 * 60 / n * (1 - 60 / n), 0.25 * 52 / n * (1 - 52 / n)
        wanted = norm.cdf(difference / (d.std() / np.sqrt(n)))
        assert row["probability"] == pytest.approx(wanted, abs=0.03)
        wanted = norm.cdf(difference / np.sqrt(one / 60 + two / 60 + d.var() / n))
        assert row["trial_probability"] == pytest.approx(wanted, abs=0.03)

    def test_equal_arms_are_better_with_probability_one_half(self):
        row = utility.table(neutral(("a", "b"), patients=9), sampling=FEW).iloc[0]
        assert row["probability"] == row["trial_probability"] == 0.5

    def test_impossible_weights_are_refused(self):
        with pytest.raises(ConfigError, match="utility.grade2: the weight must be a number"):
            utility.Weights(grade2=float("nan"))


def test_size_of_the_published_trial():
    """Every indication is in the table of published rates."""
    ds = neutral()
    sizes = {
        key: trial_size(ds.assign_attrs(molecule=key[0], population=key[1])) for key in INDICATIONS
    }
    assert sizes["mosunetuzumab", "nhl"] == 218
    assert sizes["mosunetuzumab", "nhl_fl"] == 90
    assert all(size not in (0, 100) for size in sizes.values())
    assert trial_size(ds.assign_attrs(molecule="mine")) == 100
    frame = differences.table(neutral(("a", "b")))
    assert set(frame["trial_size"]) == {218}
    assert frame.attrs == {
        "heading": "Monte Carlo only: parameters fixed",
        "seed": 1,
        "replicates": 2000,
    }


def test_results_without_optional_variables_have_fewer_rows(trial):
    ds = trial.drop_vars(["best_response", "crs_duration"])
    assert set(overall(ds, arms=["flat"]).index) == set(OVERALL) - {"response", "days_in_crs"}
    assert set(overall(trial, arms=["flat"]).index) == set(OVERALL)


def test_blocks_of_patients_give_the_same_table(trial, monkeypatch):
    whole = differences.table(trial, sampling=FEW)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.SIMULATIONS", 1)
    monkeypatch.setattr("qsp.endpoints.statistics.blocks.CHUNK", 30)
    assert differences.table(trial, sampling=FEW).equals(whole)
