"""The input of a run, copied beside its plan, so that nobody changes it while shards run."""

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qsp.run.request import Request

if TYPE_CHECKING:
    from qsp.run import Prepared

FOLDER = "inputs"


def files_of(prepared: "Prepared") -> tuple[Path, ...]:
    """All files that a run reads, each once."""
    request, config = prepared.request, prepared.config
    table = config.dose_table
    own = (
        config.molecule_file,
        request.parameters,
        request.covariates,
        None if table is None else config.source.file.parent / table.file,
    )
    named = (config.source.file, *prepared.table.cohort.files, *(path for path in own if path))
    return tuple(dict.fromkeys(path.resolve() for path in named))


def copied(prepared: "Prepared", run: Path) -> tuple[Request, dict[str, str]]:
    """Copy the input of a run into its folder.

    Args:
        prepared: From `qsp.run.prepare`.
        run: Folder of the run.

    Returns:
        The request with the copies in place of the files, and the digest of each copy by its path
        in the folder. Paths within the files go on to hold, for the copies lie to each other as the
        files do.
    """
    files = files_of(prepared)
    root = Path(os.path.commonpath([path.parent for path in files]))
    for path in files:
        to = run / FOLDER / path.relative_to(root)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)

    def copy(path: Path | None) -> Path | None:
        return None if path is None else Path(FOLDER) / path.resolve().relative_to(root)

    request = prepared.request
    moved = dataclasses.replace(
        request,
        config=Path(FOLDER) / request.config.resolve().relative_to(root),
        parameters=copy(request.parameters),
        covariates=copy(request.covariates),
        out=None,
    )
    return moved, digests(run, [str(Path(FOLDER) / path.relative_to(root)) for path in files])


def digests(run: Path, names: list[str]) -> dict[str, str]:
    """Digest of each input by its path in the folder of the run; "" where it is missing."""
    return {name: _digest(run / name) for name in names}


def changed(run: Path, expected: Mapping[str, str]) -> list[str]:
    """Inputs that are not what they were when the plan was made."""
    found = digests(run, list(expected))
    return [name for name in expected if found[name] != expected[name]]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
