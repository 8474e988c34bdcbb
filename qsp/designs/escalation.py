"""Operating characteristics of an escalation design: what its trials come to, over many of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.designs.design import ENOUGH, NONE, TOXIC, Design, Table, Trials, conduct
from qsp.designs.enrollment import Population, Rates, enrollment
from qsp.engine.progress import NoProgress, Progress
from qsp.errors import ConfigError

REPLICATES = 2000
CROWDED = 0.1
"""Share of the virtual patients that a trial may take before it is said."""

_SEEN = ("treated", "dlts", "level")
_BY_LEVEL = {
    "selected": "Share of the trials that select the level",
    "patients": "Patients treated at the level in a trial, on average",
    "dlts": "Dose-limiting toxicities at the level in a trial, on average",
}
_BY_TRIAL = {
    "none_selected": "Share of the trials that select no level",
    "trial_size": "Patients of a trial, on average",
    "stopped_early": "Share of the trials that ended because the lowest level was too toxic, or "
    "because one level had enough patients",
    "stopped_for_toxicity": "Share of the trials that ended because the lowest level was too toxic",
}
_DEFINITION = (
    "Means over trials that each draw patients without replacement and run the design on them; the "
    "standard errors are those of the number of trials, given these patients or rates"
)


def operating_characteristics(
    toxic: xr.DataArray | Sequence[float],
    design: Design,
    *,
    replicates: int = REPLICATES,
    seed: int = 1,
    progress: Progress | None = None,
) -> xr.Dataset:
    """What trials of a design come to: levels selected, patients treated, toxicities.

    Nothing is simulated: the toxicity of a patient at a level is looked up. Patients with an
    unknown toxicity at any level are not enrolled; they are counted.

    Args:
        toxic (level, patient) or (level,): Whether each virtual patient has a dose-limiting
            toxicity [1], as `dose_limiting` gives it; or the true rate of each level [1]. Levels
            go from the lowest to the highest. A coordinate `prevalence_weight` (patient) makes the
            draws proportional to it.
        design: Such as `BOIN(0.25)`.
        replicates: Trials.
        seed: Of the draws. Trial k is made of the same patients under every design and for any
            number of trials.
        progress: Told how many trials there are, and as they are done.

    Returns:
        Dataset [1]: `selected`, `patients` and `dlts` (level); `none_selected`, `trial_size`,
        `stopped_early` and `stopped_for_toxicity`; a standard error of each as `NAME_se`, which is
        0 where no trial or every trial did it; `dlt_rate` (level), the rate in all who can be
        enrolled; for virtual patients also `enrollable`, `not_enrolled` and `unknown` (level),
        which are counts. The attribute `notes` says what is unusual, a line each.

    Raises:
        ConfigError: If there are fewer virtual patients than a trial may need, or an argument is
            out of its range.
    """
    if replicates < 1:
        raise ConfigError("escalation", "the number of trials must be at least 1", replicates)
    if seed < 0:
        raise ConfigError("escalation", "the seed must be 0 or more", seed)
    source = enrollment(toxic)
    most = design.most_patients(len(source.levels))
    measured = _measures(_conducted(source, design, replicates, seed, progress or NoProgress()))
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
        notes="\n".join(_notes(source, most)),
    )


def _conducted(
    source: Rates | Population, design: Design, replicates: int, seed: int, progress: Progress
) -> Trials:
    """All trials, some at a time: neither memory nor silence grows with their number."""
    most = design.most_patients(len(source.levels))
    parts = []
    progress.start(replicates)
    for potential in source.pieces(replicates, most, seed):
        parts.append(conduct(potential, design))
        progress.advance(len(potential))
    return Trials(
        Table(*(np.concatenate([getattr(p.table, name) for p in parts]) for name in _SEEN)),
        stop=np.concatenate([p.stop for p in parts]),
        selected=np.concatenate([p.selected for p in parts]),
    )


def _measures(trials: Trials) -> dict[str, NDArray[np.float64]]:
    """(trial, level) or (trial,), by the name of what it is averaged to."""
    treated, dlts = trials.table.treated, trials.table.dlts
    measured = {
        "selected": trials.selected[:, None] == np.arange(treated.shape[1]),
        "patients": treated,
        "dlts": dlts,
        "none_selected": trials.selected == NONE,
        "trial_size": treated.sum(axis=1),
        "stopped_early": np.isin(trials.stop, (TOXIC, ENOUGH)),
        "stopped_for_toxicity": trials.stop == TOXIC,
    }
    return {name: values.astype(float) for name, values in measured.items()}


def _mean(
    name: str, values: NDArray[np.float64], long_name: str
) -> list[tuple[str, NDArray[np.float64], str]]:
    """Mean over the trials, and its standard error."""
    error = values.std(axis=0) / np.sqrt(values.shape[0])
    return [
        (name, values.mean(axis=0), long_name),
        (f"{name}_se", error, f"{long_name}: Monte Carlo standard error"),
    ]


def _variable(values: NDArray[np.generic] | np.generic, long_name: str) -> xr.Variable:
    dims = ("level",) if np.ndim(values) else ()
    return xr.Variable(dims, values, {"units": "1", "long_name": long_name})


def _patients(source: Rates | Population) -> dict[str, xr.Variable]:
    """The rates of toxicity, and who can be enrolled at all."""
    rate = {"dlt_rate": _variable(source.rate, "True rate of dose-limiting toxicity")}
    if isinstance(source, Rates):
        return rate
    known = source.known
    unknown = np.isnan(source.toxic).sum(axis=1)
    return rate | {
        "enrollable": _variable(known.sum(), "Virtual patients who can be enrolled"),
        "not_enrolled": _variable((~known).sum(), "Virtual patients who cannot be enrolled"),
        "unknown": _variable(unknown, "Virtual patients whose toxicity is not known"),
    }


def _notes(source: Rates | Population, most: int) -> list[str]:
    """What a reader must know beside the numbers."""
    pairs = zip(source.levels, source.levels[1:], source.rate, source.rate[1:], strict=False)
    notes = [
        f"the rate of toxicity falls from {low} ({before:.3g}) to {high} ({after:.3g}); designs "
        "take it to rise"
        for low, high, before, after in pairs
        if after < before
    ]
    if isinstance(source, Rates):
        return notes
    able, everybody = int(source.known.sum()), source.known.size
    if able < everybody:
        notes.append(
            f"{everybody - able} of {everybody} virtual patients cannot be enrolled: their "
            "toxicity is not known at every level, or they have no weight"
        )
    if most > CROWDED * able:
        notes.append(
            f"a trial may take {most} of {able} virtual patients: trials are more alike than those "
            "of an unlimited population"
        )
    return notes
