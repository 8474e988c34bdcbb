"""Text of doses and arms, from the config stored in the results."""

import json

import pytest

from qsp.plots.doses import amount_text, dose_scale, dose_texts, prescribed, readable, supportive
from qsp.plots.names import arm_titles, one_patient
from tests import synthetic

CONFIG = """
title = "A trial"
[arms.step_up]
title = "5/15 a day"
doses = [
  { period = "SUD1", time = "0 day", amount = "5 ug/m^2/day", route = "civ", duration = "7 day" },
  { period = "FD1", time = "7 day", amount = "15 ug/m^2/day", route = "civ", duration = "7 day" },
]
[arms.again]
same_doses_as = "step_up"
[arms.twice]
doses = [
  { period = "SUD1", time = "0 day", amount = "1 mg/kg", route = "iv", duration = "1 hour" },
  { period = "SUD1", time = "1 day", amount = "1 mg/kg", route = "iv", duration = "1 hour" },
  { period = "FD1", time = "7 day", amount = "60 mg", route = "iv", duration = "1 hour" },
]
[arms.series]
doses = [
  { period = "C1", time = "0 day", amount = "1 mg/kg", repeat = { every = "1 day", times = 3 } },
  { period = ["C2", "C3"], time = "7 day", amount = "2 mg/kg", repeat = { times = 2 } },
]
"""


@pytest.mark.parametrize(
    ("mg", "text"),
    [(60.0, "60 mg"), (0.16, "0.16 mg"), (0.1, "0.1 mg"), (0.0660826, "66.1 µg"),
     (0.068, "68 µg"), (1.54342, "1.54 mg"), (1234.0, "1,230 mg"), (2e-5, "20 ng"), (0.0, "0 mg"),
     (float("nan"), "–")],
)  # fmt: skip
def test_amounts_have_three_significant_digits_and_a_suitable_unit(mg, text):
    assert amount_text(mg) == text


@pytest.mark.parametrize(
    ("listed", "text"),
    [("0.035 mg/m^2", "35 µg/m²"), ("20 mg", "20 mg"), ("68 ug", "68 µg"), ("8 mg/kg", "8 mg/kg"),
     ("8 mg/kg, at most 800 mg", "8 mg/kg, at most 800 mg"), ("", "")],
)  # fmt: skip
def test_listed_amounts_are_made_readable(listed, text):
    assert readable(listed) == text


def test_amounts_per_size_or_day_are_shown_as_prescribed():
    found = prescribed(CONFIG)
    assert found["step_up", "SUD1"] == "5 µg/m²/day"
    assert found["again", "FD1"] == "15 µg/m²/day"
    assert found["series", "C3"] == "2 mg/kg"
    capped = CONFIG.replace('"15 ug/m^2/day"', '"15 ug/m^2/day", cap = "28 ug/day"')
    assert prescribed(capped)["again", "FD1"] == "15 µg/m²/day, at most 28 µg/day"


def test_amounts_that_add_up_or_are_absolute_are_taken_from_the_results():
    found = prescribed(CONFIG)
    assert ("twice", "SUD1") not in found  # two doses of one period
    assert ("twice", "FD1") not in found  # 60 mg is not per body size
    assert ("series", "C1") not in found  # three repeats of one period


def test_doses_changed_on_the_command_line_are_not_taken_from_the_config():
    assert prescribed(CONFIG + "# --set arms.step_up.doses.0.amount=9 ug/day\n") == {}
    assert prescribed(CONFIG + "# --set patients=3\n") == prescribed(CONFIG)


def test_doses_share_a_scale_where_they_share_a_unit():
    ds = synthetic.neutral(arms=("step_up", "again")).assign_attrs(config=CONFIG)
    scale = dose_scale(ds)
    assert scale.unit == "µg/m²/day"
    assert scale.heights["step_up", "FD1"] == 3 * scale.heights["again", "SUD1"] == 15.0
    assert scale.texts["again", "SUD1"] == "5"


def test_doses_without_a_common_unit_keep_their_own_on_bars_that_compare():
    ds = synthetic.neutral(arms=("step_up",))
    ds["dose_amount"].values[..., 0] = 0.05
    scale = dose_scale(ds)
    assert scale.unit == ""
    assert scale.texts == {("step_up", "SUD1"): "50 µg", ("step_up", "FD1"): "2 mg"}
    assert scale.heights == {("step_up", "SUD1"): 0.05, ("step_up", "FD1"): 2.0}
    assert dose_texts(ds) == scale.texts


def test_arms_have_the_titles_of_the_config_and_else_their_names():
    ds = synthetic.neutral(arms=("step_up", "again")).assign_attrs(config=CONFIG)
    assert arm_titles(ds) == {"step_up": "5/15 a day", "again": "again"}
    changed = ds.assign_attrs(config=CONFIG + '# --set arms.again.title="Once more"\n')
    assert arm_titles(changed)["again"] == "Once more"
    assert arm_titles(ds.assign_attrs(config="no [ toml")) == {
        "step_up": "step_up",
        "again": "again",
    }


def test_arms_with_the_same_title_are_distinguished_by_name():
    config = '[arms.a]\ntitle = "same"\n[arms.b]\ntitle = "same"\n'
    ds = synthetic.neutral(arms=("a", "b")).assign_attrs(config=config)
    assert arm_titles(ds) == {"a": "same (a)", "b": "same (b)"}


def test_supportive_drugs_are_found_with_their_times():
    rows = [
        {"arm": "5/15 a day", "day": "day -1", "hour": "23", "period": "", "drug": "dexamethasone"},
        {"arm": "5/15 a day", "day": "day 1", "hour": "0", "period": "SUD1", "drug": "x"},
        {"arm": "again", "day": "day 2", "hour": "12", "period": "", "drug": "tocilizumab"},
    ]
    ds = synthetic.neutral(arms=("step_up", "again"))
    found = supportive(ds.assign_attrs(config=CONFIG, doses=json.dumps(rows)))
    assert [(d.drug, d.time) for d in found["step_up"]] == [
        ("dexamethasone", pytest.approx(-1 / 24))
    ]
    assert [(d.drug, d.time) for d in found["again"]] == [("tocilizumab", 1.5)]


def test_run_with_one_patient_is_not_a_population():
    one = synthetic.neutral(patients=1)
    assert one_patient(synthetic.neutral(patients=2)) == ""
    assert one_patient(one) == "one patient"
    assert (
        one_patient(one.assign_attrs(command="qsp run a.toml --typical")) == "the typical patient"
    )
