"""Results: what they print, differences of arms, files, endpoints and figures."""

import jax
import numpy as np
import pytest

import qsp
from qsp.api.simulate import prepare as prepared_of
from qsp.run import Request, prepare
from qsp.run import run as run_config
from qsp.run.parameters import parameters
from tests.api import shipped_values

K_ACT = "t_cells.k_act"
HALF = f"{shipped_values.median(K_ACT) / 2} 1/hour"


def test_repr_names_arms_method_backend_failures_and_seconds(run):
    text = repr(run)
    for part in ("step, flat", "6 of nhl", "ROCK4, rtol 1e-05", "0 of 12 simulations"):
        assert part in text
    assert run.ds.attrs["backend"] in text


def test_dataset_has_named_arms_and_periods(run):
    assert run.ds.il6.sel(arm="step").dims == ("patient", "time")
    assert run.arms == ("step", "flat")
    assert run.failures == 0


def test_endpoints_and_figures_take_results(run):
    worst = qsp.endpoints.crs.incidence(run, by="any")
    assert worst.equals(qsp.endpoints.crs.incidence(run.ds, by="any"))
    assert worst.equals(qsp.endpoints.crs.incidence(run.tree, by="any"))
    assert repr(qsp.endpoints.summary(run)) == repr(qsp.endpoints.summary(run.ds))
    assert qsp.plots.crs_by_dose(run).axes
    assert qsp.plots.waterfall(run).axes


def test_tables_over_time_and_of_steps_take_results(run):
    bands = qsp.endpoints.bands(run, "il6")
    assert bands.identical(qsp.endpoints.bands(run.ds, "il6"))
    assert qsp.endpoints.has_trajectory(run, "il6")
    assert qsp.endpoints.steps(run) == qsp.endpoints.steps(run.ds)
    assert qsp.endpoints.labels(run) == qsp.endpoints.labels(run.ds)
    with pytest.raises(qsp.QSPError, match="Did you mean 'il6'"):
        qsp.plots.cytokine_bands(run, "IL-6")


def test_difference_is_paired_and_counts_patients(run):
    table = run.difference("step", "flat")
    names = ["any CRS", "CRS of grade 2 or higher", "CRS of grade 3 or higher", "response"]
    of_dose = [f"{name}, FD1" for name in names[:3]]  # the only period of both arms
    assert list(table.index) == [*names, "days in CRS", "time to full dose", *of_dose]
    assert table.index.name == "step - flat"
    rates = qsp.endpoints.crs.incidence(run, by="any", at_least=(1, 2, 3)).value
    for row, grade in zip(names[:3], (1, 2, 3), strict=True):
        for column, arm in (("first", "step"), ("second", "flat")):
            assert table.loc[row, column] == pytest.approx(float(rates.sel(grade=grade, arm=arm)))
    counts = table.loc[names, ["both", "first_only", "second_only", "neither"]]
    np.testing.assert_array_equal(counts.sum(axis=1), table.loc[names, "patients"])
    np.testing.assert_allclose(table["difference"], table["first"] - table["second"], atol=1e-15)
    assert (run.difference("flat", "step")["difference"] == -table["difference"]).all()
    assert table.loc[names, "difference"].abs().max() > 0
    assert table.loc["time to full dose", "first"] == pytest.approx(14.0)


def test_reference_is_the_first_arm_unless_the_trial_names_another(arms, people, run):
    assert run.difference("flat").equals(run.difference("flat", "step"))
    trial = qsp.Trial.of(arms, people, days=28, reference="flat", utility={"grade3": -3})
    assert trial.config.reference == "flat"
    assert trial.config.utility.grade3 == -3
    with pytest.raises(qsp.QSPError, match="reference must be an arm"):
        qsp.Trial.of(arms, people, days=28, reference="slow")
    with pytest.raises(qsp.QSPError, match="must be an arm of the run"):
        run.difference("stpe")


def test_trial_of_more_patients_has_a_narrower_prediction(run):
    small, large = (run.difference("step", "flat", trial_size=n) for n in (20, 2000))
    assert set(large["trial_size"]) == {2000}
    width = (large["trial_upper"] - large["trial_lower"]).loc["any CRS"]
    assert width < (small["trial_upper"] - small["trial_lower"]).loc["any CRS"]
    assert set(run.difference("step", "flat")["trial_size"]) == {218}


def test_standard_error_is_that_of_a_mean_of_paired_differences(run):
    worst = run.ds["crs_grade"].max("dose_period")
    pairs = ((worst.sel(arm="step") >= 1).astype(int) - (worst.sel(arm="flat") >= 1)).values
    found = run.difference("step", "flat").loc["any CRS"]
    assert found["difference"] == pytest.approx(pairs.mean())
    assert found["standard_error"] == pytest.approx(pairs.std() / np.sqrt(len(pairs)))


def test_saved_run_is_read_again(run, people, tmp_path):
    values = run.tree["parameters"][K_ACT]
    assert values.attrs["units"] == "1/day"
    assert values.dims == ("patient",)
    np.testing.assert_array_equal(values, people.parameters[K_ACT])
    out = run.save(tmp_path / "runs" / "mine")
    np.testing.assert_array_equal(qsp.read(out).tree["parameters"][K_ACT], values)
    assert {path.name for path in out.iterdir()} == {"results.nc", "report.html", "summary.csv"}
    assert run.report() == out / "report.html"
    again = qsp.read(out)
    assert again.difference("step", "flat").equals(run.difference("step", "flat"))
    np.testing.assert_array_equal(again.ds.il6, run.ds.il6)
    with pytest.raises(qsp.QSPError, match="Write force=True to replace"):
        run.save(out)
    assert run.save(out, force=True) == out


