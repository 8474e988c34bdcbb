"""A full disk, which libraries report in words of their own."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from qsp.errors import QSPError, SolveError

FULL = 1_000_000
"""Free space below which a failure to write is one of a full disk [byte]."""


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Report a failure to write as that of a full disk, if the disk is full.

    HDF5 reports "HDF error", or "Permission denied" for a file that it could not create.

    Args:
        folder: Folder that is written to.

    Raises:
        SolveError: If writing failed and the disk is full.
    """
    try:
        yield
    except QSPError:
        raise
    except (OSError, RuntimeError) as error:
        is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if is_full or shutil.disk_usage(folder).free < FULL:
            # A run is written to a hidden folder, which is removed.
            named = folder.parent if folder.name.startswith(".") else folder
            raise SolveError(
                f"{named}: the disk is full; free space, or write to another"
            ) from error
        raise
