"""The published tables: each row has a source, a certainty and a criterion, and is simulated."""

import tomllib
from pathlib import Path

import pytest

from qsp.config import load
from qsp.molecules import names
from qsp.validation.approved import RATES
from qsp.validation.facts import published_facts
from qsp.validation.published import DATA, TABLES, read
from qsp.validation.study import STUDIES

ROWS = [row for table in TABLES for row in read(table)]
CERTAINTIES = {"label", "paper", "own-knowledge"}


def named(row):
    period = row.cells.get("dose_period") or row.cells.get("indication")
    return f"{row.table}-{row['regimen_id']}-{period}"


def population(study):
    return tomllib.loads((DATA / f"{study}.toml").read_text())["population"]


@pytest.fixture(scope="module")
def arms():
    """Dose periods and whether there is a steroid, by study and arm."""
    found = {}
    for study in STUDIES:
        file = DATA.parents[2] / "populations" / f"{population(study)}.toml"
        trial = load(DATA / f"{study}.toml", [f"population={file}"]).trial(100.0)
        for arm in trial.arms:
            kinds = {dose.kind for dose in arm.administrations}
            found[study, arm.name] = (arm.labels, "dexamethasone" in kinds)
    return found


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_row_keeps_its_provenance(row):
    assert row["source"]
    assert row["certainty"] in CERTAINTIES
    assert row["confidence"] in {"high", "medium", "low"}
    assert row["molecule"] in names()


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_unverified_values_have_no_verdict_unless_they_are_targets(row):
    if row["certainty"] != "own-knowledge" or row["judged"].startswith("shown"):
        return
    assert row.table == "crs_rates"
    assert row["molecule"] == "mosunetuzumab"
    assert row["dose_period"] in {"SUD1", "SUD2", "FD1", "FD2", "C3+"}
    assert row["judged"] == "within 12 points"


def test_targets_of_the_project_are_judged():
    judged = {
        (fact.molecule, fact.what, fact.when) for fact in published_facts() if fact.rule.judged
    }
    for period in ("SUD1", "SUD2", "FD1", "FD2", "C3+", "overall"):
        assert ("mosunetuzumab", "CRS, any grade", f"{period}, R/R NHL safety pool") in judged
    for regimen in ("5/15/60", "60 flat"):
        for hours in (6, 12):
            when = f"{regimen} ug/m2/day, {hours} h"
            assert ("blinatumomab", "IL-6 above 10 pg/mL, median", when) in judged


def test_medians_of_blinatumomab_are_those_of_the_target():
    facts = {fact.when: fact.published.value for fact in published_facts() if fact.time}
    assert facts["5/15/60 ug/m2/day, 6 h"] == 124.8
    assert facts["5/15/60 ug/m2/day, 12 h"] == 89.6
    assert facts["60 flat ug/m2/day, 6 h"] == 706.5
    assert facts["60 flat ug/m2/day, 12 h"] == 283.8


def test_every_fact_has_an_arm_with_its_dose_period(arms):
    for fact in published_facts():
        arguments = fact.measure.keywords
        for name in arguments.get("arms", [arguments.get("arm")]):
            labels, _ = arms[fact.study, name]
            assert set(arguments.get("labels", ())) <= set(labels), fact


def test_patients_with_follicular_lymphoma_are_simulated_as_such():
    simulated = {
        (fact.what, fact.when): population(fact.study)
        for fact in published_facts()
        if fact.molecule == "mosunetuzumab"
    }
    follicular = {key for key, name in simulated.items() if name == "nhl_fl"}
    assert follicular == {
        ("CRS, any grade", "overall, R/R FL pivotal"),
        ("ORR", "R/R FL >=2 lines"),
        ("CR", "R/R FL >=2 lines"),
    }
    assert {key for key in simulated if "R/R FL" in key[1]} == follicular
    assert set(simulated.values()) == {"nhl", "nhl_fl"}


def test_each_study_serves_a_fact_of_its_molecule():
    assert {fact.study for fact in published_facts()} == set(STUDIES)
    molecule = {
        name: tomllib.loads((DATA / f"{name}.toml").read_text())["molecule"] for name in STUDIES
    }
    assert all(molecule[fact.study] == fact.molecule for fact in published_facts())


def test_published_premedication_is_simulated(arms):
    steroid = {name for (_, name), (_, has) in arms.items() if has}
    assert {name for _, name in arms if name.startswith("MOSU")} <= steroid
    assert "TEBE_20_30_68" not in steroid
    assert "BLIN_NHL_5_15_60_STEROID" in steroid
    assert "BLIN_NHL_5_15_60" not in steroid


def test_pooled_first_doses_count_as_in_the_publication():
    pooled = next(fact for fact in published_facts() if "pooled" in fact.when)
    weights = pooled.measure.keywords["arms"]
    assert list(weights.values()) == [7, 23, 11, 5, 5, 3, 7]
    assert sum(weights.values()) == 61


def test_cmax_without_a_sample_at_the_peak_has_no_verdict():
    peaks = [f for f in published_facts() if f.what == "Cmax, mean" and f.when == "SUD1, 1 mg"]
    troughs = [f for f in published_facts() if f.what == "Ctrough, mean" and f.when == "SUD1, 1 mg"]
    assert [fact.rule.judged for fact in peaks] == [False]
    assert [fact.rule.judged for fact in troughs] == [True]


def test_unverified_numbers_of_a_row_are_marked():
    certainty = {
        (f.molecule, f.what): f.certainty for f in published_facts() if f.what in ("ORR", "CR")
    }
    assert certainty["tebentafusp", "ORR"] == "paper"
    assert certainty["tebentafusp", "CR"] == "own-knowledge"


def test_digitized_curves_are_not_copied():
    computed = {"standing", "published_arms"}  # by `qsp validate --write`
    assert {path.stem for path in DATA.glob("*.csv")} == {*TABLES, Path(RATES).stem, *computed}
