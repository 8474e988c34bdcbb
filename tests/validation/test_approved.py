"""Published rates under the approved regimens, and their comparison with simulated rates."""

import io

import numpy as np
import pytest

from qsp import molecules
from qsp.errors import ConfigError
from qsp.plots import crs_of_molecules
from qsp.validation.approved import (
    ANY,
    Approved,
    Compared,
    approved,
    compare,
    compared,
    mean_miss,
    worst,
)
from tests import synthetic

FALLING = {"SUD1": 40.0, "SUD2": 20.0, "FD1": 5.0, "FD2": 8.0, ANY: 50.0}
MIDDLE = {"SUD1": 20.0, "SUD2": 40.0, "FD1": 30.0, ANY: 60.0}


def row(known, found, molecule="x"):
    return Compared(Approved(molecule, molecule, known, frozenset(known)), found, found, found)


def test_every_molecule_has_a_regimen_and_nine_have_rates():
    known = approved()
    assert {each.molecule for each in known} == set(molecules.names())
    assert len({each.molecule for each in known if each.rates}) == 9
    for alone in ("linvoseltamab", "odronextamab"):
        assert not any(each.rates for each in known if each.molecule == alone)
    assert all(0.0 <= rate <= 100.0 for each in known for rate in each.rates.values())


@pytest.mark.parametrize(
    ("known", "found", "right"),
    [
        (FALLING, {**FALLING, "FD2": 9.0}, True),
        (FALLING, {**FALLING, "SUD2": 45.0}, False),
        (MIDDLE, {**MIDDLE, "SUD1": 35.0}, True),
        (MIDDLE, {**MIDDLE, "FD1": 45.0}, False),
        ({ANY: 15.0}, MIDDLE, None),
    ],
)
def test_order_over_the_doses(known, found, right):
    assert row(known, found).order_is_right is right


def test_orders_are_from_the_highest_rate_to_the_lowest():
    found = row(FALLING, {**FALLING, "SUD2": 45.0, "FD2": 99.0}).orders()
    assert found == (("SUD1", "SUD2", "FD1"), ("SUD2", "SUD1", "FD1"))


def test_an_unknown_molecule_is_refused_with_the_names():
    with pytest.raises(ConfigError, match="but is 'teclistamap'. Did you mean 'teclistamab'"):
        compare(molecule="teclistamap", patients=2)


@pytest.mark.slow
def test_one_molecule_is_compared():
    rows = compare(molecule="tebentafusp", patients=8)
    assert [each.published.config for each in rows] == ["tebentafusp"]


def test_misses_are_by_dose_or_over_all_doses_if_no_dose_is_published():
    rows = [row(MIDDLE, {**MIDDLE, "FD1": 24.0}), row({ANY: 15.0}, {ANY: 30.0}, "y")]
    assert rows[0].misses == {"SUD1": 0.0, "SUD2": 0.0, "FD1": -6.0}
    assert mean_miss(rows) == pytest.approx((6.0 + 15.0) / 4)
    assert worst(rows) == ("y", ANY, 15.0)


def test_rates_of_results_are_those_of_solved_patients():
    ds = synthetic.lively(10, arms=("a",))
    grade, outcome = np.zeros(ds["crs_grade"].shape), np.zeros(ds["outcome"].shape)
    grade[0, :3, 0], outcome[0, 9] = 2, 2
    found = compared(Approved("x", "x", {}), synthetic.put(ds, crs_grade=grade, outcome=outcome))
    first = next(iter(found.rates))
    assert found.rates[first] == pytest.approx(100.0 * 3 / 9)
    assert found.rates[ANY] == pytest.approx(100.0 * 3 / 9)
    assert found.lower[ANY] < found.rates[ANY] < found.upper[ANY]


def test_figure_shows_simulated_bars_and_published_marks_by_dose():
    simulated = {dose: rate + 5.0 for dose, rate in FALLING.items()}
    figure = crs_of_molecules([row(FALLING, simulated), row({}, MIDDLE, "alone")])
    figure.savefig(io.BytesIO(), format="png")
    known, alone = figure.get_axes()[:2]
    assert [bar.get_height() for bar in known.patches] == list(simulated.values())
    marks = [line for line in known.get_lines() if line.get_marker() == "D"]
    assert [line.get_ydata()[0] for line in marks] == list(FALLING.values())
    assert not [line for line in alone.get_lines() if line.get_marker() == "D"]
    assert (known.get_ylabel(), known.get_ylim()) == ("CRS, any grade [%]", (0, 100))
    labels = [[t.get_text() for t in ax.get_xticklabels()] for ax in figure.get_axes()[:2]]
    assert labels == [["SUD1", "SUD2", "FD1", "FD2", "any"], ["SUD1", "SUD2", "FD1", "any"]]
    texts = [[text.get_text() for text in ax.texts] for ax in figure.get_axes()[:2]]
    assert texts == [[], ["no published rate"]]
