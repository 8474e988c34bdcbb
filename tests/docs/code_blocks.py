"""Code blocks of the documentation: read, and run in order as a reader would.

A fence is one of four kinds; a page has no block that only looks as if it could run::

    ```python                    runs; all blocks of a page share one namespace
    ```toml title="trial.toml"   a file of this name in the working folder (also csv)
    ```sh                        lines that begin with qsp are commands
    ```text title="Output"       output of the block before it
"""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?P<rest>[^`]*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])")
OUTPUT = "Output"
RTOL = 0.02
"""Largest relative difference of a number in the output: processors differ in the last bits, and a
patient at a threshold may move."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Args:
        page: File.
        line: Line of the fence, from 1.
        language: Word after the fence.
        title: Value of ``title="..."``, or "".
        code: Text, without indentation.
    """

    page: Path
    line: int
    language: str
    title: str
    code: str

    def commands(self) -> Iterator[list[str]]:
        """Yield the arguments of each qsp command."""
        for line in self.code.replace("\\\n", " ").splitlines():
            words = shlex.split(line.replace(";", " ; "), comments=True)
            while words:
                end = words.index(";") if ";" in words else len(words)
                first, words = words[:end], words[end + 1 :]
                if first[:1] == ["qsp"]:
                    yield first[1:]

    def run(self, namespace: dict[str, object]) -> None:
        """Execute the code; a traceback has the lines of the page."""
        exec(compile("\n" * self.line + self.code, str(self.page), "exec"), namespace)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a Markdown file in order."""
    found, lines = [], page.read_text(encoding="utf-8").splitlines()
    start: tuple[int, re.Match[str]] | None = None
    for number, line in enumerate(lines, 1):
        if start is None:
            match = _FENCE.match(line)
            start = (number, match) if match else None
        elif line.strip() == "```":
            begin, fence = start
            title = _TITLE.search(fence["rest"])
            code = textwrap.dedent("\n".join(lines[begin : number - 1])) + "\n"
            name = title[1] if title else ""
            found.append(Block(page, begin, fence["language"], name, code))
            start = None
    assert start is None, f"{page}: the fence of line {start[0]} is open"
    return found


def docstring_block(module: Path) -> Block:
    """Return the indented block after ``::`` in the docstring of a module."""
    lines = module.read_text(encoding="utf-8").splitlines()
    begin = lines.index("::") + 1
    end = next(n for n in range(begin, len(lines)) if lines[n].startswith('"""'))
    return Block(module, begin, "python", "", textwrap.dedent("\n".join(lines[begin:end])) + "\n")


def same_output(shown: str, printed: str) -> bool:
    """Whether two texts have the same words, and numbers within the tolerance."""
    found = [[_word(each) for each in re.split(r"\s+", text.strip())] for text in (shown, printed)]
    return len(found[0]) == len(found[1]) and all(
        math.isclose(one, two, rel_tol=RTOL, abs_tol=1e-12)
        if isinstance(one, float) and isinstance(two, float)
        else one == two
        for one, two in zip(*found, strict=True)
    )


def _word(text: str) -> str | float:
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) else text
