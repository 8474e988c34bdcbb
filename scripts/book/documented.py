"""Pages with the equations of docstrings, as LaTeX after their labels."""

from __future__ import annotations

import re

from scripts.book import html, text

_EQUATION = re.compile(r"Eq\. ([A-Z]\d+): \$\$(.*?)\$\$", re.DOTALL)


def section(heading: str, doc: str) -> list[str]:
    """Return the lines of a section in Markdown.

    Args:
        heading: Heading, with its marks.
        doc: Docstring: a sentence, and paragraphs, of which some are an equation.
    """
    title, body = doc.split("\n\n", maxsplit=1)
    found = [heading, "", text.markdown(title), ""]
    for paragraph in body.split("\n\n"):
        equation = _EQUATION.fullmatch(paragraph.strip())
        if equation:
            found += [html.equation(equation[1], _latex(equation[2])), ""]
        else:
            found += [text.markdown(paragraph), ""]
    return found


def equations(doc: str) -> dict[str, str]:
    """Return the LaTeX of each equation of a docstring, by its label."""
    return {label: _latex(latex) for label, latex in _EQUATION.findall(doc)}


def _latex(latex: str) -> str:
    return " ".join(latex.split())
