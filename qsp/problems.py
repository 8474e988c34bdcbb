"""Errors of a file that are reported together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from qsp.errors import ConfigError, InputErrors, LengthError

MOST_ERRORS = 20
"""Number of errors of a file that one message lists."""


class Problems:
    """The errors of a file, which are reported together.

    Args:
        name: Name of the file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._found: list[tuple[int, ConfigError]] = []
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def copy(self) -> Problems:
        """Return the same errors, to which others can be added."""
        copied = Problems(self.name)
        copied._found, copied._count = list(self._found), self._count
        return copied

    def add(self, error: ConfigError, line: int = 0) -> None:
        """Add an error.

        Args:
            error: The error.
            line: Line of the file; 0 for an error of the whole file.
        """
        self._found.append((line, error))
        self._count += 1

    def add_rows(
        self, rows: np.ndarray, line: np.ndarray, error_at: Callable[[int], ConfigError]
    ) -> None:
        """Add the error of each row; only the first are described.

        Args:
            rows: (row,): Whether the row has the error.
            line: (row,): Line of the file.
            error_at: Returns the error of a row.
        """
        places = np.flatnonzero(rows)
        self._found += [(int(line[n]), error_at(int(n))) for n in places[:MOST_ERRORS]]
        self._count += len(places)

    def raise_if_any(self) -> None:
        """Raise the errors in the order of the file, if there are any.

        Raises:
            InputErrors: If there are several.
            ConfigError: If there is one, or if one longer trial would remedy all.
        """
        raise_together([self])

    @property
    def count(self) -> int:
        """Number of errors, with those that are not described."""
        return self._count

    @property
    def errors(self) -> list[ConfigError]:
        """The errors that are described, in the order of the file."""
        return [error for _, error in sorted(self._found, key=lambda item: item[0])]


def raise_together(files: Iterable[Problems]) -> None:
    """Raise the errors of several files in their order, if there are any.

    Raises:
        InputErrors: If there are several.
        ConfigError: If there is one, or if one longer trial would remedy all.
    """
    each = tuple(files)
    errors = [error for problems in each for error in problems.errors]
    count = sum(problems.count for problems in each)
    if not errors:
        return
    if count == 1 or all(isinstance(error, LengthError) for error in errors):
        raise errors[0]
    shown = errors[:MOST_ERRORS]
    raise InputErrors(shown, count - len(shown))
