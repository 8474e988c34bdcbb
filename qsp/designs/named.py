"""Designs by the names that people type."""

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
"""Options of `qsp escalate` that are arguments of a design."""
_NEEDED = {
    "target": "Write --target 0.25 for a wanted rate of dose-limiting toxicity of 25 %, or take "
    "--design 3+3, which has no target",
}
"""What to do where an argument without a default is missing."""


def named(name: str, **options: Any) -> Design:
    """A design by its name.

    Args:
        name: One of `DESIGNS`.
        options: Arguments of the design; None is as good as left out.

    Returns:
        The design.

    Raises:
        ConfigError: If there is no such design, it has no such option, or one that it needs is
            missing.
    """
    if name not in DESIGNS:
        rule = f"the design must be one of {', '.join(DESIGNS)}"
        raise ConfigError("design", rule, repr(name), suggest(name.lower(), DESIGNS))
    given = {key: value for key, value in options.items() if value is not None}
    fields = {field.name: field for field in dataclasses.fields(DESIGNS[name])}
    for key, value in given.items():
        if key not in fields:
            todo = f"Leave out {OPTIONS[key]}" if key in OPTIONS else "Leave it out"
            raise ConfigError(f"design {name}", f"{key} must not be given", value, todo)
    for key, field in fields.items():
        if key not in given and field.default is dataclasses.MISSING:
            raise ConfigError(f"design {name}", f"{key} must be given", "missing", _NEEDED[key])
    return DESIGNS[name](**given)
