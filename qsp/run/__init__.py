"""From a config to a folder with results and a report."""

from qsp.run.prepare import Prepared, Request, prepare
from qsp.run.replay import Replay, replay
from qsp.run.run import check_failures, read, run, run_into, write_report

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
