"""Small files that appear whole or not at all, whoever else writes them."""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def temporary(path: Path) -> Path:
    """A name beside a file that no other process takes."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.partial")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file by this content; it is on the disk when this returns."""
    partial = temporary(path)
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """Content of a file; None where there is none, or no JSON object in it.

    Raises:
        OSError: If it cannot be read now, which says nothing about what is in it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return content if isinstance(content, dict) else None
