"""The whole model in patients without targets, and events and doses that end with a trial."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp import molecules, shipped
from qsp.model.cytokines import IL6
from qsp.model.tissues import LYMPHOID, TISSUES, TUMOR
from qsp.populations import nominal, read_cohort, read_covariates, sample
from tests.engine.toy import same_bits, sim_of
from tests.engine.whole import END, GRID, IV, NMOL_PER_MG, STEP_UP, run, sim

INFUSED = 5.0 * NMOL_PER_MG  # nmol per day
STOPPED = ((0.0, IV, INFUSED, 1.0, 1),)
CONTINUED = ((0.0, IV, INFUSED * END, END, 1),)


def without(*, kinds=slice(None), tissues=slice(None), doses=STEP_UP):
    """Simulation of the typical patient without some target cells."""
    one = sim(0, doses)
    targets = one.parameters.model.targets
    cells, ratio = targets.baseline.copy(), targets.blood_ratio.copy()
    cells[kinds, tissues], ratio[kinds, tissues] = 0.0, 0.0
    return eqx.tree_at(
        lambda s: (s.parameters.model.targets.baseline, s.parameters.model.targets.blood_ratio),
        one,
        (cells, ratio),
    )


def without_antigen(tissue):
    """Simulation of the typical patient, whose cells in one tissue lack the target.

    Cells without the target remain, because target cells of other tissues exchange with blood.
    """
    one = sim(0, STEP_UP)
    copies = one.parameters.model.binding.copies_target.copy()
    copies[:, tissue] = 0.0
    return eqx.tree_at(lambda s: s.parameters.model.binding.copies_target, one, copies)


def weighing(body_weight, folder):
    """Simulation of one sampled patient with a body weight [kg], and its volume of plasma [L]."""
    file = folder / f"{body_weight}.csv"
    file.write_text(f"id,body_weight\n0,{body_weight}\n", encoding="utf-8")
    found = shipped.find("populations", "nhl")
    assert found is not None
    cohort = read_cohort(found)
    table = nominal(molecules.load("mosunetuzumab"), cohort)
    people = sample(table, [0], seed=5, periods=1, covariates=read_covariates(file))
    assert people.plausible.all()
    parameters = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), people.parameters)
    return sim(0, STEP_UP, parameters), float(parameters.model.disposition.V1)


CASES = {
    "typical": lambda: sim(0, STEP_UP),
    "no targets": without,
    "no malignant cells": lambda: without(kinds=slice(1, None)),
    **{f"none in {name}": lambda k=k: without_antigen(k) for k, name in enumerate(TISSUES)},
    "steroid alone": lambda: sim(0, STEP_UP[:1]),
    "stopped": lambda: sim(0, STOPPED),
    "continued": lambda: sim(0, CONTINUED),
}


@pytest.fixture(scope="module")
def results(strict_types):
    together = run(*(make() for make in CASES.values()))
    assert not together.failed.any()
    return {name: sim_of(together, n) for n, name in enumerate(CASES)}


def highest(result):
    """Fever and leak, highest of all dose periods."""
    peak = result.periods.reductions.peak
    return np.array([np.nanmax(peak.fever), np.nanmax(peak.leak)])


def released(result):
    """Release drive by tissue, integrated over all dose periods."""
    return np.asarray(result.periods.reductions.flow_area.secreting).sum(0)


def test_without_targets_there_is_no_release_fever_or_leak(results):
    """Exactly none, although drug is given; the typical patient has all three."""
    assert highest(results["typical"]).min() > 0.0
    assert released(results["typical"]).max() > 0.0
    none = results["no targets"]
    assert highest(none).tolist() == [0.0, 0.0]
    assert released(none).max() == 0.0
    assert not np.any(none.periods.reductions.crossing.grade)
    rest = none.saved[0].cytokines[:, IL6]
    np.testing.assert_allclose(rest, rest[0], rtol=1e-9)
    assert none.saved[0].drug_central[-1] > 0.0


def test_without_malignant_cells_only_normal_cells_are_killed(results):
    viable = np.asarray(results["no malignant cells"].final.model.targets.viable)
    assert np.all(viable[1:] == 0.0)
    before = without(kinds=slice(1, None)).parameters.model.targets.baseline[0, LYMPHOID]
    assert 0.0 < viable[0, LYMPHOID] < before
    assert released(results["no malignant cells"])[TUMOR] == 0.0
    assert highest(results["no malignant cells"]).min() > 0.0


def test_a_tumor_whose_cells_lack_the_target_grows_as_without_drug(results):
    """T cells that arrive from other tissues touch its cells and release, but kill none."""
    treated, untreated = (
        np.asarray(results[name].final.model.targets.viable)[1:, TUMOR]
        for name in ("none in tumor", "steroid alone")
    )
    np.testing.assert_allclose(treated, untreated, rtol=1e-6)
    typical = np.asarray(results["typical"].final.model.targets.viable)[1:, TUMOR]
    assert typical.sum() < untreated.sum()


def test_most_release_is_gone_if_cells_in_lymphoid_tissue_lack_the_target(results):
    fewer = released(results["none in lymphoid"])
    assert fewer.sum() < 0.5 * released(results["typical"]).sum()


def test_a_target_missing_where_no_cells_have_it_changes_no_bit(results):
    """There are no B cells in skin."""
    assert same_bits(results["none in skin"], results["typical"])


def test_drug_stopped_after_a_day_is_that_of_the_infusion_until_then_and_falls(results):
    stopped, continued = (results[name].saved[0] for name in ("stopped", "continued"))
    until, later = GRID <= 1.0, GRID > 1.0
    for name in ("drug_central", "fever", "leak"):
        ours, other = getattr(stopped, name), getattr(continued, name)
        np.testing.assert_allclose(ours[until], other[until], rtol=1e-3, atol=1e-5)
    assert np.all(np.diff(stopped.drug_central[GRID >= 1.0]) < 0.0)
    assert np.all(stopped.drug_central[later] < continued.drug_central[later])


@pytest.fixture(scope="module")
def ended(results):
    """A trial that ends at the highest fever of the first dose; its level is half of that."""
    reductions = results["stopped"].periods.reductions
    peak, end = float(reductions.peak.fever[1]), float(reductions.peak_time.fever[1])
    assert 0.0 < end < END
    levels = np.broadcast_to(peak * np.array([0.5, 1e3, 2e3, 3e3]), (4, 4))
    whole = dataclasses.replace(sim(0, STOPPED), thresholds=levels)
    short = dataclasses.replace(whole, end=np.array(end))
    result = run(whole, short, grid=[0.0])
    return end, sim_of(result, 0), sim_of(result, 1)


def test_an_event_that_runs_at_the_end_is_censored_with_its_time_until_then(ended):
    end, whole, short = ended
    assert (int(short.running), int(whole.running)) == (1, 0)
    rows = short.periods.reductions.crossing
    assert int(rows.grade[1]) == int(whole.periods.reductions.crossing.grade[1]) == 1
    assert float(rows.own_time[1]) == pytest.approx(end - float(rows.onset[1]), abs=1e-9)
    assert float(rows.onset[1]) == pytest.approx(
        float(whole.periods.reductions.crossing.onset[1]), abs=1e-3
    )
    assert float(whole.periods.reductions.crossing.own_time[1]) > float(rows.own_time[1])


def test_patients_of_30_and_150_kg_can_be_simulated(strict_types, tmp_path):
    """The same patient otherwise: the heavier has the larger volume and the lower peak of drug."""
    (light, small), (heavy, large) = (weighing(weight, tmp_path) for weight in (30, 150))
    result = run(light, heavy)
    assert not result.failed.any()
    assert small < large
    drug = np.asarray(result.periods.reductions.peak.drug)[:, 3]
    assert drug[0] > drug[1] > 0.0
    for part in (result.final, result.saved, result.periods.reductions.peak.fever[:, 1:4]):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(part))
