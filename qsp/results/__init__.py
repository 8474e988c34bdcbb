"""A run as a labeled dataset, and its file; the schema stands in `qsp.results.dataset`."""

from qsp.results.blocks import save_blocks
from qsp.results.dataset import (
    FAILED,
    IMPLAUSIBLE,
    KEPT,
    OK,
    CRSLinks,
    Labels,
    outcomes,
    to_dataset,
)
from qsp.results.decisions import given_of, with_decisions
from qsp.results.files import load, save, trajectories

__all__ = [
    "FAILED",
    "IMPLAUSIBLE",
    "KEPT",
    "OK",
    "CRSLinks",
    "Labels",
    "given_of",
    "load",
    "outcomes",
    "save",
    "save_blocks",
    "to_dataset",
    "trajectories",
    "with_decisions",
]
