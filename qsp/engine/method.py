"""How a run is integrated: solver, tolerances, precision."""

import dataclasses

import diffrax as dfx

from qsp.engine.rkc2 import RKC2
from qsp.engine.rock import ROCK2, ROCK4
from qsp.errors import ConfigError, suggest

STABILIZED = {"ROCK4": ROCK4, "ROCK2": ROCK2, "RKC2": RKC2}
EXPLICIT = (*STABILIZED, "Tsit5", "Dopri5", "Dopri8", "Bosh3")
IMPLICIT = ("Kvaerno3", "Kvaerno4", "Kvaerno5", "KenCarp3", "KenCarp4", "KenCarp5")
SOLVERS = EXPLICIT + IMPLICIT


@dataclasses.dataclass(frozen=True)
class Method:
    """Numerical method of a run.

    Args:
        solver: Name of a stabilized method of this package, or of a diffrax solver; the implicit
            ones are for the kinetic binding form.
        rtol: Relative tolerance of every state; absolute tolerances come from the model, state by
            state.
        first_step: First step after each dose [day].
        smallest_step: A step below this means that the solve failed [day].
        max_steps: Most steps between two doses; beyond it the solve failed.

    Raises:
        ConfigError: If the solver is unknown or a number is out of range.
    """

    solver: str = "ROCK4"
    rtol: float = 1e-5
    first_step: float = 0.01
    smallest_step: float = 1e-9
    max_steps: int = 100_000

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            todo = suggest(self.solver, SOLVERS) or f"Choose from {', '.join(SOLVERS)}"
            raise ConfigError("method", "solver must be known", repr(self.solver), todo)
        if not 1e-13 <= self.rtol <= 1e-2:
            todo = "The default is 1e-5; 1e-9 serves as a reference"
            raise ConfigError("method", "rtol must be between 1e-13 and 1e-2", self.rtol, todo)

    @property
    def is_implicit(self) -> bool:
        """Whether the solver can take stiff equations."""
        return self.solver in IMPLICIT

    def diffrax_solver(self) -> dfx.AbstractAdaptiveSolver:
        """The solver object."""
        if self.solver in STABILIZED:
            return STABILIZED[self.solver]()
        kind = getattr(dfx, self.solver)
        if self.solver in EXPLICIT:
            return kind(scan_kind="lax")
        newton = dfx.VeryChord(rtol=min(self.rtol, 1e-4), atol=1e-8)
        return kind(scan_kind="lax", root_finder=newton)
