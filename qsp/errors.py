"""Errors of the package.

Every message has the form ``<where>: <name> must <rule>, but is <found>. <remedy>.`` Errors in the
input are raised before anything is compiled.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class QSPError(Exception):
    """Base class of all errors of the package; the command line prints them as one line."""


class ConfigError(QSPError, ValueError):
    """Invalid input: a file, key or option that breaks a rule.

    Args:
        where: File, key or option that holds the value.
        rule: The rule as "NAME must RULE".
        got: The value found; None to leave it out.
        todo: The remedy, as a sentence in the imperative.
    """

    def __init__(self, where: str, rule: str, got: object = None, todo: str = "") -> None:
        found = "" if got is None else f", but is {got}"
        ending = "" if todo.endswith((".", "?")) else "."
        advice = f" {todo}{ending}" if todo else ""
        super().__init__(f"{where}: {rule}{found}.{advice}")
        self.where, self.rule, self.got, self.todo = where, rule, got, todo


class InputErrors(ConfigError):
    """Several errors of one file, one line each.

    Args:
        errors: The first errors, in the order of the file.
        more: Number of errors that are not among them.
    """

    def __init__(self, errors: Sequence[ConfigError], more: int = 0) -> None:
        first = errors[0]
        super().__init__(first.where, first.rule, first.got, first.todo)
        self.errors, self.more = tuple(errors), more

    def __str__(self) -> str:
        lines = [str(error) for error in self.errors]
        if self.more:
            lines.append(f"and {self.more} more {'error' if self.more == 1 else 'errors'}.")
        return "\n".join(lines)


class UnitError(ConfigError):
    """A quantity has no unit, an unknown unit, or the wrong dimension."""


class LengthError(ConfigError):
    """An event lies after the end of a trial.

    Attributes:
        needed: Duration of the trial that would include the event [day].
    """

    needed: int | None = None


class PopulationError(ConfigError):
    """A population, disease or molecule file does not define a patient."""


class SolveError(QSPError, RuntimeError):
    """A run failed: no patient could be simulated, or more patients failed than are allowed."""


class QSPWarning(UserWarning):
    """Base class of all warnings of the package; the command line prints them as one line."""


class BackendWarning(QSPWarning):
    """A system has no native program; XLA computes it instead."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a question that suggests the nearest known names; "" if none is near."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
