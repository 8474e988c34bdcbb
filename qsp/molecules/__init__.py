"""Molecules as data files, and the reader of parameter files."""

from qsp.molecules.molecule import GROUPS, Molecule, load, names, read
from qsp.molecules.parameter_file import (
    Component,
    Correlation,
    Entry,
    Mixture,
    ParameterFile,
    parameter_file,
    read_toml,
)

__all__ = [
    "GROUPS",
    "Component",
    "Correlation",
    "Entry",
    "Mixture",
    "Molecule",
    "ParameterFile",
    "load",
    "names",
    "parameter_file",
    "read",
    "read_toml",
]
