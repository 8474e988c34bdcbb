"""Weighing the patients of a run: fit, support, conflicts, duplicates, and the weighted run."""

import json
import tomllib

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import qsp
from qsp.cli.app import app
from qsp.endpoints import add_best_response, crs
from qsp.errors import ConfigError
from qsp.patients import read_published
from qsp.patients.values import groups_of
from qsp.patients.weighing import weigh_values, weighted, with_selection
from qsp.results import save
from qsp.results.schema import KEPT
from tests import synthetic

PATIENTS = 60
HEADER = "quantity,arm,period,at_most,unit,share,n,source\n"


@pytest.fixture(scope="module")
def trial():
    """Two arms; heavier patients have more body surface, and age is independent of both."""
    ds = synthetic.lively(PATIENTS, arms=("step_up", "flat"))
    rank = np.linspace(0.0, 1.0, PATIENTS)
    age = 40.0 + 40.0 * np.random.default_rng(5).permutation(rank)
    values = {"body_weight": 50.0 + 50.0 * rank, "body_surface": 1.4 + 0.8 * rank, "age": age}
    return add_best_response(synthetic.put(ds, **values))


@pytest.fixture(scope="module")
def run(trial, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "before"
    folder.mkdir()
    save(xr.DataTree(trial), folder / "results.nc")
    return folder


@pytest.fixture
def targets(tmp_path):
    def write(*rows):
        path = tmp_path / "targets.csv"
        path.write_text(HEADER + "\n".join(rows))
        return path

    return write


def found(ds, path, *, ridge=1.0):
    published = read_published(path)
    return weigh_values(ds, published, path, where="here", ridge=ridge, seed=0)


def test_shares_after_weighing_are_the_published_ones(trial, targets):
    path = targets(
        "age,,,55,year,0.5,100,A",
        "age,,,70,year,0.8,100,A",
        "crs_grade,flat,,1,1,0.5,100,A",
        "il6_peak,step_up,SUD1,40,pg/mL,0.6,63,B",
    )
    weighing = found(trial, path, ridge=0.0)
    w = weighing.weight / weighing.weight.sum()
    assert w @ (trial["age"].values <= 55) == pytest.approx(0.5, abs=1e-8)
    known = trial["outcome"].sel(arm="flat").values == 0
    grade = trial["crs_grade"].sel(arm="flat").max("dose_period").values
    assert w[known & (grade <= 1)].sum() / w[known].sum() == pytest.approx(0.5, abs=1e-8)
    assert [fit.is_met for fit in weighing.diagnosis.fits] == [True] * 4
    assert weighing.effective_size == pytest.approx(1 / (w**2).sum())
    assert weighing.diagnosis.effective < weighing.diagnosis.perfect < PATIENTS


def test_unit_of_the_publication_is_converted(trial, targets):
    in_pg = found(trial, targets("il6_peak,flat,FD1,100,pg/mL,0.5,60,A"))
    in_ng = found(trial, targets("il6_peak,flat,FD1,0.1,ng/mL,0.5,60,A"))
    np.testing.assert_allclose(in_ng.weight, in_pg.weight, rtol=1e-9)


def test_shares_of_the_patients_themselves_move_nothing(trial, targets):
    share = float((trial["age"] <= 60).mean())
    weighing = found(trial, targets(f"age,,,60,year,{share!r},100,A"))
    np.testing.assert_allclose(weighing.weight, 1.0)
    assert weighing.effective_size == pytest.approx(PATIENTS)
    assert weighing.diagnosis.perfect < PATIENTS


def test_perfect_model_needs_fewer_weights_with_more_patients(trial, targets):
    few, many = (
        found(trial, targets(f"age,,,60,year,0.5,{n},A")).diagnosis.perfect for n in (10, 1000)
    )
    assert few < many


def test_conflict_is_named_with_its_reason(trial, targets):
    """80 % are light, but 90 % have a large surface, which only heavy patients have."""
    path = targets(
        "age,,,60,year,0.5,100,A",
        "body_weight,,,70,kg,0.8,200,B",
        "body_surface,,,1.8,m^2,0.1,200,C",
    )
    diagnosis = found(trial, path).diagnosis
    pairs = {(c.published.quantity, tuple(o.quantity for o in c.others))
             for c in diagnosis.conflicts}  # fmt: skip
    assert ("body_weight", ("body_surface",)) in pairs or (
        "body_surface",
        ("body_weight",),
    ) in pairs
    assert all(name != "age" and "age" not in others for name, others in pairs)
    assert not diagnosis.is_met
    assert not diagnosis.out_of_reach


def test_sources_that_contradict_each_other_are_a_conflict(trial, targets):
    path = targets("age,,,60,year,0.2,300,A", "age,,,60,year,0.8,300,B")
    diagnosis = found(trial, path).diagnosis
    assert {each.published.source for each in diagnosis.conflicts} == {"A", "B"}
    for each in diagnosis.conflicts:
        assert [other.source for other in each.others] == list({"A", "B"} - {each.published.source})
    (pair,) = diagnosis.duplicates
    assert (pair.first.source, pair.second.source) == ("A", "B")


def test_distributions_that_agree_are_no_conflict(trial, targets):
    path = targets("age,,,60,year,0.6,50,A", "body_weight,,,70,kg,0.5,50,B")
    diagnosis = found(trial, path).diagnosis
    assert diagnosis.is_met
    assert not [*diagnosis.conflicts, *diagnosis.duplicates, *diagnosis.unsupported]


def test_bin_without_patients_is_reported_as_out_of_reach(trial, targets):
    """All patients are between 40 and 80."""
    diagnosis = found(
        trial, targets("age,,,35,year,0.3,100,A", "age,,,60,year,0.6,100,A")
    ).diagnosis
    (missing,) = diagnosis.unsupported
    assert (missing.bin, missing.probability) == ("35 year or less", pytest.approx(0.3))
    assert [each.quantity for each in diagnosis.out_of_reach] == ["age"]
    assert not diagnosis.conflicts


def test_bin_without_patients_is_refused_if_shares_must_be_met(trial, targets):
    with pytest.raises(ConfigError, match="each bin of age must have patients if ridge is 0"):
        found(trial, targets("age,,,35,year,0.3,100,A"), ridge=0.0)


def test_conflict_is_refused_if_shares_must_be_met(trial, targets):
    path = targets("age,,,60,year,0.2,300,A", "age,,,60,year,0.8,300,B")
    with pytest.raises(ConfigError, match="weights must exist that meet all shares"):
        found(trial, path, ridge=0.0)


def test_weight_of_one_patient_is_refused(trial, targets):
    few = trial.isel(patient=slice(0, 8))
    lightest = float(few["body_weight"].min()) + 0.1
    with pytest.raises(ConfigError, match="no patient may have more than 50% of the total weight"):
        found(few, targets(f"body_weight,,,{lightest},kg,0.9,500,A"))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_impossible_weights_before_are_refused(trial, targets, weight):
    wrong = np.ones(PATIENTS)
    wrong[3] = weight
    ds = synthetic.put(trial, prevalence_weight=wrong)
    if np.isnan(weight):  # of patients that were not run
        assert found(ds, targets("age,,,60,year,0.5,100,A")).weight[3] == 0.0
        return
    with pytest.raises(ConfigError, match="every weight must be"):
        found(ds, targets("age,,,60,year,0.5,100,A"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("agee,,,60,year,0.5,100,A", "agee must be a quantity of the patients, but is unknown. Did "
         "you mean 'age'"),
        ("outcome,,,0,1,0.5,100,A", "outcome must be a quantity of the patients"),
        ("il6,flat,,3,pg/mL,0.5,100,A", "il6 must be a quantity of the patients"),
        ("age,,,60,kg,0.5,100,A", "kg"),
        ("age,flat,,60,year,0.5,100,A", "arm must be empty for age, which is the same in all arms"),
        ("age,,FD1,60,year,0.5,100,A", "period must be empty for age, which has no dose periods"),
        ("il6_peak,,,60,pg/mL,0.5,100,A", "arm must be given for il6_peak, which differs between "
         "arms, but is empty. Arms: step_up, flat"),
        ("il6_peak,flatt,,60,pg/mL,0.5,100,A", "arm must be an arm, but is 'flatt'. Did you mean "
         "'flat'"),
        ("il6_peak,flat,SUD9,60,pg/mL,0.5,100,A", "period must be the label of a dose period"),
        ("il6_peak,flat,SUD1,60,pg/mL,0.5,100,A", "il6_peak must have a value in some patients"),
    ],
)  # fmt: skip
def test_targets_that_the_run_lacks_are_refused_with_a_remedy(trial, targets, row, message):
    with pytest.raises(ConfigError) as caught:
        found(trial, targets(row))
    assert message in str(caught.value)


def test_weighted_run_has_the_weights_in_all_estimates(run, targets, tmp_path):
    path = targets("crs_grade,flat,,0,1,0.3,200,A", "age,,,60,year,0.6,200,A")
    weighing = qsp.weigh(run, path, out=tmp_path / "after")
    results = qsp.read(tmp_path / "after")
    np.testing.assert_array_equal(results.ds["prevalence_weight"], weighing.weight)
    rate = crs.incidence(results, by="any").sel(arm="flat", grade=1)
    fit = weighing.diagnosis.fits[0]
    assert 1 - rate["value"].item() == pytest.approx(fit.after)
    assert fit.after == pytest.approx(0.3, abs=0.01) != fit.before
    record = tomllib.loads((tmp_path / "after" / "weights.toml").read_text())
    assert record["effective_size"] == pytest.approx(weighing.effective_size)
    assert len(record["targets_sha256"]) == 64
    assert (tmp_path / "after" / "targets.csv").read_bytes() == path.read_bytes()
    assert "weighted by prevalence" in (tmp_path / "after" / "report.html").read_text()
    assert "Patients are weighted to 2 published distributions" in results.ds.attrs["notes"]
    with pytest.raises(ConfigError, match="--out must not exist yet"):
        qsp.weigh(run, path, out=tmp_path / "after")


def test_stored_bands_are_those_of_the_weighted_patients(trial, targets):
    few = trial[["il6"]].isel(patient=slice(0, 30)).rename(patient=KEPT)
    few = few.drop_vars([name for name in few.coords if name not in (KEPT, "arm", "time")])
    over_time = [name for name, each in trial.data_vars.items() if "time" in each.dims]
    tree = xr.DataTree(trial.drop_vars(over_time), children={"trajectories": xr.DataTree(few)})
    weighing = found(trial, targets("age,,,60,year,0.9,200,A"))
    after = weighted(tree, weighing).to_dataset()["il6_quantiles"]
    assert after.sizes["quantile"] == 5
    values = few["il6"].sel(arm="flat").isel(time=5).values
    known = np.isfinite(values)  # one simulation failed
    w = weighing.weight[:30][known]
    middle = np.quantile(values[known], 0.5, weights=w, method="inverted_cdf")
    assert after.sel(arm="flat", quantile=0.5).isel(time=5).item() == middle


def test_run_with_observations_is_refused(trial, targets, tmp_path):
    (tmp_path / "observed").mkdir()
    ds = trial.assign(observed_value=("observation", np.zeros(3)))
    save(xr.DataTree(ds), tmp_path / "observed" / "results.nc")
    with pytest.raises(ConfigError, match="the run must have no observations"):
        qsp.weigh(tmp_path / "observed", targets("age,,,60,year,0.6,200,A"))


def test_selected_patients_are_a_run_without_weights(run, trial, targets, tmp_path):
    path = targets("age,,,60,year,0.8,200,A")
    found = qsp.weigh(run, path, out=tmp_path / "some", select=True, seed=3)
    ds = qsp.read(tmp_path / "some").ds
    assert found.selected is not None
    np.testing.assert_array_equal(ds["patient"], found.ids[found.selected])
    assert (ds["prevalence_weight"] == 1.0).all()
    chosen = trial.isel(patient=found.selected)
    np.testing.assert_array_equal(ds["il6_peak"], chosen["il6_peak"])
    assert found.shares_selected == (pytest.approx(float((chosen["age"] <= 60).mean())),)
    assert 0.6 < found.shares_selected[0] < 1.0  # half of the patients before
    assert found.selected[np.argmax(found.weight)]
    record = tomllib.loads((tmp_path / "some" / "weights.toml").read_text())
    assert record["selected"] == int(found.selected.sum())
    assert f"{record['selected']} of 60 patients are selected" in ds.attrs["notes"]


def test_share_of_selected_patients_is_that_of_the_weights_on_average(trial, targets):
    path = targets("age,,,60,year,0.8,200,A")
    published = read_published(path)
    shares = []
    for seed in range(40):
        weighing = weigh_values(trial, published, path, where="here", ridge=0.0, seed=seed)
        shares += with_selection(weighing, groups_of(trial, published)).shares_selected
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) == pytest.approx(0.8, abs=4 * error)
    assert len(set(shares)) > 5


