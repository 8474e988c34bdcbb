"""Build the documentation: copy docs/, add the generated pages, run mkdocs in strict mode.

    python scripts/build_docs.py [--out site]

The build needs no network. It fails for a warning of mkdocs, and for a link inside the site that
leads nowhere.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.book import notebooks, pages  # noqa: E402
from scripts.book.validation import page as validation_page  # noqa: E402


def build(out: Path) -> list[str]:
    """Build the site into a folder.

    Returns:
        Links that lead nowhere, one line each.

    Raises:
        subprocess.CalledProcessError: If mkdocs warns or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        shutil.copytree(ROOT / "docs", source / "docs")
        shutil.copy(ROOT / "mkdocs.yml", source / "mkdocs.yml")
        generated = {**pages(), **notebooks.pages(), "validation.md": validation_page()}
        for path, text in generated.items():
            place = source / "docs" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
        command += ["--config-file", str(source / "mkdocs.yml"), "--site-dir", str(out.resolve())]
        # mkdocstrings finds the package here, not an installed one.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
        subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return list(dead_links(out))


class _Page(HTMLParser):
    """Anchors and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the anchor of a tag and its link."""
        found = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := found.get(name))}
        self.links += [value for name in ("href", "src") if (value := found.get(name))]


def dead_links(site: Path) -> Iterator[str]:
    """Yield the links of a site that lead to no file or anchor of it."""
    read = {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    for path, page in read.items():
        if path.name == "404.html":  # its links count from the root of a server
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            known = read[target].anchors if target in read else set()
            anchor = unquote(parts.fragment)
            missing = bool(anchor) and target in read and anchor not in known
            if not target.is_file() or (missing and not anchor.startswith("__")):
                yield f"{path.relative_to(site)}: {link}"


def main() -> int:
    """Build the site; print dead links and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="folder of the site")
    out = parser.parse_args().out
    try:
        dead = build(out)
    except subprocess.CalledProcessError as error:
        return error.returncode
    for line in dead:
        print(f"dead link: {line}", file=sys.stderr)
    if not dead:
        print(f"The documentation is in {out}")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
