"""The second model: its structure, and values that differ from the shipped ones.

Until it is the default, the values are in files of their own, which override those of the package.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from qsp import run as runs
from qsp.model import ModelStructure
from qsp.model.axes import TwoAxes
from qsp.model.t_cells import Adaptation
from qsp.model.traffic import ByRecruitment
from qsp.molecules import ParameterFile
from qsp.populations import nominal, user_file
from qsp.system import System

FOLDER = Path(__file__).parent / "data" / "second_model"
POPULATIONS = ("b_all_mrd", "b_all", "myeloma", "nhl", "sclc", "uveal_melanoma")
"""Files by the first letters of the name of a population; a longer name comes first."""


def structure(first: ModelStructure) -> ModelStructure:
    """Return the structure of the second model, with the bridges and growth of another one."""
    return ModelStructure(
        synapse=first.synapse,
        recruitment=Adaptation(),
        margination=ByRecruitment(),
        growth=first.growth,
        severity=TwoAxes(),
        memory_despite_steroid=True,
    )


def files(molecule: str, population: str) -> tuple[ParameterFile, ...]:
    """Return the values that differ, as files that override the shipped ones."""
    disease = next(name for name in POPULATIONS if population.startswith(name))
    found = [FOLDER / f"{name}.toml" for name in ("shared", disease, molecule)]
    return tuple(user_file(file) for file in found if file.exists())


def second_model(prepared: runs.Prepared) -> runs.Prepared:
    """Return a run with the second model."""
    table, system = prepared.table, prepared.system
    new = nominal(
        table.molecule,
        table.cohort,
        (*table.overrides, *files(table.molecule.name, table.cohort.name)),
    )
    return dataclasses.replace(
        prepared, table=new, system=System(structure(system.structure), system.saved)
    )
