"""What the store of a run holds beside its patients: ids, names, shapes, units. Kept twice.

No shard could write it again; where it is broken, it is taken from the copy in `RUN/frame`.
"""

import json
import os
import shutil
from pathlib import Path

from qsp.cluster.atomic import temporary
from qsp.cluster.plan import FRAME, Plan
from qsp.errors import SolveError

ROOT = "zarr.json"
"""Of the whole store; its attributes change when a run is closed."""


def mend(plan: Plan) -> list[str]:
    """Put back what is not as it was planned.

    Args:
        plan: Of the run.

    Returns:
        Files that were put back.

    Raises:
        SolveError: If a copy is broken too.
    """
    found = plan.store.files(plan.frame)
    broken = [name for name, digest in plan.frame.items() if found[name] != digest]
    if not _is_readable(plan.store.path / ROOT):
        broken.append(ROOT)
    for name in broken:
        _put_back(plan.path(FRAME, name), plan.store.path / name)
    after = plan.store.files(plan.frame)
    lost = [name for name, digest in plan.frame.items() if after[name] != digest]
    lost += [] if _is_readable(plan.store.path / ROOT) else [ROOT]
    if lost:
        raise SolveError(
            f"{plan.store.path / lost[0]} is not as planned, nor is its copy in {plan.path(FRAME)}:"
            " make the plan again elsewhere, with the same input and code, and copy it from there"
        )
    return broken


def _is_readable(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8"))["attributes"], dict)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _put_back(copy: Path, path: Path) -> None:
    partial = temporary(path)
    if copy.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, partial)
        os.replace(partial, path)
