"""Progress bar of a run."""

from __future__ import annotations

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
