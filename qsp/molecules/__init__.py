"""Molecules: what is known about each drug, as data files, and how files of parameters are read."""

from qsp.molecules.molecule import Molecule, load, names, read
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
