"""One line of a table of parameters, as reports print it and results record it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class ParameterRecord:
    """A parameter value with its provenance.

    Args:
        path: Path of the parameter.
        value: Value with unit, from the file or derived.
        unit: Canonical unit.
        meaning: Meaning.
        spread: Description of the variability between patients.
        status: ``published``, ``assumed``, ``tuned``, ``user`` or ``derived``.
        source: Key in references.bib.
        note: Note of the file.
        file: Name of the file.
    """

    path: str
    value: str
    unit: str
    meaning: str
    spread: str
    status: str
    source: str
    note: str
    file: str
