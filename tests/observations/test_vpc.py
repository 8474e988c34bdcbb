"""Visual predictive check: percentiles, bins, correction, and coverage where the model is right."""

import csv
import io
import itertools
import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import qsp
from qsp.endpoints.vpc import natural_breaks, percentiles, visual_predictive_check
from qsp.errors import ConfigError
from qsp.observations import Observations
from qsp.results.observed import Predictions, with_observations
from tests import synthetic
from tests.run.conftest import call

LEVELS = [0.05, 0.5, 0.95]


def checked(time, value, simulated, *, lloq=None, scale=1.0):
    """Results with observations of IL-6 at these times; those below the limit are censored."""
    n = len(time)
    value, lloq = np.asarray(value, float) * scale, np.full(n, np.nan if lloq is None else lloq)
    is_blq = value < lloq
    found = Observations(
        file="observed.csv",
        line=np.arange(2, n + 2),
        patient=np.arange(n),
        arm=np.full(n, "a", object),
        time=np.asarray(time, float),
        quantity=np.full(n, "il6", object),
        unit=np.full(n, "pg/mL", object),
        value=np.where(is_blq, np.nan, value),
        lloq=lloq,
        is_blq=is_blq,
    )
    simulated = np.asarray(simulated) * scale
    band = np.quantile(simulated, LEVELS, axis=0)
    tree = xr.DataTree(synthetic.neutral())
    return with_observations(tree, found, Predictions(band, simulated))


def lognormal(seed, bins=8, patients=20, trials=200, sd=0.8):
    """Times, values and simulated values of one distribution by time."""
    random = np.random.default_rng(seed)
    time = np.repeat(np.arange(float(bins)), patients)
    middle = np.log(50.0) - 0.4 * time
    value = np.exp(middle + sd * random.standard_normal(len(time)))
    return time, value, np.exp(middle + sd * random.standard_normal((trials, len(time))))


# --- percentiles


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=9), st.sampled_from(LEVELS))
def test_percentiles_without_limit_are_those_of_numpy(values, level):
    found = percentiles(np.array([values]), [level])
    assert found[0, 0] == pytest.approx(np.quantile(values, level))


def test_missing_values_do_not_count():
    found = percentiles(np.array([[3.0, np.nan, 1.0], [np.nan] * 3]), [0.5])
    np.testing.assert_array_equal(found, [[2.0], [np.nan]])


def test_percentile_among_values_below_the_limit_has_no_value():
    values = np.array([[-np.inf, -np.inf, 4.0, 6.0, 8.0]])
    np.testing.assert_array_equal(
        percentiles(values, [0.25, 0.3, 0.5, 0.75]), [[np.nan, np.nan, 4, 6]]
    )


def test_bins_have_the_percentiles_of_their_values():
    time, value, simulated = lognormal(1)
    found = visual_predictive_check(checked(time, value, simulated), "il6")
    assert found["n"].values.tolist() == [20] * 8
    for n, day in enumerate(range(8)):
        own = time == day
        np.testing.assert_allclose(found["observed"][:, n], np.quantile(value[own], LEVELS))
        drawn = np.quantile(simulated[:, own].astype(np.float32), LEVELS, axis=1)
        low, middle, high = np.quantile(drawn, LEVELS, axis=1)
        np.testing.assert_allclose(found["simulated"][:, n], middle, rtol=1e-6)
        np.testing.assert_allclose(found["low"][:, n], low, rtol=1e-6)
        np.testing.assert_allclose(found["high"][:, n], high, rtol=1e-6)


def test_intervals_cover_nine_of_ten_percentiles_where_the_model_is_right():
    """Observations from the distribution that is simulated: 40 trials, 320 bins."""
    inside = []
    for seed in range(40):
        found = visual_predictive_check(checked(*lognormal(seed)), "il6")
        inside.append((found["observed"] >= found["low"]) & (found["observed"] <= found["high"]))
    share = np.mean([each.values for each in inside], axis=(0, 2))
    assert (share > 0.85).all(), share
    assert (share < 0.95).all(), share


def test_intervals_exclude_percentiles_of_another_model():
    time, value, simulated = lognormal(3)
    found = visual_predictive_check(checked(time, 3.0 * value, simulated), "il6")
    assert (found["observed"] > found["high"]).sel(percentile=0.5).mean() > 0.8


def test_shares_below_the_limit_are_counted():
    time, value, simulated = lognormal(4)
    found = visual_predictive_check(checked(time, value, simulated, lloq=10.0), "il6")
    for n, day in enumerate(range(8)):
        own = time == day
        assert found["below"][n] == pytest.approx(np.mean(value[own] < 10))
        shares = np.mean(simulated[:, own] < 10, axis=1)
        bounds = [found[name][n] for name in ("below_low", "below_simulated", "below_high")]
        np.testing.assert_allclose(bounds, np.quantile(shares, LEVELS))
    last = found.isel(bin=-1)
    assert np.isnan(last["observed"].sel(percentile=0.05))
    assert last["below"] > 0.5


