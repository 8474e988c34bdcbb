"""The file of a new molecule: placeholders, or the values of a shipped molecule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from qsp.errors import ConfigError, suggest
from qsp.molecules.molecule import Molecule, load, names

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FOLDER = Path(__file__).parent
_TEMPLATE = _FOLDER / "template.txt"

_TITLE = re.compile(r'^title = ".*"$', re.MULTILINE)
_STATUS = re.compile(r'status = "(?P<status>[a-z]+)"')
_NOTE = re.compile(r'note = "')
_BLANK = re.compile(r"\n(?=\s*\n|\[)")
"""End of the last line before an empty line or a new table."""

_OF_TARGET = ("KD_soluble", "beta50_act")
"""Parameters of a molecule that depend on its target: whether it is shed, and on its density."""


def write_template(name: str, folder: Path, target: str | None = None) -> Path:
    """Write ``NAME.toml`` for a new molecule; an existing file is never overwritten.

    Args:
        name: Lower-case letters, digits and underscores, such as ``glofitamab``.
        folder: Existing folder for the file.
        target: Antigen of a shipped molecule. The file then has this target, the values that
            depend on it as in shipped molecules against it, and both routes. By default it is the
            antigen of the template.

    Returns:
        Path of the file. It is a valid molecule with placeholder values of a typical size.

    Raises:
        ConfigError: If the name is invalid or in use, the folder is missing, or no shipped molecule
            has the target.
    """
    _check(name, folder)
    text = (
        _TEMPLATE.read_text(encoding="utf-8").replace("NAME", name).replace("TITLE", _title(name))
    )
    return _write(folder / f"{name}.toml", text if target is None else _for_target(text, target))


def write_copy(name: str, folder: Path, like: str) -> Path:
    """Write ``NAME.toml`` with the values of a shipped molecule.

    Args:
        name: Name of the new molecule, as for `write_template`.
        folder: Existing folder for the file.
        like: Name of the shipped molecule.

    Returns:
        Path of the file. No value is published for the new molecule: each is assumed, with a note
        that names the other molecule and the status of its value there.

    Raises:
        ConfigError: If the name is invalid or in use, the folder is missing, or there is no such
            shipped molecule.
    """
    _check(name, folder)
    if like not in names():
        rule = f"the value must be the name of a shipped molecule: {', '.join(names())}"
        raise ConfigError("--like", rule, repr(like), suggest(like, names()))
    text = (_FOLDER / f"{like}.toml").read_text(encoding="utf-8")
    blocks = [_copied(block, like) for block in _BLANK.split(text)]
    text = _TITLE.sub(f'title = "{_title(name)}"', "\n".join(blocks), count=1)
    head = (
        f"# {name}: a copy of {like}, to be changed. Every value is assumed for {name}; its note "
        f"has its status for {like}.\n#\n# The comments below are those of {like}.\n#\n"
    )
    return _write(folder / f"{name}.toml", head + text)


def _check(name: str, folder: Path) -> None:
    if not _NAME.fullmatch(name):
        todo = "Write it as glofitamab, without .toml"
        rule = "the name must be lower-case letters, digits and underscores, a letter first"
        raise ConfigError("qsp new", rule, repr(name), todo)
    if name in names():
        todo = f"Choose another name, as in qsp new my_{name} --like {name}"
        rule = "the name must not be the name of a shipped molecule"
        raise ConfigError("qsp new", rule, repr(name), todo)
    if not folder.is_dir():
        raise ConfigError(str(folder), "--out must be a folder", "missing", "Create it first")


def _write(path: Path, text: str) -> Path:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        todo = "Choose another name or folder"
        raise ConfigError(str(path), "the file must not exist yet", "present", todo) from None
    return path


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _copied(block: str, like: str) -> str:
    """Return lines with each status changed to assumed, and a note on the molecule copied from.

    Args:
        block: Lines without an empty line: a table, or entries in a line each.
        like: Name of the molecule copied from.
    """
    lines = block.split("\n")
    is_table = any(line.startswith("status = ") for line in lines)
    parts = ["\n".join(lines)] if is_table else lines
    return "\n".join(_assumed(part, like, "\n" if is_table else ", ") for part in parts)


def _assumed(entry: str, like: str, between: str) -> str:
    found = _STATUS.search(entry)
    if found is None or entry.startswith("#"):
        return entry
    origin = f"value of {like}, {found['status']} there"
    assumed = 'status = "assumed"'
    if _NOTE.search(entry):
        return _NOTE.sub(f'note = "{origin}: ', _STATUS.sub(assumed, entry), count=1)
    return _STATUS.sub(f'{assumed}{between}note = "{origin}"', entry)


def _for_target(text: str, target: str) -> str:
    """Return the template with a target, both routes, and the values that depend on the target."""
    alike = [molecule for molecule in map(load, names()) if molecule.target == target]
    if not alike:
        known = tuple(dict.fromkeys(load(name).target for name in names()))
        near = suggest(target, known) or suggest(target.upper(), known)
        rule = f"the target must be an antigen of shipped molecules: {', '.join(known)}"
        todo = f"{near} For another antigen, leave --target out and change the file".strip()
        raise ConfigError("--target", rule, repr(target), todo)
    text = text.replace('target = "CD20"', f'target = "{target}"').replace(".CD20.", f".{target}.")
    text = text.replace('routes = ["iv"]      ', 'routes = ["iv", "sc"]')
    text = text.replace("# ka =", "ka =").replace("# bioavailability =", "bioavailability =")
    for path in _OF_TARGET:
        text = _with_value(text, path, list(_values(alike, path)))
    return text


def _values(alike: list[Molecule], name: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each molecule with a value of a parameter, and the value as text."""
    for molecule in alike:
        for path, entry in molecule.parameters.entries.items():
            if path.rpartition(".")[2] == name:
                yield molecule.name, entry.value


def _with_value(text: str, name: str, values: list[tuple[str, str]]) -> str:
    """Return the template with the middle one of some values, in place of its own if it has one."""
    if not values:
        return text
    ranked = sorted(values, key=lambda each: float(each[1].split()[0]))
    middle, value = ranked[(len(ranked) - 1) // 2]
    others = "".join(f"; {other} has {found}" for other, found in values if other != middle)
    note = f"value of {middle}{others}"
    line = f'{name} = {{ value = "{value}", status = "assumed", note = "{note}" }}'
    if f"\n{name} = " in text:
        return re.sub(rf"^{name} = .*$", line, text, flags=re.MULTILINE)
    return re.sub(r"^(KD_target = .*)$", rf"\1\n{line}", text, flags=re.MULTILINE)
