"""A solver around another: what it does not change is that of the other."""

from typing import Any

import diffrax as dfx
import equinox as eqx


class AbstractWrapping(dfx.AbstractAdaptiveSolver):
    """A solver that steps as another does, in its own way.

    Args:
        solver: The other.
    """

    solver: eqx.AbstractVar[Any]

    @property
    def term_structure(self) -> Any:  # pyright: ignore
        """Structure of terms of the solver."""
        return self.solver.term_structure

    @property
    def interpolation_cls(self) -> Any:  # pyright: ignore - fields of the wrapped solver
        """Dense output of the solver."""
        return self.solver.interpolation_cls

    @property
    def term_compatible_contr_kwargs(self) -> Any:  # pyright: ignore
        """Controls of the terms."""
        return self.solver.term_compatible_contr_kwargs

    def order(self, terms: Any) -> int | None:
        """Order of the solution."""
        return self.solver.order(terms)

    def error_order(self, terms: Any) -> Any:
        """Power of the step in the error estimate."""
        return self.solver.error_order(terms)
