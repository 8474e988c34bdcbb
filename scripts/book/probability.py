"""Page of the probability of CRS, from the docstring of `qsp.calibration.grade_probability`."""

from __future__ import annotations

import inspect
import re

from qsp.calibration import grade_probability
from scripts.book import html, text

_EQUATION = re.compile(r"Eq\. ([A-Z]\d+): \$\$(.*?)\$\$", re.DOTALL)


def page() -> str:
    """Return the page in Markdown."""
    title, body = _doc().split("\n\n", maxsplit=1)
    found = ["# Probability of CRS", "", text.markdown(title), ""]
    for paragraph in body.split("\n\n"):
        equation = _EQUATION.fullmatch(paragraph.strip())
        if equation:
            found += [html.equation(equation[1], _latex(equation[2])), ""]
        else:
            found += [text.markdown(paragraph), ""]
    return "\n".join(found)


def equations() -> dict[str, str]:
    """Return the LaTeX of each equation of the page, by its label."""
    return {label: _latex(latex) for label, latex in _EQUATION.findall(_doc())}


def _doc() -> str:
    return inspect.getdoc(grade_probability) or ""


def _latex(latex: str) -> str:
    return " ".join(latex.split())
