"""Equations of a run: the forms that its config, its molecule and its population select."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from qsp.config import Config
from qsp.engine.method import Method
from qsp.errors import ConfigError
from qsp.model import ModelStructure
from qsp.model.axes import SEVERITY_FORMS
from qsp.model.synapse import AbstractSynapse, Equilibrium, Kinetic, Plateau, Relaxed
from qsp.model.t_cells import Adaptation, MassAction, Threshold
from qsp.model.tissues import LESIONS
from qsp.model.tumors import Lesions, Pool
from qsp.molecules import Molecule
from qsp.populations import ParameterTable

REFINEMENTS = 7
"""Iterations for the free target of a 2:1 molecule; see `qsp.model.synapse.trimers`."""
_NO_LESIONS = 'or write [method] tumor = "pool"'
_KILLING = ("tumor.kill_rate", "tumor.kill_sd")
_MEASURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "imwg": ("lesions.m_protein_baseline", "lesions.k_protein", "tumor.other_marrow"),
        "blasts": ("tumor.other_marrow",),
    }
)
"""Parameters without which a rule of response would judge no patient, or none as complete."""
_RECRUITMENT = {
    "threshold": Threshold(),
    "mass_action": MassAction(),
    "adaptation": Adaptation(),
}


def structure(config: Config, method: Method, table: ParameterTable) -> ModelStructure:
    """Return the equations of a run.

    Args:
        config: Config, whose table `method` selects forms of the model.
        method: Numerical method.
        table: Parameters of the molecule and the population.

    Raises:
        ConfigError: If the forms, the molecule and the population do not go together.
    """
    return ModelStructure(
        synapse=_synapse(table.molecule, method, table),
        recruitment=_RECRUITMENT[config.method.recruitment],
        severity=SEVERITY_FORMS[config.method.severity],
        tumor=_tumor(table) if config.method.tumor == "lesions" else Pool(),
    )


def _tumor(table: ParameterTable) -> Lesions:
    """Return the lesions of a disease, with the states for which the population has values."""
    _check_lesions(table)
    return Lesions(
        number=table.cohort.lesion_count,
        new_lesions="lesions.k_new" in table.rows,
        m_protein="lesions.m_protein_baseline" in table.rows,
    )


def _check_lesions(table: ParameterTable) -> None:
    """Refuse populations whose lesions would not be killed, or could not be assessed."""
    cohort = table.cohort
    _check_flows(table)
    own = [f"lesions.k_kill.{lesion}" for lesion in LESIONS[: cohort.lesion_count]]
    if not all(path in table.rows for path in own):
        _check_present(_KILLING, "with lesions", table)
    rule = cohort.lesion_criteria
    _check_present(_MEASURES.get(rule, ()), f"with lesion_criteria = {rule!r}", table)
    if rule == "blasts" and cohort.lesion_count != 1:
        must = 'lesion_count must be 1, the marrow, with lesion_criteria = "blasts"'
        raise ConfigError(
            f"{cohort.name}.toml", must, cohort.lesion_count, "Write lesion_count = 1"
        )


def _check_present(paths: Iterable[str], purpose: str, table: ParameterTable) -> None:
    for path in paths:
        if path not in table.rows:
            rule, todo = f"{path} must be given {purpose}", f"Add it to the file, {_NO_LESIONS}"
            raise ConfigError(f"{table.cohort.name}.toml", rule, "missing", todo)


def _check_flows(table: ParameterTable) -> None:
    """Refuse exchange and homeostasis of tumor cells, which lesions do not have."""
    for kind, flow in itertools.product(("malignant", "antigen_low"), ("k_home", "k_exchange")):
        path = f"targets.{flow}.{kind}.tumor"
        value = float(np.asarray(table.values.get(path, 0.0)).max())
        if value > 0.0:
            rule, todo = f"{path} must be 0 with lesions", f"Leave it out, {_NO_LESIONS}"
            raise ConfigError(f"{table.cohort.name}.toml", rule, f"{value:g} 1/day", todo)


def _synapse(molecule: Molecule, method: Method, table: ParameterTable) -> AbstractSynapse:
    valency = float(table.values["binding.valency"])
    refinements = 0 if valency == 1.0 else REFINEMENTS
    if molecule.synapse == "kinetic":
        if valency != 1.0:
            todo = 'Write synapse_form = "equilibrium", "plateau" or "relaxed"'
            raise ConfigError(molecule.name, "the kinetic form must have valency 1", valency, todo)
        if not method.is_implicit:
            todo = 'Write [method] solver = "Kvaerno5"'
            rule = "solver must be implicit for the kinetic form"
            raise ConfigError("method", rule, repr(method.solver), todo)
        return Kinetic()
    forms = {
        "equilibrium": Equilibrium(refinements),
        "plateau": Plateau(refinements),
        "relaxed": Relaxed(refinements),
        "relaxed_by_cd3": Relaxed(refinements, by_cd3=True),
    }
    return forms[molecule.synapse]
