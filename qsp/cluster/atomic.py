"""Small files that other processes see either completely written or not at all."""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def temporary_path(path: Path) -> Path:
    """Return a path in the folder of `path` that no other process uses."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.partial")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the content of a file; the new content is on disk when this returns."""
    partial = temporary_path(path)
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None if there is no file or no JSON object in it.

    Raises:
        OSError: If the file exists but cannot be read now; its content may still be good.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return content if isinstance(content, dict) else None