def test_simulated_values_are_censored_where_the_file_has_limits_below_them_only():
    """As in files with CENS: the limit is on the lines of censored values alone."""
    time, value, simulated = lognormal(4)
    whole = visual_predictive_check(checked(time, value, simulated, lloq=10.0), "il6")
    ds = checked(time, value, simulated, lloq=10.0).to_dataset()
    partial = ds.assign(observed_lloq=ds["observed_lloq"].where(ds["observed_blq"] == 1))
    xr.testing.assert_allclose(visual_predictive_check(partial, "il6"), whole)
    of_whole, of_partial = (qsp.endpoints.observed.agreement(each)[0] for each in (ds, partial))
    assert of_partial.below_simulated == of_whole.below_simulated
    assert of_whole.below_simulated == pytest.approx(np.mean(simulated < 10), abs=1e-9)


def test_observation_without_limit_has_the_lowest_one_unless_its_value_is_lower():
    ds = checked([1, 2, 3, 4], [9, 3, 50, 1.5], np.full((25, 4), 2.0)).to_dataset()
    limits = ("observation", [np.nan, np.nan, 2.0, np.nan])
    found = qsp.endpoints.observed.observed(ds.assign(observed_lloq=limits)).with_limits()
    np.testing.assert_array_equal(found.lloq, [2, 2, 2, np.nan])


def test_few_simulated_trials_have_medians_but_no_intervals():
    time, value, simulated = lognormal(1)
    for trials, is_known in ((19, False), (20, True)):
        tree = checked(time, value, simulated[:trials], lloq=1e-6)
        found = visual_predictive_check(tree, "il6")
        assert np.isfinite(found["simulated"]).all()
        for name in ("low", "high", "below_low", "below_high"):
            assert np.isfinite(found[name]).all() == is_known, name
    assert qsp.plots.vpc(checked(time, value, simulated[:19]), "il6").axes[0].collections


def test_prediction_correction_removes_differences_between_doses():
    """Doses of 1 to 100 within each bin: corrected percentiles are those of one dose, scaled."""
    time, value, simulated = lognormal(5)
    exact = np.exp(np.log(50.0) - 0.4 * time)
    factor = np.resize([1.0, 100.0], len(time))
    tree = checked(time, value * factor, simulated * factor)
    ds = tree.to_dataset().assign(predicted_median=("observation", exact * factor))
    found = visual_predictive_check(ds, "il6", prediction_corrected=True)
    for n, day in enumerate(range(8)):
        own = time == day
        scale = np.median((exact * factor)[own]) / exact[own][0]
        expected = np.quantile(value[own] * scale, LEVELS)
        np.testing.assert_allclose(found["observed"][:, n], expected)
        drawn = np.quantile(simulated[:, own] * scale, LEVELS, axis=1)
        np.testing.assert_allclose(found["simulated"][:, n], np.median(drawn, axis=1), rtol=1e-5)
    plain = visual_predictive_check(ds, "il6")
    assert (plain["observed"][2] / plain["observed"][0]).min() > 50


# --- bins


def test_given_bins_include_their_lower_edges_and_the_last_one_both():
    time, value, simulated = lognormal(6)
    tree = checked(time, value, simulated)
    found = visual_predictive_check(tree, "il6", bins=[0, 2, 3.5, 6])
    assert found["n"].values.tolist() == [40, 40, 60]
    assert found["start"].values.tolist() == [0, 2, 4]
    assert found["end"].values.tolist() == [1, 3, 6]


@pytest.mark.parametrize("bins", [(1,), (2, 1), (0, 0), (50, 60)])
def test_bins_are_refused(bins):
    with pytest.raises(ConfigError, match="bins must"):
        visual_predictive_check(checked(*lognormal(7)), "il6", bins=bins)


def test_bins_by_quantile_are_even_and_keep_equal_times_together():
    random = np.random.default_rng(8)
    time = np.concatenate([np.sort(random.uniform(0, 20, 150)), np.full(50, 7.0)])
    _, value, simulated = lognormal(8, bins=1, patients=200)
    found = visual_predictive_check(checked(time, value, simulated), "il6")
    assert found["n"].sum() == 200
    holding = (found["start"] <= 7.0) & (found["end"] >= 7.0)
    assert holding.sum() == 1  # 50 equal times are in one bin
    assert found["n"].where(holding).max() >= 50
    others = found["n"].where(~holding, drop=True)
    assert (others >= 1).all()
    assert (others <= 25).all()


