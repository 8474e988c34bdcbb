"""Symbols of equations in LaTeX, and equations as plain text.

A symbol is a Latin or Greek name with an optional subscript; a name of several letters is one
symbol (``CL``), and products need a space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from qsp.model.tissues import KINDS, TISSUES

INDICES = frozenset(
    ("i", "j", "k", "l", "g", "d", "q", *TISSUES, *KINDS, "clones")
    + ("IFN", "TNF", "IL2", "IL6", "IL10", "CXCL10")
)
"""Indices in subscripts: kinds, tissues, cytokines, grades or doses, lesions, names of elements."""

_GREEK = frozenset(
    ("alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "kappa", "lambda", "mu", "nu")
    + ("xi", "zeta", "rho", "sigma", "phi", "chi", "psi", "omega", "Delta", "Phi", "ell")
)
_GREEK_TEXT = {"ell": "limit"}
_SUBSCRIPT = r"_(?:\{([^{}]*)\}|(\w))"
_SYMBOL = re.compile(rf"(\\[A-Za-z]+|[A-Za-z]+\d*)(?:{_SUBSCRIPT})?")
_NOT_SYMBOLS = re.compile(
    rf"\\text\{{[^}}]*\}}|\\(?:sum|prod|log)(?:{_SUBSCRIPT})?|\\(?:left|right)(?![a-z])"
)


class Key(NamedTuple):
    """A symbol as its name and the parts of its subscript."""

    name: str
    subscript: tuple[str, ...] = ()

    def without_indices(self) -> Iterator[Key]:
        """Yield the symbol, then with one more index removed from the end each time."""
        yield self
        parts = self.subscript
        while parts and parts[-1] in INDICES:
            parts = parts[:-1]
            yield Key(self.name, parts)


def key(latex: str) -> Key:
    """Return the key of one symbol in LaTeX.

    Raises:
        ValueError: If the text is not one symbol.
    """
    match = _SYMBOL.fullmatch(latex.strip())
    if match is None:
        raise ValueError(f"{latex!r} is not one symbol")
    return _key(match)


def _key(match: re.Match[str]) -> Key:
    inside = match[2] or match[3]
    return Key(match[1], tuple(inside.split(",")) if inside else ())


def symbols(latex: str) -> list[Key]:
    """Return the symbols of an equation in the order of their first use, with their indices."""
    text = re.sub(r"\\frac\{d(?=[\\A-Za-z])(.+?)\}\{dt\}", r"\1 ", latex)
    found = (_key(match) for match in _SYMBOL.finditer(_NOT_SYMBOLS.sub(" ", text)))
    return list(dict.fromkeys(item for item in found if _is_symbol(item)))


def _is_symbol(item: Key) -> bool:
    if item.name.startswith("\\"):
        return item.name[1:] in _GREEK
    return bool(item.subscript) or item.name not in INDICES


def default_symbol(name: str) -> str:
    """Return the symbol of a field without one: ``k_{int,CD3}`` for ``k_int_CD3``."""
    head, *rest = name.split("_")
    return f"{head}_{{{','.join(rest)}}}" if rest else head


def upright(latex: str) -> str:
    """Return an equation with names of several letters in upright type, for typesetting."""

    def word(part: str) -> str:
        is_word = len(part) > 1 and part.replace("_", "").isalnum()
        return rf"\text{{{part.replace('_', '-')}}}" if is_word else part

    def one(match: re.Match[str]) -> str:
        name, inside = match[1], match[2] or match[3]
        head = name if name.startswith("\\") else word(name)
        if inside is None:
            return head
        parts = (word(part.strip()) for part in inside.split(","))
        return f"{head}_{{{','.join(parts)}}}"

    def typeset(part: str) -> str:
        spaced = re.sub(r"(?<=[\w})])\s+(?=[\\A-Za-z(])(?!\\(?:quad|cdot|ne|in)\b)", r" \\, ", part)
        return _SYMBOL.sub(one, spaced)

    verbatim = re.compile(r"\\text\{[^}]*\}|\\(?:left|right)(?![a-z])")
    pieces, end = [], 0
    derivative = re.sub(
        r"\\frac\{d(?=[\\A-Za-z])(.+?)\}\{dt\}", r"\\frac{\\mathrm{d}\1}{\\mathrm{d}t}", latex
    )
    for match in verbatim.finditer(derivative):
        pieces += [typeset(derivative[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*pieces, typeset(derivative[end:])])


def plain(latex: str) -> str:
    r"""Return an equation as plain text: ``a/b`` for ``\frac{a}{b}``, ``k_act`` for ``k_{act}``."""
    text = latex
    for command in ("left", "right"):
        text = re.sub(rf"\\{command}(?![a-z])", "", text)
    text = _fractions(text)
    text = re.sub(r"\\sqrt\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}", r"sqrt(\1)", text)
    text = re.sub(r"\\text\{([^}]*)\}", r"\1", text)
    text = re.sub(r"\\([{}])", r"<\1>", text)
    text = re.sub(r"_\{([^{}]*)\}", lambda m: "_" + re.sub(r"[\s,]+", "_", m[1]), text)
    text = re.sub(
        r"\^\{([^{}]*)\}", lambda m: "^" + (m[1] if m[1].isalnum() else f"({m[1]})"), text
    )
    for command, symbol in (("cdot", "*"), ("ne", "!="), ("in", "in"), ("quad", " "), (",", " ")):
        text = re.sub(rf"\\{command}(?![a-z])" if command != "," else r"\\,", symbol, text)
    for name, instead in _GREEK_TEXT.items():
        text = re.sub(rf"\\{name}(?![a-z])", instead, text)
    text = re.sub(r"<([{}])>", r"\1", re.sub(r"\\(?=[A-Za-z])", "", text))
    return " ".join(text.split())


def _fractions(text: str) -> str:
    r"""Replace ``\frac{a}{b}`` by ``(a)/(b)``, innermost braces included."""
    while (start := text.find(r"\frac{")) >= 0:
        top, middle = _group(text, start + 5)
        bottom, end = _group(text, middle)
        text = f"{text[:start]}{_bracketed(top)}/{_bracketed(bottom)}{text[end:]}"
    return text


def _group(text: str, start: int) -> tuple[str, int]:
    """Return the text of the braces that open at a position, and the position after them."""
    depth = 0
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start + 1 : position], position + 1
    raise ValueError(f"braces of {text!r} do not match")


def _bracketed(text: str) -> str:
    return text if re.fullmatch(r"\\?\w+(_\{[^{}]*\})?", text) else f"({text})"
