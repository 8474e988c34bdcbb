"""Lesions in the results: at visits, over time on request, and only where the tumor has them."""

import numpy as np
import pytest

import qsp
from qsp.api.simulate import simulate_trial
from qsp.errors import ConfigError
from qsp.model.tumors import Lesions
from qsp.report.export import export_csv
from qsp.results.before_treatment import target_baseline
from qsp.run.prepared import assemble


def trial(molecule, population, patients=4, tumor="lesions", dose="30 mg"):
    drug = qsp.molecule(molecule)
    people = qsp.population(population).sample(patients, molecule=drug, seed=1)
    give = qsp.sc if molecule == "teclistamab" else qsp.iv
    flat = qsp.regimen(give(dose, day=1, period="FD1"))
    return qsp.Trial.of({"flat": flat}, people, days=21, visits=[7, 21], method={"tumor": tumor})


@pytest.mark.slow
def test_lesions_at_visits_and_over_time(tmp_path):
    saved = ["lesions.positive", "lesions.dying", "lesions.exhaustion"]
    run = simulate_trial(trial("glofitamab", "nhl_dlbcl"), save=saved, progress=False)
    ds = run.ds
    assert ds.attrs["backend"] == "native"
    assert ds.sizes["lesion"] == 4
    assert ds.lesion.values[0] == "lesion_1"
    np.testing.assert_allclose(ds.lesion_volume_visit.sum("lesion"), ds.tumor_volume_visit)
    np.testing.assert_allclose(ds.lesion_volume_baseline.sum("lesion"), ds.tumor_volume_baseline)
    assert (ds.lesion_viable_visit <= ds.lesion_volume_visit).all()
    assert ds.lesion_volume_visit.dims == ("arm", "patient", "visit", "lesion")
    assert ds.lesion_volume_visit.attrs["units"] == "mL"
    hazard = ds.new_lesion_hazard_visit.values
    assert np.all(hazard[..., 1] > hazard[..., 0])
    assert "m_protein_visit" not in ds
    assert ds.attrs["response_criteria"] == "lugano"
    assert ds.sum_of_products_visit.dims == ("arm", "patient", "visit")
    assert np.isfinite(ds.progression_free_time).all()
    export_csv(ds.drop_vars(saved), tmp_path)
    header, *rows = (tmp_path / "lesions.csv").read_text().splitlines()
    names = "LESION_VOLUME,LESION_VIABLE,LESION_LOSS_SHARE,LESION_EXHAUSTION"
    assert header == f"ARM,ARMN,ID,TIME,LESION,{names}"
    assert len(rows) == ds.lesion_volume_visit.size
    assert rows[0].startswith("flat,1,0,7,lesion_1,")
    positive = ds["lesions.positive"].sel(time=21.0)
    expected = ds.lesion_viable_visit.sel(visit=21.0) * (
        1 - ds.lesion_loss_share_visit.sel(visit=21)
    )
    np.testing.assert_allclose(positive, expected * 1e3, rtol=1e-9, atol=1e-9)  # 1e3 Mcell per mL
    exhaustion = ds["lesions.exhaustion"].sel(time=21.0)
    np.testing.assert_array_equal(ds.lesion_exhaustion_visit.sel(visit=21.0), exhaustion)
    assert 0.0 < float(exhaustion.max()) < 1.0
    share = ds.lesion_viable_visit / ds.lesion_viable_visit.sum("lesion")
    for name in ("loss_share", "exhaustion"):
        mean = (share * ds[f"lesion_{name}_visit"]).sum("lesion")
        np.testing.assert_allclose(ds[f"{name}_visit"], mean, rtol=1e-12)
        assert ds[f"{name}_visit"].attrs["units"] == "1"


@pytest.mark.parametrize(
    ("molecule", "population", "number", "new_lesions", "m_protein"),
    [
        ("glofitamab", "nhl_dlbcl", 4, True, False),
        ("teclistamab", "myeloma", 2, False, True),
        ("blinatumomab", "b_all", 1, False, False),
        ("tarlatamab", "sclc", 4, True, False),
    ],
)
def test_a_disease_has_the_states_of_its_values(
    molecule, population, number, new_lesions, m_protein
):
    of = trial(molecule, population)
    tumor = assemble(of.config, of.people.table).system.structure.tumor
    assert tumor == Lesions(number, new_lesions, m_protein)


def test_the_elimination_of_m_protein_is_in_the_results_of_myeloma():
    names = {}
    for molecule, population in (("teclistamab", "myeloma"), ("glofitamab", "nhl_dlbcl")):
        of = trial(molecule, population, patients=8)
        names[population] = target_baseline(assemble(of.config, of.people.table).cohort.parameters)
    assert "m_protein_elimination" not in names["nhl_dlbcl"]
    assert np.all(names["myeloma"]["m_protein_elimination"] > 0.0)


@pytest.mark.parametrize("tumor", ["pool", "lesions"])
def test_quantities_that_the_structure_lacks_are_refused(tumor):
    path = "lesions.positive" if tumor == "pool" else "lesions.m_protein"
    with pytest.raises(ConfigError, match=f"{path} must be a quantity of this structure"):
        simulate_trial(trial("glofitamab", "nhl_dlbcl", tumor=tumor), save=[path])
