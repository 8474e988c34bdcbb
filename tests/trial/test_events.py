"""Event tables: no dose is lost or given twice, and each patient has the right amounts."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp.errors import PopulationError
from qsp.trial import KINDS, Amount, Arm, Dose, Trial, event_table, period_table, prescribe
from qsp.trial.protocol import repeated

WEIGHT_KDA = 146.0
HOUR = 1 / 24
STEP_UP = [(0, 1), (7, 2), (14, 60), (21, 60), (42, 30), (63, 30)]
LABELS = ("SUD1", "SUD2", "FD1", "FD2", "FD3", "FD4")


def dose(period, time, mg, duration=4 * HOUR, per="patient", kind="drug_iv"):
    return Dose(kind, float(time), Amount(float(mg), per), duration, period)


def step_up():
    return [dose(label, *when) for label, when in zip(LABELS, STEP_UP, strict=True)]


def regimen(doses, days=84.0):
    return prescribe(doses, molecular_weight_kda=WEIGHT_KDA, days=days, where="arm")


def trial(*regimens, patients=3, days=84.0):
    """One arm for each item: a list of doses for everyone, or a tuple of lists, one a patient."""
    arms = []
    for n, item in enumerate(regimens):
        each = item if isinstance(item, tuple) else (item,)
        arms.append(Arm(f"arm {n}", tuple(regimen(doses, days) for doses in each)))
    return Trial("t", tuple(arms), days, (days,), patients, "mosunetuzumab", WEIGHT_KDA)


def events(of, weight=(60.0, 70.0, 90.0), surface=(1.6, 1.8, 2.1), **options):
    return event_table(of, np.array(weight), np.array(surface), **options)


def test_shapes_types_and_padding():
    table = events(trial(step_up(), step_up()[:1]))
    assert table.time.shape == (2, 3, 16)
    assert table.kind.dtype == table.period.dtype == np.int32
    assert table.time.dtype == table.amount.dtype == table.rate.dtype == np.float64
    padded = table.kind == -1
    assert padded.sum(axis=-1).tolist() == [[10] * 3, [15] * 3]
    assert np.all(np.isinf(table.time[padded]))
    for name in ("amount", "rate", "duration", "period"):
        assert not getattr(table, name)[padded].any()


def test_regimens_of_similar_length_share_a_shape():
    short, long = trial(step_up()[:1]), trial(list(repeated(dose("A", 0, 1), 1.0, 16)))
    assert events(short).time.shape == events(long).time.shape == (1, 3, 16)
    assert events(trial(list(repeated(dose("A", 0, 1), 1.0, 17)))).time.shape == (1, 3, 32)
    assert events(short, bucket=5).time.shape == (1, 3, 5)


def test_amounts_follow_the_size_of_the_patient():
    table = events(trial([dose("A", 0, 0.06, per="kg"), dose("B", 7, 5, per="m2")]))
    mg = table.amount[0, :, :2] * WEIGHT_KDA / 1000
    np.testing.assert_allclose(mg[:, 0], 0.06 * np.array([60, 70, 90]))
    np.testing.assert_allclose(mg[:, 1], 5 * np.array([1.6, 1.8, 2.1]))


def test_no_patient_is_given_more_than_the_cap():
    """For the molecule and a supportive drug; 120 kg at 8 mg/kg receive 800 mg."""
    capped = Amount(0.06, "kg", cap=4.5)
    tocilizumab = Dose("tocilizumab", 7.0, Amount(8.0, "kg", cap=800.0), HOUR)
    of = trial([dataclasses.replace(dose("A", 0, 1), amount=capped), tocilizumab])
    table = events(of, weight=(60.0, 75.0, 120.0))
    np.testing.assert_allclose(table.amount[0, :, 0] * WEIGHT_KDA / 1000, [3.6, 4.5, 4.5])
    np.testing.assert_allclose(table.amount[0, :, 1], [480.0, 600.0, 800.0])
    np.testing.assert_allclose(table.rate[0, :, 1] * HOUR, [480.0, 600.0, 800.0])
    np.testing.assert_allclose(period_table(of, table).amount[0, :, 0], [3.6, 4.5, 4.5])


def test_size_is_needed_only_where_an_amount_needs_it():
    flat = trial(step_up())
    assert np.isfinite(events(flat, weight=(np.nan, 0.0, 70.0)).amount).all()
    by_weight = trial([dose("A", 0, 0.06, per="kg")])
    with pytest.raises(PopulationError, match="body_weight must be above 0.* nan for patient 0"):
        events(by_weight, weight=(np.nan, 0.0, 70.0))
    with pytest.raises(PopulationError, match="body_surface must be above 0.* -1.0 for patient 2"):
        events(trial([dose("A", 0, 5, per="m2")]), surface=(1.7, 1.8, -1.0))


def test_patients_may_differ_in_times_and_number_of_doses():
    late = [dose("SUD1", 0, 1), dose("FD1", 9.5, 60)]
    table = events(of := trial((step_up(), late, late[:1]), step_up()))
    assert (table.kind >= 0).sum(axis=-1).tolist() == [[6, 2, 1], [6, 6, 6]]
    assert table.time[0, 1, :2].tolist() == [0.0, 9.5]
    periods = period_table(of, table)
    assert periods.label[0, :, 1].tolist() == ["SUD2", "FD1", ""]
    assert periods.present.sum(axis=-1).tolist() == [[6, 2, 1], [6, 6, 6]]


def test_regimens_for_other_patients_are_refused():
    with pytest.raises(PopulationError, match="number of regimens"):
        events(trial((step_up(),) * 3), weight=(60.0, 70.0), surface=(1.6, 1.8))


def test_period_table_of_the_step_up():
    """The dose of each period is that of its own record, not of the one before or after."""
    periods = period_table(of := trial(step_up()), events(of))
    assert periods.label.shape == (1, 3, 8)
    assert periods.label[0, 0].tolist() == [*LABELS, "", ""]
    assert periods.time[0, 1, :6].tolist() == [0, 7, 14, 21, 42, 63]
    np.testing.assert_allclose(periods.amount[0, 2, :6], [1, 2, 60, 60, 30, 30])
    assert np.isnan(periods.time[0, 0, 6:]).all()
    assert np.isnan(periods.amount[0, 0, 6:]).all()
    assert periods.present[0, 0].tolist() == [True] * 6 + [False] * 2


def test_split_doses_are_one_period_with_their_sum():
    split = [dose("SUD1", 0, 12), dose("SUD1", 3, 32), dose("FD1", 7, 76)]
    periods = period_table(of := trial(split), events(of))
    np.testing.assert_allclose(periods.amount[0, 0, :2], [44, 76])
    assert periods.time[0, 0, :2].tolist() == [0, 7]


def test_infusion_ends_when_its_amount_is_given():
    table = events(trial(step_up()))
    real = table.kind >= 0
    np.testing.assert_allclose((table.rate * table.duration)[real], table.amount[real])
    assert not events(trial([dose("A", 0, 1, duration=0.0)])).rate.any()


def test_shortened_interval_is_kept():
    """Weekly, then every three days: the later times are those written."""
    doses = [*repeated(dose("A", 0, 1), 7.0, 3), *repeated(dose("B", 17, 2), 3.0, 2)]
    assert events(trial(doses)).time[0, 0, :5].tolist() == [0, 7, 14, 17, 20]


def test_doses_do_not_depend_on_the_save_times():
    arms = trial(step_up()).arms
    few = Trial("t", arms, 84.0, (84.0,), 3, "m", WEIGHT_KDA, save_times=(0.0, 84.0))
    many = Trial("t", arms, 84.0, (84.0,), 3, "m", WEIGHT_KDA, tuple(np.linspace(0, 84, 999)))
    for name in ("time", "kind", "amount", "rate", "duration", "period"):
        np.testing.assert_array_equal(getattr(events(few), name), getattr(events(many), name))


def test_everything_at_one_time_is_kept_in_order():
    """A dose at the instant another ends, and premedication at that instant too."""
    doses = [
        dose("A", 0, 1, duration=7.0),
        dose("B", 7, 2, duration=7.0),
        Dose("tocilizumab", 7.0, Amount(8.0, "kg"), HOUR),
        Dose("dexamethasone", 7.0, Amount(20.0)),
        Dose("dexamethasone", -2.0, Amount(20.0)),
    ]
    table = events(trial(doses))
    assert table.time[0, 0, :5].tolist() == [-2, 0, 7, 7, 7]
    names = [KINDS[k] for k in table.kind[0, 0, :5]]
    assert names == ["dexamethasone", "drug_iv", "tocilizumab", "dexamethasone", "drug_iv"]
    np.testing.assert_allclose(table.amount[0, :, 2], 8 * np.array([60, 70, 90]))


@st.composite
def protocols(draw):
    """A valid protocol: consecutive periods of doses, and supportive drugs at any time."""
    gaps = draw(st.lists(st.floats(0.01, 9.0), min_size=0, max_size=20))
    starts = np.concatenate([[0.0], np.cumsum(gaps)])
    doses, period = [], 1
    for n, start in enumerate(starts):
        capacity = (starts[n + 1] if n + 1 < len(starts) else 400.0) - start
        period += draw(st.booleans()) if n else 0
        kind = draw(st.sampled_from(["drug_iv", "drug_sc"]))
        duration = (
            draw(st.sampled_from([0.0, 0.1, 0.9, 1.0])) * capacity if kind == "drug_iv" else 0.0
        )
        per = draw(st.sampled_from(["patient", "kg", "m2"]))
        doses.append(dose(f"P{period}", start, draw(st.floats(0, 100)), duration, per, kind))
    for _ in range(draw(st.integers(0, 8))):
        drug = draw(st.sampled_from(KINDS[2:-1]))  # the last is never a bolus
        time = draw(st.one_of(st.floats(-10, 390), st.sampled_from(starts.tolist())))
        doses.append(Dose(drug, time, Amount(draw(st.floats(0, 1000)), "kg")))
    return draw(st.permutations(doses))


@given(protocols())
def test_any_protocol_becomes_a_sorted_table_that_conserves_amounts(doses):
    weight, surface = np.array([50.0, 80.0]), np.array([1.5, 2.0])
    of = trial(doses, patients=2, days=400.0)
    table = event_table(of, weight, surface)
    periods = period_table(of, table)
    size = {"patient": np.ones(2), "kg": weight, "m2": surface}

    assert np.all(table.time[..., :-1] <= table.time[..., 1:])
    assert (table.kind >= 0).sum(axis=-1).tolist() == [[len(doses)] * 2]

    molecule = (table.kind == 0) | (table.kind == 1)
    given_mg = sum(d.amount.value * size[d.amount.per] for d in doses if d.is_molecule)
    in_table = np.where(molecule, table.amount, 0).sum(axis=-1)[0] * WEIGHT_KDA / 1000
    np.testing.assert_allclose(in_table, given_mg, rtol=1e-12)
    np.testing.assert_allclose(np.nansum(periods.amount, axis=-1)[0], given_mg, rtol=1e-12)
    for index in range(2, len(KINDS)):
        mg = sum(d.amount.value * weight for d in doses if d.kind == KINDS[index])
        mine = np.where(table.kind == index, table.amount, 0).sum(axis=-1)[0]
        np.testing.assert_allclose(mine, mg if np.ndim(mg) else 0.0, rtol=1e-12)

    for row, is_molecule in zip(table.period[0], molecule[0], strict=True):
        assert np.all(np.diff(row[is_molecule]) >= 0)
        assert set(row[is_molecule]) == set(range(1, len(of.arms[0].labels) + 1))
        assert not row[~is_molecule].any()
    # Of two administrations at one time, the supportive drug comes first.
    together = table.time[..., :-1] == table.time[..., 1:]
    assert not np.any(together & molecule[..., :-1] & (table.kind[..., 1:] > 1))


@given(protocols(), st.integers(0, 1))
def test_events_of_a_patient_do_not_depend_on_others(doses, who):
    weight, surface = np.array([50.0, 80.0]), np.array([1.5, 2.0])
    of = trial(doses, patients=2, days=400.0)
    both = event_table(of, weight, surface)
    alone = event_table(of, weight[[who]], surface[[who]])
    for name in ("time", "kind", "amount", "rate", "duration", "period"):
        np.testing.assert_array_equal(getattr(both, name)[:, who], getattr(alone, name)[:, 0])


def test_kinds_are_those_of_the_equations():
    system = pytest.importorskip("qsp.system")
    assert system.DOSE_KINDS == KINDS
