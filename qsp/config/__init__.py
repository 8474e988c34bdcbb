"""A trial as a TOML file: `load` reads and checks it, `Config.trial` returns the trial."""

from __future__ import annotations

from qsp.config.config import Config, Source
from qsp.config.load import checked, load
from qsp.config.patients import Roster
from qsp.config.renamed import RenamedKeyWarning

__all__ = ["Config", "RenamedKeyWarning", "Roster", "Source", "checked", "load"]
