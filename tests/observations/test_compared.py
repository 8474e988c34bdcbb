"""Observations in results: percentiles, simulated trials, table, figures and files."""

import io

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console

import qsp
from qsp.cli import tables
from qsp.cli.output import Output
from qsp.endpoints.observed import agreement, observed, remarks
from qsp.report.export import export_csv
from qsp.results import load
from qsp.results.observed import at_times
from qsp.results.zarr_store import CLOSED, Store
from qsp.run.observed import FIRST_ID, REPLICATES
from qsp.run.runs import run_into
from tests import synthetic
from tests.observations.conftest import short
from tests.observations.files import DRUG_AND_IL6, TABLE, TRIAL, lines

DRUG, IL6 = 0.146, 1.0


def simulated(ds, arm, name, time):
    """(patient,): A trajectory at a time, by numpy on the logarithms."""
    grid, values = ds["time"].values, ds[name].sel(arm=arm).values
    return np.exp([np.interp(time, grid, np.log(np.maximum(row, 1e-300))) for row in values])


# --- interpolation


def test_interpolation_is_exact_for_exponentials_and_at_saved_times():
    grid = np.array([0.0, 0.5, 2.0, 7.0])
    values = np.stack([3.0 * np.exp(-0.7 * grid), np.exp(0.2 * grid)])
    times = np.array([0.0, 0.3, 1.1, 2.0, 6.9, 7.0])
    expected = [3.0 * np.exp(-0.7 * times), np.exp(0.2 * times)]
    np.testing.assert_allclose(at_times(values, grid, times), expected, rtol=1e-13)


def test_interpolation_is_linear_next_to_zero_and_nan_outside():
    found = at_times(np.array([[0.0, 4.0]]), np.array([1.0, 2.0]), np.array([0.9, 1.25, 2.1]))
    np.testing.assert_array_equal(found, [[np.nan, 1.0, np.nan]])


# --- arms with shared doses


def test_percentiles_are_those_of_the_simulated_patients_of_the_arm(run):
    cases = (
        (1, "low", "drug_central", DRUG),
        (9, "high", "drug_central", DRUG),
        (2, "low", "il6", IL6),
        (3, "low", "il6", IL6),
    )
    for at, arm, name, factor in cases:
        found = observed(run).at(np.array([at]))
        values = simulated(run.ds, arm, name, found.time[0]) * factor
        expected = np.quantile(values, [0.05, 0.5, 0.95])
        np.testing.assert_allclose(
            [found.p5[0], found.median[0], found.p95[0]], expected, rtol=1e-10
        )


def test_molecular_weight_of_the_factor(run):
    assert pytest.approx(run.ds.attrs["molecular_weight_kda"] / 1000) == DRUG


def test_cells_are_divided_by_the_volume_of_blood(run):
    found = observed(run, "t_cells")
    blood = run.tree["parameters"]["tissues.volume.blood"].values
    cells = simulated(run.ds, "low", "t_cells_blood", 2.0) / blood
    np.testing.assert_allclose(found.median, np.median(cells), rtol=1e-10)


def test_a_simulated_trial_has_one_patient_at_all_times(run):
    """Each replicate of patient 1 is one virtual patient, in every quantity."""
    values = observed(run).simulated
    drug = [simulated(run.ds, "low", "drug_central", t) * DRUG for t in (0.1666667, 1.0)]
    il6 = simulated(run.ds, "low", "il6", 1.0)
    table = np.stack([*drug, il6], axis=1)
    for row in values[:, :3]:
        assert np.isclose(table, row, rtol=1e-5).all(1).sum() == 1
    assert values.shape == (REPLICATES, 12)
    assert len(np.unique(values[:, 0])) > 15


def test_grade_is_that_of_the_dose_period(run):
    grades = run.ds["crs_grade"].sel(arm="low", dose_period=1).values
    found = observed(run, "crs").of_arm("low")
    assert set(found.simulated[:, 0]) <= set(grades.astype(float))
    assert found.median[0] == np.median(grades)


def test_times_outside_and_other_quantities_are_not_compared(run):
    found = observed(run)
    late = (found.quantity == "il6") & (found.time == 40)
    assert np.isnan(found.median[late | (found.quantity == "temperature")]).all()
    text = " ".join(remarks(run))
    assert "Temperature is not compared: the results have no temperature over time." in text
    assert "IL-6: 1 of 5 are not compared." in text


