"""Progress of a run, told once per chunk of patients from the host."""

from typing import Protocol


class Progress(Protocol):
    """Something that shows how far a run is."""

    def start(self, sims: int) -> None:
        """`sims` is the number of patients times arms."""

    def compiled(self, seconds: float) -> None:
        """The program is compiled."""

    def advance(self, sims: int) -> None:
        """That many more are done."""


class NoProgress:
    """Shows nothing."""

    def start(self, sims: int) -> None:
        """Nothing."""

    def compiled(self, seconds: float) -> None:
        """Nothing."""

    def advance(self, sims: int) -> None:
        """Nothing."""


class JointProgress:
    """One progress over several calls: compiled once, started once.

    Args:
        whole: Who is told.
        sims: Of all calls together.
    """

    def __init__(self, whole: Progress, sims: int) -> None:
        self._whole, self._simulations, self._begun = whole, sims, False

    def compiled(self, seconds: float) -> None:
        """Told of the first time only."""
        if not self._begun:
            self._whole.compiled(seconds)

    def start(self, sims: int) -> None:
        """Told once, of all lanes."""
        if not self._begun:
            self._whole.start(self._simulations)
        self._begun = True

    def advance(self, sims: int) -> None:
        """Told each time."""
        self._whole.advance(sims)
