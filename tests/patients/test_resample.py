"""Resampling: weighted patients as an unweighted cohort, which a config runs."""

import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qsp
from qsp.errors import ConfigError
from qsp.patients.resampling import multiplicities
from qsp.populations.cohort_file import read_cohort_file
from qsp.run import Request, prepare
from qsp.run import run as run_prepared
from tests import small
from tests.run.conftest import CONFIGS, call

PATIENTS = 12
HEADER = "quantity,arm,period,at_most,unit,share,n,source\n"
NHL = CONFIGS.parent / "populations" / "nhl.toml"


@given(
    weight=st.lists(st.floats(0.0, 1e3), min_size=1, max_size=30).filter(lambda w: sum(w) > 1e-3),
    n=st.integers(1, 200),
    seed=st.integers(0, 99),
)
def test_each_patient_is_drawn_as_often_as_its_weight_up_to_one(weight, n, seed):
    weight = np.array(weight)
    counts = multiplicities(weight, n, seed=seed)
    assert counts.sum() == n
    assert (counts[weight == 0] == 0).all()
    assert (np.abs(counts - n * weight / weight.sum()) < 1 + 1e-6).all()
    np.testing.assert_array_equal(multiplicities(weight, n, seed=seed), counts)


def test_means_of_drawn_patients_are_the_weighted_means():
    """The error over seeds is centered, and below that of independent draws."""
    random = np.random.default_rng(0)
    weight, value = random.exponential(size=300), random.normal(size=300)
    true = np.average(value, weights=weight)
    independent = np.sqrt(np.average((value - true) ** 2, weights=weight) / 500)
    means = [multiplicities(weight, 500, seed=seed) @ value / 500 for seed in range(100)]
    assert np.mean(means) == pytest.approx(true, abs=4 * np.std(means) / 10)
    assert np.std(means) < independent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("resample")
    (path / "trial.toml").write_text(small.config(NHL, PATIENTS))
    (path / "targets.csv").write_text(HEADER + "sex,,,0,1,0.3,50,A\n")
    return path


@pytest.fixture(scope="module")
def run(folder):
    """Folder of a run whose patients are weighted by sex."""
    done = call("run", folder / "trial.toml", "--out", folder / "run", "--quiet")
    assert done.code == 0, done.err
    return folder / "run"


@pytest.fixture(scope="module")
def found(run, folder):
    return qsp.weigh(run, folder / "targets.csv", out=folder / "drawn", resample=30, seed=4)


def test_cohort_has_the_drawn_patients(run, found, folder):
    cohort = read_cohort_file(folder / "drawn")
    ids, counts = np.unique(cohort.source_ids, return_counts=True)
    np.testing.assert_array_equal(ids, found.ids[found.counts > 0])
    np.testing.assert_array_equal(counts, found.counts[found.counts > 0])
    assert len(cohort) == len(set(cohort.ids.tolist())) == 30
    first = cohort.ids < PATIENTS
    np.testing.assert_array_equal(cohort.ids[first], cohort.source_ids[first])
    record = tomllib.loads((folder / "drawn" / "weights.toml").read_text())
    assert record["resampled"] == 30
    assert record["distinct"] == len(ids)
    assert record["most_copies"] == counts.max() > 1
    assert (folder / "drawn" / "targets.csv").is_file()
    ds = qsp.read(run).ds
    male = float(np.average(ds["sex"] == 0, weights=found.counts))
    assert found.shares_selected == (pytest.approx(male),)
    assert male == pytest.approx(found.diagnosis.fits[0].after, abs=1 / 30)


def test_run_of_the_cohort_has_the_same_patients(run, found, folder):
    """The first copy is the patient of the run to the bit; others differ in random events only."""
    text = (folder / "trial.toml").read_text().replace(f"patients = {PATIENTS}", "")
    (folder / "again.toml").write_text('cohort = "drawn"\n' + text)
    again = run_prepared(prepare(Request(folder / "again.toml"))).to_dataset()
    before, cohort = qsp.read(run).ds, read_cohort_file(folder / "drawn")
    source = before.sel(patient=cohort.source_ids)
    for name in ("il6_peak", "age", "tumor_volume_end", "fever_peak"):
        np.testing.assert_array_equal(again[name], source[name].values)
    first = cohort.ids < PATIENTS
    grades = source["crs_grade"].fillna(-1).values
    np.testing.assert_array_equal(again["crs_grade"].values[:, first], grades[:, first])
    effects = prepare(Request(folder / "again.toml")).cohort.people.xi_dose
    assert len(np.unique(effects[:, 0])) == len(cohort)


def test_run_from_python_is_resampled_too(folder, tmp_path, found):
    trial = qsp.read(folder / "trial.toml")
    people = trial.people.scale("t_cells.k_act", 0.5)
    run = qsp.simulate(trial.arms, people, days=8, visits=[4, 8], progress=False)
    run.save(tmp_path / "run")
    qsp.weigh(tmp_path / "run", folder / "targets.csv", out=tmp_path / "drawn", resample=20)
    drawn = qsp.population(NHL).scale("t_cells.k_act", 0.5)
    drawn = drawn.from_cohort(tmp_path / "drawn", molecule="mosunetuzumab")
    cohort = read_cohort_file(tmp_path / "drawn")
    ages = run.ds["age"].sel(patient=cohort.source_ids)
    np.testing.assert_array_equal(drawn.covariates["age"], ages)


def test_command_prints_distinct_patients(run, folder, tmp_path):
    words = ("weigh", run, "--targets", folder / "targets.csv", "--resample", 30, "--seed", 4)
    done = call(*words, "--out", tmp_path / "drawn")
    assert done.code == 0, done.err
    text = " ".join(done.out.split())
    assert "Resampled: 30 patients, of whom" in text
    assert "resampled" in text
    assert f"Cohort of the drawn patients: {tmp_path / 'drawn'}" in done.out
    first = read_cohort_file(folder / "drawn")
    assert read_cohort_file(tmp_path / "drawn") == first
    again = call(*words, "--out", tmp_path / "drawn", "--force")
    assert again.code == 2
    assert "--out must not exist yet" in again.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resample": 0}, "resample must be a whole number of at least 1, but is 0"),
        ({"resample": 2.5}, "resample must be a whole number of at least 1"),
        ({"resample": True}, "resample must be a whole number of at least 1"),
        ({"resample": 5, "select": True}, "one of select and resample must be chosen"),
    ],
)
def test_impossible_resampling_is_refused(run, folder, options, message):
    with pytest.raises(ConfigError, match=message):
        qsp.weigh(run, folder / "targets.csv", **options)


def test_resampling_without_weights_is_refused(run, tmp_path):
    share = float((qsp.read(run).ds["age"] <= 60).mean())
    (tmp_path / "own.csv").write_text(HEADER + f"age,,,60,year,{share!r},100,A\n")
    with pytest.raises(ConfigError, match="weights to resample by must differ between patients"):
        qsp.weigh(run, tmp_path / "own.csv", resample=10)


def test_run_whose_input_has_changed_is_refused(run, folder, tmp_path):
    text = (folder / "trial.toml").read_text()
    try:
        (folder / "trial.toml").write_text(text.replace("seed = 3", "seed = 5"))
        with pytest.raises(ConfigError, match=r"unchanged since the run.*seed: 3 -> 5"):
            qsp.weigh(run, folder / "targets.csv", out=tmp_path / "drawn", resample=9)
    finally:
        (folder / "trial.toml").write_text(text)
    assert not (tmp_path / "drawn").exists()
