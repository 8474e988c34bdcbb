"""What computes: digest of the code of the package, and versions of what it computes with."""

import functools
import hashlib
import importlib.metadata
from pathlib import Path

import qsp

PACKAGES = ("jax", "jaxlib", "diffrax", "equinox", "llvmlite", "numpy")
"""Another version of one of these may give other last digits."""
_CODE = (".py", ".toml")


@functools.cache
def environment() -> dict[str, str]:
    """Versions by package, and `code`, the digest of every source file of this one."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"code": _code(), "qsp": qsp.__version__, **versions}


def _code() -> str:
    root = Path(qsp.__file__).parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in _CODE and path.is_file():
            total.update(str(path.relative_to(root)).encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
