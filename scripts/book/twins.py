"""Page of the estimation of digital twins, from the docstrings of `qsp.twins`."""

from __future__ import annotations

import inspect

from qsp.twins import (
    derivatives,
    diagnostics,
    esmda,
    gpcn,
    grades,
    laplace,
    likelihood,
    map_estimate,
    mixture,
    simulator,
)
from scripts.book import documented

_MODULES = {
    "Random effects": simulator,
    "Likelihood of measurements": likelihood,
    "Likelihood of CRS grades": grades,
    "Derivatives": derivatives,
    "Maximum a posteriori estimate": map_estimate,
    "Laplace approximation": laplace,
    "Components of a mixture": mixture,
    "Posterior samples": gpcn,
    "Convergence": diagnostics,
    "Ensemble smoother": esmda,
}


def page() -> str:
    """Return the page in Markdown."""
    found = ["# Digital twins", ""]
    for heading, module in _MODULES.items():
        found += documented.section(f"## {heading}", inspect.getdoc(module) or "")
    return "\n".join(found)


def equations() -> dict[str, str]:
    """Return the LaTeX of each equation of the page, by its label."""
    docs = "\n\n".join(inspect.getdoc(module) or "" for module in _MODULES.values())
    return documented.equations(docs)
