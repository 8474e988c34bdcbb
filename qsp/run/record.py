"""Request of a run, and the record of its resolved input that results keep.

Only light modules are imported here, so that a plan can be read without loading the solver.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsp.results.record import MethodRecord, RequestRecord, RunRecord
from qsp.run.folder import COHORT
from qsp.version import PACKAGE

if TYPE_CHECKING:
    from qsp.config import Config
    from qsp.run.prepared import Prepared

_OPTIONS = {
    "patients": "--patients",
    "seed": "--seed",
    "method.solver": "--solver",
    "method.rtol": "--rtol",
}
"""Options of the command line that set a key of the config."""


@dataclasses.dataclass(frozen=True)
class Request:
    """Request of a run.

    Args:
        config: The config file.
        overrides: Changes to the config, each as KEY=VALUE.
        parameters: File of the user's parameter values.
        covariates: CSV file of the user's patients.
        typical: Whether to simulate only the typical patient, who has no variability.
        out: Output folder.
    """

    config: Path
    overrides: Sequence[str] = ()
    parameters: Path | None = None
    covariates: Path | None = None
    typical: bool = False
    out: Path | None = None


def request_record(request: Request, config: Config) -> RequestRecord:
    """Return a request without overrides that had no effect.

    An override has no effect if a later one replaces it, or if the run does not use its key.

    Args:
        request: Request of the run.
        config: Config of the run.
    """
    pairs = _effective(config.source.overrides)
    return RequestRecord(
        config=str(request.config),
        overrides=tuple((key, value) for key, value in pairs if not _is_unused(key, request)),
        parameters=_text(request.parameters),
        covariates=_text(request.covariates),
        typical=request.typical,
        out=_text(request.out),
    )


def request_of(record: RequestRecord) -> Request:
    """Return the request of a recorded run."""
    return Request(
        config=Path(record.config),
        overrides=tuple(f"{key}={value}" for key, value in record.overrides),
        parameters=_path(record.parameters),
        covariates=_path(record.covariates),
        typical=record.typical,
        out=_path(record.out),
    )


def command(request: RequestRecord) -> str:
    """Return the shell command that repeats a run. It is for people; no code parses it."""
    words = ["qsp", "run", request.config]
    for key, value in request.overrides:
        words += [_OPTIONS[key], value] if key in _OPTIONS else ["--set", f"{key}={value}"]
    files = {
        "--parameters": request.parameters,
        "--covariates": request.covariates,
        "--out": request.out,
    }
    for option, path in files.items():
        words += [] if path is None else [option, path]
    return shlex.join(words + (["--typical"] if request.typical else []))


def run_record(prepared: Prepared) -> RunRecord:
    """Return the record of a run: its resolved input, before it is computed."""
    from qsp.results.trial_record import trial_record
    from qsp.run.limits import limits

    config, table = prepared.config, prepared.table
    method = prepared.method
    return dataclasses.replace(
        trial_record(prepared.trial),
        git_commit=git_commit(),
        name=config.name,
        title=config.title or "",
        request=prepared.request and request_record(prepared.request, config),
        config=config.model_dump(mode="json"),
        data_files=_digests(prepared),
        seed=config.seed,
        method=MethodRecord(method.solver, method.rtol, method.precision, method.backend),
        molecule=table.molecule.name,
        population=table.cohort.name,
        disease=table.cohort.disease,
        response_criteria=prepared.criteria,
        notes=prepared.notes,
        parameters=table.report(),
        limits=tuple(limits(table.cohort.card)),
    )


def attributes(record: RunRecord, config: Config) -> dict[str, Any]:
    """Return the parts of a record that people look for as attributes of the results.

    Args:
        record: Record of the run.
        config: Config of the run, for its text.
    """
    return {
        "title": record.title or record.name,
        "config": config.source.effective_text,
        "config_name": record.name,
        "molecule": record.molecule,
        "molecular_weight_kda": record.molecular_weight_kda,
        "population": record.population,
        "disease": record.disease,
        "response_criteria": record.response_criteria,
        "seed": record.seed,
        "git_commit": record.git_commit,
        "command": "" if record.request is None else command(record.request),
        "notes": "\n".join(record.notes),
    }


def git_commit() -> str:
    """Return the commit of the checkout that holds the package, marked if files were changed.

    The text is empty outside a checkout.
    """
    root = PACKAGE.resolve().parent
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return ""  # installed inside a checkout of another project
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{commit}-changed" if changed else commit


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _effective(overrides: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Key and value of the overrides that no later one replaces, by its key or a table above it."""
    effective = []
    for n, (key, text) in enumerate(overrides):
        later = [other for other, _ in overrides[n + 1 :]]
        if not any(key == other or key.startswith(f"{other}.") for other in later):
            effective.append((key, text.partition("=")[2].strip()))
    return effective


def _is_unused(key: str, request: Request) -> bool:
    """Whether the run does not use a key, as covariates name the patients."""
    if key == "patients":
        return request.covariates is not None
    return key == "seed" and request.typical


def _digests(prepared: Prepared) -> dict[str, str]:
    """SHA-256 of the tables of data, whose content the config does not hold."""
    config, request = prepared.config, prepared.request
    files = {}
    if request is not None and request.covariates is not None:
        files["covariates"] = request.covariates
    if config.dose_table is not None:
        files["dose_table"] = config.source.file.parent / config.dose_table.file
    if config.observed_file is not None:
        files["observations"] = config.observed_file
    if prepared.chosen is not None and config.cohort_folder is not None:
        files["cohort"] = config.cohort_folder / COHORT
    return {role: hashlib.sha256(path.read_bytes()).hexdigest() for role, path in files.items()}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
