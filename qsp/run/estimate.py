"""Time that a run will take, with that of compilation if its programs are not in the cache.

The figures were measured on two cores, and are right to about a factor of two on others.
"""

from __future__ import annotations

import dataclasses

from qsp.engine.batch import is_compiled
from qsp.engine.cache import CacheDir, chosen
from qsp.engine_input import (
    MOST_TRAJECTORIES,
    administered_kinds,
    batches,
    saved_patients,
    simulations,
)
from qsp.run.prepared import FIRST, Prepared
from qsp.system import program_kinds
from qsp.trial import Trial, most_periods

SIMULATED_DAYS_PER_SECOND = 40_000.0
"""Order of magnitude for two cores: patients times arms times days simulated per second."""
START_SECONDS = 5.0
"""Imports, patients, small programs of JAX, figures and report."""
COMPILE_SECONDS = 15.0
SECONDS_PER_PERIOD, SECONDS_PER_SQUARE = 0.1, 0.0017
"""Further time to compile for each dose period, and the square of their number, up to 200."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Time of a run.

    Args:
        compile_s: Time to compile [s]; 0 if the programs are in the cache.
        run_s: Time to simulate and to write the report [s].
    """

    compile_s: float
    run_s: float

    @property
    def text(self) -> str:
        """The times in words."""
        total = f"about {self.compile_s + self.run_s:.0f} s"
        if not self.compile_s:
            return f"{total}, compiled before"
        return f"{total}, {self.compile_s:.0f} s of them to compile, once"


def estimate(prepared: Prepared, cache_dir: CacheDir = "default") -> Estimate:
    """Estimate the time of a run.

    Args:
        prepared: The run.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.
    """
    trial = prepared.trial.solved
    simulated_days = len(prepared.ids) * len(trial.arms) * trial.days
    compile_s = 0.0 if is_cached(prepared, cache_dir) else compile_seconds(trial)
    return Estimate(compile_s, START_SECONDS + simulated_days / SIMULATED_DAYS_PER_SECOND)


def is_cached(prepared: Prepared, cache_dir: CacheDir = "default") -> bool:
    """Return whether the native programs of a run are in the cache; nothing is traced.

    Programs depend on the shapes of a trial and on the parameters that are zero in all patients,
    which a few patients show. Many patients with individual doses are not looked at: their shapes
    are those of all doses, and compilation is a small part of the time.

    Args:
        prepared: The run.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.
    """
    folder, is_large = chosen(cache_dir), len(prepared.ids) > MOST_TRAJECTORIES
    if folder is None or (is_large and prepared.is_individual):
        return False
    # The last patient of a large run has no saved trajectory, so that both programs are found.
    part = prepared.of(prepared.ids[[*range(FIRST), -1]]) if is_large else prepared
    trial = part.trial.solved
    sims, _ = simulations(trial, part.cohort, part.system.structure.severity)
    is_saved = saved_patients(part.ids, prepared.trajectories)
    kinds = program_kinds(administered_kinds(sims))
    return all(
        is_compiled(batch, prepared.system, prepared.method, kinds=kinds, cache_dir=folder)
        for _, _, batch in batches(sims, is_saved, trial)
    )


def compile_seconds(trial: Trial) -> float:
    """Return the time to compile the program of a trial that is not in the cache [s]."""
    periods = most_periods(trial, bucket=1)
    return COMPILE_SECONDS + SECONDS_PER_PERIOD * periods + SECONDS_PER_SQUARE * periods**2
