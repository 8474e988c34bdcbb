"""`qsp run --uncertainty`: members in the same patients, bad numbers, notes and text."""

import dataclasses

import numpy as np
import pytest

from qsp import endpoints
from qsp import run as runs
from qsp.calibration.ensemble import read_ensemble
from qsp.cli.tables import results as listed
from qsp.endpoints.resampled import estimates, resamples
from qsp.errors import ConfigError
from qsp.uncertainty import members, with_uncertainty
from tests import small
from tests.run.conftest import CONFIGS, call

POPULATION = CONFIGS.parent / "populations" / "nhl.toml"
PATIENTS = 6


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    path = tmp_path_factory.mktemp("configs") / "small.toml"
    path.write_text(small.config(POPULATION, PATIENTS))
    return runs.prepare(runs.Request(path))


@pytest.fixture(scope="module")
def base(prepared):
    return runs.run(prepared)


@pytest.fixture(scope="module")
def two(prepared, base):
    return with_uncertainty(base, members(prepared, 2))["uncertainty"].to_dataset()


def test_estimates_in_all_patients_are_those_of_the_endpoints(base):
    ds = base.to_dataset()
    found = estimates(ds, resamples(PATIENTS, 3, seed=1))
    rates = endpoints.crs.incidence(ds, by="any", at_least=(1, 2, 3))["value"]
    assert found.whole[:, :3] == pytest.approx(rates.transpose("arm", "grade").values)
    assert found.resampled.shape == (3, 2, 6)
    assert found.failed.tolist() == [0, 0]


def test_a_patient_that_fails_in_one_arm_is_left_out_of_all(base):
    ds = base.to_dataset().copy(deep=True)
    ds["outcome"][{"arm": 0, "patient": 0}] = 1
    found = estimates(ds, np.ones((1, PATIENTS)))
    rest = estimates(base.to_dataset().isel(patient=slice(1, None)), np.ones((1, PATIENTS - 1)))
    assert found.failed.tolist() == [1, 0]
    assert found.whole[:, :3] == pytest.approx(rest.whole[:, :3])


def test_a_member_does_not_depend_on_their_number_and_one_has_no_interval(prepared, base, two):
    tree = with_uncertainty(base, members(prepared, 1))
    one = tree["uncertainty"].to_dataset()
    assert one["estimate"].values == pytest.approx(two["estimate"].values[:1], abs=0.0)
    assert np.isnan(one["lower"]).all()
    text = " ".join(str(part) for part in listed(tree).parts)
    assert "One parameter set: no interval over parameters" in text


def test_members_at_the_shipped_values_have_the_results_of_the_run(prepared, base):
    ensemble = read_ensemble()
    table, rows = prepared.table, ensemble.applying("mosunetuzumab", "NHL")
    single = tuple(each for each in rows if each.molecules)
    values = [[float(table.rows[each.path].value) for each in single]] * 2
    same = dataclasses.replace(ensemble, parameters=single, values=np.array(values))
    found = with_uncertainty(base, members(prepared, 2, ensemble=same))["uncertainty"].to_dataset()
    for member in (1, 2):
        own = found["estimate"].sel(member=member).values
        assert own == pytest.approx(found["fixed"].sel(of="arm").values, rel=1e-6)
    assert (found["parameter_share"].fillna(0.0) < 1e-9).all()


def test_members_change_parameters_but_neither_draws_nor_values_of_the_user(prepared):
    own = prepared.table.overrides
    changed = next(members(prepared, 1).runs())
    before, after = prepared.cohort.people, changed.cohort.people
    assert all(np.array_equal(before.draws[name], after.draws[name]) for name in before.draws)
    assert after.table.rows["synapse.alpha"].value != before.table.rows["synapse.alpha"].value
    assert changed.table.overrides[1:] == own


@pytest.mark.parametrize("number", [0, 51])
def test_other_numbers_of_members_are_refused_before_anything_is_compiled(prepared, number):
    with pytest.raises(ConfigError, match="from 1 to 50"):
        members(prepared, number)


def test_a_molecule_of_the_user_keeps_its_values_and_a_note_says_so(tmp_path, prepared):
    file = tmp_path / "mine.toml"
    shipped = (CONFIGS.parent / "qsp" / "molecules" / "mosunetuzumab.toml").read_text()
    file.write_text(shipped)
    config = tmp_path / "small.toml"
    text = small.config(POPULATION, PATIENTS)
    config.write_text(text.replace('molecule = "mosunetuzumab"', 'molecule = "mine.toml"'))
    found = members(runs.prepare(runs.Request(config)), 1)
    assert "is not in the fit" in found.notes[0]
    alpha = next(found.runs()).table.rows["synapse.alpha"].value
    assert alpha == prepared.table.rows["synapse.alpha"].value
    assert not members(prepared, 1).notes


def test_a_molecule_without_published_rates_is_said_to_be_drawn(tmp_path):
    config = CONFIGS / "approved" / "linvoseltamab.toml"
    found = members(runs.prepare(runs.Request(config, ("patients=2",))), 1)
    assert any("No published rate of linvoseltamab is used" in note for note in found.notes)


def test_the_command_writes_the_table_and_the_group(tmp_path, prepared):
    out = tmp_path / "run"
    done = call("run", prepared.file_request.config, "--uncertainty", 2, "--out", out)
    assert done.code == 0, done.err
    assert "90 % intervals over parameters and patients" in done.out
    assert "Uncertainty of parameters and patients" in (out / "report.html").read_text()
    with runs.read(out) as results:
        assert results["uncertainty"].sizes["member"] == 2
        assert str(results.attrs["command"]).endswith("--uncertainty 2")
    wrong = call("run", prepared.file_request.config, "--uncertainty", 0, "--out", tmp_path / "no")
    assert wrong.code == 2
    assert not (tmp_path / "no").exists()
