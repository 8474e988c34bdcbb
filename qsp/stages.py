"""Stages of a run, such as tracing and figures, to measure or to announce them.

Functions that take long accept a `Stage` and enter it around each of their stages. Stages do not
overlap, so that their times add up; `writing` is the wait for a file that is written meanwhile, and
`figures` the wait for figures that a second process draws meanwhile, if there is one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Name: TypeAlias = Literal[
    "reading",
    "program",
    "tracing",
    "lowering",
    "LLVM",
    "simulation",
    "lesions",
    "results",
    "writing",
    "tables",
    "figures",
    "page",
    "printing",
]
"""Stages in the order of a run. `program` finds and loads a compiled program; `tracing`, `lowering`
to instructions and `LLVM` compile one, and are entered only if no cached program fits. `lesions` is
entered only if lesions are alone after a time."""

Stage: TypeAlias = Callable[[Name], AbstractContextManager[None]]
"""Returns a context that is entered for the duration of a stage."""


def unmeasured(name: Name) -> AbstractContextManager[None]:  # noqa: ARG001
    """Return a context that does nothing."""
    return contextlib.nullcontext()


@dataclass
class Stopwatch:
    """A `Stage` that adds up the time of each stage.

    Args:
        seconds: Time by name of the stage [s].
    """

    seconds: dict[Name, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def __call__(self, name: Name) -> Iterator[None]:
        """Measure a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
