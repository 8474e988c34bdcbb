"""Estimates of a run and its members, as the group `uncertainty` of the results."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qsp.endpoints.differences import reference_of
from qsp.endpoints.resampled import QUANTITIES, Estimates, estimates, resamples
from qsp.endpoints.statistics.nested import LEVEL, interval, probability_best, share_of_members
from qsp.engine.cache import CacheDir
from qsp.engine.progress import JointProgress, NoProgress, Progress
from qsp.errors import SolveError
from qsp.results import record_of
from qsp.run.prepared import Prepared
from qsp.run.response import with_response
from qsp.simulation import simulate
from qsp.stages import Stage, unmeasured
from qsp.uncertainty.members import OPTION, Members

GROUP = "uncertainty"
RESAMPLES = 100
"""Bootstrap samples of the patients for each member; of 50 members, 5,000 in total."""
SEED = 1


def with_uncertainty(
    results: xr.DataTree,
    found: Members,
    *,
    progress: Progress | None = None,
    cache_dir: CacheDir = "default",
    stage: Stage = unmeasured,
) -> xr.DataTree:
    """Simulate the members of a run, and return its results with the group `uncertainty`.

    The group has `estimate` and `failed` (member, arm), and over (of, arm, quantity), where `of` is
    the arm or its difference from the reference arm: `fixed`, the estimate at the values of the
    parameter files, with `fixed_lower` and `fixed_upper` over patients only; `median`, `lower` and
    `upper` over parameters and patients; `parameter_share` of the variance; and `probability_best`
    (arm, quantity). Intervals are 90 %.

    Args:
        results: Results of the run at the values of the parameter files.
        found: Members, from `members`.
        progress: Receives the progress after each chunk.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.
        stage: Entered for each stage of the simulation.
    """
    prepared = found.prepared
    counts = resamples(len(prepared.ids), RESAMPLES, SEED)
    sims = found.number * len(prepared.ids) * len(prepared.trial.arms)
    joint = JointProgress(progress or NoProgress(), sims)
    base = results.to_dataset()
    fixed = estimates(base, counts)
    each = [
        estimates(_simulated(run, base, joint, cache_dir, stage), counts) for run in found.runs()
    ]
    group = summarized(fixed, each, [str(arm) for arm in base["arm"].values], reference_of(base))
    group.attrs |= {
        "members": found.number,
        "ensemble_sha256": found.ensemble.digest,
        "notes": "\n".join(found.notes),
    }
    if base.attrs.get("command"):
        base.attrs["command"] += f" {OPTION} {found.number}"
    return xr.DataTree(base, children={**results.children, GROUP: xr.DataTree(group)})


def _simulated(
    run: Prepared, base: xr.Dataset, progress: Progress, cache_dir: CacheDir, stage: Stage
) -> xr.Dataset:
    """Results of a member; all of its patients may fail, which is counted."""
    tree = simulate(
        run.trial,
        run.cohort,
        system=run.system,
        method=run.method,
        trajectories=run.trajectories,
        progress=progress,
        attributes={"response_criteria": run.criteria},
        record=record_of(base),
        whole=False,
        cache_dir=cache_dir,
        stage=stage,
    )
    return with_response(tree.to_dataset(), run)


def summarized(
    fixed: Estimates, members: list[Estimates], arms: list[str], reference: str
) -> xr.Dataset:
    """Return the group `uncertainty` of the estimates of a run and of its members.

    Args:
        fixed: Estimates at the values of the parameter files.
        members: Estimates of each member.
        arms: Names of the arms.
        reference: Arm with which the others are compared.

    Raises:
        SolveError: If all patients of every member failed; one such member is left out.
    """
    base = arms.index(reference)
    usable = [each for each in members if each.has_patients]
    if not usable:
        raise SolveError("no patient could be simulated in any parameter set")
    values = np.stack([each.resampled for each in usable])  # (member, resample, arm, quantity)
    both = np.stack([values, values - values[:, :, [base]]], axis=2)
    whole = np.stack([fixed.whole, fixed.whole - fixed.whole[[base]]])
    only = np.stack([fixed.resampled, fixed.resampled - fixed.resampled[:, [base]]], axis=1)
    bounds = np.quantile(only, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    middle, low, high = interval(both)
    best = [
        probability_best(values[..., n], lower_is_better=quantity.lower_is_better)
        for n, quantity in enumerate(QUANTITIES)
    ]
    over = ("of", "arm", "quantity")
    variables = {
        "fixed": (over, whole),
        "fixed_lower": (over, bounds[0]),
        "fixed_upper": (over, bounds[1]),
        "median": (over, middle),
        "lower": (over, low),
        "upper": (over, high),
        "parameter_share": (over, share_of_members(both)),
        "probability_best": (("arm", "quantity"), np.stack(best, axis=-1)),
        "estimate": (("member", *over[1:]), np.stack([each.whole for each in members])),
        "failed": (("member", "arm"), np.stack([each.failed for each in members])),
    }
    coords = {
        "of": ["arm", "difference"],
        "arm": arms,
        "quantity": [quantity.name for quantity in QUANTITIES],
        "member": np.arange(1, len(members) + 1),
    }
    return xr.Dataset(variables, coords, {"level": LEVEL, "reference": reference})
