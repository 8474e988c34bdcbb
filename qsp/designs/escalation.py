"""Operating characteristics of an escalation design, over many simulated trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.designs.design import LEVEL_FULL, NONE, TOXIC, Design, Table, Trials, conduct
from qsp.designs.enrollment import Population, Rates, enrollment
from qsp.endpoints.statistics import interval
from qsp.engine.progress import NoProgress, Progress
from qsp.errors import ConfigError
from qsp.weights import effective_size

REPLICATES = 2000
FAR = 2.0
"""Factor between a rate and the target above which they are far apart."""
CROWDED = 0.1
"""Share of the virtual patients in one trial above which the results carry a note."""

_TABLE = ("treated", "dlts", "level")
_BY_LEVEL = {
    "selected": "Share of trials that select the level",
    "patients": "Mean number of patients treated at the level",
    "dlts": "Mean number of dose-limiting toxicities at the level",
}
_BY_TRIAL = {
    "none_selected": "Share of trials that select no level",
    "trial_size": "Mean number of patients in a trial",
    "stopped_early": "Share of trials that ended because the lowest level was too toxic, or "
    "because a level had the number of patients that ends a trial",
    "stopped_for_toxicity": "Share of trials that ended because the lowest level was too toxic",
}
_DEFINITION = (
    "Means over simulated trials, each of which samples patients without replacement and applies "
    "the design to them; standard errors reflect the number of trials only, conditional on these "
    "patients or rates"
)


def operating_characteristics(
    toxic: xr.DataArray | Sequence[float],
    design: Design,
    *,
    replicates: int = REPLICATES,
    seed: int = 1,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Estimate selected levels, treated patients and toxicities over many trials of a design.

    No model is simulated: the toxicity of a patient at a level is looked up. Patients whose
    toxicity is unknown at any level are not enrolled; they are counted.

    Args:
        toxic (level, patient) or (level,): Whether each virtual patient has a dose-limiting
            toxicity [1], from `dose_limiting`; or the true rate of each level [1]. Levels go from
            the lowest to the highest. With a coordinate `prevalence_weight` (patient), patients
            are sampled in proportion to it.
        design: The design, such as `BOIN(0.25)`.
        replicates: Number of trials.
        seed: Seed for sampling patients. Trial k enrolls the same patients under every design and
            for any number of trials.
        progress: Receives the number of trials, and then the number of finished ones.

    Returns:
        Dataset [1]: `selected`, `patients` and `dlts` (level); `none_selected`, `trial_size`,
        `stopped_early` and `stopped_for_toxicity`; the standard error of each as `NAME_se`, which
        is 0 for a share of 0 or 1; `dlt_rate` (level), the rate in all patients who can be
        enrolled, with its 95 % Monte Carlo interval `dlt_rate_lower` and `dlt_rate_upper`, which
        are equal for a true rate; for virtual patients also the counts `enrollable`,
        `not_enrolled` and `unknown` (level). The attribute `notes` has one line for each unusual
        property of the input.

    Raises:
        ConfigError: If fewer virtual patients can be enrolled than a trial may need, or an
            argument is out of range.
    """
    if replicates < 1:
        raise ConfigError("escalation", "the number of trials must be at least 1", replicates)
    if seed < 0:
        raise ConfigError("escalation", "the seed must be 0 or more", seed)
    source = enrollment(toxic)
    most = design.most_patients(len(source.levels))
    measured = _measures(_conduct_all(source, design, replicates, seed, progress or NoProgress()))
    data = {
        name: _variable(values, long_name)
        for key, long_name in (_BY_LEVEL | _BY_TRIAL).items()
        for name, values, long_name in _mean(key, measured[key], long_name)
    }
    ds = xr.Dataset(data | _patients(source), {"level": list(source.levels)})
    ds["level"].attrs = {"units": "1", "long_name": "Level, from the lowest"}
    return ds.assign_attrs(
        units="1",
        long_name="Operating characteristics of a dose escalation",
        definition=_DEFINITION,
        source=design.source,
        design=repr(design),
        design_title=design.title,
        replicates=replicates,
        seed=seed,
        notes="\n".join(_notes(source, design, most)),
    )


def _conduct_all(
    source: Rates | Population, design: Design, replicates: int, seed: int, progress: Progress
) -> Trials:
    """Conduct all trials, some at a time to limit memory and to report progress."""
    most = design.most_patients(len(source.levels))
    parts = []
    progress.start(replicates)
    for potential in source.pieces(replicates, most, seed):
        parts.append(conduct(potential, design))
        progress.advance(len(potential))
    return Trials(
        Table(*(np.concatenate([getattr(p.table, name) for p in parts]) for name in _TABLE)),
        stop=np.concatenate([p.stop for p in parts]),
        selected=np.concatenate([p.selected for p in parts]),
    )


