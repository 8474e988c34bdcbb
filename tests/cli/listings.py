"""One listing of each command that prints a table, without a simulation."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import xarray as xr

from qsp import designs
from qsp.cli import comparison, escalation, published, tables
from qsp.cli.cluster_status import status_listing
from qsp.cli.populate import listing as screen_listing
from qsp.cli.weigh import listing as weights_listing
from qsp.endpoints import add_best_response, differences, utility
from qsp.endpoints.statistics.paired import Sampling
from qsp.patients import Published, Screening, read_ranges
from qsp.patients.baseline_ranges import ranges_of, shipped_ranges
from qsp.patients.screen import reasons
from qsp.patients.values import groups_of
from qsp.patients.weighing import weigh_values, with_resampling, with_selection
from qsp.validation.acceptance import Figure as Measured
from qsp.validation.acceptance import Line
from qsp.validation.approved import ANY, Approved, Compared
from qsp.validation.judge import rule
from qsp.validation.row import Fact, Figure
from qsp.validation.selected import Simulated
from tests import synthetic


def results():
    return tables.results(xr.DataTree(add_best_response(synthetic.lively(30))))


def one_patient():
    return tables.results(xr.DataTree(add_best_response(synthetic.neutral(patients=1))))


def diff(*, every=False):
    ds = add_best_response(synthetic.lively(40, arms=("step", "flat")))
    pairs, sampling = differences.pairs_of_arms(ds), Sampling(100, replicates=100)
    frame = differences.of_pairs(pairs, sampling)
    preferences = utility.compare(pairs, utility.weights_of(ds), sampling)
    return comparison.of_differences(frame, preferences, every=every)


def _published(name, at_most, unit, share, source, *, arm="", period="", n=300):
    where = "targets.csv: line 2"
    points = np.atleast_1d(at_most), np.atleast_1d(share)
    return Published(name, arm, period, unit, source, n, *points, where)


def populate():
    """Candidates that are rejected for three reasons."""
    listed = reasons(ranges_of(read_ranges(shipped_ranges()), "multiple myeloma"), 84.0)
    place = {reason.name: n for n, reason in enumerate(listed)}
    rejected = np.full(1000, -1)
    rejected[:3] = place["implausible_parameters"]
    rejected[3:9] = place["not_steady_t_cells_blood"]
    rejected[9:110] = place["out_of_range_soluble_target_baseline"]
    return screen_listing(Screening(rejected, listed, cohort=None))


def weigh():
    return _weights(with_selection)


def weigh_resampled():
    return _weights(lambda found, groups: with_resampling(found, groups, 200))


def _weights(chosen):
    """Two sources that contradict each other, a bin without patients, and a peak of IL-6."""
    ds = add_best_response(synthetic.lively(60, arms=("step", "flat")))
    ds = synthetic.put(ds, age=np.linspace(40.0, 80.0, 60))
    targets = (
        _published("age", [35.0, 60.0], "year", [0.05, 0.3], "Trial A 2020"),
        _published("age", 60.0, "year", 0.7, "Trial B 2021"),
        _published("il6_peak", 100.0, "pg/mL", 0.6, "Trial B 2021", arm="flat", period="FD1"),
    )
    file = Path("targets.csv")
    found = weigh_values(ds, targets, file, where="runs/before", ridge=1.0, seed=0)
    return weights_listing(chosen(found, groups_of(ds, targets)))


def diff_all():
    return diff(every=True)


def replay():
    rows = [("il6_peak", 1.3e-9, 4.2e-7), ("tumor_volume_end", 0.0, 1e-12)]
    found = [SimpleNamespace(name=n, median=m, largest=x) for n, m, x in rows]
    return tables.of_replay(
        SimpleNamespace(
            differences=found, agrees=True, patients=12, grades=0, periods=24, allowed=1e-3
        )
    )


def escalate():
    toxic = xr.DataArray(
        np.arange(100) < np.array([[2], [4]]),
        dims=("level", "patient"),
        coords={"level": ["one_step", "two_steps"]},
    ).astype(float)
    return escalation.listing(
        designs.operating_characteristics(toxic, designs.BOIN(0.25), replicates=40)
    )


def validate():
    def fact(what, published, simulated, how, unit, certainty="paper", **other):
        return Fact(
            molecule="mosunetuzumab",
            study="mosunetuzumab",
            what=what,
            when="overall, R/R NHL phase 1",
            published=Figure(published, unit, **other),
            measure=lambda _: simulated,
            rule=rule(how, unit=unit, published=published, where="test"),
            certainty=certainty,
            source='Smith 2020, "Table 2"',
        ).compared(None)

    peak = "IL-6 above 10 pg/mL, median of 12 samples, with an assumed steroid"
    return published.validation(
        [
            fact("CRS, any grade", 44.0, Simulated(58.5, 53.6, 63.2), "within 12 points", "%"),
            fact(peak, 44.8, Simulated(61.3), "within 3-fold", "pg/mL", low=18.0, high=221.0),
            fact("CRS, grade 3 or more", 2.0, Simulated(4.0), "within 3-fold odds", "%"),
            fact("T cells in blood, of baseline", 0.2, Simulated(0.5), "within 0.25", "1"),
            fact("ORR", 35.0, Simulated(np.nan), "shown: recalled", "%", "own-knowledge"),
        ]
    )


def requirements():
    figures = Measured("mosunetuzumab", "1.61 (1.3 to 2)", True), Measured("glofitamab", "1", False)
    return published.acceptance_table(
        [
            Line("flat over step-up, grade >= 2", figures, "1.5, lower end above 1.2", "all"),
            Line("burden", (Measured("glofitamab", "2.3", True, True),), "1.7 to 5", "2 to 4"),
            Line("speed", (Measured("run", "a command"),), "0.6", "0.8"),
        ]
    )


def compare():
    known = {"SUD1": 43.0, "SUD2": 36.0, "FD1": 24.0, "FD2": 3.0, ANY: 72.0}
    found = {"SUD1": 31.2, "SUD2": 33.3, "FD1": 22.0, "FD2": 4.0, "FD3": 1.0, ANY: 61.5}
    lower, upper = ({dose: rate + by for dose, rate in found.items()} for by in (-1.0, 1.0))
    verified = Approved("teclistamab", "teclistamab_1.5_weekly", known, frozenset(["SUD1"]))
    alone = Approved("linvoseltamab", "linvoseltamab", {}, frozenset())
    return published.approved_regimens(
        [Compared(each, found, lower, upper) for each in (verified, alone)]
    )


def status():
    plan = SimpleNamespace(
        id="0123456789abcdef",
        title="Mosunetuzumab: 1/2/60 mg step-up vs 60 mg flat in R/R B-cell non-Hodgkin lymphoma",
        shards=range(40),
        patients=1_000_000,
        closed_as=None,
    )
    counts = {"done": range(30), "running": range(4), "queued": range(5), "missing": ()}
    return status_listing(
        SimpleNamespace(
            plan=plan,
            **counts,
            failed={7: "out of memory"},
            patients=765_432,
            checkpointed=0,
            failed_patients=3,
            patients_per_s=None,
            seconds_left=None,
        )
    )


LISTINGS = {
    "run": results,
    "run_typical": one_patient,
    "diff": diff,
    "diff_all": diff_all,
    "replay": replay,
    "populate": populate,
    "weigh": weigh,
    "weigh_resampled": weigh_resampled,
    "escalate": escalate,
    "validate": validate,
    "validate_table": requirements,
    "compare": compare,
    "molecules": tables.shipped_molecules,
    "status": status,
}
