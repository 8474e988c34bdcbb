"""Docstrings of the model as Markdown, and the sentences on assumptions and differences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape as quote
from itertools import pairwise

from qsp.populations.paths import ELEMENTS
from qsp.report.references import bibliography

KEY = re.compile(r"\b[A-Z][A-Za-z]+\d{4}\b")
DIFFERENCES = ("Differs from", "No publication")
SEPARATE = (*DIFFERENCES, "Assumed:", "Not modeled:", "Sources:", "Sources ")
"""First words of paragraphs that have a section of their own on a page."""
DIAGRAM = "``` { .text .diagram }"
"""Start of a literal block of a docstring in Markdown."""
FIRST = {axis: names[0] for axis, names in ELEMENTS.items()}

READING = """\
Every equation has a label such as Eq. D5, which the docstring of its function, the tests and
`qsp explain` use. A subscript may end with indices: *j* for the kind of target cell (normal,
malignant, antigen-low), *k* or *l* for the tissue (blood, lymphoid, tumor, skin), *i* for the
cytokine, *g* for the grade of CRS, *q* for the lesion and *d* for the dose or the supportive drug.
The name of an element, such as *blood*, selects it. A symbol holds for its page: the table below an
equation has its meaning and the path of a parameter or state, which is unique. A process that is
absent in a tissue has a rate of zero there, so that one equation holds for all tissues; *clones*
are the
malignant and the antigen-low cells.

Arrays have the order *blood*, *lymphoid*, *tumor*, *skin* for tissues; *normal*, *malignant*,
*antigen_low* for kinds; and IFN-gamma, TNF-alpha, IL-2, IL-6, IL-10, CXCL10 for cytokines.

Where a quotient may be zero over zero, or a power may be taken of a slightly negative state, the
code uses the guards of [Numerics](numerics.md), which names the equations that use each one; these
equations show the expression without the guard.

The form of the bridges is that of the molecule: equilibrium (Eq. S6 with S2), plateau (with the
drug of Eq. S17 in S2), relaxed (the state of Eq. S8) or kinetic (Eq. S6 with the state of Eq. S13,
for a valency of 1 only); it is listed with the [inputs](inputs.md). Recruitment is that of Eq. T19
unless a trial chooses Eq. T3 (`threshold`) or T2 (`mass_action`). The grade of CRS follows from
fever and leak (Eq. V5 and V11) unless a trial chooses fever alone (`one_axis`). The tumor is one
pool (Eq. G8 and G9) unless a trial chooses lesions (Eq. N9 to N17); then *antigen_low* is the clone
without antigen.

Units are day, L, nmol, million cells (Mcell), molecules per cell or synapse, pg/mL for cytokines,
and mg for supportive drugs. A dose of the molecule in mg is 1000 / *MW* nmol per mg, with its
molecular weight *MW* [kDa]. The value of a parameter is shown with the unit of its file, and in
parentheses in the unit of the equations. Its status is *published* (read in the source), *assumed*
or *tuned* (fitted or adjusted to data, as its note says). The spread is between patients:
log-normal about the value as median unless a distribution is named, with the coefficient of
variation (*cv*) or the standard deviation (*sd*) of the logarithm; if it is logit-normal or normal,
*sd* is that of the logit or of the value. Sampled values are clipped to *low* and *high*. A
covariate model multiplies the value by (covariate / reference)^exponent, or by 1 + factor at the
level that is named."""

_SECTIONS = re.compile(r"^(Equations|Args|Returns|Raises):$", re.MULTILINE)


def heading(doc: str) -> tuple[str, str]:
    """Return the summary and the description of a docstring in Markdown, without its sections."""
    section = _SECTIONS.search(doc)
    doc = doc[: section.start()] if section else doc
    summary, _, body = doc.partition("\n\n")
    return _prose(summary), markdown(body)


def without(doc: str, first_words: tuple[str, ...]) -> str:
    """Return a docstring without the paragraphs that start with certain words."""
    return "\n\n".join(p for p in doc.split("\n\n") if not p.strip().startswith(first_words))


def markdown(doc: str) -> str:
    """Return the text of a docstring with its literal blocks fenced."""
    blocks = [block.rstrip() for block in doc.split("\n\n") if block.strip()]
    found: list[str] = []
    for before, block in pairwise(["", *blocks]):
        is_literal = block.startswith("    ") or block.startswith("====")
        if is_literal:
            lines = [line.removeprefix("    ") for line in block.splitlines()]
            joined = found and found[-1].endswith("```") and before.startswith("    ")
            inside = "\n".join(lines)
            if joined:
                found[-1] = found[-1].removesuffix("```") + f"\n{inside}\n```"
            else:
                found.append(f"{DIAGRAM}\n{inside}\n```")
        elif block.strip() != "::":
            found.append(_prose(re.sub(r"::$", ":", block)))
    return "\n\n".join(found)


def escape(line: str) -> str:
    """Return text with the marks of Markdown escaped outside of code."""
    parts = re.split(r"(`[^`]+`)", line.replace("``", "`"))
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_\[\]])", r"\\\1", quote(part, quote=False))
        for part in parts
    )


def _prose(paragraph: str) -> str:
    words = " ".join(paragraph.split())
    emphasis = re.sub(r"(?<![\w*)])\*(\w+)\*(?![\w*(])", "\0\\1\0", words)
    return _cited(escape(emphasis).replace("\0", "*"))


def _cited(line: str) -> str:
    """Return text in which the keys of references are links."""
    known = bibliography()

    def link(match: re.Match[str]) -> str:
        key = match[0]
        return f"[{key}](references.md#{key})" if key in known else key

    return KEY.sub(link, line)


def _paragraphs(doc: str) -> list[str]:
    paragraphs = [p for p in doc.split("\n\n") if not p.startswith(("    ", "===="))]
    return [" ".join(p.removesuffix("::").split()) for p in paragraphs]


def assumptions(docs: Iterable[str]) -> list[str]:
    """Return the statements of docstrings on assumptions and on processes left out.

    All that follows ``Assumed:`` in a paragraph is one statement; elsewhere it is a sentence with
    the word.
    """
    found = []
    for doc in docs:
        section = _SECTIONS.search(doc)
        for paragraph in _paragraphs(doc[: section.start()] if section else doc):
            if paragraph.startswith(DIFFERENCES):
                continue
            before, marker, after = paragraph.partition("Assumed: ")
            if not marker and paragraph.startswith("Not modeled"):
                before, after = "", paragraph
            sentences = re.split(r"(?<=[.])\s+(?=[A-Z`])", before)
            statements = [each for each in sentences if "ssumed" in each] + [after]
            found += [_prose(each[:1].upper() + each[1:]) for each in statements if each]
    return found


def differences(doc: str) -> list[str]:
    """Return the statements of a docstring on how the model differs from a publication."""
    paragraphs = [p for p in doc.split("\n\n") if p.strip().startswith(DIFFERENCES)]
    return [
        _prose(part.strip())
        for p in paragraphs
        for part in re.split(r"(?=Differs from)", " ".join(p.split()))
        if part.strip()
    ]
