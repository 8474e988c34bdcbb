"""Courses in which a careless rule goes wrong, checked by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qsp.response.blasts import Blasts, BlastVisits
from qsp.response.category import Category
from qsp.response.geometry import Lesions, Scans, error_factor, measured
from qsp.response.imwg import Disease, Imwg, MyelomaVisits
from qsp.response.lugano import Lugano
from qsp.response.m_protein import Isotype, m_protein_step
from qsp.response.recist import Recist
from tests.response.courses import by_long, events, judged, leukemia, myeloma, scans

NE, PD, SD, PR, VGPR, CRI, CR = Category


def test_small_node_that_grows_little_is_no_progression():
    """The product grows by 78 % and the volume to 2.4 times, but the diameter by 0.4 cm."""
    found = judged(Lugano(), by_long([42], [[1.6]], [1.2]))
    assert found.best == SD
    assert (1.6 / 1.2) ** 2 > 1.5  # the product alone would be progression


def test_one_growing_node_is_progression_although_the_sum_shrinks():
    visits = by_long([42], [[3.7, 0.8, 0.8]], [2.5, 5.0, 5.0])
    found = judged(Lugano(), visits)
    assert found.best_change < -70
    assert found.best == PD
    assert found.progression_free == (42, True)


def test_growth_between_scans_is_not_seen():
    """80 % larger at day 14, 60 % smaller at day 42, the first scan."""
    size = math.sqrt(0.4) * 3.0
    assert judged(Lugano(), by_long([42], [[size]], [3.0])).best == PR
    both = by_long([14, 42], [[math.sqrt(1.8) * 3.0], [size]], [3.0])
    assert judged(Lugano(), both).best == PD


@pytest.mark.parametrize(("nadir", "later", "best"), [(0.2, 0.4, CR), (3.0, 3.6, PR)])
def test_progression_of_a_sum_requires_5_mm(nadir, later, best):
    found = judged(Recist(), by_long([42, 84, 126], [[nadir], [nadir], [later]], [5.0]))
    assert found.best == best
    assert found.category[2] == (PD if later == 3.6 else CR)


def test_20_percent_without_5_mm_is_no_progression():
    found = judged(Recist(), by_long([42, 84, 126], [[0.5], [0.5], [0.9]], [5.0]))
    assert found.category[:3] == [PR, PR, PR]


def test_partial_response_that_is_not_confirmed_is_stable_disease():
    found = judged(Recist(), by_long([42, 84], [[3.0], [4.5]], [5.0]))
    assert (found.best, found.best_unconfirmed) == (SD, PR)
    assert math.isnan(found.response_time)
    assert math.isnan(found.response[0])


def test_missed_visit_does_not_break_a_confirmation():
    found = judged(Recist(), by_long([42, 84, 126], [[3.0], None, [3.0]], [5.0]))
    assert found.best == PR
    assert found.response_time == 42
    assert found.category[:3] == [PR, NE, PR]


@pytest.mark.parametrize("rule", [Lugano(), Lugano(metabolic=False), Recist()])
def test_patient_without_a_lesion_is_not_evaluable(rule):
    """There is nothing to disappear, so that this is no complete response."""
    found = judged(rule, by_long([42, 84], [[], []], []))
    assert found.best == NE
    assert found.progression_free == (0, False)
    assert math.isnan(found.best_change)


@pytest.mark.parametrize("rule", [Lugano(), Recist()])
def test_new_lesion_is_progression_although_all_others_shrink(rule):
    found = judged(rule, by_long([42], [[1.0]], [5.0], new=[True]))
    assert found.best == PD


def test_death_before_the_first_scan_is_no_response_and_an_event():
    found = judged(Lugano(), by_long([42, 84], [[1.0], [1.0]], [5.0]), events(death=30))
    assert found.best == NE
    assert found.category[:2] == [NE, NE]
    assert found.progression_free == (30, True)


def test_first_progression_is_final_unless_it_must_be_confirmed():
    visits = by_long([42, 84], [[6.5], [3.0]], [5.0])
    final = judged(Lugano(), visits)
    assert (final.best, final.progression_free) == (PD, (42, True))
    lyric = judged(Lugano(confirm_first_progression=True), visits)
    assert (lyric.best, lyric.progression_free) == (PR, (84, False))
    assert lyric.category[:2] == [SD, PR]


def test_progression_at_two_visits_is_dated_at_the_first():
    rule = Lugano(confirm_first_progression=True)
    twice = judged(rule, by_long([42, 84], [[6.5], [6.5]], [5.0]))
    assert (twice.best, twice.progression_time) == (PD, 42)
    only = judged(rule, by_long([42, 84], [[6.5], None], [5.0]))
    assert (only.best, only.progression_time) == (PD, 42)
    later = judged(rule, by_long([42, 84], [[5.0], [6.5]], [5.0]))
    assert (later.best, later.progression_time) == (SD, 84)


DAYS = tuple(float(day) for day in range(0, 253, 28))


def course_without_cells(k_el, start):
    """M-protein at 28-day visits of a patient whose myeloma cells all die on day 0."""
    none = jnp.asarray(0.0)
    return np.asarray(
        m_protein_step(jnp.asarray(start), none, none, jnp.asarray(k_el), jnp.asarray(DAYS))
    )


def test_m_protein_of_igg_falls_with_its_half_life_though_all_cells_died():
    """Half-life 20 d: -62 % at day 28, -90 % at day 66, below 0.15 from 25 g/L at day 148."""
    protein = course_without_cells(math.log(2) / 20, 25.0)
    assert protein[1] / 25 - 1 == pytest.approx(-0.621, abs=1e-3)
    visits = [(float(p), 0.0, 0.0, []) for p in protein[1:]]
    found = judged(Imwg(), myeloma(DAYS[1:], visits, (25.0, 1.0, 0.3, [])))
    assert found.category == [PR, PR, VGPR, VGPR, VGPR, CR, CR, CR, CR]
    assert (found.response_time, found.complete_time) == (28, 168)
    assert 56 < 20 * math.log2(10) < 84
    assert 140 < 20 * math.log2(25 / 0.15) < 168


def test_light_chain_is_gone_at_once():
    protein = course_without_cells(4.16, 1.0)
    visits = [(float(p), 0.0, 0.0, []) for p in protein[1:]]
    start = (1.0, 1.0, 0.3, [])
    found = judged(Imwg(), myeloma(DAYS[1:], visits, start, isotype=Isotype.LIGHT_CHAIN))
    assert (found.best, found.complete_time) == (CR, 28)


def protein(values, start=20.0, new=None, **extra):
    visits = [None if p is None else (p, 1.0, 0.2, []) for p in values]
    days = [28 * (n + 1) for n in range(len(values))]
    return myeloma(days, visits, (start, 1.0, 0.2, []), new, **extra)


def test_small_rise_of_the_m_protein_is_no_progression():
    """4 to 6 g/L is 50 % but not 5 g/L."""
    found = judged(Imwg(), protein([4.0, 4.0, 6.0, 6.0, 6.0]))
    assert PD not in found.category


def test_single_rise_of_the_m_protein_is_no_progression():
    once = judged(Imwg(), protein([8.0, 8.0, 14.0, 8.0, 8.0]))
    assert (once.best, once.progression_free) == (PR, (140, False))
    twice = judged(Imwg(), protein([8.0, 8.0, 14.0, None, 14.0]))
    assert twice.progression_free == (84, True)
    last = judged(Imwg(), protein([8.0, 8.0, 14.0]))
    assert last.progression_free == (84, False)


def plasmacytomas(start, visit):
    """Outcome of myeloma with an M-protein 95 % lower, and plasmacytomas (long, short) in cm."""

    def lesions(diameters):
        return [(long, short, 5.0) for long, short in diameters]

    visits = [(1.0, 0.05, 0.01, lesions(visit))]
    return judged(Imwg(), myeloma([28], visits, (20.0, 1.0, 0.2, lesions(start))))


def test_growing_plasmacytoma_is_progression_although_the_m_protein_falls():
    found = plasmacytomas([(3.0, 2.0)], [(4.5, 3.0)])
    assert found.best_change == pytest.approx(-95)
    assert found.best == PD


def test_one_plasmacytoma_progresses_by_its_longest_diameter_several_by_their_products():
    """The product grows by 77 %, and the longest diameter by 33 %."""
    one, grown = (3.0, 2.0), (4.0, 2.66)
    assert plasmacytomas([one], [grown]).best == SD
    assert plasmacytomas([one, one], [grown, grown]).best == PD
    small = (1.0, 0.6), (1.5, 0.9)
    assert plasmacytomas([one, small[0]], [one, small[1]]).best == SD


def test_remission_of_leukemia_is_a_share_of_blasts_not_a_decrease():
    assert judged(Blasts(), leukemia([28, 70], [0.04, 0.04], 0.6)).best == CR
    found = judged(Blasts(), leukemia([28, 70], [0.06, 0.06], 0.2))
    assert found.best == SD
    assert found.progression_free == (70, True)


def test_scar_is_complete_by_pet_and_partial_by_ct():
    """Every lesion is without tumor, and the scar has 40 % of its volume."""
    at_start = measured(*[jnp.full(3, 20.0)] * 2, jnp.ones(3), residual=0.0)
    at_visit = measured(jnp.full(3, 8.0), jnp.zeros(3), jnp.ones(3), residual=0.0)
    visits = scans([42], [list(zip(*at_visit, strict=True))], list(zip(*at_start, strict=True)))
    assert judged(Lugano(metabolic=True), visits).best == CR
    by_size = judged(Lugano(metabolic=False), visits)
    assert 0.4 ** (2 / 3) > 0.5  # 40 % of the volume is 54 % of the product
    assert by_size.best == SD
    smaller = scans([42], [[(2.0, 1.5, 0.0)]], [(4.0, 3.0, 30.0)])
    assert judged(Lugano(metabolic=True), smaller).best == CR
    assert judged(Lugano(metabolic=False), smaller).best == PR


def test_response_at_the_last_visit_has_a_duration_of_zero():
    found = judged(Lugano(), by_long([42, 84], [[5.0], [3.0]], [5.0]))
    assert found.response == (0, False)
    assert found.response_time == 84


def test_regrowth_too_small_to_be_seen_is_no_progression():
    """From 0.01 to 0.2 mL: 20 times the volume, but a normal node."""
    volumes = jnp.asarray([[0.01], [0.2], [10.0]])
    found = np.stack(measured(volumes, volumes, jnp.ones((3, 1))), axis=-1)
    visits = scans([42, 84], found[:2].tolist(), found[2].tolist())
    assert judged(Lugano(), visits).category[:2] == [CR, PR]


class TestWithoutDrug:
    """No patient of 10,000 responds while the tumor grows, despite the error of measurement."""

    PATIENTS = 10_000

    def growth(self, rate, cv, days):
        draws = np.random.default_rng(18)
        sd = math.sqrt(math.log1p(cv**2))
        rates = rate * np.exp(sd * draws.standard_normal((self.PATIENTS, 1)))
        return np.exp(rates * np.asarray(days)), draws

    @pytest.mark.parametrize(
        ("rule", "rate", "cv", "interval"),
        [(Lugano(), 0.03, 0.46, 42), (Lugano(), 0.0038, 0.46, 42), (Recist(), 0.013, 0.8, 42)],
    )
    def test_lesions(self, rule, rate, cv, interval):
        days = [0, *range(interval, 4 * interval + 1, interval)]
        factor, draws = self.growth(rate, cv, days)
        start = 10.0 * np.exp(0.9 * draws.standard_normal((self.PATIENTS, 1, 4)))
        volume = jnp.asarray(start * np.minimum(factor, 1e3)[..., None])
        error = error_factor(jnp.asarray(draws.standard_normal(volume.shape)))
        found = measured(volume, volume, error)
        visits = Scans(
            jnp.asarray(days[1:], float),
            Lesions(*(each[:, 1:] for each in found)),
            Lesions(*(each[:, 0] for each in found)),
            jnp.zeros(len(days) - 1, bool),
        )
        axes = Scans(None, Lesions(0, 0, 0), Lesions(0, 0, 0), None)  # pyright: ignore
        out = jax.jit(jax.vmap(rule, (axes, None)))(visits, events())
        assert np.sum(np.asarray(out.best) >= PR) == 0
        if rate == 0.03:
            assert np.mean(np.asarray(out.progression_time) <= 180) > 0.9

    def test_m_protein(self):
        days = range(0, 29 * 6, 28)
        factor, _ = self.growth(0.008, 0.5, days)
        none = Lesions(*(jnp.full((self.PATIENTS, len(days), 1), jnp.nan) for _ in range(3)))
        protein = jnp.asarray(30.0 * np.minimum(factor, 3.0))
        cells = jnp.asarray(factor)
        at = Disease(protein, cells, cells / (cells + 3.0), none)
        visits = MyelomaVisits(
            jnp.broadcast_to(jnp.asarray([*days][1:], float), (self.PATIENTS, len(days) - 1)),
            jax.tree.map(lambda leaf: leaf[:, 1:], at),
            jax.tree.map(lambda leaf: leaf[:, 0], at),
            jnp.zeros((self.PATIENTS, len(days) - 1), bool),
            jnp.zeros(self.PATIENTS, int),
        )
        out = jax.jit(jax.vmap(Imwg(), (0, None)))(visits, events())
        assert np.sum(np.asarray(out.best) >= PR) == 0

    def test_blasts(self):
        factor, draws = self.growth(0.06, 0.4, [0, 28, 70])
        start = draws.uniform(0.05, 0.9, (self.PATIENTS, 1))
        cells = start / (1 - start) * factor
        share = jnp.asarray(cells / (cells + 1.0))
        visits = BlastVisits(
            jnp.broadcast_to(jnp.asarray([28.0, 70.0]), (self.PATIENTS, 2)),
            share[:, 1:],
            share[:, 0],
            jnp.ones(self.PATIENTS, bool),
        )
        out = jax.jit(jax.vmap(Blasts(), (0, None)))(visits, events())
        assert np.sum(np.asarray(out.best) >= PR) == 0
        assert np.all(np.asarray(out.progression_free.time) <= 70)
