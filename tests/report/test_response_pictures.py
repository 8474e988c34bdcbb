"""Figures of response on the page: which results have them, and their captions."""

import pytest

from qsp import report
from qsp.endpoints import add_best_response
from qsp.report.one_patient import response_table
from qsp.report.pictures import pictures
from tests import synthetic, synthetic_response
from tests.report.test_page import Page, supplement

SURVIVAL = {
    "progression_free": "Progression-free survival",
    "duration_of_response": "Duration of response",
    "response_swimmer": "Response of individual patients",
}


@pytest.fixture
def trial():
    return synthetic_response.responding(patients=25)


def images(ds):
    tags = Page(report.render(ds, supplement())).tags
    return [attrs["alt"] for tag, attrs in tags if tag == "img"]


def test_page_shows_survival_and_responders_after_the_spider_plot(trial, no_figures):
    alts = images(trial)
    first = alts.index("Change in sum of products of diameters of individual patients")
    assert alts[first - 1] == "Best change in sum of products of diameters from baseline"
    assert alts[first + 1 : first + 4] == list(SURVIVAL.values())


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        ("progression_free_event", ["Duration of response"]),
        ("response_duration", ["Progression-free survival", "Response of individual patients"]),
        ("death_time", ["Progression-free survival", "Duration of response"]),
    ],
)
def test_figures_without_their_variables_are_left_out(trial, no_figures, missing, left):
    alts = images(trial.drop_vars(missing))
    assert [alt for alt in alts if alt in SURVIVAL.values()] == left


def test_page_of_one_volume_has_none_of_them(no_figures):
    alts = images(add_best_response(synthetic.lively(12, arms=("a", "b"))))
    assert not set(alts) & set(SURVIVAL.values())
    assert "Best change in tumor volume from baseline" in alts


def test_page_of_one_patient_has_its_change_in_the_measure_of_the_disease(no_figures):
    alts = images(synthetic.typical(synthetic_response.responding(patients=1, arms=("a",))))
    assert "Change in sum of products of diameters" in alts
    assert not set(alts) & set(SURVIVAL.values())


def test_table_of_one_patient_has_the_change_of_the_figure():
    ds = synthetic.typical(synthetic_response.responding(patients=1, arms=("a",)))
    ds = ds.assign(best_response_unconfirmed=ds["best_response"])
    ds["best_disease_change"].values[:] = -42.5
    table = response_table(ds)
    assert table.groups[0].rows[0][2] == "-42.5"
    assert "best change of the sum of products of diameters" in table.note


@pytest.mark.parametrize(
    ("rule", "limits"),
    [
        (synthetic_response.SOLID, "(relative to baseline), at -30 % and +20 %."),
        (synthetic_response.MYELOMA, "partial and very good partial response, at -50 % and -90 %."),
        (synthetic_response.LEUKEMIA, ""),
    ],
    ids=lambda value: getattr(value, "measure", None),
)
def test_caption_of_the_waterfall_has_the_limits_of_the_rule(no_figures, rule, limits):
    found = pictures(synthetic_response.responding(rule, patients=4), None, 50)
    caption = found["waterfall"].caption
    assert ("Dashed lines: " in caption) == bool(limits)
    assert limits in caption
    assert "only responses before the first progression count" in caption
    assert found["waterfall"].title == f"Best change in {rule.measure} from baseline"


def test_survival_is_drawn_as_vectors_that_are_the_same_each_time(trial):
    one, other = (pictures(trial, None, 50) for _ in range(2))
    for name in SURVIVAL:
        assert one[name].data
        assert one[name] == other[name]
    assert one["progression_free"].kind == "svg+xml"
