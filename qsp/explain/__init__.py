"""What a name of the model means: its unit, its values, and where they come from.

::

    qsp explain synapse.alpha     a parameter, by path or by the end of its path (alpha)
    qsp explain margination       a state
    qsp explain crs_grade         a variable of the results, or an endpoint (incidence)
    qsp explain release           a mechanism: its idea, its functions, its parameters
    qsp explain mosunetuzumab     a molecule, or a population (nhl)
    qsp explain parameters        every name of a kind

Everything is read off the declarations of the model and the files of values; nothing is compiled,
and no text is kept here that could grow stale. A name that means several things has them all told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from qsp.errors import ConfigError, suggest
from qsp.explain import catalog, mechanisms, parameters, variables
from qsp.explain.values import Files, shipped

POPULATIONS = Path("populations")
"""The folder of populations of a checkout, seen from its root."""


class Kind(NamedTuple):
    """A kind of name: all of them, and the lines about one of them (none for an unknown one)."""

    names: Callable[[Files], Iterable[str]]
    lines: Callable[[str, Files], list[str]]


KINDS: Mapping[str, Kind] = {
    "parameters": Kind(parameters.names, parameters.lines),
    "states": Kind(variables.states, variables.state_lines),
    "results": Kind(variables.results, variables.result_lines),
    "endpoints": Kind(variables.endpoints, variables.endpoint_lines),
    "mechanisms": Kind(mechanisms.names, mechanisms.lines),
    "molecules": Kind(catalog.molecules, catalog.molecule_lines),
    "populations": Kind(catalog.populations, catalog.population_lines),
}


def explain(name: str, populations: Path = POPULATIONS) -> list[str]:
    """Lines about a name.

    Args:
        name: Of any kind above, or the name of a kind, which lists its names.
        populations: Folder of population files; what they hold is left out where it is absent.

    Raises:
        ConfigError: If nothing has that name, with the nearest ones.
    """
    files = shipped(populations)
    if name in KINDS:
        return list(KINDS[name].names(files))
    sections = [found for kind in KINDS.values() if (found := kind.lines(name, files))]
    if not sections:
        known = [each for kind in KINDS.values() for each in kind.names(files)]
        endings = (each.rpartition(".")[2] for each in known)
        todo = suggest(name, dict.fromkeys((*KINDS, *known, *endings)))
        rule = "the name must be one of the model, its results, molecules or populations"
        listed = ", ".join(KINDS)
        raise ConfigError("explain", rule, repr(name), f"{todo} These list all: {listed}".strip())
    return [line for section in sections for line in [*section, ""]][:-1]
