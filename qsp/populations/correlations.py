"""Correlations of parameters between patients, imposed on independent normal draws.

Correlated names form groups. The draws of a group are multiplied by the Cholesky factor of its
correlation matrix in the order of the files, so that a later name does not change earlier draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from qsp.errors import ConfigError, PopulationError, suggest
from qsp.molecules import Correlation


def correlated(
    draws: Mapping[str, np.ndarray], correlations: Iterable[Correlation]
) -> dict[str, np.ndarray]:
    """Impose correlations on independent draws.

    Args:
        draws: Independent standard normal draws (patient,) by name, in the order of the files.
        correlations: Correlations between names of the draws.

    Returns:
        Standard normal draws (patient,) by name, with the given correlations.

    Raises:
        PopulationError: If a matrix of correlations is not positive definite.
    """
    correlations = tuple(correlations)
    out = dict(draws)
    for group in groups(draws, correlations):
        factor = _factor(group, correlations)
        mixed = np.zeros_like(np.stack([draws[name] for name in group]))
        for i in range(len(group)):
            # Sum in a fixed order, so that the bits do not depend on the number of patients.
            for j in range(i + 1):
                mixed[i] += factor[i, j] * draws[group[j]]
        out |= dict(zip(group, mixed, strict=True))
    return out


def groups(names: Iterable[str], correlations: Iterable[Correlation]) -> list[list[str]]:
    """Groups of names linked by correlations, each in the order of `names`."""
    order = list(names)
    group_of = {name: {name} for name in order}
    for item in correlations:
        joined = group_of[item.between[0]] | group_of[item.between[1]]
        for name in joined:
            group_of[name] = joined
    found = {id(group): group for group in group_of.values() if len(group) > 1}
    return [[name for name in order if name in group] for group in found.values()]


def _factor(group: Sequence[str], correlations: Sequence[Correlation]) -> np.ndarray:
    matrix = np.eye(len(group))
    file = ""
    for item in correlations:
        if item.between[0] in group:
            i, j = (group.index(name) for name in item.between)
            matrix[i, j] = matrix[j, i] = item.value
            file = item.file
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        rule = f"the correlation matrix of {', '.join(group)} must be positive definite"
        todo = "Reduce a correlation, or add the missing ones"
        raise PopulationError(file, rule, "not", todo) from None


def check_correlations(
    correlations: Iterable[Correlation], varying: Iterable[str], known: Iterable[str]
) -> tuple[Correlation, ...]:
    """Select the correlations of values that vary; the last file with a pair takes precedence.

    Args:
        correlations: Correlations of all files, in order.
        varying: Names of values that vary between patients.
        known: Names of all values in the files.

    Raises:
        ConfigError: If a name is not that of a value in the files.
    """
    varying, known = set(varying), set(known)
    found: dict[frozenset[str], Correlation] = {}
    for item in correlations:
        for name in item.between:
            if name not in known:
                todo = f"{suggest(name, known)} Correlate values that the files give".strip()
                rule = f"{name} must be the path of a value in the files"
                raise ConfigError(f"{item.file}: correlations", rule, "unknown", todo)
        if varying.issuperset(item.between):
            found[frozenset(item.between)] = item
    return tuple(found.values())
