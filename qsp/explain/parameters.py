"""Explain parameters, by their path or by the end of their path, with the values of all files."""

from __future__ import annotations

from collections.abc import Iterator

from qsp.explain.equations import equation_lines
from qsp.explain.values import Files, line
from qsp.populations.derived import ABSENT
from qsp.populations.paths import ELEMENTS, antigen_of, declared, fields, inputs, parameter_path


def names(files: Files) -> list[str]:
    """Paths of the parameters of the model, then of the inputs for tumor, cells and antigens."""
    antigens = (entry.path for entry in files.entries if antigen_of(entry.path))
    return list(dict.fromkeys((*fields(), *inputs(), *antigens)))


def lines(name: str, files: Files) -> list[str]:
    """Every parameter whose path is the name or ends with it; elements only if no field matches."""
    for known in (names(files), list(declared())):
        found = [path for path in known if path == name] or [
            path for path in known if path.endswith(f".{name}")
        ]
        if found:
            return [text for path in found for text in (*block(path, files), *equation_lines(path))]
    return []


def of_group(group: str, files: Files) -> list[str]:
    """All parameters of a group, such as ``synapse`` or ``supportive.tocilizumab``."""
    paths = [path for path in fields() if path.startswith(f"{group}.")]
    return [text for path in paths for text in block(path, files)]


def block(path: str, files: Files) -> Iterator[str]:
    """Title of a parameter, then one line for each value, starting with the user's own files."""
    yield _title(path)
    entries = list(files.of(path))
    for name in files.own.keys() - {entry.file for entry in entries}:
        yield f"  {name} has no value of it"
    places = [f"{e.path[len(path) + 1 :]} {e.file}".strip() for e in entries]
    width = max(map(len, places), default=0)
    for entry, place in zip(entries, places, strict=True):
        yield f"  {place:<{width}}  {line(entry)}"
    if not entries:
        yield f"  {_without_entry(path)}"


def _title(path: str) -> str:
    """Path, axes, unit and meaning of a parameter."""
    axes = fields().get(path, ())
    first = parameter_path(".".join([path, *(ELEMENTS[axis][0] for axis in axes)]), where="explain")
    meaning = first.meaning.rsplit(", ", len(axes))[0]
    shown = f" ({', '.join(axes)})" if axes else ""
    return f"Parameter {path}{shown} [{first.unit}]: {meaning}"


def _without_entry(path: str) -> str:
    derived = "in no file: derived from other values"
    for group, value in ABSENT.items():
        if f"{path}.".startswith(f"{group}."):
            return f"{derived}, or {value:g} if its process is absent"
    return derived
