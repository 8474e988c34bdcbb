"""Page of the probability of CRS, from the docstring of `qsp.calibration.grade_probability`."""

from __future__ import annotations

import inspect

from qsp.calibration import grade_probability
from scripts.book import documented


def page() -> str:
    """Return the page in Markdown."""
    return "\n".join(documented.section("# Probability of CRS", _doc()))


def equations() -> dict[str, str]:
    """Return the LaTeX of each equation of the page, by its label."""
    return documented.equations(_doc())


def _doc() -> str:
    return inspect.getdoc(grade_probability) or ""
