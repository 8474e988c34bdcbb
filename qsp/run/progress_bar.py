"""Progress of a run: a bar in a terminal, a line in a notebook."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar:
    """Bar that advances with each chunk; only a terminal shows it.

    It implements `qsp.engine.progress.Progress`.

    Args:
        console: Console that shows the bar.
        unit: Name of the counted items.
        first: Description of the work before the count begins.
    """

    def __init__(
        self, console: Console, unit: str = "patients x arms", first: str = "compiling"
    ) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._task, self._unit = self._bar.add_task(first, total=None), unit

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def compiled(self, seconds: float) -> None:
        """Report the time of compilation [s]."""
        self._bar.console.print(f"Compiled in {seconds:.1f} s")

    def start(self, sims: int) -> None:
        """Begin to count to a total."""
        self._bar.update(self._task, description=self._unit, total=sims, completed=0)

    def advance(self, sims: int) -> None:
        """Count finished items."""
        self._bar.advance(self._task, sims)


class NotebookProgress:
    """One line of a notebook that counts simulations; it needs no widgets.

    It implements `qsp.engine.progress.Progress`.

    Args:
        unit: Name of the counted items.
    """

    INTERVAL = 0.25
    """Minimum time between two updates [s]."""

    def __init__(self, unit: str = "patients x arms") -> None:
        self._unit, self._total, self._done, self._shown = unit, 0, 0, 0.0
        self._compiled = "compiling"
        self._handle: Any = None

    def __enter__(self) -> NotebookProgress:
        from IPython.display import display

        self._handle = display(self._text(), raw=True, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._update()

    def compiled(self, seconds: float) -> None:
        """Report the time of compilation [s]."""
        self._compiled = f"compiled in {seconds:.1f} s"
        self._update()

    def start(self, sims: int) -> None:
        """Begin to count to a total."""
        self._total, self._done = sims, 0
        self._update()

    def advance(self, sims: int) -> None:
        """Count finished items."""
        self._done += sims
        if time.monotonic() - self._shown > self.INTERVAL:
            self._update()

    def _update(self) -> None:
        self._shown = time.monotonic()
        self._handle.update(self._text(), raw=True)

    def _text(self) -> dict[str, str]:
        count = f", {self._done:,} of {self._total:,} {self._unit}" if self._total else ""
        return {"text/plain": f"{self._compiled}{count}"}


def is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    # A process without IPython is none; importing it here would take a second.
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
