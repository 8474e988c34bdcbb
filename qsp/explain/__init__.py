"""Explain a name of the model: its meaning, unit, values, their sources, and equations.

::

    qsp explain synapse.alpha     a parameter, by path or by the end of its path (alpha)
    qsp explain margination       a state
    qsp explain crs_grade         a variable of the results, or an endpoint (incidence)
    qsp explain release           a mechanism: description, functions and parameters
    qsp explain mosunetuzumab     a molecule, or a population (nhl)
    qsp explain parameters        a list of all names of a kind
    qsp explain IL-6              another word for a name (`qsp.explain.aliases`), in any case
    qsp explain my.toml           one's own molecule, population or parameters
    qsp explain alpha my.toml     a parameter, with its value in one's own file first

All texts come from the declarations of the model and from the parameter files, so that they are
always up to date; nothing is compiled. A name with several meanings is explained in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from qsp.errors import ConfigError, suggest
from qsp.explain import catalog, mechanisms, parameters, variables
from qsp.explain.aliases import ALIASES, alias, plain_word
from qsp.explain.values import Files, shipped, with_own
from qsp.populations.paths import ELEMENTS
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
    "quantities": Kind(variables.quantities, variables.quantity_lines),
    "mechanisms": Kind(mechanisms.names, mechanisms.lines),
    "molecules": Kind(catalog.molecules, catalog.molecule_lines),
    "populations": Kind(catalog.populations, catalog.population_lines),
}


def explain(name: str, populations: Path | None = None, own: Sequence[Path] = ()) -> list[str]:
    """Explain a name.

    Args:
        name: Name of any kind in `KINDS`, another word for one (`qsp.explain.aliases`), or a key of
            `KINDS` for a list of its names. May be empty with files of one's own.
        populations: Folder of population files; by default the shipped ones.
        own: One's own molecules, populations or files of parameters. Their values come first;
            without a name all of their values are explained.

    Returns:
        Lines of text.

    Raises:
        ConfigError: If the name is unknown; the message suggests similar names.
    """
    files = with_own(shipped(populations or folder("populations")), own)
    if name in KINDS:
        return list(KINDS[name].names(files))
    sections = list(_sections(name, files)) if name else catalog.own_lines(files)
    if not sections:
        raise _unknown(name, files)
    return [line for section in sections for line in [*section, ""]][:-1]


def _sections(name: str, files: Files) -> Iterator[list[str]]:
    """Yield a section for each meaning of a name, starting with those of the table of aliases."""
    other = alias(name)
    is_element = other.names and any(name in elements for elements in ELEMENTS.values())
    matching = [] if is_element else _matching(name, files)
    names = list(dict.fromkeys((*other.names, *matching)))
    found = [lines for each in names for lines in _exactly(each, files)]
    if other.note:
        yield [other.note]
    if names and names != [name]:
        yield [f"{name} is explained by: {', '.join(names)}"]
    yield from found
    if other.see:
        yield [f"See also: {', '.join(f'qsp explain {each}' for each in other.see)}"]


def _exactly(name: str, files: Files) -> list[list[str]]:
    return [found for kind in KINDS.values() if (found := kind.lines(name, files))]


def _matching(name: str, files: Files) -> list[str]:
    """Return the name if it is one; otherwise the names that differ in case or punctuation.

    The last resort are names with the word anywhere in their path, such as CD20.
    """
    if _exactly(name, files):
        return [name]
    word = plain_word(name)
    known = list(dict.fromkeys(each for kind in KINDS.values() for each in kind.names(files)))
    return [
        each for each in known if word in (plain_word(each), plain_word(each.rpartition(".")[2]))
    ] or [each for each in known if word in map(plain_word, each.split("."))]


def _unknown(name: str, files: Files) -> ConfigError:
    known = [each for kind in KINDS.values() for each in kind.names(files)]
    endings = (each.rpartition(".")[2] for each in known)
    words = ALIASES.keys() - set(map(plain_word, known))  # "tnf_alpha", not "tnfalpha"
    names = list(dict.fromkeys((*KINDS, *known, *endings, *sorted(words))))
    similar = suggest(name, names) or suggest(name.lower(), names)
    if Path(f"{name}.toml").is_file():
        similar = f"`qsp explain {name}.toml` explains the file."
    rule = "the name must be one of the model, its results, molecules or populations"
    todo = f"{similar} qsp explain KIND lists names; KIND is one of {', '.join(KINDS)}".strip()
    return ConfigError("explain", rule, repr(name), todo)