def test_table_of_agreement_is_that_of_numpy(run):
    frame = run.observed.query("arm == 'low' and quantity == 'il6' and not median.isna()")
    (own,) = [each for each in agreement(run) if (each.arm, each.quantity) == ("low", "il6")]
    above = frame[~frame["is_blq"]]
    assert (own.n, own.below, own.compared) == (4, 1, 3)
    expected = np.exp(np.mean(np.log(above["value"] / above["median"])))
    assert own.ratio == pytest.approx(expected)
    inside = [
        row.p5 < row.lloq if row.is_blq else row.p5 <= row.value <= row.p95
        for row in frame.itertuples()
    ]
    assert own.within == pytest.approx(np.mean(inside))
    drawn = observed(run).simulated[:, frame.index]
    assert own.below_simulated == pytest.approx(np.mean(drawn < frame["lloq"].to_numpy()))


def test_rate_of_crs_is_that_of_the_observed_visits(run):
    by_arm = {each.arm: each for each in agreement(run) if each.quantity == "crs"}
    assert by_arm["low"].rate == 1.0
    assert by_arm["high"].rate == 0.0
    drawn = observed(run, "crs").of_arm("high").simulated
    assert by_arm["high"].rate_simulated == np.mean(drawn >= 1)


def test_all_other_variables_are_those_of_a_run_without_observations(run, arms_folder):
    text = (arms_folder / "trial.toml").read_text().partition("[observations]")[0]
    (arms_folder / "plain.toml").write_text(text)
    plain = qsp.read(arms_folder / "plain.toml").simulate(progress=False)
    assert not [n for n in plain.ds if str(n).startswith(("observed", "predicted", "simulated"))]
    xr.testing.assert_identical(
        plain.ds.drop_attrs(), run.ds[list(plain.ds.variables)].drop_attrs()
    )
    assert len(plain.observed) == 0


def test_python_takes_observations_as_a_table(run, arms_folder):
    people = qsp.population("nhl").sample(24, molecule="mosunetuzumab", seed=0)
    arms = {
        name: qsp.regimen(qsp.iv(amount, over="4 h", period="D1"))
        for name, amount in (("low", "1 mg"), ("high", "10 mg"))
    }
    table = {
        "file": str(arms_folder / "observed.csv"),
        "quantities": {
            "1": {"quantity": "drug", "unit": "ng/mL"},
            "2": {"quantity": "il6", "unit": "pg/mL"},
            "3": {"quantity": "crs", "grading": "ASTCT2019"},
            "4": {"quantity": "temperature", "unit": "degC"},
            "5": {"quantity": "t_cells", "unit": "cell/uL"},
        },
    }
    found = qsp.simulate(arms, people, days=8, observations=table, progress=False)
    assert found.observed.equals(run.observed)
    trial = qsp.Trial.of(arms, people, days=8, observations=table)
    assert "observations={" in trial.to_python()


# --- patients with their own doses


def test_each_patient_is_simulated_with_its_own_doses(own_doses):
    found = observed(own_doses)
    assert found.patient.tolist() == [7, 7, 9, 9]
    low, high = found.median[[0, 2]]
    assert high / low == pytest.approx(10, rel=0.15)
    assert np.isfinite(found.simulated).all()
    np.testing.assert_allclose(
        found.median, np.median(observed(own_doses).simulated, axis=0), rtol=1e-6
    )


def test_virtual_patients_differ_from_those_of_the_run(own_doses):
    """They are drawn by numbers that no patient has, so that the run does not depend on them."""
    assert own_doses.ds["patient"].values.tolist() == [7, 9]
    assert own_doses.ds["patient"].max() < FIRST_ID
    il6 = observed(own_doses, "il6")
    assert len(np.unique(il6.simulated[:, 0])) == REPLICATES


def test_patients_with_given_random_effects_are_compared_with_themselves(tmp_path):
    (tmp_path / "doses.csv").write_text(
        lines(
            "ID,TIME,AMT,RATE,EVID,CMT,DV,DVID",
            *("7,0,1,0.25,1,2,.,.", "7,24,.,.,0,2,120,1"),
            *("9,0,10,2.5,1,2,.,.", "9,24,.,.,0,2,1300,1"),
        )
    )
    draws = '[draws]\n"disposition.CL_ss" = [0.5, -1.0]\n'
    (tmp_path / "trial.toml").write_text(short(TRIAL) + draws + TABLE + DRUG_AND_IL6)
    run = qsp.read(tmp_path / "trial.toml").simulate(progress=False)
    found = observed(run)
    own = simulated(run.ds, "dose_table", "drug_central", 1.0) * DRUG
    np.testing.assert_allclose(found.median, own, rtol=1e-4)
    np.testing.assert_allclose(found.simulated[0], own, rtol=1e-4)
    assert np.isnan(found.simulated[1:]).all()
    assert np.isnan(found.p5).all()


