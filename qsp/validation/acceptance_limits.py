"""Lines of the table of requirements: the model in vitro and in the limit of its first tumor."""

from __future__ import annotations

from qsp.validation import co_culture, one_lesion
from qsp.validation.acceptance import Figure, Line, Runs

COPIES = (30_000.0, 100_000.0)
"""Copies of CD20 on the cells of a line: of lymphoma in the populations, and of B cells."""
_CLONES = {"no loss": 0.0, "clone of 3 %": 0.03}


def potency(runs: Runs) -> Line:
    """Potency in vitro of two target arms over one."""
    del runs
    figures = []
    for copies in COPIES:
        ratio = co_culture.potency_ratio(copies)
        near = 10.0 <= ratio <= 1000.0, 100.0 / 3.0 <= ratio <= 300.0
        figures.append(Figure(f"{copies:,.0f} copies of CD20", f"x {ratio:.0f}", *near))
    return Line(
        "in vitro potency 2:1 over 1:1 (simulated co-culture, low drug)",
        tuple(figures),
        "10- to 1,000-fold",
        "within 3-fold of 100",
    )


def first_tumor(runs: Runs) -> Line:
    """One lesion without exhaustion equals one pool of tumor cells."""
    del runs
    figures = []
    for name, share in _CLONES.items():
        difference = one_lesion.largest_difference(share)
        figures.append(Figure(name, f"{difference:.1g}", *[difference <= 1e-9] * 2))
    return Line(
        "one lesion, no exhaustion, against one pool: largest relative difference of a state",
        tuple(figures),
        "1e-9",
        "",
    )
