"""Progress of a run, told once per chunk of patients from the host."""

from typing import Protocol


class Progress(Protocol):
    """Something that shows how far a run is."""

    def start(self, lanes: int) -> None:
        """`lanes` is the number of patients times arms."""

    def compiled(self, seconds: float) -> None:
        """The program is compiled."""

    def advance(self, lanes: int) -> None:
        """That many more are done."""


class Silent:
    """Shows nothing."""

    def start(self, lanes: int) -> None:
        """Nothing."""

    def compiled(self, seconds: float) -> None:
        """Nothing."""

    def advance(self, lanes: int) -> None:
        """Nothing."""


class Joint:
    """One progress over several calls: compiled once, started once.

    Args:
        whole: Who is told.
        lanes: Of all calls together.
    """

    def __init__(self, whole: Progress, lanes: int) -> None:
        self._whole, self._lanes, self._begun = whole, lanes, False

    def compiled(self, seconds: float) -> None:
        """Told of the first time only."""
        if not self._begun:
            self._whole.compiled(seconds)

    def start(self, lanes: int) -> None:
        """Told once, of all lanes."""
        if not self._begun:
            self._whole.start(self._lanes)
        self._begun = True

    def advance(self, lanes: int) -> None:
        """Told each time."""
        self._whole.advance(lanes)
