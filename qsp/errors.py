"""What the package says when something is wrong, in the words of a modeler.

Every message has the form ``<where>: <name> must <rule>, but is <got>. <what to do>.``. Whatever
can be known before a compilation is raised before it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QSPError(Exception):
    """Any error the package raises on purpose; the command line prints it as one line."""


class ConfigError(QSPError, ValueError):
    """Input (a file, a key, an option) that breaks a rule.

    Args:
        where: File, or file and key, the value came from.
        rule: The rule as "NAME must RULE".
        got: The value as given.
        todo: What to do about it.
    """

    def __init__(self, where: str, rule: str, got: object = None, todo: str = "") -> None:
        found = "" if got is None else f", but is {got}"
        ending = "" if todo.endswith((".", "?")) else "."
        advice = f" {todo}{ending}" if todo else ""
        super().__init__(f"{where}: {rule}{found}.{advice}")
        self.where, self.rule, self.got, self.todo = where, rule, got, todo


class UnitError(ConfigError):
    """A quantity without a unit, with an unknown unit, or of the wrong dimension."""


class LengthError(ConfigError):
    """Something of a trial that lies beyond its end; `needed` is how long it would have to be."""

    needed: int | None = None


class PopulationError(ConfigError):
    """A population, disease or molecule file that does not describe a patient."""


class SolveError(QSPError, RuntimeError):
    """A run that failed: no patient could be solved, or more than was allowed."""


class BackendWarning(UserWarning):
    """A system has no native program, so XLA computes it."""


def suggest(word: str, known: Iterable[str]) -> str:
    """The nearest known names as a sentence, or the empty string where nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
