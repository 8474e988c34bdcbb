"""Results of a run: a labeled dataset, its record, and its files.

`qsp.results.schema` describes the dataset, `qsp.results.record` the record. Names are imported on
first use, so that figures and tables read the record without loading the solver.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qsp.results.decisions import administered_of, with_decisions
    from qsp.results.mass import mass_concentration, mass_per_molar, with_mass_units
    from qsp.results.netcdf import load, save, save_blocks, trajectories
    from qsp.results.record import RunRecord, record_of
    from qsp.results.schema import (
        FAILED,
        IMPLAUSIBLE,
        KEPT,
        OK,
        Labels,
        outcomes,
        to_dataset,
    )

_MODULES = {
    "decisions": ("administered_of", "with_decisions"),
    "mass": ("mass_concentration", "mass_per_molar", "with_mass_units"),
    "netcdf": ("load", "save", "save_blocks", "trajectories"),
    "record": ("RunRecord", "record_of"),
    "schema": (
        *("FAILED", "IMPLAUSIBLE", "KEPT", "OK"),
        *("Labels", "outcomes", "to_dataset"),
    ),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "FAILED",
    "IMPLAUSIBLE",
    "KEPT",
    "OK",
    "Labels",
    "RunRecord",
    "administered_of",
    "load",
    "mass_concentration",
    "mass_per_molar",
    "outcomes",
    "record_of",
    "save",
    "save_blocks",
    "to_dataset",
    "trajectories",
    "with_decisions",
    "with_mass_units",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
