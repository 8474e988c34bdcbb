"""Response of a run: which rule applies, and the quantities of patients that it needs."""

import numpy as np
import pytest

import qsp
from qsp.errors import ConfigError
from qsp.populations import read_cohort
from qsp.run.prepared import assemble
from qsp.run.response import assessed


def prepared(molecule, population, tumor="lesions", changes=None, patients=4):
    drug = qsp.molecule(molecule)
    people = qsp.population(population).sample(patients, molecule=drug, seed=1)
    give = qsp.sc if population == "myeloma" else qsp.iv
    regimen = qsp.regimen(give("10 mg", day=1, period="FD1"))
    arms = {"flat": regimen}
    trial = qsp.Trial.of(arms, people, days=42, visits=[42], method={"tumor": tumor})
    config = trial.config
    if changes:
        own = config.arms["flat"].model_copy(update={"parameters": changes})
        config = config.model_copy(update={"arms": {"flat": own}})
    return assemble(config, people.table)


@pytest.mark.parametrize(
    ("molecule", "population", "pool", "lesions"),
    [
        ("glofitamab", "nhl_dlbcl", "lugano", "lugano"),
        ("tarlatamab", "sclc", "recist", "recist"),
        ("talquetamab", "myeloma", "lugano", "imwg"),
        ("blinatumomab", "b_all", "lugano", "blasts"),
        ("blinatumomab", "b_all_mrd", "lugano", "blasts"),
    ],
)
def test_lesions_are_judged_by_the_rule_of_the_disease(molecule, population, pool, lesions):
    assert prepared(molecule, population, "pool").criteria == pool
    assert prepared(molecule, population).criteria == lesions


def test_quantities_of_patients_come_from_the_population():
    myeloma = assessed(prepared("talquetamab", "myeloma"))
    np.testing.assert_allclose(myeloma.k_death, np.full((1, 4), 9e-4))
    np.testing.assert_allclose(myeloma.other_marrow, np.full((1, 4), 500.0))  # 1e3 Mcell per mL
    assert myeloma.seed == 1
    lymphoma = assessed(prepared("glofitamab", "nhl_dlbcl"))
    np.testing.assert_allclose(lymphoma.k_death, 3e-4)
    assert np.isnan(lymphoma.other_marrow).all()
    melanoma = assessed(prepared("tebentafusp", "uveal_melanoma"))
    assert (melanoma.k_death == 0.0).all()


def test_an_arm_may_change_them():
    changed = prepared("glofitamab", "nhl_dlbcl", changes={"tumor.k_death": "2e-3 1/day"})
    np.testing.assert_allclose(assessed(changed).k_death, np.full((1, 4), 2e-3))
    # Also those that the population does not have.
    changed = prepared("tebentafusp", "uveal_melanoma", changes={"tumor.k_death": "2e-3 1/day"})
    np.testing.assert_allclose(assessed(changed).k_death, np.full((1, 4), 2e-3))


def test_an_unknown_rule_of_lesions_is_refused(tmp_path):
    file = tmp_path / "people.toml"
    file.write_text(
        'title = "t"\ndisease = "d"\nresponse_criteria = "lugano"\ncard = "c"\n'
        'lesion_criteria = "imvg"\n'
    )
    with pytest.raises(ConfigError, match="lesion_criteria must be one of lugano, recist, imwg"):
        read_cohort(file)
    file.write_text(file.read_text().replace("imvg", "imwg"))
    other = tmp_path / "more.toml"
    other.write_text('extends = "people.toml"\n')
    assert read_cohort(other).lesion_criteria == "imwg"
