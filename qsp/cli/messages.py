"""Errors and warnings on the terminal: each is one line on standard error."""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
import unicodedata
import warnings
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from qsp.errors import QSPWarning

errors = Console(stderr=True, highlight=False)

PLAIN = {
    **{"\N{GREATER-THAN OR EQUAL TO}": ">=", "\N{LESS-THAN OR EQUAL TO}": "<="},
    **{"\N{PLUS-MINUS SIGN}": "+/-", "\N{MULTIPLICATION SIGN}": "x", "\N{MICRO SIGN}": "u"},
    **{"\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{MINUS SIGN}": "-", "\N{BULLET}": "*"},
    **{"\N{GREEK SMALL LETTER MU}": "u", "\N{RIGHTWARDS ARROW}": "->"},
}
"""Letters of the tables of this package, and their replacement where an encoding lacks them."""
_PLAIN_LETTERS = "qsp.plain"


def fail(message: object, code: int) -> int:
    """Print an error, or each of several, as one line; return the exit code."""
    for line in str(message).splitlines() or [""]:
        errors.print(f"qsp: {line}", markup=False, soft_wrap=True)
    return code


def write_plainly() -> None:
    """Let streams with few letters, such as a log in cp1252, print `PLAIN` ones for the others."""
    codecs.register_error(_PLAIN_LETTERS, _plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAIN_LETTERS)


def _plain_letters(error: UnicodeError) -> tuple[str, int]:
    """Replace the letters that an encoding lacks; see `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter) or _ascii(letter) for letter in letters), error.end


def _ascii(letter: str) -> str:
    """Return a letter without its accents, or a question mark."""
    parts = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return parts or "?"


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print warnings of this package without the path and line of the code that issued them."""
    with warnings.catch_warnings():
        show_other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *position: Any) -> None:
            if issubclass(category, QSPWarning):
                errors.print(f"qsp: warning: {message}.", markup=False, soft_wrap=True)
            else:
                show_other(message, category, *position)

        warnings.showwarning = show
        yield
