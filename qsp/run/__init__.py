"""From a config to a folder with results and a report.

Names are imported on first use, so that the plan of a run is read without loading the solver.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qsp.run.prepared import Prepared, prepare
    from qsp.run.record import Request
    from qsp.run.replays import Replay, replay
    from qsp.run.runs import check_failures, read, run, run_into, write_report

_MODULES = {
    "prepared": ("Prepared", "prepare"),
    "record": ("Request",),
    "replays": ("Replay", "replay"),
    "runs": ("check_failures", "read", "run", "run_into", "write_report"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Prepared",
    "Replay",
    "Request",
    "check_failures",
    "prepare",
    "read",
    "replay",
    "run",
    "run_into",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
