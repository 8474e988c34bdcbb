"""Figure of simulated against published values."""

import io

from qsp.plots import Pair, agreement

PAIRS = [
    Pair(30.0, 40.0, "%", "published"),
    Pair(15.0, 5.0, "%", "recalled"),
    Pair(17.5, 10.0, "pg/mL", "published"),
    Pair(0.2, 0.0, "1", "published"),  # has no place on a logarithmic axis
    Pair(2.0, 4.0, "hour", "held out"),
]


def points(ax, face=None):
    lines = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
    return [
        (float(x), float(y))
        for line in lines
        if face in (None, line.get_marker())
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def test_rates_and_other_values_have_a_panel_each():
    rates, others = agreement(PAIRS).get_axes()
    assert sorted(points(rates)) == [(15.0, 5.0), (30.0, 40.0)]
    assert sorted(points(others)) == [(2.0, 4.0), (17.5, 10.0)]
    assert points(others, "x") == [(2.0, 4.0)]
    assert others.get_xlabel() == "Published [unit of the table]"
    assert (rates.get_xlim(), others.get_xscale()) == ((0.0, 100.0), "log")


def test_figure_without_values_is_drawn():
    buffer = io.BytesIO()
    agreement([]).savefig(buffer, format="png")
    assert buffer.getvalue()