# --- files, tables and figures


def test_files_keep_observations(run, tmp_path):
    run.save(tmp_path / "run")
    again = qsp.read(tmp_path / "run")
    assert again.observed.equals(run.observed)
    page = (tmp_path / "run" / "report.html").read_text()
    assert '<h2 id="observed">' in page
    assert "from observed.csv" in page


def test_a_store_of_shards_keeps_observations(run, tmp_path):
    store = Store(tmp_path / "results.zarr")
    store.create(run.ds, run.ds["patient"].values, 24)
    store.write(run.ds, slice(0, 24))
    store.close({CLOSED: "1"}, complete=True)
    found = store.read().to_dataset().load()
    assert observed(found, "il6").value.tolist()[0] == 300
    np.testing.assert_array_equal(found["simulated"].values, run.ds["simulated"].values)
    assert agreement(found) == agreement(run)


@pytest.mark.slow
def test_blocks_keep_the_observations_of_the_first(run, arms_folder, tmp_path):
    from qsp.api.simulate import prepare

    prepared = prepare(qsp.read(arms_folder / "trial.toml"))
    results = run_into(tmp_path / "blocks", prepared, block=12)
    with results, load(tmp_path / "blocks" / "results.nc") as tree:
        assert tree["observed_value"].sizes == {"observation": 12}
        assert np.isfinite(tree["predicted_median"].values[:3]).all()
        assert tree.sizes["patient"] == 24


def test_export_has_a_line_for_each_observation(run, tmp_path):
    written = export_csv(run.ds, tmp_path, tables=("observations.csv",))
    assert [path.name for path in written] == ["observations.csv", "units.csv"]
    found = pd.read_csv(tmp_path / "observations.csv", na_values=".")
    expected = run.observed
    assert found["ID"].tolist() == expected["patient"].tolist()
    assert found["ARMN"].tolist() == [1 if arm == "low" else 2 for arm in expected["arm"]]
    assert found["BLQ"].tolist() == expected["is_blq"].astype(int).tolist()
    pairs = {"DV": "value", "LLOQ": "lloq", "TIME": "time", "MEDIAN": "median", "P95": "p95"}
    for column, name in pairs.items():
        np.testing.assert_allclose(found[column], expected[name], rtol=1e-6)
    meanings = pd.read_csv(tmp_path / "units.csv")
    assert meanings["COLUMN"].tolist() == found.columns.tolist()
    assert set(meanings["VARIABLE"].dropna()) <= set(map(str, run.ds.variables))


def test_terminal_prints_the_table(run):
    console = Console(file=io.StringIO(), width=80)
    Output().show(tables.results(run.tree), console)
    text = " ".join(console.file.getvalue().split())
    for words in ("Observed and simulated", "CRS grade ≥ 1", "grade of 0", "is not compared"):
        assert words in text
    assert max(map(len, console.file.getvalue().splitlines())) <= 80


def test_figures_show_observations(run):
    figure = qsp.plots.cytokine_bands(run, "il6")
    for ax, arm in zip(figure.axes, ("low", "high"), strict=False):
        own = observed(run, "il6").of_arm(arm)
        own = own.at(own.time <= 8)
        for marker, is_blq in (("o", False), ("v", True)):
            marks = [line for line in ax.lines if line.get_marker() == marker and line.zorder == 5]
            shown = [point for line in marks for point in line.get_xydata().tolist()]
            expected = own.at(own.is_blq == is_blq)
            assert shown == np.stack([expected.time, expected.height], axis=1).tolist()
    low, high = figure.axes[0].get_ylim()
    assert low < 4 < 700 < high


def test_drug_is_drawn_in_the_unit_of_the_figure(run):
    figure = qsp.plots.drug_concentration(run)
    unit = figure.axes[0].get_ylabel()
    (marks,) = [each for each in figure.axes[1].lines if each.zorder == 5]
    assert marks.get_ydata()[0] == pytest.approx(1.5 if "µg/mL" in unit else 1500)


def test_figures_without_observations_have_no_marks():
    figure = qsp.plots.cytokine_bands(synthetic.lively(8), "il6")
    assert not [line for ax in figure.axes for line in ax.lines if line.zorder == 5]


def test_wrong_unit_is_noticed(run):
    ds = run.ds.copy()
    at = (ds["observed_quantity"] == "drug").values
    ds["observed_value"] = ds["observed_value"].where(~at, ds["observed_value"] * 1000)
    (text,) = [each for each in remarks(ds) if "check the unit" in each]
    assert text.startswith("Free drug in blood: the observations are about 1,")
