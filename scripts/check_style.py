"""Check the language of code, documents and configs: banned phrases, then spelling.

    python scripts/check_style.py [FILE ...]

Without files, every tracked text file of the folders below is checked. In Python files only
comments and strings are read, so that identifiers are free; in Markdown, inline code is free.
Spelling is American (codespell).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONG_MODULE = 350
"""Lines above which a module is worth a second look."""

CHECKED = (
    "qsp",
    "tests",
    "docs",
    "benchmarks",
    "scripts",
    "configs",
    "populations",
    ".ci",
    ".github",
)
DOCUMENTS = (".md", ".toml", ".txt", ".j2", ".bash", ".yml", "")
SKIPPED = ("tests/old/", "benchmarks/results/", "scripts/check_style.py")
"""Files of earlier versions, recorded rows, and this list itself."""

_SENTENCE = r"(?:^|[.:;!?]\s+|\"\"\"|#\s+|\|\s+)"
BANNED: dict[str, str] = {
    r"\bTCE-42\b": "cite a document that readers have",
    r"\b[Bb]eside\b": "next to, with, besides, in addition to",
    r"\b([Nn]o|[Ss]ome)body\b": "no patient, no one, a user",
    r"\b(he|him|his|He|His)\b": "the patient, it, their",
    r"\b(is|are|was|were|be) (said|told)\b": "is reported, is stated, is shown",
    r"\b[Ss]tands?\b(?!-)": "is, is in, is listed in",
    r"\bas (it|they) (is|was|are|were)\b": "unchanged",
    r"\b(so|as) often\b|\bso (many|few)\b": "state the number",
    r"^\s*\w+(\s\([^)]*\))?: (Of|To|By|Its|Their)\b(?! course)": (
        "name the thing: 'Name of the arm.'"
    ),
    r"\"\"\"(Of|By|Its|Their|Whom?|Whose)\b": "name the thing",
    _SENTENCE + r"(What|Who|Whoever|Whatever|Whom)\b(?![^.]*\?)": "start with a noun or a verb",
    r"\b(what|whatever|who) (is|was|are|were) "
    r"(given|asked|wanted|there|shown|left|known|wrong)\b": "name it: doses, actions, input",
    r"\bcannot be had\b|\bis there already\b|\b(a|what) was given\b": (
        "say what is missing or exists"
    ),
    r"\b[Ll]anes?\b": "simulation (lane is for vector registers, in qsp/native only)",
    r"\b[Ss]tretch(es)?\b": "segment",
    r"\banew\b|\bafresh\b|\bhitherto\b": "again, from the start",
    r"\bof (his|her) own\b": "individual",
    r"\b[Ll]east (number|length|time|distance|interval|size)\b": "minimum",
    r"(?:\"\"\"|: )Most \w+( times)? (of|that|between|within|in)\b": "maximum number of",
    r"\b(files?|values?|folders?|text|cache) of (a|the) user\b(?! who|')": "user files, the user's",
    r"\bmust (not )?be (that|those) of\b": "repeat the noun: must be the name of a table",
    r"\bwhat (it|is|was|were|has|have|had) (?![^.]*\?)": "use a noun: decisions, assumptions",
    r"\bis no \w+ of\b": "is not a ... of",
    r"\bin all(?=[.,;:)\"'])": "in total",
    r"\bqueue of Slurm\b|\bevents? of CRS\b": "Slurm queue, CRS event",
}
ALLOWED_IN = {r"\b[Ll]anes?\b": ("qsp/native/", "tests/native/", "benchmarks/", "docs/native.md")}


def files() -> list[Path]:
    """Tracked and new text files that are checked."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [
        ROOT / name
        for name in sorted(set(listed))
        if (name.split("/")[0] in CHECKED or ("/" not in name and name.endswith(".md")))
        and (name.endswith(".py") or Path(name).suffix in DOCUMENTS)
        and not name.startswith(SKIPPED)
        and (ROOT / name).is_file()
    ]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of prose of a file, with their numbers."""
    if path.suffix != ".py":
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            text = _without_code(text)
        yield from enumerate(text.splitlines(), 1)
        return
    with tokenize.open(path) as stream:
        for token in tokenize.generate_tokens(stream.readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING) or "FSTRING" in str(token.type):
                yield from enumerate(token.string.splitlines(), token.start[0])


def _without_code(text: str) -> str:
    """Return Markdown with empty backticks in place of inline code."""
    return re.sub(r"`[^`\n]+`", "``", text)


def findings(path: Path) -> Iterator[str]:
    """One line for each banned phrase of a file."""
    name = path.relative_to(ROOT).as_posix()
    rules = [
        (re.compile(pattern), todo)
        for pattern, todo in BANNED.items()
        if not name.startswith(ALLOWED_IN.get(pattern, ("\0",)))
    ]
    for number, line in prose(path):
        for pattern, todo in rules:
            found = pattern.search(line)
            if found:
                yield f"{name}:{number}: {found.group().strip()!r}: {todo}"


def misspelled(paths: Sequence[Path]) -> list[str]:
    """Findings of codespell, by its configuration in pyproject.toml."""
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    lines = (done.stdout + done.stderr).splitlines()
    return [line.replace(f"{ROOT}/", "") for line in lines if line.strip()]


def long_modules(paths: Sequence[Path]) -> Iterator[str]:
    """Advice on modules of the package that may hold two subjects; it is not a finding."""
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("qsp/") and path.suffix == ".py":
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LONG_MODULE:
                yield f"advice: {name} has {lines} lines; can it be two modules by subject?"


def main(arguments: Sequence[str]) -> int:
    """Print advice and findings; 1 if there are findings."""
    chosen = [Path(name).resolve() for name in arguments] or files()
    for line in long_modules(chosen):
        print(line)
    lines = [line for path in chosen for line in findings(path)] + misspelled(chosen)
    print("\n".join(lines) or f"{len(chosen)} files: no finding.")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
