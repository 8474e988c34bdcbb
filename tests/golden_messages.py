"""Golden files of error messages: one message per named case, rewritten by `--update-golden`.

A golden file holds blocks of a case name in brackets and the exact message on the next line. After
`pytest tests/config tests/population --update-golden` the diff of the file shows every message that
changed; it is reviewed like code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_BLOCK = re.compile(r"^\[(.+)\]\n(.+)$", flags=re.MULTILINE)


class GoldenMessages:
    """The messages of one golden file.

    Args:
        path: The golden file.
        cases: Names of all cases; the file loses any other.
        update: Record new messages for `save` in place of comparing with the file.
    """

    def __init__(self, path: Path, cases: Iterable[str], *, update: bool) -> None:
        self._path = path
        self._cases = frozenset(cases)
        self._expected = read_messages(path)
        self._recorded: dict[str, str] = {}
        self._update = update

    def check(self, case: str, message: str) -> None:
        """Compare a message with the file, or record it."""
        if self._update:
            self._recorded[case] = message
        else:
            assert message == self._expected[case]

    def save(self) -> None:
        """Write the recorded messages; cases that did not run keep theirs, new ones go last."""
        if not self._recorded:
            return
        head = self._path.read_text(encoding="utf-8").split("\n\n", 1)[0]
        merged = self._expected | self._recorded
        blocks = [f"[{case}]\n{text}" for case, text in merged.items() if case in self._cases]
        self._path.write_text("\n\n".join([head, *blocks]) + "\n", encoding="utf-8")


def read_messages(path: Path) -> dict[str, str]:
    """Return the message of each case of a golden file."""
    return dict(_BLOCK.findall(path.read_text(encoding="utf-8")))