def test_natural_breaks_find_clusters():
    values = np.array([0.1, 0.2, 1.0, 1.1, 1.2, 7.0, 7.1])
    np.testing.assert_array_equal(natural_breaks(values, np.ones(7, int), 3), [1.0, 7.0])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 60), min_size=4, max_size=9, unique=True), st.integers(2, 4))
def test_natural_breaks_have_the_least_variance(values, number):
    values = np.sort(np.array(values, float))
    counts = np.arange(len(values)) % 3 + 1

    def spread(cuts):
        edges = (0, *cuts, len(values))
        parts = [np.repeat(values[a:b], counts[a:b]) for a, b in itertools.pairwise(edges)]
        return sum(((part - part.mean()) ** 2).sum() for part in parts)

    least = min(map(spread, itertools.combinations(range(1, len(values)), number - 1)))
    starts = np.searchsorted(values, natural_breaks(values, counts, number))
    assert spread(starts) == pytest.approx(least, abs=1e-9)


def test_many_times_are_thinned_before_natural_breaks():
    random = np.random.default_rng(9)
    values = np.sort(np.concatenate([random.normal(c, 0.1, 400) for c in (1, 5, 9)]))
    breaks = natural_breaks(values, np.ones(1200, int), 3)
    assert breaks.shape == (2,)
    assert 1.5 < breaks[0] < 5
    assert 5.5 < breaks[1] < 9


def test_unknown_quantity_is_refused():
    with pytest.raises(ConfigError, match="Quantities: il6"):
        visual_predictive_check(checked(*lognormal(1)), "il-6")


# --- figure and command


def test_figure_has_a_panel_of_shares_only_with_a_limit():
    assert len(qsp.plots.vpc(checked(*lognormal(1)), "il6").axes) == 1
    figure = qsp.plots.vpc(checked(*lognormal(1), lloq=10.0), "il6")
    assert len(figure.axes) == 2
    shown = figure.axes[1].lines[0].get_ydata()
    check = visual_predictive_check(checked(*lognormal(1), lloq=10.0), "il6")
    np.testing.assert_allclose(shown, 100 * check["below"])


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return run.save(tmp_path_factory.mktemp("vpc") / "run")


def test_command_writes_figures_and_a_table(folder):
    done = call("vpc", folder)
    assert done.code == 0, done.err
    assert "Visual predictive check" in done.out
    for name in ("vpc_drug.svg", "vpc_il6.svg", "vpc_t_cells.svg", "vpc.csv"):
        assert (folder / name).stat().st_size > 0
        assert name in done.out
    rows = list(csv.DictReader(io.StringIO((folder / "vpc.csv").read_text())))
    assert {row["statistic"] for row in rows} == {"P5", "P50", "P95", "below LLOQ"}
    units = {(row["quantity"], row["unit"]) for row in rows if row["statistic"] != "below LLOQ"}
    assert units == {("drug", "ug/mL"), ("il6", "pg/mL"), ("t_cells", "cell/uL")}
    assert {row["unit"] for row in rows if row["statistic"] == "below LLOQ"} == {"1"}


def test_prediction_corrected_files_are_next_to_the_others(folder):
    assert call("vpc", folder, "--quantity", "il6").code == 0
    plain = (folder / "vpc.csv").read_bytes()
    assert call("vpc", folder, "--quantity", "il6", "--prediction-corrected").code == 0
    assert (folder / "vpc.csv").read_bytes() == plain
    assert (folder / "pcvpc.csv").stat().st_size > 0
    assert (folder / "pcvpc_il6.svg").stat().st_size > 0


def test_command_prints_csv_and_json(folder):
    il6 = ("--quantity", "il6")
    options = ("vpc", folder, *il6, *il6, "--arm", "low", "--bins", "0,2,8", "--png")
    table = list(csv.DictReader(io.StringIO(call(*options, "--csv").out)))
    rows = json.loads(call(*options, "--json", "--prediction-corrected").out)
    assert len(table) == len(rows) == 8
    assert [row["n"] for row in rows[::4]] == [2, 1]
    assert (folder / "vpc_il6.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bins", "0,x"), "--bins: it must be times with commas"),
        (("--binning", "even"), "--binning: it must be quantile or jenks"),
        (("--arm", "lo"), "--arm: it must be an arm"),
        (("--quantity", "il2"), "the quantity must be observed"),
        (("--quantity", "crs"), "and no grade, but is 'crs'"),
    ],
)
def test_command_refuses(folder, words, message):
    done = call("vpc", folder, *words)
    assert done.code == 2
    assert message in done.err
