"""A trial as a TOML file: `load` reads, checks and completes it; `Config.trial` makes the trial."""

from __future__ import annotations

from qsp.config.config import Config, Source
from qsp.config.load import load
from qsp.config.patients import Roster

__all__ = ["Config", "Roster", "Source", "load"]
