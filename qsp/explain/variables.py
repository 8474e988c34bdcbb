"""States of the model, variables of the results, and endpoints made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from qsp import system
from qsp.endpoints import ENDPOINTS
from qsp.explain import blank
from qsp.explain.values import Files
from qsp.population.paths import short
from qsp.units import declarations


def states(_: Files) -> list[str]:
    """Paths of the states."""
    return [short(item.path) for item in declarations(system.State)]


def state_lines(name: str, _: Files) -> list[str]:
    """Every state whose path is the name or ends with it."""
    return [
        f"State {short(item.path)}{_axes(item.dims)} [{item.unit}]: {item.meaning}"
        for item in declarations(system.State)
        if f".{short(item.path)}".endswith(f".{name}")
    ]


def results(_: Files) -> list[str]:
    """Variables of the results."""
    return [str(name) for name in blank.results().data_vars]


def result_lines(name: str, _: Files) -> list[str]:
    """A variable of the results."""
    known = blank.results().data_vars
    if name not in known:
        return []
    found = known[name]
    about = f"{name}{_axes(found.dims)} [{found.attrs['units']}]: {found.attrs['long_name']}"
    told = [f"Result {about}"]
    if "flag_meanings" in found.attrs:
        words = found.attrs["flag_meanings"].split()
        told += [
            f"  {code}: {word}"
            for code, word in zip(found.attrs["flag_values"], words, strict=True)
        ]
    return told


def endpoints(_: Files) -> list[str]:
    """Endpoints, by the names of their functions."""
    return [endpoint.__name__ for endpoint in ENDPOINTS]


def endpoint_lines(name: str, _: Files) -> list[str]:
    """An endpoint: what it is, how it is computed and from what."""
    meanings = {each.__name__: cast(Any, each).meaning for each in ENDPOINTS}
    if name not in meanings:
        return []
    meaning = meanings[name]
    told = [
        f"Endpoint {name} [{meaning.units}]: {meaning.long_name}",
        f"  {meaning.definition}",
        f"  from: {', '.join(meaning.needs)}",
    ]
    return told + ([f"  source: {meaning.source}"] if meaning.source else [])


def _axes(dims: Iterable[object]) -> str:
    names = ", ".join(str(dim) for dim in dims)
    return f" ({names})" if names else ""
