"""Remove outputs, execution counts and metadata from the notebooks of the documentation.

    python scripts/strip_notebooks.py [--check] [FILE ...]

Without files, all notebooks of docs/notebooks are stripped. The exit code is 1 if a notebook was
changed, or, with --check, if one would be.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.book import notebooks  # noqa: E402


def main() -> int:
    """Strip notebooks; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="notebook")
    parser.add_argument("--check", action="store_true", help="change no file")
    options = parser.parse_args()
    changed = False
    for path in options.files or notebooks.files():
        text = notebooks.text(notebooks.stripped(notebooks.read(path)))
        if text != path.read_text(encoding="utf-8"):
            changed = True
            print(f"{'to strip' if options.check else 'stripped'}: {path}")
            if not options.check:
                path.write_text(text, encoding="utf-8")
    return int(changed)


if __name__ == "__main__":
    sys.exit(main())
