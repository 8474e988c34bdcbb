"""Configs and populations that ship with the package, found by name.

In a checkout, and in an editable install of one, they are the folders `configs/` and `populations/`
at the root of the repository. A wheel carries copies of both folders next to this file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from qsp.errors import suggest

Kind = Literal["configs", "populations"]

_HERE = Path(__file__).resolve().parent


def folder(kind: Kind) -> Path:
    """Return the folder of the shipped files of a kind."""
    installed = _HERE / kind
    return installed if installed.is_dir() else _HERE.parents[1] / kind


def names(kind: Kind) -> tuple[str, ...]:
    """Return the names of the shipped files: `nhl`, `approved/teclistamab_1.5_weekly`."""
    root = folder(kind)
    paths = (path.relative_to(root) for path in root.rglob("*.toml"))
    return tuple(sorted(path.as_posix().removesuffix(".toml") for path in paths))


def find(kind: Kind, name: str) -> Path | None:
    """Return the shipped file of a name, or None if no shipped file has that name."""
    return folder(kind) / f"{name}.toml" if name in names(kind) else None


def name_of(kind: Kind, path: Path) -> str:
    """Return the name of a shipped file, or the absolute path of any other file."""
    whole = Path(os.path.abspath(path))
    root = folder(kind)
    if whole.is_relative_to(root):
        return whole.relative_to(root).as_posix().removesuffix(".toml")
    return str(whole)


def suggestion(kind: Kind, name: str) -> str:
    """Return the nearest shipped names as a sentence, or "" if none is near.

    The last part of a name counts as well: `flat` is near `strategies/flat`.
    """
    known = names(kind)
    whole = suggest(name, known)
    if whole:
        return whole
    last = name.rpartition("/")[2]
    same = [other for other in known if other.rpartition("/")[2] == last]
    return suggest(same[0], same) if same else ""
