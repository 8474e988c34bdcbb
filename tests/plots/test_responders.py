"""Swimmer plot of responders: bars, marks, order, and the patients that are drawn."""

import matplotlib
import numpy as np
import pytest

from qsp import plots
from qsp.endpoints.survival import DAYS_PER_MONTH
from qsp.plots.style import RESPONSE_COLORS
from tests import synthetic, synthetic_response


@pytest.fixture(scope="module")
def trial():
    ds = synthetic_response.responding(patients=90)
    return synthetic.fail(ds, 0, 3)


def panels(figure):
    return [ax for ax in figure.get_axes() if ax.get_visible()]


def color(code):
    return matplotlib.colors.to_rgba(RESPONSE_COLORS[code])


def bars(ax):
    """Bars before and in response, each (row,), as start and end [month]."""
    found = [np.array([(bar.get_x(), bar.get_x() + bar.get_width()) for bar in group])
             for group in ax.containers]  # fmt: skip
    faces = [bar.get_facecolor() for bar in ax.containers[1]]
    return (*found, faces)


def marks(ax, name):
    (found,) = [item for item in ax.collections if item.get_label() == name]
    return np.asarray(found.get_offsets())


def responders(ds, arm):
    own = ds.sel(arm=arm)
    own = own.isel(patient=np.flatnonzero(own["response_time"].notnull() & (own["outcome"] == 0)))
    partial = own["best_response"] != synthetic_response.COMPLETE
    order = np.lexsort((partial, own["response_time"], -own["progression_free_time"]))
    return own.isel(patient=order)


def test_swimmer_bars_run_from_first_dose_over_response_to_the_end(trial):
    few = trial.isel(patient=slice(40))
    for ax, arm in zip(panels(plots.response_swimmer(few)), few["arm"].values, strict=True):
        own = responders(few, arm)
        before, within, faces = bars(ax)
        assert (before[:, 0] == 0).all()
        np.testing.assert_allclose(before[:, 1], own["response_time"] / DAYS_PER_MONTH)
        np.testing.assert_allclose(within[:, 0], own["response_time"] / DAYS_PER_MONTH)
        np.testing.assert_allclose(within[:, 1], own["progression_free_time"] / DAYS_PER_MONTH)
        assert (np.diff(within[:, 1]) <= 1e-12).all()
        assert faces == [color(code) for code in own["best_response"].values]
        assert ax.get_title(loc="right") == f"{own.sizes['patient']} responders"


def test_swimmer_marks_are_at_the_events_of_their_row(trial):
    few = trial.isel(patient=slice(40))
    ax = panels(plots.response_swimmer(few))[0]
    own = responders(few, few["arm"].values[0])
    first, complete = own["response_time"].values, own["complete_response_time"].values
    times = {
        "response_time": np.where(complete <= first, np.nan, first),
        "complete_response_time": complete,
        "progression_time": own["progression_time"].values,
        "death_time": own["death_time"].values,
    }
    for name, days in times.items():
        rows = np.flatnonzero(np.isfinite(days))
        assert rows.size, name
        np.testing.assert_allclose(
            marks(ax, name), np.stack([days[rows] / DAYS_PER_MONTH, rows], axis=1)
        )
    ongoing = np.flatnonzero(own["progression_free_event"].values == 0)
    np.testing.assert_array_equal(marks(ax, "ongoing")[:, 1], ongoing)


def test_swimmer_of_many_responders_draws_some_at_even_ranks(trial, monkeypatch):
    monkeypatch.setattr("qsp.plots.responders.MOST_RESPONDERS", 5)
    ax = panels(plots.response_swimmer(trial))[0]
    own = responders(trial, "step_up")
    count = own.sizes["patient"]
    assert count > 5
    assert ax.get_title(loc="right") == f"5 of {count} responders"
    ranks = np.ceil((np.arange(5) + 0.5) / 5 * count).astype(int) - 1
    _, within, _ = bars(ax)
    np.testing.assert_allclose(
        within[:, 1], own["progression_free_time"].values[ranks] / DAYS_PER_MONTH
    )


def test_swimmer_names_a_few_patients_and_leaves_out_those_without_weight(trial):
    weight = np.zeros(90)
    weight[10:30] = 1.0
    ds = synthetic.put(trial, prevalence_weight=weight)
    ax = panels(plots.response_swimmer(ds))[0]
    own = responders(trial.isel(patient=slice(10, 30)), "step_up")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [str(patient) for patient in own["patient"].values]
    assert panels(plots.response_swimmer(trial))[0].get_yticklabels() == []
