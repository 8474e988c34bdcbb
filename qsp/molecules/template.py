"""The file of a new molecule: all required entries, with placeholder values."""

from __future__ import annotations

import re
from pathlib import Path

from qsp.errors import ConfigError
from qsp.molecules.molecule import names

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TEMPLATE = Path(__file__).parent / "template.txt"


def write_template(name: str, folder: Path) -> Path:
    """Write ``NAME.toml`` for a new molecule; an existing file is never overwritten.

    Args:
        name: Lower-case letters, digits and underscores, such as ``glofitamab``.
        folder: Existing folder for the file.

    Returns:
        Path of the file. It is a valid molecule with placeholder values of a typical size.

    Raises:
        ConfigError: If the name is invalid or in use, or the folder is missing.
    """
    if not _NAME.fullmatch(name):
        todo = "Write it as glofitamab, without .toml"
        rule = "the name must be lower-case letters, digits and underscores, a letter first"
        raise ConfigError("qsp new", rule, repr(name), todo)
    if name in names():
        todo = "Choose another name; --parameters changes values of an existing molecule"
        rule = "the name must not be the name of a shipped molecule"
        raise ConfigError("qsp new", rule, repr(name), todo)
    if not folder.is_dir():
        raise ConfigError(str(folder), "--out must be a folder", "missing", "Create it first")
    path = folder / f"{name}.toml"
    title = name.replace("_", " ").capitalize()
    text = _TEMPLATE.read_text(encoding="utf-8").replace("NAME", name).replace("TITLE", title)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        todo = "Choose another name or folder"
        raise ConfigError(str(path), "the file must not exist yet", "present", todo) from None
    return path
