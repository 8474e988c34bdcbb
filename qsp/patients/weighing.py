"""Weigh or select the patients of a run so that their distributions are published ones."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qsp.config.toml_text import toml_text
from qsp.endpoints.statistics.patients import weights
from qsp.errors import ConfigError
from qsp.patients.diagnosis import Diagnosis, Group, diagnose, fit, unsupported
from qsp.patients.published import Published, read_published
from qsp.patients.resampling import check_count, check_differ, multiplicities, resampled
from qsp.patients.values import groups_of, quantities_of_run
from qsp.populations import write_cohort
from qsp.results import KEPT, record_of, save, trajectories
from qsp.results.disk import writing
from qsp.results.record import ATTRIBUTE, RunRecord
from qsp.results.schema import bands
from qsp.run import folder as run_folder
from qsp.run.runs import read, write_report
from qsp.version import __version__
from qsp.weights import check_weights

RECORD = "weights.toml"
"""Record of the weights in the folder of a weighed run."""
TARGETS = "targets.csv"
"""Copy of the published distributions there."""


@dataclasses.dataclass(frozen=True)
class Weighing:
    """Weights of patients, and how well they meet published distributions.

    Args:
        ids (patient,): Patient numbers.
        weight (patient,): Weights with a mean of 1.
        diagnosis: Report on the weights.
        published: The published distributions.
        ridge: Factor of the sampling covariance of the published shares.
        seed: Seed of the perfect model and of the selection.
        file: File of the published distributions.
        selected: (patient,): Whether each patient is selected; None if patients are weighted.
        shares_selected: Shares of the selected or drawn patients, in the order of the fits [1];
            empty if patients are weighted.
        counts: (patient,): How often each patient is drawn; None unless they are resampled.
    """

    ids: NDArray[np.int64]
    weight: NDArray[np.float64]
    diagnosis: Diagnosis
    published: tuple[Published, ...]
    ridge: float
    seed: int
    file: Path
    selected: NDArray[np.bool_] | None = None
    shares_selected: tuple[float, ...] = ()
    counts: NDArray[np.int64] | None = None

    @property
    def effective_size(self) -> float:
        """Effective number of patients."""
        return self.diagnosis.effective

    @property
    def summary(self) -> str:
        """A sentence about the weights, for the notes of results."""
        found = self.diagnosis
        met = len(self.published) - len(found.out_of_reach) - len(found.conflicts)
        chosen = ""
        if self.selected is not None:
            count, total = int(self.selected.sum()), self.selected.size
            chosen = f"{count} of {total} patients are selected by these weights. "
        return chosen + (
            f"Patients are weighted to {len(self.published)} published distributions of "
            f"{self.file.name}, of which {met} are met; the effective number is "
            f"{found.effective:.0f} of {found.patients} patients, and {found.perfect:.0f} for a "
            "perfect model."
        )

    def record(self) -> dict[str, Any]:
        """Return the content of `RECORD`."""
        found = self.diagnosis
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        shares = [
            {
                "distribution": each.published.title,
                "source": each.published.source,
                **each.record(),
            }
            for each in found.fits
        ]
        if self.shares_selected:
            key = "selected" if self.counts is None else "resampled"
            shares = [
                {**each, key: share}
                for each, share in zip(shares, self.shares_selected, strict=True)
            ]
        return {
            "qsp_version": __version__,
            "date": datetime.date.today().isoformat(),
            "targets_sha256": digest,
            "ridge": self.ridge,
            "seed": self.seed,
            "patients": found.patients,
            **({} if self.selected is None else {"selected": int(self.selected.sum())}),
            **({} if self.counts is None else copies(self.counts)),
            "effective_size": found.effective,
            "effective_size_of_a_perfect_model": found.perfect,
            "without_patients": [f"{u.published.title}: {u.bin}" for u in found.unsupported],
            "out_of_reach": [each.title for each in found.out_of_reach],
            "conflicts": [
                {"distribution": c.published.title, "with": [each.title for each in c.others]}
                for c in found.conflicts
            ],
            "duplicates": [[d.first.title, d.second.title] for d in found.duplicates],
            "shares": shares,
        }


def weigh(  # noqa: PLR0913
    folder: Path | str,
    targets: Path | str,
    *,
    out: Path | str | None = None,
    ridge: float = 1.0,
    select: bool = False,
    resample: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> Weighing:
    """Weigh the patients of a run so that their distributions are published ones.

    The weights are those of maximum entropy (`qsp.patients.tilt`): of all weights that meet the
    published shares within their sampling error, they differ least from the weights before.

    Args:
        folder: Folder of a run.
        targets: CSV file of published distributions (`qsp.patients.published`).
        out: Folder for the run with these weights: its results, report and summary, which all
            estimates of `qsp.endpoints` weigh; None to write nothing.
        ridge: Factor of the sampling covariance of the published shares. A larger one moves the
            weights less; 0 meets the shares exactly.
        select: Whether the run in `out` has some of the patients, unweighted: each is accepted with
            a probability in proportion to its weight, the heaviest one for certain.
        resample: Number of patients that are drawn with a probability in proportion to the weight,
            some of them several times (`qsp.patients.resampling`). They are written to `out` as a
            cohort, in place of a run: a config takes them with ``cohort = "DIR"``.
        seed: Seed of the selection, of the resampling, and of the published shares of a perfect
            model.
        force: Whether to replace a run in `out`; a cohort is not replaced.

    Raises:
        qsp.QSPError: If the file breaks a rule, a quantity is unknown, no weights meet the shares
            (ridge 0), or one patient would have more than half of the weight.

    Example:
        >>> found = qsp.weigh("runs/nhl", "targets.csv", out="runs/nhl_weighted")
        >>> found.effective_size, found.diagnosis.conflicts
    """
    published = read_published(Path(targets))
    if not (np.isfinite(ridge) and ridge >= 0):
        raise ConfigError("ridge", "the value must be 0 or more", ridge, "The default is 1")
    if resample is not None:
        check_count(resample)
        if select:
            rule, todo = "one of select and resample must be chosen", "Leave one of them out"
            raise ConfigError("weigh", rule, "both", todo)
    if out is not None:
        is_run = resample is None
        run_folder.check(Path(out), force=force and is_run, may_force=is_run)
    with read(folder) as results:
        ds = quantities_of_run(results)
        if "observation" in ds.dims:
            rule, todo = (
                "the run must have no observations",
                "Leave [observations] out of its config",
            )
            got = "compared with observations, by patients of other weights"
            raise ConfigError(str(folder), rule, got, todo)
        found = weigh_values(
            ds, published, Path(targets), where=str(folder), ridge=ridge, seed=seed
        )
        found = with_selection(found, groups_of(ds, published)) if select else found
        if resample is not None:
            check_differ(found.weight, where=str(folder))
            found = with_resampling(found, groups_of(ds, published), resample)
        if out is not None and found.counts is not None:
            _write_cohort(record_of(results), found, found.counts, str(folder), Path(out))
        elif out is not None:
            _write(results, found, Path(out), force=force)
    return found


def weigh_values(  # noqa: PLR0913
    ds: xr.Dataset,
    published: tuple[Published, ...],
    file: Path,
    *,
    where: str,
    ridge: float,
    seed: int,
) -> Weighing:
    """Return the weights of patients with these values.

    Args:
        ds: Values of patients, with their weights before.
        published: Published distributions.
        file: File of the published distributions.
        where: Folder of the patients, for error messages.
        ridge: Factor of the sampling covariance of the published shares.
        seed: Seed of the perfect model.

    Raises:
        ConfigError: As for `weigh`.
    """
    prior = check_weights(weights(ds).values, where=where)
    groups = groups_of(ds, published)
    if ridge == 0:
        _check_support(groups, prior)
    tilted = fit(groups, prior, ridge)
    if not tilted.converged:
        rule, todo = "weights must exist that meet all shares", "Write a ridge of 1, the default"
        raise ConfigError(file.name, rule, "not so", f"{todo}: it names those in conflict")
    weight = check_weights(tilted.weight, where=f"{where}, weighted to {file.name}")
    found = diagnose(groups, prior, tilted.weight, ridge=ridge, seed=seed)
    return Weighing(ds["patient"].values, weight, found, published, ridge, seed, file)


def _check_support(groups: list[Group], prior: NDArray[np.float64]) -> None:
    """Refuse bins without patients, which no weights reach, if shares must be met exactly."""
    for group in groups:
        for each in unsupported(group, prior):
            rule = f"each bin of {each.published.title} must have patients if ridge is 0"
            got = f"without one in the bin {each.bin}"
            raise ConfigError(each.published.where, rule, got, "Write a ridge of 1, the default")


def with_selection(found: Weighing, groups: list[Group]) -> Weighing:
    """Return the weights with a selection of patients, which depends on the seed and the id only.

    Args:
        found: The weights.
        groups: Published distributions with the values of the patients.
    """
    uniform = [np.random.default_rng([found.seed, number]).random() for number in found.ids]
    accepted = np.array(uniform) < found.weight / found.weight.max()
    chosen = accepted.astype(float)
    shares = tuple(share for group in groups for share in group.shares(chosen).tolist())
    return dataclasses.replace(found, selected=accepted, shares_selected=shares)


def with_resampling(found: Weighing, groups: list[Group], n: int) -> Weighing:
    """Return the weights with the number of times that each patient is drawn.

    Args:
        found: The weights.
        groups: Published distributions with the values of the patients.
        n: Number of draws.
    """
    counts = multiplicities(found.weight, n, seed=found.seed)
    shares = (share for group in groups for share in group.shares(counts.astype(float)).tolist())
    return dataclasses.replace(found, counts=counts, shares_selected=tuple(shares))


def copies(counts: NDArray[np.int64]) -> dict[str, int]:
    """Return the number of draws, of distinct patients, and of draws of the most frequent one."""
    return {
        "resampled": int(counts.sum()),
        "distinct": int((counts > 0).sum()),
        "most_copies": int(counts.max()),
    }


def weighted(results: xr.DataTree, found: Weighing) -> xr.DataTree:
    """Return the results of a run with other weights of the patients, or of the selected ones.

    Args:
        results: Results of the run that was weighed.
        found: The weights.
    """
    weight = found.weight
    if found.selected is not None:
        results = _some(results, found.selected)
        weight = np.ones(int(found.selected.sum()))
    ds = results.to_dataset()
    weight = xr.Variable(("patient",), weight, ds["prevalence_weight"].attrs)
    record = record_of(ds)
    record = dataclasses.replace(record, notes=(*record.notes, found.summary))
    notes = "\n".join(filter(None, (str(ds.attrs.get("notes", "")), found.summary)))
    attributes = {ATTRIBUTE: record.to_json(), "notes": notes}
    ds = ds.assign(prevalence_weight=weight).assign_attrs(attributes)
    stored = trajectories(results)
    if stored is not None and stored.sizes[KEPT]:
        own = ds["prevalence_weight"].sel(patient=stored[KEPT].values).values
        ds = ds.assign(bands(stored.rename({KEPT: "patient"}), own))
    return xr.DataTree(ds, children=dict(results.children))


def _some(results: xr.DataTree, chosen: NDArray[np.bool_]) -> xr.DataTree:
    """Return the results of some patients, with their parameters and time courses."""
    ds = results.to_dataset().isel(patient=chosen)
    children = {}
    for name, node in results.children.items():
        own = node.to_dataset(inherit=False)
        if "patient" in own.dims:
            own = own.isel(patient=chosen)
        if KEPT in own.dims:
            own = own.isel({KEPT: np.isin(own[KEPT].values, ds["patient"].values)})
        children[name] = xr.DataTree(own)
    return xr.DataTree(ds, children=children)


def _write(results: xr.DataTree, found: Weighing, out: Path, *, force: bool) -> None:
    changed = weighted(results, found)
    with run_folder.written(out, force=force) as fresh:
        save(changed, fresh / run_folder.RESULTS)
        write_report(changed, fresh)
        _write_record(found, fresh)


def _write_cohort(
    record: RunRecord, found: Weighing, counts: NDArray[np.int64], where: str, out: Path
) -> None:
    cohort = resampled(record, found.ids, counts, seed=found.seed, where=where)
    with run_folder.written(out, force=False) as fresh, writing(fresh):
        write_cohort(cohort, fresh)
        _write_record(found, fresh)


def _write_record(found: Weighing, folder: Path) -> None:
    (folder / RECORD).write_text(toml_text(found.record()), encoding="utf-8")
    (folder / TARGETS).write_bytes(found.file.read_bytes())
