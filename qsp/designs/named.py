"""Designs by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from qsp.designs.boin import BOIN
from qsp.designs.design import Design
from qsp.designs.three_plus_three import ThreePlusThree
from qsp.errors import ConfigError, suggest

DESIGNS: dict[str, type[ThreePlusThree] | type[BOIN]] = {"3+3": ThreePlusThree, "boin": BOIN}

OPTIONS = {
    "target": "--target",
    "largest": "--largest",
    "cohort_size": "--cohort",
    "stop_at": "--stop-at",
}
"""Option of `qsp escalate` by argument of a design."""
_REMEDIES = {
    "target": "Write --target 0.25 for a target rate of dose-limiting toxicity of 25 %, or use "
    "--design 3+3, which has no target",
}
"""Remedy by missing argument without a default."""


def named(name: str, **options: Any) -> Design:
    """Return a design by its name.

    Args:
        name: A name in `DESIGNS`.
        options: Arguments of the design; those that are None take their defaults.

    Returns:
        The design.

    Raises:
        ConfigError: If there is no such design, the design has no such argument, or a required
            argument is missing.
    """
    if name not in DESIGNS:
        rule = f"the design must be one of {', '.join(DESIGNS)}"
        raise ConfigError("design", rule, repr(name), suggest(name.lower(), DESIGNS))
    arguments = {key: value for key, value in options.items() if value is not None}
    fields = {field.name: field for field in dataclasses.fields(DESIGNS[name])}
    for key, value in arguments.items():
        if key not in fields:
            todo = f"Remove {OPTIONS.get(key, key)}"
            raise ConfigError(f"design {name}", f"{key} must not be set", value, todo)
    for key, field in fields.items():
        if key not in arguments and field.default is dataclasses.MISSING:
            raise ConfigError(f"design {name}", f"{key} must be set", "missing", _REMEDIES[key])
    return DESIGNS[name](**arguments)
