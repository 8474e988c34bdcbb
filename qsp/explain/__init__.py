"""Explain a name of the model: its meaning, unit, values, their sources, and equations.

::

    qsp explain synapse.alpha     a parameter, by path or by the end of its path (alpha)
    qsp explain margination       a state
    qsp explain crs_grade         a variable of the results, or an endpoint (incidence)
    qsp explain release           a mechanism: description, functions and parameters
    qsp explain mosunetuzumab     a molecule, or a population (nhl)
    qsp explain parameters        a list of all names of a kind

All texts come from the declarations of the model and from the parameter files, so that they are
always up to date; nothing is compiled. A name with several meanings is explained in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from qsp.errors import ConfigError, suggest
from qsp.explain import catalog, mechanisms, parameters, variables
from qsp.explain.values import Files, shipped
from qsp.shipped import folder


class Kind(NamedTuple):
    """A kind of name: a function that lists all names, and one that explains a name.

    The second returns no lines for a name of another kind.
    """

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


def explain(name: str, populations: Path | None = None) -> list[str]:
    """Explain a name.

    Args:
        name: Name of any kind in `KINDS`, or a key of `KINDS` for a list of its names.
        populations: Folder of population files; by default the shipped ones.

    Returns:
        Lines of text.

    Raises:
        ConfigError: If the name is unknown; the message suggests similar names.
    """
    files = shipped(populations or folder("populations"))
    if name in KINDS:
        return list(KINDS[name].names(files))
    sections = [found for kind in KINDS.values() if (found := kind.lines(name, files))]
    if not sections:
        known = [each for kind in KINDS.values() for each in kind.names(files)]
        endings = (each.rpartition(".")[2] for each in known)
        similar = suggest(name, dict.fromkeys((*KINDS, *known, *endings)))
        rule = "the name must be one of the model, its results, molecules or populations"
        todo = f"{similar} qsp explain KIND lists names; KIND is one of {', '.join(KINDS)}".strip()
        raise ConfigError("explain", rule, repr(name), todo)
    return [line for section in sections for line in [*section, ""]][:-1]
