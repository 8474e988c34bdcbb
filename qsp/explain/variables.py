"""Explain states of the model, variables of the results, and endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from qsp import system
from qsp.endpoints import ENDPOINTS
from qsp.explain import blank
from qsp.explain.equations import definition_lines, equation_lines
from qsp.explain.values import Files
from qsp.populations.paths import short
from qsp.units import declarations

_AXES = {
    "dose_period": "one value per dose period, from the start of a dose to that of the next",
    "visit": "at each tumor assessment, coordinate `visit` [day]",
    "time": "time course, coordinate `time` [day], of the patients with stored trajectories",
}
"""Meaning of the axes of a variable of the results."""


def states(_: Files) -> list[str]:
    """Paths of the states."""
    return [short(item.path) for item in declarations(system.State)]


def state_lines(name: str, _: Files) -> list[str]:
    """Every state whose path is the name or ends with it."""
    found = [item for item in declarations(system.State) if _ends_with(item.path, name)]
    return [
        text
        for item in found
        for text in (
            f"State {short(item.path)}{_dims(item.dims)} [{item.unit}]: {item.meaning}",
            *equation_lines(short(item.path)),
        )
    ]


def quantities(_: Files) -> list[str]:
    """Paths of the quantities that follow from the states, which `qsp.simulate` can save."""
    known = {item.path for item in declarations(system.State)}
    return [path for path in system.saveable() if f"model.{path}" not in known]


def quantity_lines(name: str, files: Files) -> list[str]:
    """Every quantity whose path is the name or ends with it, and the equations that define it."""
    known = system.saveable()
    found = [known[path] for path in quantities(files) if _ends_with(path, name)]
    return [
        text
        for item in found
        for text in (
            f"Quantity {item.path}{_dims(item.dims)} [{item.unit}]: {item.meaning}",
            *definition_lines(item.path),
        )
    ]


def _ends_with(path: str, name: str) -> bool:
    return f".{short(path)}".endswith(f".{name}")


def results(_: Files) -> list[str]:
    """Names of the variables of the results."""
    return [str(name) for name in blank.results().data_vars]


def result_lines(name: str, _: Files) -> list[str]:
    """Axes, unit, meaning and codes of a variable of the results; empty for another name."""
    known = blank.results().data_vars
    if name not in known:
        return []
    found = known[name]
    about = f"{name}{_dims(found.dims)} [{found.attrs['units']}]: {found.attrs['long_name']}"
    text = [f"Result {about}"]
    text += [f"  {meaning}" for axis, meaning in _AXES.items() if axis in found.dims]
    if "flag_meanings" in found.attrs:
        meanings = found.attrs["flag_meanings"].split()
        text += [
            f"  {code}: {meaning}"
            for code, meaning in zip(found.attrs["flag_values"], meanings, strict=True)
        ]
    return text


def endpoints(_: Files) -> list[str]:
    """Names of the endpoints, those of their functions."""
    return [endpoint.__name__ for endpoint in ENDPOINTS]


def endpoint_lines(name: str, _: Files) -> list[str]:
    """Unit, meaning, definition and inputs of an endpoint; empty for another name."""
    meanings = {each.__name__: cast(Any, each).meaning for each in ENDPOINTS}
    if name not in meanings:
        return []
    meaning = meanings[name]
    text = [
        f"Endpoint {name} [{meaning.units}]: {meaning.long_name}",
        f"  {meaning.definition}",
        f"  from: {', '.join(meaning.needs)}",
    ]
    return text + ([f"  source: {meaning.source}"] if meaning.source else [])


def _dims(dims: Iterable[object]) -> str:
    names = ", ".join(str(dim) for dim in dims)
    return f" ({names})" if names else ""
