"""Tables that reports read: written by `qsp validate --write`, current, and matched strictly."""

import dataclasses

import pytest

from qsp import shipped
from qsp.report import standing
from qsp.results.record import ArmRecord, DoseRecord, ParameterRecord, RegimenRecord, RunRecord
from qsp.validation import standing as writer
from qsp.validation.facts import published_facts
from qsp.validation.row import Row
from qsp.validation.selected import Simulated


@pytest.fixture(scope="module")
def records():
    return writer.study_records(shipped.folder("populations"))


@pytest.fixture(scope="module")
def study(records):
    """A study whose response agrees with its trial."""
    return records["tebentafusp_response"]


def test_table_of_responses_is_of_the_shipped_parameters(records):
    """Fails if a parameter or the model changes: run `qsp validate --write`."""
    current = {
        (record.molecule, record.population): standing.parameter_hash(record)
        for record in records.values()
    }
    assert len(standing.standings()) == 11
    for row in standing.standings():
        assert row.parameters == current[row.molecule, row.population]


def test_table_of_published_rates_is_that_of_the_facts_and_configs(records):
    assert standing.rates() == tuple(writer.published(records))


def test_written_response_is_that_of_the_validation(records, tmp_path):
    facts = [fact for fact in published_facts() if fact.what == "ORR"]
    rows = [Row(fact, Simulated(30.0), fact.rule.verdict(30.0, 9.0)) for fact in facts]
    found = {row.indication: row for row in writer.standing(rows, records)}
    assert found["metastatic uveal melanoma"].miss == 21.0
    assert not found["metastatic uveal melanoma"].agrees
    assert found["R/R DLBCL >=2 lines"].miss == -12.0
    assert not found["R/R DLBCL >=2 lines"].agrees  # other patients
    files = writer.write(rows, folder=tmp_path)
    assert [file.name for file in files] == ["standing.csv", "published_arms.csv"]
    assert "metastatic uveal melanoma,yes,30,9,21," in files[0].read_text()


def test_response_is_shown_only_at_the_parameters_of_the_validation(study):
    assert standing.shows_response(study)
    assert standing.response_sentence(study) == ""
    first, *rest = study.parameters
    changed = dataclasses.replace(first, value="4.9 L")
    other = dataclasses.replace(study, parameters=(changed, *rest))
    assert not standing.shows_response(other)
    assert "rate with a trial is stored at the parameter values of this run." in (
        standing.response_sentence(other)
    )
    spread = dataclasses.replace(first, spread="log-normal, CV 16 %")
    assert not standing.shows_response(dataclasses.replace(study, parameters=(spread, *rest)))
    assert not standing.shows_response(dataclasses.replace(study, model_version="0.9"))


def test_response_of_an_arm_with_other_parameters_is_not_shown(study):
    arm = dataclasses.replace(study.arms[0], parameters={"synapse.alpha": "2e-3"})
    assert not standing.shows_response(dataclasses.replace(study, arms=(arm,)))


def test_reasons_for_not_showing_a_response(records, study, monkeypatch):
    mixed = standing.response_sentence(records["mosunetuzumab"])
    assert mixed.endswith("with a trial is stored for the patients of this population.")
    other = dataclasses.replace(study, population="nhl_dlbcl")
    assert standing.response_sentence(other).endswith(
        "with a trial is stored for this molecule in this population."
    )
    row = standing.response_standing(study)
    far = dataclasses.replace(row, miss=-12.5)
    monkeypatch.setattr(standing, "standings", lambda: (far,))
    assert "is -12 points from the published one (metastatic uveal melanoma)" in (
        standing.response_sentence(study)
    )
    monkeypatch.setattr(standing, "standings", lambda: (dataclasses.replace(row, miss=12.0),))
    assert standing.shows_response(study)


def test_published_rates_belong_to_the_same_molecule_patients_drugs_and_doses(records):
    study = records["mosunetuzumab"]
    name = "MOSU_IV_1_2_60_30"
    found = standing.published_rates(study, name)
    assert {grade: row.percent for grade, row in found.items()} == {1: 39.0}
    arm = next(each for each in study.arms if each.name == name)
    regimen = arm.regimens[0]

    def of(**changes):
        changed = dataclasses.replace(arm, **changes)
        return standing.published_rates(dataclasses.replace(study, arms=(changed,)), name)

    assert of() == found
    molecule_only = tuple(dose for dose in regimen.doses if dose.is_molecule)
    assert of(regimens=(RegimenRecord(molecule_only),)) == {}  # without the steroid
    assert of(parameters={"synapse.alpha": "2e-3"}) == {}
    managed = of(rules=("tocilizumab at grade 2",))
    assert {grade: row.percent for grade, row in managed.items()} == {1: 39.0, 2: 17.0}
    doubled = tuple(dataclasses.replace(d, amount_mg=2 * d.amount_mg) for d in regimen.doses)
    assert of(regimens=(RegimenRecord(doubled),)) == {}
    assert of(regimens=(regimen, regimen)) == {}  # patients with different doses
    assert of(regimens=(RegimenRecord(regimen.doses[:-1]),)) == found  # a shorter trial
    assert standing.published_rates(dataclasses.replace(study, population="nhl_fl"), name) != found


def test_hash_has_no_meaning_for_the_order_of_parameters():
    rows = [ParameterRecord(p, "1", "1", "", "", "tuned", "", "", "") for p in ("a", "b")]
    hashes = {standing.parameter_hash(RunRecord(parameters=tuple(r))) for r in (rows, rows[::-1])}
    assert len(hashes) == 1


def test_doses_of_a_regimen_as_text():
    doses = (
        DoseRecord(-1 / 24, "dexamethasone", "dexamethasone", "IV", 20.0),
        DoseRecord(0.0, "m", "drug_iv", "IV", 0.9999999999999999, period="SUD1"),
        DoseRecord(7.5, "m", "drug_sc", "SC", 0.06, per="kg", period="FD1"),
    )
    arm = ArmRecord("a", regimens=(RegimenRecord(doses),))
    assert standing.regimen_text(arm) == "day 1, 0 h: 1 mg IV; day 8, 12 h: 60 ug/kg SC"
    assert standing.supportive_text(arm) == "dexamethasone"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a; b; c", "a; b; c; d", True),
        ("a; b; c", "a; b; d", False),
        ("a; b", "a; b; c", False),  # too few to tell
        ("a", "a", True),
        ("", "", False),
    ],
)
def test_regimens_are_compared_up_to_the_end_of_the_shorter_one(one, other, same):
    assert standing.same_doses(one, other) is same
