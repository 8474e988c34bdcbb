"""Fitted values as text, and files that are replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path


def rounded(value: float, digits: int = 3) -> str:
    """Return a number with a few significant digits, without exponent where that is readable."""
    return f"{float(f'{value:.{digits}g}'):g}"


def replace_file(path: Path, text: str) -> None:
    """Replace a file as a whole."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