@pytest.mark.parametrize("ridge", [-1.0, np.nan])
def test_impossible_ridge_is_refused(run, targets, ridge):
    with pytest.raises(ConfigError, match="ridge: the value must be 0 or more"):
        qsp.weigh(run, targets("age,,,60,year,0.6,200,A"), ridge=ridge)


def test_command_prints_the_table_and_the_notes(run, targets, tmp_path):
    path = targets("age,,,60,year,0.2,300,A", "age,,,60,year,0.8,300,B", "age,,,20,year,0.1,9,C")
    words = ["weigh", str(run), "--targets", str(path), "--out", str(tmp_path / "after")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "Effective number of patients" in text
    assert "Conflict: age (A) is met alone, but not together with the others" in text
    assert "it is met without age (B)" in text
    assert "Duplicates: age (A) and age (B) count the same patients twice." in text
    assert "No patient: age, 20 year or less (10 % of the publication)." in text
    done = CliRunner().invoke(app, [*words, "--force", "--select"])
    assert "selected (%)" in " ".join(done.output.split())
    assert "Run of the selected patients" in done.output
    done = CliRunner().invoke(app, [*words, "--force", "--json"])
    rows = json.loads(done.stdout)
    assert rows[0]["selected"] is None
    assert [row["source"] for row in rows] == ["A", "B", "C"]
    assert rows[0]["published"] == 0.2
