"""Values of the equations in the book: a small evaluator of their LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from qsp.explain.latex import Key, key
from qsp.model.cytokines import CYTOKINES
from qsp.model.tissues import KINDS, TISSUES

ELEMENTS = {name: n for n, name in enumerate(TISSUES)}
OF_KIND = {name: n for n, name in enumerate(KINDS)}
OF_CYTOKINE = {"IFN": 0, "TNF": 1, "IL2": 2, "IL6": 3, "IL10": 4, "CXCL10": 5}
assert len(OF_CYTOKINE) == len(CYTOKINES)
FUNCTIONS = {"exp": np.exp, "ln": np.log, "log_2": np.log2}

_TOKEN = re.compile(
    r"\s*(?:(\\frac\{d(?=[\\A-Za-z]).+?\}\{dt\})|(\\sum_\{[^}]*\})|(\\(?:frac|sqrt|exp|ln|log_2|max|min))"
    r"(?![a-z])|(\\?[A-Za-z]+\d*(?:_\{[^}]*\}|_\w)?)|(\d+(?:\.\d+)?)|([-+/^(){},]))"
)
_IGNORED = re.compile(r"\\(?:left|right)(?![a-z])|\\,")

Values = Mapping[Key, np.ndarray]


def solve(equations: Sequence[str], known: Values) -> dict[Key, np.ndarray]:
    """Evaluate equations in any order.

    Args:
        equations: In LaTeX; several equations of one label are separated by ``\\quad``.
        known: Values of the symbols that no equation defines, by symbol without indices.

    Returns:
        All values; the derivative of X is that of ``Key("d X")``.
    """
    values = dict(known)
    waiting = [part for each in equations for part in _parts(each)]
    while waiting:
        later = []
        for n, (left, right) in enumerate(waiting):
            unsolved = [*later, *waiting[n + 1 :]]
            # A symbol with several equations, one for each element, is known after the last one.
            others = {_defined(each) for each, _ in unsolved if _defined(each) != _defined(left)}
            try:
                result = Evaluator(
                    right, {k: v for k, v in values.items() if k not in others}
                ).value()
            except KeyError:
                later.append((left, right))
            else:
                _assign(values, left, result)
        if len(later) == len(waiting):
            raise ValueError(f"equations without a solution: {later}")
        waiting = later
    return values


def _defined(left: str) -> Key:
    """Return the symbol on the left, without indices; a derivative has a name of its own."""
    ode = re.match(r"\\frac\{d(.+?)\}\{dt\}$", left)
    *_, bare = key(ode[1] if ode else left).without_indices()
    return derivative(bare) if ode else bare


def _parts(equation: str) -> list[tuple[str, str]]:
    """Left and right sides, without conditions such as (k != blood)."""
    found = []
    for part in equation.split(r"\quad"):
        text = _IGNORED.sub(" ", part).strip().rstrip(",")
        if "=" in text:
            *lefts, right = text.split("=")
            found += [(left.strip(), right) for left in lefts]
    return found


def derivative(of: Key) -> Key:
    return Key(f"d {of.name}", of.subscript)


def _assign(values: dict[Key, np.ndarray], left: str, result: np.ndarray) -> None:
    ode = re.match(r"\\frac\{d(.+?)\}\{dt\}$", left)
    where = key(ode[1] if ode else left)
    *_, bare = where.without_indices()
    if ode:
        values[derivative(bare)] = result
        return
    elements = [part for part in where.subscript if part in ELEMENTS or part in OF_KIND]
    cytokine = where.subscript[-1:] and where.subscript[-1] in OF_CYTOKINE
    if (elements or cytokine) and bare in values:
        changed = np.array(values[bare], float)
        if cytokine:
            changed[OF_CYTOKINE[where.subscript[-1]]] = result
        elif elements[0] in OF_KIND:
            changed[OF_KIND[elements[0]]] = result
        else:
            changed[..., ELEMENTS[elements[0]]] = result
        values[bare] = changed
    elif elements or cytokine:  # the name of an element may also be part of a symbol
        values[where] = result
    elif result.ndim == 0 and bare in values:
        values[bare] = np.broadcast_to(result, np.shape(values[bare]))
    else:
        values[bare] = result


class Evaluator:
    """Recursive descent over one side of an equation."""

    def __init__(self, text: str, values: Values) -> None:
        self.values = values
        self.tokens = []
        text = text.replace(r"\cdot", " ").strip()
        while text:
            match = _TOKEN.match(text)
            if match is None:
                raise ValueError(f"cannot read {text!r}")
            self.tokens.append(match[0].strip())
            text = text[match.end() :].strip()
        self.at = 0

    def value(self) -> np.ndarray:
        result = self.sum()
        if self.at < len(self.tokens):
            raise ValueError(f"cannot read from {self.tokens[self.at :]}")
        return result

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.next
        if not token or (expected and token != expected):
            raise ValueError(f"{expected!r} expected, not {token!r}, in {self.tokens}")
        self.at += 1
        return token

    def sum(self) -> np.ndarray:
        sign = -1.0 if self.next == "-" and self.take() else 1.0
        result = sign * self.product()
        while self.next in ("+", "-"):
            result = result + self.product() if self.take() == "+" else result - self.product()
        return result

    def product(self) -> np.ndarray:
        result = self.power()
        while self.next not in ("", "+", "-", ")", "}", ","):
            if self.next == "/":
                self.take()
                result = result / self.power()
            else:
                result = result * self.power()
        return result

    def power(self) -> np.ndarray:
        result = self.factor()
        if self.next == "^":
            self.take()
            result = result ** (self.braced() if self.next == "{" else float(self.take()))
        return result

    def braced(self, opening: str = "{", closing: str = "}") -> np.ndarray:
        self.take(opening)
        result = self.sum()
        self.take(closing)
        return result

    def factor(self) -> np.ndarray:
        token = self.next
        if token == "(":
            return self.braced("(", ")")
        self.take()
        if token[0].isdigit():
            return np.asarray(float(token))
        if token.startswith(r"\frac{d"):
            *_, bare = key(token[len(r"\frac{d") : -len("}{dt}")]).without_indices()
            return self.values[derivative(bare)]
        if token == r"\frac":
            top = self.braced()
            return top / self.braced()
        if token == r"\sqrt":
            return np.sqrt(self.braced())
        if token.startswith(r"\sum"):
            return _summed(token[6:-1], self.product())
        if token in (r"\max", r"\min"):
            self.take("(")
            first = self.sum()
            self.take(",")
            second = self.sum()
            self.take(")")
            return (np.maximum if token == r"\max" else np.minimum)(first, second)
        if token[1:] in FUNCTIONS and token.startswith("\\"):
            return FUNCTIONS[token[1:]](self.factor())
        return self.symbol(key(token))

    def symbol(self, token: Key) -> np.ndarray:
        for shorter in token.without_indices():
            found = self.values.get(shorter)
            if callable(found):
                return found(self.braced("(", ")"))
            if found is not None:
                return _element(found, token.subscript[len(shorter.subscript) :])
        raise KeyError(token)


def _summed(over: str, term: np.ndarray) -> np.ndarray:
    term = np.asarray(term)
    if over.endswith(r"\in clones"):
        return term[1:].sum(axis=0)
    if over.endswith(r"\ne blood"):
        return term[..., 1:].sum(axis=-1)
    return term.sum(axis=0 if over == "j" else -1)


def _element(value: np.ndarray, indices: Sequence[str]) -> np.ndarray:
    for index in indices:
        if index in OF_KIND:
            value = value[OF_KIND[index]]
        elif index in ELEMENTS:
            tissue = ELEMENTS[index]
            value = value[..., tissue, None] if indices[0] == "j" else value[..., tissue]
        elif index in OF_CYTOKINE:
            value = value[OF_CYTOKINE[index]]
    return value
