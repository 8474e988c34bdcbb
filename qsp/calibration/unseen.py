"""Parameters that follow from others: molecules without published values, and fixed ratios.

A molecule without published values has the geometric mean over others (`calibration.toml`,
`means`). In an ensemble its logarithm is drawn around the mean of the member, with the spread
between the molecules of the member, and at least the prior sd: two molecules do not tell a spread.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from qsp.calibration.parameters import Parameter

Tables = Mapping[str, Any]
"""Other keys of the file of the parameters, with `means` and `ratios`; see `written.values`."""


@dataclasses.dataclass(frozen=True)
class Mean:
    """A parameter of a molecule without published values.

    Args:
        parameter: The parameter.
        of: Parameters of other molecules, around whose geometric mean it is drawn.
    """

    parameter: Parameter
    of: tuple[Parameter, ...]

    def value(self, values: Mapping[str, float], normal: float) -> float:
        """Return the value of a member.

        Args:
            values: Values of the member by name.
            normal: Standard normal draw; 0 gives the geometric mean.
        """
        logs = np.log([values[each.name] for each in self.of])
        between = max(float(np.std(logs, ddof=1)), self.parameter.sd)
        return math.exp(logs.mean() + between * math.sqrt(1.0 + 1.0 / len(logs)) * normal)


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A parameter that is a multiple (`factor`) of another (`of`)."""

    parameter: Parameter
    of: str
    factor: float

    def value(self, values: Mapping[str, float]) -> float:
        """Return the value of a member, whose values are given by name."""
        return self.factor * values[self.of]


def means(tables: Tables, parameters: Sequence[Parameter]) -> Iterator[Mean]:
    """Yield the parameters of molecules without published values."""
    for entry in tables["means"]:
        own = tuple(each for each in parameters if each.name.startswith(tuple(entry["of"])))
        for molecule in entry["molecules"]:
            name = f"{_key(entry['path'])}_{molecule}"
            yield Mean(dataclasses.replace(own[0], name=name, molecules=(molecule,)), own)


def ratios(tables: Tables, parameters: Sequence[Parameter]) -> Iterator[Ratio]:
    """Yield the parameters that are multiples of others."""
    known = {each.name: each for each in parameters}
    for entry in tables["ratios"]:
        of, path = known[entry["of"]], entry["path"]
        yield Ratio(dataclasses.replace(of, name=_key(path), path=path), of.name, entry["factor"])


def _key(path: str) -> str:
    return path.rpartition(".")[2]
