"""Base class of solvers that wrap another solver and forward its properties."""

from typing import Any

import diffrax as dfx
import equinox as eqx


class AbstractWrapping(dfx.AbstractAdaptiveSolver):
    """Solver that wraps another one; subclasses define `init`, `step` and `func`.

    Args:
        solver: Wrapped solver.
    """

    solver: eqx.AbstractVar[Any]

    @property
    def term_structure(self) -> Any:  # pyright: ignore
        """Term structure of the wrapped solver."""
        return self.solver.term_structure

    @property
    def interpolation_cls(self) -> Any:  # pyright: ignore - fields of the wrapped solver
        """Dense output of the wrapped solver."""
        return self.solver.interpolation_cls

    @property
    def term_compatible_contr_kwargs(self) -> Any:  # pyright: ignore
        """Arguments of `contr` of the terms of the wrapped solver."""
        return self.solver.term_compatible_contr_kwargs

    def order(self, terms: dfx.AbstractTerm) -> int | None:
        """Return the order of the solution."""
        return self.solver.order(terms)

    def error_order(self, terms: dfx.AbstractTerm) -> Any:
        """Return the power of the step in the error estimate."""
        return self.solver.error_order(terms)
