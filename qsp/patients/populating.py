"""Draw candidates, screen them without treatment, and write the accepted ones as a cohort."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qsp.config import Config, load
from qsp.config.toml_text import toml_text
from qsp.engine.cache import CacheDir, jax_cache
from qsp.engine.progress import JointProgress, NoProgress, Progress
from qsp.errors import ConfigError
from qsp.model import MODEL_VERSION
from qsp.model.tissues import BLOOD
from qsp.patients.baseline_ranges import Range, ranges_of, read_ranges, shipped_ranges
from qsp.patients.screen import Reason, first_reasons, reasons
from qsp.populations import CohortFile, ParameterTable, write_cohort
from qsp.populations.parameter_digest import described
from qsp.populations.sampling import sampled_names, with_correlations
from qsp.populations.sobol import sobol_normals
from qsp.process import fewer_collections
from qsp.results.disk import writing
from qsp.run import folder as run_folder
from qsp.run.prepared import BLOCK, Prepared, prepare
from qsp.run.record import Request, git_commit
from qsp.simulation import simulate
from qsp.trial.regimen import Administration, Amount, Arm, Regimen
from qsp.version import __version__

DAYS = 84.0
"""Default length of the simulation without treatment [day]; assumed: twelve weeks, in which the
first responses to treatment are assessed."""
SAVES = 8
"""Times after the start at which steady quantities are compared with the start."""
# Results need a dose period; its bolus is of 0 nmol.
_NO_DRUG = Regimen((Administration(0.0, "drug_iv", Amount(0.0), period=1),), ("untreated",))
SCREEN, SUMMARY, RECORD = "screen.csv", "summary.csv", "populate.toml"
ACCEPTED = "accepted"
RANGES = "ranges.csv"
"""Copy of the ranges."""


@dataclasses.dataclass(frozen=True)
class Screening:
    """Candidates and the reasons to reject them.

    Args:
        rejected_for (candidate,): Index of the first reason to reject the candidate; -1 if it is
            accepted.
        reasons: All reasons, in the order in which they are tested.
        cohort: The accepted candidates, whose ids are their numbers.
    """

    rejected_for: NDArray[np.int64]
    reasons: tuple[Reason, ...]
    cohort: CohortFile

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """(candidate,): Whether the candidate is accepted."""
        return self.rejected_for < 0

    @property
    def counts(self) -> dict[str, int]:
        """Number of candidates by name of their first reason; of those with a candidate only."""
        found = np.bincount(self.rejected_for[~self.accepted], minlength=len(self.reasons))
        named = zip(self.reasons, found.tolist(), strict=True)
        return {reason.name: count for reason, count in named if count}


def populate(  # noqa: PLR0913
    config: Path | str,
    n: int,
    *,
    out: Path | str | None = None,
    seed: int | None = None,
    days: float = DAYS,
    ranges: Path | str | None = None,
    parameters: Path | str | None = None,
    changes: Sequence[str] = (),
    progress: Progress | None = None,
    block: int = BLOCK,
    cache_dir: CacheDir = "default",
) -> Screening:
    """Draw candidates for virtual patients, and accept those that are plausible.

    Candidates are points of a scrambled Sobol sequence (`qsp.populations.sobol`): candidate i
    depends on the seed and i only. Each is simulated without treatment and screened
    (`qsp.patients.screen`). A config takes the accepted ones with ``cohort = "DIR"``.

    Args:
        config: Config with molecule, population, parameters and method; doses are not given.
        n: Number of candidates, at least 1. The first 2^m are evenly spread.
        out: Folder for the cohort; None to write nothing.
        seed: Seed of the sequence; that of the config by default.
        days: Length of the simulation without treatment [day].
        ranges: CSV file of ranges before treatment (`qsp.patients.baseline_ranges`); that of the
            package by default.
        parameters: TOML file with your own parameter values.
        changes: Changes of the config, such as ``"method.rtol=1e-6"``, as `--set` of the command
            line takes them.
        progress: Receives the progress after each chunk.
        block: Number of candidates in memory at a time; results do not depend on it.
        cache_dir: Folder of compiled programs; see `qsp.simulation.simulate`.

    Raises:
        qsp.QSPError: If an argument or the config breaks a rule, before anything is simulated; or
            if all candidates are rejected, with the reasons.

    Example:
        >>> found = qsp.populate("trial.toml", 1024, out="cohorts/nhl", seed=1)
        >>> found.accepted.sum(), found.counts
    """
    _check(n, days)
    if out is not None:
        run_folder.check(Path(out), force=False, may_force=False)
    file = shipped_ranges() if ranges is None else Path(ranges)
    known = read_ranges(file)
    overrides = [*changes, f"patients={n}", *([] if seed is None else [f"seed={seed}"])]
    own = None if parameters is None else Path(parameters)
    _check_patients(load(config, overrides))
    prepared = prepare(Request(Path(config), overrides, own), in_parts=True)
    known = ranges_of(known, prepared.table.cohort.disease)
    with fewer_collections(), jax_cache():
        found = _screened(prepared, known, days, progress or NoProgress(), block, cache_dir)
    if not len(found.cohort):
        raise _all_rejected(found, str(config))
    if out is not None:
        _write(found, prepared, file, Path(out), days)
    return found


def _check(n: Any, days: float) -> None:
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        rule, todo = "n must be a whole number of at least 1", "Write 1024, for example"
        raise ConfigError("populate", rule, repr(n), todo)
    if not (math.isfinite(days) and days > 0):
        rule = "days must be above 0"
        raise ConfigError("populate", rule, days, f"The default is {DAYS:g}")


def _check_patients(config: Config) -> None:
    """Refuse a config whose patients are not sampled."""
    rows = config.dose_rows
    given = {
        "cohort": config.cohort is not None,
        "draws": bool(config.draws),
        "dose_table": rows is not None and (len(rows.patients) > 1 or bool(rows.covariates)),
    }
    for key, is_given in given.items():
        if is_given:
            got = "a dose table of several patients" if key == "dose_table" else f"the key {key}"
            rule = "the patients must be sampled from the population"
            todo = f"Remove {key} for this command, which gives no doses"
            raise ConfigError(str(config.source.file), rule, f"chosen by {got}", todo)


def _screened(  # noqa: PLR0913
    prepared: Prepared,
    ranges: tuple[Range, ...],
    days: float,
    progress: Progress,
    block: int,
    cache_dir: CacheDir,
) -> Screening:
    """Return the screen of all candidates, block by block."""
    whole = _untreated(prepared, days)
    joint = JointProgress(progress, len(prepared.ids))
    empty = empty_cohort(prepared.table, chosen_by="qsp populate", seed=prepared.config.seed)
    rejected, accepted = [], []
    for ids in np.split(prepared.ids, range(block, len(prepared.ids), block)):
        candidates = _candidates(empty, prepared.table, ids)
        part = dataclasses.replace(whole.of(ids), chosen=candidates)
        ds = simulate(
            part.trial,
            part.cohort,
            system=part.system,
            method=part.method,
            trajectories=ids,
            progress=joint,
            whole=False,
            cache_dir=cache_dir,
        ).to_dataset()
        blood = part.cohort.people.parameters.model.tissues.volume[:, BLOOD]
        found = first_reasons(ds, ranges, np.asarray(blood))
        rejected.append(found)
        accepted.append(candidates.at(found < 0))
    return Screening(np.concatenate(rejected), reasons(ranges, days), _joined(accepted))


def _untreated(prepared: Prepared, days: float) -> Prepared:
    """Return the run with one arm, in which no patient gets a drug."""
    trial = dataclasses.replace(
        prepared.trial,
        arms=(Arm("untreated", (_NO_DRUG,)),),
        days=days,
        visits=(days,),
        save_times=tuple(np.linspace(0.0, days, SAVES + 1).tolist()),
        lesions_alone_after=None,
    )
    system = dataclasses.replace(prepared.system, integrates_attack=False)
    return dataclasses.replace(prepared, trial=trial, system=system)


def _candidates(whole: CohortFile, table: ParameterTable, ids: np.ndarray) -> CohortFile:
    """Return candidates with consecutive numbers.

    Args:
        whole: Cohort without patients, with the seed.
        table: Parameters of the patients.
        ids (candidate,): Numbers of the candidates.
    """
    names = sampled_names(table)
    z = sobol_normals(int(whole.attributes["seed"]), int(ids[0]), len(ids), names)
    draws = dict(zip(names, np.ascontiguousarray(z.T), strict=True))
    return dataclasses.replace(
        whole, ids=ids, source_ids=ids, draws=with_correlations(table, draws)
    )


def empty_cohort(table: ParameterTable, *, chosen_by: str, seed: int) -> CohortFile:
    """Return a cohort without patients, with the provenance of its patients to come.

    Args:
        table: Parameters of the patients.
        chosen_by: Command that chooses the patients.
        seed: Seed of the choice.
    """
    attributes = {
        "qsp_version": __version__,
        "git_commit": git_commit(),
        "model_version": MODEL_VERSION,
        "disease": table.cohort.disease,
        "population": table.cohort.name,
        "molecule": table.molecule.name,
        "chosen_by": chosen_by,
        "seed": seed,
    }
    none = np.zeros(0, np.int64)
    return CohortFile(none, none, {}, {}, described(table), attributes, chosen_by)


def _joined(parts: Sequence[CohortFile]) -> CohortFile:
    """Return the patients of all parts."""
    first = parts[0]
    return dataclasses.replace(
        first,
        ids=np.concatenate([part.ids for part in parts]),
        source_ids=np.concatenate([part.source_ids for part in parts]),
        draws={name: np.concatenate([part.draws[name] for part in parts]) for name in first.draws},
    )


def _all_rejected(found: Screening, where: str) -> ConfigError:
    """Return the error of a screen that no candidate passes, with the most frequent reasons."""
    counts = sorted(found.counts.items(), key=lambda item: -item[1])
    remedies = {reason.name: reason.remedy for reason in found.reasons}
    got = "; ".join(f"{count} rejected for {name}" for name, count in counts)
    rule = f"at least one of {len(found.rejected_for)} candidates must be plausible"
    return ConfigError(where, rule, f"none: {got}", remedies[counts[0][0]])


def _write(found: Screening, prepared: Prepared, ranges: Path, out: Path, days: float) -> None:
    config = prepared.config
    record = {
        **found.cohort.attributes,
        "date": datetime.date.today().isoformat(),
        "config": str(config.source.file),
        "config_sha256": _sha256(config.source.effective_text.encode()),
        "ranges_sha256": _sha256(ranges.read_bytes()),
        "parameters_sha256": found.cohort.digest,
        "days": float(days),
        "candidates": len(found.rejected_for),
        "accepted": len(found.cohort),
        "rejected": found.counts,
    }
    attributes = {key: value for key, value in record.items() if not isinstance(value, dict)}
    cohort = dataclasses.replace(found.cohort, attributes=attributes)
    with run_folder.written(out, force=False) as fresh, writing(fresh):
        write_cohort(cohort, fresh)
        _write_screen(found, fresh / SCREEN)
        _write_summary(found, fresh / SUMMARY)
        (fresh / RECORD).write_text(toml_text(record), encoding="utf-8")
        (fresh / RANGES).write_bytes(ranges.read_bytes())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_screen(found: Screening, path: Path) -> None:
    """Write one row for each candidate: its number, whether it is accepted, and the reason."""
    names = [*(reason.name for reason in found.reasons), ""]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("candidate", "accepted", "reason"))
        for candidate, place in enumerate(found.rejected_for.tolist()):
            writer.writerow((candidate, "true" if place < 0 else "false", names[place]))


def _write_summary(found: Screening, path: Path) -> None:
    """Write one row for the accepted candidates and one for each reason."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("reason", "candidates", "share", "meaning"))
        writer.writerows(summary(found))


def summary(found: Screening) -> list[tuple[str, int, float, str]]:
    """Return the name, number, share and meaning of the accepted ones, and of each reason."""
    total = len(found.rejected_for)
    accepted = int(found.accepted.sum())
    rows = [(ACCEPTED, accepted, accepted / total, "no reason to reject it")]
    for reason in found.reasons:
        count = found.counts.get(reason.name, 0)
        rows.append((reason.name, count, count / total, reason.meaning))
    return rows
