"""Fitted values as text, in parameter files, and files that are replaced as a whole."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from qsp.calibration.parameters import Parameter
from qsp.errors import ConfigError

TUNED, ASSUMED = "tuned", "assumed"


class Written(NamedTuple):
    """A value to write: file relative to the repository, path, text with its unit, and status."""

    file: str
    path: str
    text: str
    status: str


def rounded(value: float, digits: int = 3) -> str:
    """Return a number with a few significant digits, without exponent where that is readable."""
    return f"{float(f'{value:.{digits}g}'):g}"


def replace_file(path: Path, text: str) -> None:
    """Replace a text file as a whole."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, data: bytes) -> None:
    """Replace a file as a whole."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(data)
    os.replace(draft, path)


def values(
    parameters: Iterable[Parameter],
    z: Mapping[str, float],
    means: Iterable[Mapping[str, Any]] = (),
    ratios: Iterable[Mapping[str, Any]] = (),
) -> Iterator[Written]:
    """Yield the value of each file and path.

    A factor of a disease is written as the product with the shared value.

    Args:
        parameters: Parameters of the fit.
        z: Whitened coordinates by name.
        means: Molecules without data: `path`, `molecules`, and the first letters (`of`) of the
            names of the parameters whose geometric mean they get.
        ratios: Values that are a multiple (`factor`) of a parameter (`of`): `path`, in its file.
    """
    parameters = tuple(parameters)
    shared = {each.path: each for each in parameters if not each.diseases and not each.molecules}
    for each in parameters:
        value, unit = each.value(z[each.name]), each.unit
        if each.diseases and each.path in shared:
            whole = shared[each.path]
            value, unit = value * whole.value(z[whole.name]), whole.unit
        for file in each.files:
            yield Written(file, each.path, _text(value, unit), TUNED)
    for mean in means:
        own = [each for each in parameters if each.name.startswith(tuple(mean["of"]))]
        logs = [math.log(each.value(z[each.name])) for each in own]
        text = _text(math.exp(sum(logs) / len(logs)), own[0].unit)
        for name in mean["molecules"]:
            yield Written(f"qsp/molecules/{name}.toml", mean["path"], text, ASSUMED)
    for ratio in ratios:
        whole = next(each for each in parameters if each.name == ratio["of"])
        text = _text(ratio["factor"] * whole.value(z[whole.name]), whole.unit)
        for file in whole.files:
            yield Written(file, ratio["path"], text, ASSUMED)


def _text(value: float, unit: str) -> str:
    return rounded(value) if unit == "1" else f"{rounded(value)} {unit}"


def write(root: Path, found: Iterable[Written]) -> None:
    """Write values and their status into parameter files; spreads, sources and notes stay.

    Args:
        root: Folder of the repository.
        found: Values.

    Raises:
        ConfigError: If a file has no line for a path.
    """
    for each in found:
        file = root / each.file
        replace_file(file, with_value(file.read_text(encoding="utf-8"), each))


def with_value(text: str, each: Written) -> str:
    """Return the text of a parameter file with another value and status.

    Raises:
        ConfigError: If the file has no line for the path.
    """
    section, _, key = each.path.rpartition(".")
    lines, now = text.split("\n"), ""
    for n, line in enumerate(lines):
        if line.startswith("["):
            now = line.strip().strip("[]")
        elif now == section and re.match(rf"{re.escape(key)}\s*=", line):
            line = re.sub(r'value = "[^"]*"', f'value = "{each.text}"', line, count=1)
            lines[n] = re.sub(r'status = "[^"]*"', f'status = "{each.status}"', line, count=1)
            return "\n".join(lines)
    raise ConfigError(each.file, "a fitted value must have a line", each.path)
