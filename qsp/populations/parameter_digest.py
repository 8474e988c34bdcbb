"""Description of a parameter table that tells whether two tables give the same patients."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from qsp.populations.parameter_table import ParameterTable


def described(table: ParameterTable) -> dict[str, str]:
    """Values, spreads, correlations, mixtures and covariates of a table as texts by name.

    The same draws give the same patients in two tables with equal descriptions. Names of files,
    notes and sources do not enter.

    Args:
        table: Parameter table of a molecule in a cohort.
    """
    found = {
        "molecule.target": table.molecule.target,
        "molecule.clearance": _text(table.molecule.clearance),
        "covariates.sex": f"female {_text(table.covariates.female)}",
    }
    found |= {f"covariates.{name}": _text(law) for name, law in table.covariates.numbers.items()}
    for path, row in table.rows.items():
        parts = [_text(row.law), *(_text(model) for model in row.covariates)]
        scale = "" if row.entry.scale == 1.0 else f" x {_text(row.entry.scale)}"
        found[path] = ", ".join(parts) + scale
    for pair in table.correlations:
        found[f"correlation of {' and '.join(pair.between)}"] = _text(pair.value)
    for law in table.mixtures:
        weights = {part.name: part.weight for part in law.mixture.components}
        found[f"mixture {law.mixture.name}"] = f"{_text(weights)}, {_text(law.laws)}"
    return found


def digest(description: Mapping[str, str]) -> str:
    """SHA-256 of a description."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Names with different texts, with both, such as "synapse.alpha: Fixed(1.0) -> Fixed(2.0)"."""
    names = dict.fromkeys([*before, *after])
    return [
        f"{name}: {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _text(value: Any) -> str:
    """Text of a value, the same for all versions of Python and NumPy."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = (_text(getattr(value, field.name)) for field in dataclasses.fields(value))
        return f"{type(value).__name__.strip('_')}({', '.join(inner)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return repr(float(value))
    return str(value)
