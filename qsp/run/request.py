"""What is asked for; light, so that a plan can be read without all that carries it out."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Request:
    """What the command line asks for beside the config.

    Args:
        config: The config file.
        overrides: Changes as KEY=VALUE.
        parameters: File of the user's own values.
        covariates: CSV of the user's own patients.
        typical: Whether to simulate the one patient without variability.
        out: Folder that is asked for.
    """

    config: Path
    overrides: Sequence[str] = ()
    parameters: Path | None = None
    covariates: Path | None = None
    typical: bool = False
    out: Path | None = None
