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
