"""The table of published values: each row is checked, has its source, and is simulated."""

import csv
import io
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.config import load
from qsp.errors import ConfigError
from qsp.molecules import read_toml
from qsp.validation.facts import published_facts
from qsp.validation.judge import RARE, Scale
from qsp.validation.measure import FUNCTIONS
from qsp.validation.study import (
    APPROVED,
    DATA,
    arms_of,
    molecule_of,
    prepare,
    start_of,
    studies,
    tables_of,
)
from qsp.validation.targets import (
    COLUMNS,
    EVENTS_COUNTED,
    RECALLED,
    STATISTICS,
    TABLE,
    target,
    targets,
)

GOOD = dict(
    zip(
        COLUMNS,
        [
            *("one", "glofitamab", "glofitamab", "approved", "crs_period", "SUD1", "", "56", "%"),
            *("54.5", "57", "145", "label", "R/R LBCL", "a label", "fit", "crs_period"),
            *("within 12 points", ""),
        ],
        strict=True,
    )
)


def write(path, *rows, columns=COLUMNS):
    file = path / "targets.csv"
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(text.getvalue())
    return file


def test_row_is_read(tmp_path):
    (row,) = targets(write(tmp_path, GOOD))
    assert (row.value, row.low, row.high, row.n) == (56.0, 54.5, 57.0, 145)
    assert (row.periods, row.arms, row.is_read) == (("SUD1",), {"approved": 1.0}, True)


def test_pooled_arms_have_weights(tmp_path):
    row = GOOD | {"arm": "a*7 b*23", "statistic": "il6_median_peak", "unit": "pg/mL"}
    (found,) = targets(write(tmp_path, row | {"judged": "within 3-fold"}))
    assert found.arms == {"a": 7.0, "b": 23.0}
    assert found.arm == "a"


BAD = [
    ({"molecule": "glofitmab"}, "molecule must be a known one"),
    ({"config": "glofit"}, "config must be a known one"),
    ({"statistic": "crs"}, "statistic must be a known one"),
    ({"function": "crs_ny"}, "function must be a known one"),
    ({"certainty": "sure"}, "certainty must be a known one"),
    ({"use": "both"}, "use must be a known one"),
    ({"source": " "}, "source must be given"),
    ({"value": ""}, "value must be given"),
    ({"value": "x"}, "value must be a number"),
    ({"value": "156", "high": "160"}, "value must be from 0 to 100 %"),
    ({"value": "-1", "low": "-2"}, "value must be from 0 to 100 %"),
    ({"unit": "1"}, "unit of crs_period must be %"),
    ({"unit": ""}, "unit must be given"),
    ({"low": "60"}, "value must be from low to high"),
    ({"high": "50"}, "value must be from low to high"),
    ({"high": ""}, "low and high must both be given"),
    ({"n": "0"}, "n must be a whole number from 1"),
    ({"n": "1.5"}, "n must be a whole number from 1"),
    ({"time": "-1"}, "time must not be negative"),
    ({"time": "6"}, "time must be given for"),
    ({"statistic": "il6_mean", "unit": "pg/mL", "judged": "within 3-fold"}, "time must be given"),
    ({"period": ""}, "period must be given"),
    ({"judged": "near"}, "judged must be in points"),
    ({"judged": "within 3-fold"}, "judged must be in points"),
    ({"certainty": RECALLED}, "judged must be shown for certainty own-knowledge"),
    ({"use": "holdout"}, "judged must be shown for use holdout"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[f"{b[0]}" for b in BAD])
def test_wrong_row_is_refused_by_line_and_id(tmp_path, change, message):
    row = GOOD | change
    with pytest.raises(ConfigError, match=re.escape(message)) as found:
        targets(write(tmp_path, row))
    assert "targets.csv: line 2 (one)" in str(found.value)


def test_all_errors_are_reported_together(tmp_path):
    rows = [GOOD | {"id": name, "value": "x"} for name in ("one", "two")]
    with pytest.raises(ConfigError) as found:
        targets(write(tmp_path, *rows))
    assert "line 2" in str(found.value)
    assert "line 3" in str(found.value)


def test_duplicates_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="id must be unique"):
        targets(write(tmp_path, GOOD, GOOD))
    with pytest.raises(ConfigError, match="must be the only one of its quantity"):
        targets(write(tmp_path, GOOD, GOOD | {"id": "two", "value": "55"}))


def test_missing_columns_and_cells_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="the first line must name the columns"):
        targets(write(tmp_path, {"id": "one"}, columns=("id",)))
    file = write(tmp_path, GOOD)
    file.write_text(file.read_text() + "two,glofitamab\n")
    with pytest.raises(ConfigError, match=f"must have {len(COLUMNS)} cells"):
        targets(file)


@given(st.sampled_from(COLUMNS), st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_cell_is_read_or_refused_with_its_line(tmp_path_factory, column, text):
    file = write(tmp_path_factory.mktemp("table"), GOOD | {column: text})
    rows, message = (), ""
    try:
        rows = targets(file)
    except ConfigError as error:
        message = str(error)
    assert ("targets.csv: line 2" in message) != bool(rows)
    for row in rows:
        assert 0.0 <= row.low <= row.value <= row.high or math.isnan(row.low)
        assert row.statistic in STATISTICS
        assert row.function in FUNCTIONS
        assert row.is_read or row.judged.startswith("shown: ")


def test_unknown_id_is_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="glofitamab_crs_g2"):
        target("glofitamab_crs_g22")


