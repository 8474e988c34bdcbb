"""Numerical method of a run: solver, tolerances, precision and backend."""

import dataclasses
from typing import Literal

import diffrax as dfx

from qsp.engine.precision import SAME_TIME, Precision
from qsp.engine.solvers.rkc2 import RKC2
from qsp.engine.solvers.rock import ROCK2, ROCK4
from qsp.errors import ConfigError, suggest

STABILIZED = {"ROCK4": ROCK4, "ROCK2": ROCK2, "RKC2": RKC2}
EXPLICIT = (*STABILIZED, "Tsit5", "Dopri5", "Dopri8", "Bosh3")
SINGLE_RTOL = 3e-5
"""Smallest relative tolerance in float32; below it, rounding looks like an error of the step."""
IMPLICIT = ("Kvaerno3", "Kvaerno4", "Kvaerno5", "KenCarp3", "KenCarp4", "KenCarp5")
SOLVERS = EXPLICIT + IMPLICIT


@dataclasses.dataclass(frozen=True)
class Method:
    """Numerical method of a run.

    Args:
        solver: Name of a stabilized solver of this package or of a diffrax solver; implicit solvers
            are for the kinetic form of binding.
        rtol: Relative tolerance of every state; absolute tolerances come from the model, state by
            state.
        first_step: Length of the first step after each dose [day].
        smallest_step: Smallest step [day]; a solve that needs a smaller one has failed.
        max_steps: Maximum number of steps between two doses; a solve that needs more has failed.
        precision: "float64", or "float32" where its error is known to be acceptable.
        backend: "native" for machine code of this package, which supports explicit solvers in
            float64 on a CPU; "xla"; or "auto", which is native where supported.

    Raises:
        ConfigError: If the solver is unknown or a number is out of range.
    """

    solver: str = "ROCK4"
    rtol: float = 1e-5
    first_step: float = 0.01
    smallest_step: float = 1e-9
    max_steps: int = 100_000
    precision: Precision = "float64"
    backend: Literal["auto", "native", "xla"] = "auto"

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            todo = suggest(self.solver, SOLVERS) or f"Choose from {', '.join(SOLVERS)}"
            raise ConfigError("method", "solver must be known", repr(self.solver), todo)
        if self.precision not in SAME_TIME:
            rule, todo = f"precision must be one of {', '.join(SAME_TIME)}", "Leave it out"
            raise ConfigError("method", rule, repr(self.precision), todo)
        if self.precision == "float32" and self.rtol < SINGLE_RTOL:
            rule = f"rtol must be at least {SINGLE_RTOL:g} in single precision"
            raise ConfigError(
                "method", rule, self.rtol, "Write rtol = 1e-4, or leave precision out"
            )
        if self.backend == "native" and (self.is_implicit or self.precision == "float32"):
            rule = "backend must be auto or xla for an implicit solver or single precision"
            raise ConfigError("method", rule, self.backend, "Leave it out")
        if not 1e-13 <= self.rtol <= 1e-2:
            todo = "The default is 1e-5; 1e-9 serves as a reference"
            raise ConfigError("method", "rtol must be between 1e-13 and 1e-2", self.rtol, todo)

    @property
    def is_native(self) -> bool:
        """Whether a native program may compute the run."""
        return self.backend != "xla" and not self.is_implicit and self.precision == "float64"

    @property
    def is_implicit(self) -> bool:
        """Whether the solver is implicit, for stiff equations."""
        return self.solver in IMPLICIT

    def diffrax_solver(self) -> dfx.AbstractAdaptiveSolver:
        """Return the diffrax solver."""
        if self.solver in STABILIZED:
            return STABILIZED[self.solver]()
        kind = getattr(dfx, self.solver)
        if self.solver in EXPLICIT:
            return kind(scan_kind="lax")
        newton = dfx.VeryChord(rtol=min(self.rtol, 1e-4), atol=1e-8)
        return kind(scan_kind="lax", root_finder=newton)
