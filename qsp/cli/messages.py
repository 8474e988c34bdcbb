"""Errors and warnings on the terminal: each is one line on standard error."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from qsp.errors import QSPWarning

errors = Console(stderr=True, highlight=False)


def fail(message: object, code: int) -> int:
    """Print an error; return the exit code."""
    errors.print(f"qsp: {message}", markup=False, soft_wrap=True)
    return code


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