def _measures(trials: Trials) -> dict[str, NDArray[np.float64]]:
    """Return the quantities (trial, level) or (trial,) to be averaged, by name of the mean."""
    treated, dlts = trials.table.treated, trials.table.dlts
    measured = {
        "selected": trials.selected[:, None] == np.arange(treated.shape[1]),
        "patients": treated,
        "dlts": dlts,
        "none_selected": trials.selected == NONE,
        "trial_size": treated.sum(axis=1),
        "stopped_early": np.isin(trials.stop, (TOXIC, LEVEL_FULL)),
        "stopped_for_toxicity": trials.stop == TOXIC,
    }
    return {name: values.astype(float) for name, values in measured.items()}


def _mean(
    name: str, values: NDArray[np.float64], long_name: str
) -> list[tuple[str, NDArray[np.float64], str]]:
    """Return the mean over trials and its standard error, as (name, value, long name)."""
    error = values.std(axis=0) / np.sqrt(values.shape[0])
    return [
        (name, values.mean(axis=0), long_name),
        (f"{name}_se", error, f"{long_name}: Monte Carlo standard error"),
    ]


def _variable(values: NDArray[np.generic] | np.generic, long_name: str) -> xr.Variable:
    dims = ("level",) if np.ndim(values) else ()
    return xr.Variable(dims, values, {"units": "1", "long_name": long_name})


def _patients(source: Rates | Population) -> dict[str, xr.Variable]:
    """Return the rate of toxicity, and counts of patients who can and cannot be enrolled."""
    lower, upper = _bounds(source)
    rate = {
        "dlt_rate": _variable(source.rate, "True rate of dose-limiting toxicity"),
        "dlt_rate_lower": _variable(lower, "Lower 95 % Monte Carlo bound of the rate"),
        "dlt_rate_upper": _variable(upper, "Upper 95 % Monte Carlo bound of the rate"),
    }
    if isinstance(source, Rates):
        return rate
    known = source.known
    unknown = np.isnan(source.toxic).sum(axis=1)
    return rate | {
        "enrollable": _variable(known.sum(), "Virtual patients who can be enrolled"),
        "not_enrolled": _variable((~known).sum(), "Virtual patients who cannot be enrolled"),
        "unknown": _variable(unknown, "Virtual patients with unknown toxicity"),
    }


def _bounds(source: Rates | Population) -> interval.Bounds:
    """Return the Monte Carlo interval (level,) of the rates; Kish's sample size if weighted."""
    if isinstance(source, Rates):
        return source.rate, source.rate
    weight = source.weight[source.known]
    size = effective_size(weight.sum(), np.square(weight).sum())
    return interval.wilson(source.rate * size, size)


def _far_from_target(source: Rates | Population, target: float | None) -> Iterator[str]:
    """Yield a note if the rates of all levels are far below the target, or all far above."""
    if target is None:
        return
    lower, upper = _bounds(source)
    if np.all(upper < target / FAR):
        yield (
            f"every level is far below the target of {target:.3g}: the highest upper 95 % bound is "
            f"{upper.max():.3g}, less than half of it. The design can only escalate to the highest "
            "level, which is not a maximum tolerated dose; add higher levels, or define toxicity "
            "more widely"
        )
    if np.all(lower > target * FAR):
        yield (
            f"every level is far above the target of {target:.3g}: the lowest lower 95 % bound is "
            f"{lower.min():.3g}, more than twice the target. The design can only stop or stay at "
            "the lowest level; add lower levels, or define toxicity more narrowly"
        )


def _notes(source: Rates | Population, design: Design, most: int) -> list[str]:
    """Return notes that a reader needs to interpret the numbers."""
    pairs = zip(source.levels, source.levels[1:], source.rate, source.rate[1:], strict=False)
    notes = [*_far_from_target(source, design.target)]
    notes += [
        f"the rate of toxicity decreases from {low} ({before:.3g}) to {high} ({after:.3g}); "
        "designs assume that it increases"
        for low, high, before, after in pairs
        if after < before
    ]
    if isinstance(source, Rates):
        return notes
    eligible, total = int(source.known.sum()), source.known.size
    if eligible < total:
        notes.append(
            f"{total - eligible} of {total} virtual patients cannot be enrolled: their toxicity is "
            "not known at every level, or their weight is 0"
        )
    if most > CROWDED * eligible:
        notes.append(
            f"a trial may enroll {most} of {eligible} virtual patients: trials are more similar to "
            "each other than those in a large population"
        )
    return notes
