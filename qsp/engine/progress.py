"""Progress of a run, reported from the host after each chunk of simulations."""

from typing import Protocol


class Progress(Protocol):
    """Receiver of the progress of a run."""

    def start(self, sims: int) -> None:
        """Start a run of `sims` simulations, the number of patients times arms."""

    def compiled(self, seconds: float) -> None:
        """Report that the program was compiled in `seconds`."""

    def advance(self, sims: int) -> None:
        """Report that `sims` more simulations are done."""


class NoProgress:
    """Progress that shows nothing."""

    def start(self, sims: int) -> None:
        """Do nothing."""

    def compiled(self, seconds: float) -> None:
        """Do nothing."""

    def advance(self, sims: int) -> None:
        """Do nothing."""


class JointProgress:
    """Progress of several calls shown as one: compiled once and started once.

    Args:
        whole: Progress that shows all calls together.
        sims: Number of simulations of all calls together.
    """

    def __init__(self, whole: Progress, sims: int) -> None:
        self._whole, self._simulations, self._started = whole, sims, False

    def compiled(self, seconds: float) -> None:
        """Report the compilation of the first call; later calls use the same program."""
        if not self._started:
            self._whole.compiled(seconds)

    def start(self, sims: int) -> None:
        """Start at the first call, with the simulations of all calls."""
        if not self._started:
            self._whole.start(self._simulations)
        self._started = True

    def advance(self, sims: int) -> None:
        """Report that `sims` more simulations are done."""
        self._whole.advance(sims)
