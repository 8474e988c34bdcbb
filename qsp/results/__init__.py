"""A run as a labeled dataset, and its file; the schema stands in `qsp.results.schema`."""

from qsp.results.blocks import save_blocks
from qsp.results.decisions import administered_of, with_decisions
from qsp.results.files import load, save, trajectories
from qsp.results.schema import (
    FAILED,
    IMPLAUSIBLE,
    KEPT,
    OK,
    CRSLinks,
    Labels,
    outcomes,
    to_dataset,
)

__all__ = [
    "FAILED",
    "IMPLAUSIBLE",
    "KEPT",
    "OK",
    "CRSLinks",
    "Labels",
    "administered_of",
    "load",
    "outcomes",
    "save",
    "save_blocks",
    "to_dataset",
    "trajectories",
    "with_decisions",
]