def test_parameters_have_an_arm_where_an_arm_changes_them(arms, people):
    half = qsp.regimen(*arms["flat"].doses, parameters={K_ACT: HALF})
    trial = qsp.Trial.of({"flat": arms["flat"], "half": half}, people, days=28)
    values = parameters(prepared_of(trial))
    assert {name for name in values.data_vars if "arm" in values[name].dims} == {K_ACT}
    assert values[K_ACT].attrs["units"] == "1/day"
    assert values[K_ACT].attrs["long_name"]
    assert set(values.data_vars) == set(people.parameters.columns)
    np.testing.assert_array_equal(values[K_ACT].sel(arm="flat"), people.parameters[K_ACT])
    np.testing.assert_allclose(
        values[K_ACT].sel(arm="half"), people.parameters[K_ACT] / 2, rtol=1e-12
    )


def test_parameters_of_a_large_run_are_those_of_saved_patients(arms, tmp_path):
    many = qsp.population("nhl").sample(2001, molecule="mosunetuzumab", seed=1)
    trial = qsp.Trial.of({"flat": arms["flat"]}, many, days=28)
    file = tmp_path / "trial.toml"
    file.write_text(trial.to_toml() + "[trajectories]\nids = [2, 2000]\n")
    values = parameters(prepare(Request(file)))
    assert values[K_ACT].dims == ("patient_traj",)
    np.testing.assert_array_equal(values[K_ACT], many.parameters.loc[[2, 2000], K_ACT])


def test_run_of_the_written_config_is_the_same(arms, people, run, tmp_path):
    trial = qsp.Trial.of(arms, people, days=28, visits=[14, 28])
    trial.to_toml(tmp_path / "trial.toml")
    tree = run_config(prepare(Request(tmp_path / "trial.toml")))
    for name, values in run.ds.data_vars.items():
        np.testing.assert_array_equal(tree[str(name)].values, values.values, err_msg=str(name))
    assert tree["parameters"].to_dataset().identical(run.tree["parameters"].to_dataset())


def test_three_ways_to_halve_a_parameter_agree(arms, people, tmp_path):
    trial = qsp.Trial.of({"step": arms["step"]}, people, days=28)
    trial.to_toml(tmp_path / "trial.toml")
    (tmp_path / "mine.toml").write_text(f'[t_cells]\nk_act = "{HALF}"\n')
    by_scale = qsp.Trial.of({"step": arms["step"]}, people.scale(K_ACT, 0.5), days=28)
    by_arm = f'arms.step.parameters={{"{K_ACT}" = "{HALF}"}}'
    ways = [
        prepared_of(by_scale),
        prepare(Request(tmp_path / "trial.toml", parameters=tmp_path / "mine.toml")),
        prepare(Request(tmp_path / "trial.toml", [by_arm])),
    ]
    values = [way.cohort.parameters[0].model.t_cells.k_act for way in ways]
    assert np.ptp(values[0]) > 0
    before = prepared_of(trial).cohort.parameters[0].model.t_cells.k_act
    for each in values:
        np.testing.assert_allclose(each, before / 2, rtol=1e-12)
    leaves = [way.cohort.parameters[0] for way in ways]
    for other in leaves[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), leaves[0], other)


def test_typical_patient_and_chosen_draws_are_simulated(arms, people, run):
    one = qsp.simulate({"flat": arms["flat"]}, people.typical, days=28, progress=False)
    assert one.ds.sizes["patient"] == 1
    two = people.at({K_ACT: [-1, 0]})
    pair = qsp.simulate({"flat": arms["flat"]}, two, days=28, progress=False)
    np.testing.assert_allclose(pair.ds.il6.isel(patient=1), one.ds.il6.isel(patient=0), rtol=1e-6)
    assert float(pair.ds.il6.isel(patient=0).max()) < float(one.ds.il6.max())


def test_saved_states_and_algebraic_quantities_have_units_and_axes(arms, people, run):
    names = ["t_cells.activated", "bridges", "severity", "drug.soluble"]
    saved = qsp.simulate(arms, people, days=28, visits=[14, 28], save=names, progress=False)
    assert saved.ds.bridges.dims == ("arm", "patient", "time", "kind", "tissue")
    assert saved.ds["t_cells.activated"].attrs["units"] == "Mcell"
    assert saved.ds["t_cells.activated"].sel(tissue="tumor").max() > 0
    assert saved.ds.bridges.sel(kind="malignant", tissue="tumor").max() > 0
    np.testing.assert_array_equal(saved.ds.severity, saved.ds.crs_severity)
    central = saved.ds["drug.soluble"].sel(tissue="blood")
    np.testing.assert_array_equal(central, saved.ds.drug_central)
    np.testing.assert_allclose(saved.ds.il6, run.ds.il6, rtol=1e-6)
    assert set(names).isdisjoint(run.ds)


def test_progress_of_the_caller_counts_the_simulations(arms, people, run):
    class Counter:
        total = done = 0

        def compiled(self, seconds):
            pass

        def start(self, sims):
            self.total = sims

        def advance(self, sims):
            self.done += sims

    counter = Counter()
    qsp.simulate(arms, people, days=28, visits=[14, 28], progress=counter)
    assert counter.total == counter.done == 12
