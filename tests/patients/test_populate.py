"""Candidates, their screen, and runs of the accepted cohort."""

import csv
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import qsp
from qsp.cluster.create import input_files
from qsp.config import load
from qsp.errors import ConfigError
from qsp.patients.baseline_ranges import ranges_of, read_ranges, shipped_ranges
from qsp.patients.populating import SAVES
from qsp.patients.resampling import resampled
from qsp.patients.screen import STEADY, first_reasons, reasons
from qsp.populations.cohort_file import FILE, read_cohort_file
from qsp.results import record_of
from qsp.results.schema import FAILED, IMPLAUSIBLE
from qsp.run import Request, prepare, run
from qsp.run.folder import COHORT
from tests import small
from tests.run.conftest import CONFIGS, call

N, DAYS = 64, 14.0
NHL = CONFIGS.parent / "populations" / "nhl.toml"
HEADER = "quantity,disease,low,high,unit,status,source\n"
NARROW = (
    HEADER
    + "t_cells_blood_baseline,,0.6,2,1/nL,assumed,\n"
    + "t_cells_blood_baseline,multiple myeloma,0,1,1/uL,assumed,\n"
    + "tumor_volume_baseline,,10,500,mL,published,Author 2020\n"
)
"""A part of the candidates has other numbers of T cells, or tumors of other sizes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("populate")
    (path / "trial.toml").write_text(small.config(NHL, 6))
    (path / "ranges.csv").write_text(NARROW)
    return path


@pytest.fixture(scope="module")
def found(folder):
    return qsp.populate(
        folder / "trial.toml",
        N,
        out=folder / "cohort",
        seed=1,
        days=DAYS,
        ranges=folder / "ranges.csv",
    )


@pytest.fixture(scope="module")
def with_cohort(folder, found):
    """The config with the cohort in place of a number of patients; it is next to the first one."""
    text = (folder / "trial.toml").read_text().replace("patients = 6", 'cohort = "cohort"')
    (folder / "chosen.toml").write_text(text)
    return folder / "chosen.toml"


def test_blocks_and_number_of_candidates_change_nothing(folder, found):
    part = qsp.populate(
        folder / "trial.toml", 24, seed=1, days=DAYS, ranges=folder / "ranges.csv", block=10
    )
    np.testing.assert_array_equal(part.rejected_for, found.rejected_for[:24])
    assert part.cohort == found.cohort.at(found.cohort.ids < 24)


def test_each_candidate_is_accepted_or_has_one_reason(folder, found):
    with (folder / "cohort" / "screen.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["candidate"]) for row in rows] == list(range(N))
    known = {reason.name for reason in found.reasons}
    for row in rows:
        assert (row["accepted"] == "true") == (row["reason"] == "")
        assert row["reason"] in {"", *known}
    accepted = [int(row["candidate"]) for row in rows if row["accepted"] == "true"]
    assert accepted == found.cohort.ids.tolist() == found.cohort.source_ids.tolist()
    assert 0 < len(accepted) < N
    assert len(accepted) + sum(found.counts.values()) == N
    assert set(found.counts) == {
        "out_of_range_t_cells_blood_baseline",
        "out_of_range_tumor_volume_baseline",
    }
    with (folder / "cohort" / "summary.csv").open(newline="") as file:
        summary = {row["reason"]: int(row["candidates"]) for row in csv.DictReader(file)}
    assert summary.pop("accepted") == len(accepted)
    assert {name: count for name, count in summary.items() if count} == found.counts
    assert list(summary) == [reason.name for reason in found.reasons]


def test_folder_has_the_provenance(folder, found):
    record = tomllib.loads((folder / "cohort" / "populate.toml").read_text())
    assert record["seed"] == 1
    assert record["candidates"] == N
    assert record["accepted"] == len(found.cohort)
    assert record["rejected"] == found.counts
    assert record["disease"] == "NHL"
    assert record["model_version"]
    assert len(record["config_sha256"]) == len(record["parameters_sha256"]) == 64
    assert (folder / "cohort" / "ranges.csv").read_text() == NARROW
    ds = xr.open_dataset(folder / "cohort" / FILE)
    assert ds.attrs["seed"] == 1
    assert {"draws", "source_id"} == set(ds.data_vars)
    assert FILE == COHORT
    assert read_cohort_file(folder / "cohort") == found.cohort


def untreated(patients, **changed):
    """Results without treatment in which nothing changes, with some values in one patient."""
    time = np.linspace(0.0, DAYS, SAVES + 1)
    dims, shape = ("arm", "patient", "time"), (1, patients, len(time))
    data = {name: (dims, np.full(shape, 100.0)) for name in STEADY}
    data["outcome"] = (("arm", "patient"), np.zeros((1, patients), np.int8))
    data["tumor_volume_baseline"] = (("arm", "patient"), np.full((1, patients), 100.0))
    ds = xr.Dataset(data)
    for name, (patient, value) in changed.items():
        ds[name].values[0, patient] = value
    return ds


def test_patients_that_a_cohort_lacks_are_refused(found):
    lacking = np.array([*found.cohort.ids[:2], found.cohort.ids[-1] + 1])
    with pytest.raises(ConfigError, match="must have all patients"):
        found.cohort.population(None, lacking, seed=1, periods=1)


def test_the_first_of_several_reasons_is_given(folder):
    known = ranges_of(read_ranges(folder / "ranges.csv"), "NHL")
    drift = np.linspace(100.0, 106.0, SAVES + 1)
    ds = untreated(
        6,
        outcome=([0, 1], [IMPLAUSIBLE, FAILED]),
        t_cells_blood=([0, 1, 2], [np.full(SAVES + 1, np.nan)] * 2 + [drift]),
        il6=([2, 3], drift),
        tumor_volume_baseline=([3, 4], 1e4),
    )
    found = first_reasons(ds, known, np.full(6, 0.1))  # 1,000 T cells per uL
    listed = reasons(known, DAYS)
    assert [listed[place].name if place >= 0 else "" for place in found] == [
        "implausible_parameters",
        "solver_failed",
        "not_steady_t_cells_blood",
        "not_steady_il6",
        "out_of_range_tumor_volume_baseline",
        "",
    ]
    assert len({reason.name for reason in listed}) == len(listed) == 2 + len(STEADY) + len(known)
    out = first_reasons(untreated(1), known, np.full(1, 1.0))  # 100 per uL
    assert listed[out[0]].name == "out_of_range_t_cells_blood_baseline"


def test_growth_of_a_tumor_and_absent_cells_are_no_reason():
    ds = untreated(1, b_cells_blood=(0, 0.0), tumor_volume_baseline=(0, np.nan))
    assert first_reasons(ds, (), np.ones(1))[0] == -1


@pytest.fixture(scope="module")
def results(with_cohort):
    return run(prepare(Request(with_cohort)))


def test_run_has_the_accepted_patients_with_their_ids(results, found):
    np.testing.assert_array_equal(results["patient"], found.cohort.ids)
    assert (results["outcome"] == 0).all()
    cells = results["parameters"]["t_cells.baseline.blood"]
    assert (cells > 2000).all()  # 0.6 per nL in 5 L, with a spread of the volume


def test_run_of_a_cohort_is_that_of_its_patients_to_the_bit(results, with_cohort, found):
    blocks = [run(part, whole=False) for part in prepare(Request(with_cohort)).in_blocks(7)]
    joined = xr.concat([part.to_dataset() for part in blocks], "patient", data_vars="minimal")
    chosen = found.cohort.ids[[1, 4]].tolist()
    alone = run(prepare(Request(with_cohort, [f"patients={chosen}"])))
    for name in ("il6_peak", "crs_grade", "tumor_volume_end", "age", "cmax"):
        np.testing.assert_array_equal(joined[name], results[name])
        np.testing.assert_array_equal(alone[name], results[name].sel(patient=chosen))


def test_python_and_the_command_line_run_the_same_cohort(results, with_cohort, found, tmp_path):
    trial = qsp.read(with_cohort)
    assert trial.people.ids == tuple(found.cohort.ids.tolist())
    trial.to_toml(tmp_path / "again.toml")
    again = qsp.read(tmp_path / "again.toml")
    assert again == trial
    people = qsp.population(NHL).from_cohort(
        with_cohort.parent / "cohort", molecule="mosunetuzumab", seed=3
    )
    assert people == trial.people
    np.testing.assert_array_equal(people.covariates["age"], results["age"])
    assert ".from_cohort(" in trial.to_python()
    few = people.select(people.ids[:2])
    assert len(few.parameters) == 2
    ran = qsp.Trial.of(trial.arms, few, days=8, visits=[4, 8]).simulate(progress=False)
    np.testing.assert_array_equal(ran.ds["il6_peak"], results["il6_peak"].isel(patient=[0, 1]))
    assert people.typical.cohort is None


def test_record_names_the_cohort(with_cohort, results):
    record = json.loads(results.attrs["run_record"])
    assert len(record["data_files"]["cohort"]) == 64
    assert record["config"]["cohort"] == "cohort"
    assert len(load(with_cohort).patient_ids) == len(results["patient"])
    assert len(load(with_cohort, ["patients=3"]).patient_ids) == 3


def test_run_of_a_cohort_is_resampled_with_its_draws(results, found):
    counts = np.arange(len(found.cohort)) % 3
    drawn = resampled(record_of(results), found.cohort.ids, counts, seed=0, where="run")
    rows = np.searchsorted(found.cohort.ids, drawn.source_ids)
    assert len(drawn) == counts.sum()
    for name, values in found.cohort.draws.items():
        np.testing.assert_array_equal(drawn.draws[name], values[rows])
    assert drawn.parameters == found.cohort.parameters


def test_shards_read_a_copy_of_the_cohort(with_cohort, results):
    assert with_cohort.parent / "cohort" / FILE in input_files(prepare(Request(with_cohort)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["patients=99"], "patients must be at most the number in the cohort"),
        (["patients=[9999]"], "patients must be ids of the cohort, but is 9999, which is not"),
        (["patients=typical"], 'cohort must not be given with patients = "typical"'),
        (["draws.xi_patient=1"], "cohort must not be given with draws"),
        (["cohort=nowhere"], "cohort must be a folder with cohort.nc, relative to the config, but "
         "is missing"),
        (["cohort=3"], "cohort must be the folder of a cohort, in quotes"),
        (["parameters.'synapse.alpha'='2e-3'"], "the parameters of the cohort must be the "
         "parameters of the config, but is not: synapse.alpha: "),
        (["population=myeloma", "molecule=teclistamab"], "the cohort must be of the disease of the "
         "population (multiple myeloma), but is of NHL"),
    ],
)  # fmt: skip
def test_other_patients_or_parameters_are_refused(with_cohort, changes, message):
    with pytest.raises(ConfigError) as caught:
        prepare(Request(with_cohort, changes))
    assert message in str(caught.value)


def test_covariates_of_individual_patients_are_refused(with_cohort, tmp_path):
    (tmp_path / "own.csv").write_text("id,age\n1,50\n")
    with pytest.raises(ConfigError, match=r"cohort must not be given with the patients of own.csv"):
        prepare(Request(with_cohort, covariates=tmp_path / "own.csv"))


def test_cohort_of_another_model_is_refused(with_cohort, tmp_path):
    ds = xr.load_dataset(with_cohort.parent / "cohort" / FILE)
    ds.assign_attrs(model_version="1.0").to_netcdf(tmp_path / FILE)
    with pytest.raises(ConfigError, match=r"cohort must be of model 2.*of model 1\.0.*populate"):
        prepare(Request(with_cohort, [f"cohort={tmp_path}"]))


@pytest.mark.parametrize("cut", [0, 100, 5000])
def test_damaged_cohort_is_refused(with_cohort, tmp_path, cut):
    whole = (with_cohort.parent / "cohort" / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:cut])
    with pytest.raises(
        ConfigError, match="must be a folder with a whole cohort.nc, but is damaged"
    ):
        load(with_cohort, [f"cohort={tmp_path}"])


@pytest.mark.parametrize("n", [0, -3, 2.5, True, "64"])
def test_impossible_number_of_candidates_is_refused(folder, n):
    with pytest.raises(ConfigError, match="n must be a whole number of at least 1"):
        qsp.populate(folder / "trial.toml", n)


@pytest.mark.parametrize("days", [0.0, -1.0, np.nan, np.inf])
def test_impossible_length_is_refused(folder, days):
    with pytest.raises(ConfigError, match="days must be above 0"):
        qsp.populate(folder / "trial.toml", 8, days=days)


def test_bad_input_is_refused_before_anything_is_simulated(folder, found, with_cohort, tmp_path):
    config = folder / "trial.toml"
    for expected, arguments in (
        ("--out must not exist yet", (config, 8, {"out": folder / "cohort"})),
        ("seed must be a whole number", (config, 8, {"seed": -1})),
        ("the file of ranges must exist", (config, 8, {"ranges": tmp_path / "no.csv"})),
        ("the config file must exist", (tmp_path / "no.toml", 8, {})),
        ("chosen by the key cohort", (with_cohort, 8, {})),
        ("chosen by the key draws", (config, 8, {"changes": ["draws.xi_patient=1"]})),
        ("at most method.most_patients", (config, 10**8, {})),
        (
            "chosen by a dose table of several patients",
            (CONFIGS / "mosunetuzumab_dose_table.toml", 2, {}),
        ),
    ):
        path, n, options = arguments
        with pytest.raises(ConfigError) as caught:
            qsp.populate(path, n, **options)
        assert expected in str(caught.value)


def test_screen_that_no_candidate_passes_names_reasons_and_remedy(folder, tmp_path):
    path = tmp_path / "ranges.csv"
    path.write_text(HEADER + "t_cells_blood_baseline,,0,1,1/uL,assumed,\n")
    with pytest.raises(ConfigError) as caught:
        qsp.populate(
            folder / "trial.toml", 5, seed=1, days=DAYS, ranges=path, out=tmp_path / "none"
        )
    assert "at least one of 5 candidates must be plausible, but is none: 5 rejected for " in str(
        caught.value
    )
    assert "out_of_range_t_cells_blood_baseline. Check the baselines" in str(caught.value)
    assert not (tmp_path / "none").exists()


def test_command_prints_the_reasons(folder, tmp_path):
    words = ("populate", folder / "trial.toml", "--n", N, "--seed", 1, "--days", DAYS)
    done = call(*words, "--ranges", folder / "ranges.csv", "--out", tmp_path / "one")
    assert done.code == 0, done.err
    text = " ".join(done.out.split())
    assert f"{N} candidates" in text
    assert "out_of_range_tumor_volume_baseline" in text
    assert "solver_failed" not in text  # no candidate
    assert f"Cohort: {tmp_path / 'one'}" in done.out
    first = (folder / "cohort" / "screen.csv").read_bytes()
    assert (tmp_path / "one" / "screen.csv").read_bytes() == first
    done = call(*words, "--ranges", folder / "ranges.csv", "--out", tmp_path / "two", "--json")
    rows = json.loads(done.out)
    assert sum(row["candidates"] for row in rows) == N
    assert call("populate", folder / "trial.toml", "--n", 0, "--out", tmp_path / "three").code == 2


def test_shipped_ranges_are_valid_and_sourced():
    known = read_ranges(shipped_ranges())
    bib = (Path(qsp.__file__).parent / "references.bib").read_text()
    for each in known:
        assert each.source or each.status == "assumed"
        assert not each.source or f"{{{each.source}," in bib
    cells = {each.quantity: each for each in ranges_of(known, "multiple myeloma")}
    assert (cells["t_cells_blood_baseline"].low, cells["t_cells_blood_baseline"].high) == (16, 2580)
    assert "soluble_target_baseline" not in {each.quantity for each in ranges_of(known, "NHL")}
