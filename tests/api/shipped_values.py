"""Medians of the shipped parameters, read from their file."""

import tomllib
from pathlib import Path

_FILE = Path(__file__).parents[2] / "qsp" / "model" / "physiology.toml"


def median(path):
    """Median of a shared parameter, such as ``t_cells.k_act``, in the unit of its file."""
    table, name = path.split(".")
    return float(tomllib.loads(_FILE.read_text())[table][name]["value"].split()[0])