# === the shipped table ============================================================================


@pytest.fixture(scope="module")
def prepared():
    return {name: prepare(name, patients=1, seed=1) for name in studies()}


def test_every_row_has_an_arm_of_its_molecule_with_its_dose_periods(prepared):
    for row in targets():
        assert molecule_of(row.config) == row.molecule, row.id
        for arm in row.arms:
            for label in row.periods:
                assert start_of(prepared[row.config], arm, label) >= 0.0
            assert arm in arms_of(row.config), row.id


def test_there_are_values_for_nine_molecules_and_most_were_read():
    assert len({row.molecule for row in targets()}) == 9
    assert sum(row.is_read for row in targets()) > 0.6 * len(targets())


def test_values_that_were_not_read_and_held_out_values_have_no_verdict():
    for fact, row in zip(published_facts(), targets(), strict=True):
        if not row.is_read or row.use == "holdout":
            assert not fact.rule.judged, row.id


def test_mosunetuzumab_in_large_cell_lymphoma_is_held_out():
    held_out = {row.id for row in targets() if row.use == "holdout"}
    lymphoma = [row for row in targets() if row.molecule == "mosunetuzumab"]
    assert held_out == {row.id for row in lymphoma if "DLBCL" in row.population}
    assert len(held_out) == 3


def test_no_value_of_a_trial_that_tests_the_model():
    """Trials whose outcomes are predicted: none of their values may be in the table."""
    assert not {row.molecule for row in targets()} & {"linvoseltamab", "odronextamab"}
    assert "mosunetuzumab_sc" not in {row.config for row in targets()}
    tarlatamab = [row for row in targets() if row.molecule == "tarlatamab"]
    assert {row.arm for row in tarlatamab} == {"approved", "without_rescue"}


def test_rare_events_are_judged_by_their_odds():
    for fact in published_facts():
        if fact.published.unit == "%":
            is_rare = fact.published.value < RARE
            assert fact.rule.scale is (Scale.ODDS if is_rare else Scale.POINTS), fact


def test_medians_of_blinatumomab_are_those_of_the_target():
    facts = {fact.when: fact.published.value for fact in published_facts("blinatumomab")}
    assert facts["SUD1 + 6 h, BLIN_NHL_5_15_60, R/R NHL"] == 124.8
    assert facts["FD1 + 12 h, BLIN_NHL_60_FLAT, R/R NHL"] == 283.8


def test_patients_with_follicular_lymphoma_are_simulated_as_such(prepared):
    for row in targets():
        if re.search(r"\bFL\b", row.population):
            assert "fl" in prepared[row.config].table.cohort.name, row.id


def test_events_counted_at_each_grade_have_no_verdict():
    counted = [row for row in targets() if row.judged == EVENTS_COUNTED]
    assert [row.id for row in counted] == ["mosunetuzumab_iv_crs_g3"]


def test_digitized_curves_are_not_copied():
    computed = {"standing", "published_arms"}  # by `qsp validate --write`
    assert {path.stem for path in DATA.glob("*.csv")} == {TABLE.stem, *computed}


# === the studies ==================================================================================


def test_arms_of_a_study_have_the_doses_of_the_approved_regimen(prepared):
    trial = prepared["glofitamab"].trial
    arms = {arm.name: arm for arm in trial.arms}
    approved, flat, bare = (
        [dose for dose in arms[name].administrations if dose.period]
        for name in ("approved", "flat", "without_steroid")
    )
    assert [dose.time for dose in flat] == [dose.time for dose in approved]
    assert {dose.amount for dose in flat} == {approved[2].amount}
    assert [dose.amount for dose in bare] == [dose.amount for dose in approved]
    kinds = {name: {dose.kind for dose in arms[name].administrations} for name in arms}
    assert "dexamethasone" in kinds["flat"] & kinds["approved"]
    assert "dexamethasone" not in kinds["without_steroid"]


def test_every_arm_of_a_config_is_an_arm_of_its_study():
    config = load("approved/teclistamab_1.5_weekly")
    assert set(config.arms) <= set(arms_of("teclistamab"))


def test_dose_period_that_an_arm_lacks_is_refused(prepared):
    with pytest.raises(ConfigError, match="flat must be an arm with the dose period FD99"):
        start_of(prepared["glofitamab"], "flat", "FD99")


def test_unknown_study_is_refused():
    with pytest.raises(ConfigError, match="the study must be a file of the package"):
        arms_of("glofit")


@pytest.mark.parametrize("name", [name for name in studies() if "approved" in arms_of(name)])
def test_added_arms_have_the_rules_of_the_approved_arm(name):
    arms = tables_of(name)["arms"]
    first, second, *added = arms
    assert (first, second) == (APPROVED, "without_rescue")
    # Arms of response have no management of CRS.
    is_long = "follow_up" in read_toml(DATA / f"{name}.toml")
    expected = [] if is_long else arms[APPROVED]["rules"]
    assert all(arms[each]["rules"] == expected for each in added)
