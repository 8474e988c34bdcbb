"""The file of a new molecule: every entry that is needed, with placeholders to be replaced."""

from __future__ import annotations

import re
from pathlib import Path

from qsp.errors import ConfigError
from qsp.molecules.molecule import names

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TEMPLATE = Path(__file__).parent / "template.txt"


def write_template(name: str, folder: Path) -> Path:
    """Write ``NAME.toml`` for a new molecule; nothing is ever replaced.

    Args:
        name: Lower-case letters, digits and underscores, such as ``glofitamab``.
        folder: Where to write; it exists.

    Returns:
        The file. It loads as it is, and holds placeholders of a common size.

    Raises:
        ConfigError: If the name is no such name or taken, or the folder is missing.
    """
    if not _NAME.fullmatch(name):
        todo = "Write it as glofitamab, without .toml"
        rule = "the name must be lower-case letters, digits and underscores, a letter first"
        raise ConfigError("qsp new", rule, repr(name), todo)
    if name in names():
        todo = "Choose another name; --set and --parameters change the values of one that is there"
        rule = "the name must not be that of a molecule of the package"
        raise ConfigError("qsp new", rule, repr(name), todo)
    if not folder.is_dir():
        raise ConfigError(str(folder), "--out must be a folder", "missing", "Make it first")
    path = folder / f"{name}.toml"
    title = name.replace("_", " ").capitalize()
    text = _TEMPLATE.read_text(encoding="utf-8").replace("NAME", name).replace("TITLE", title)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        todo = "Choose another name or folder"
        raise ConfigError(str(path), "the file must not exist yet", "there already", todo) from None
    return path
