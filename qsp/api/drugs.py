"""Molecules: `qsp.molecule`."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from qsp import molecules
from qsp.api import changes as edits
from qsp.api.changes import Changes
from qsp.errors import ConfigError
from qsp.populations import physiology
from qsp.populations.covariates import covariate_models
from qsp.populations.paths import parameter_path


@dataclasses.dataclass(frozen=True)
class Molecule:
    """A T-cell engager with its pharmacokinetic, binding and synapse parameters.

    Build one with `qsp.molecule`. Objects are immutable: `set` and `scale` return a changed copy.

    Args:
        source: Content of the file.
        file: Name, or absolute path of a file.
        changes: Changed entries by path.
    """

    source: molecules.Molecule
    file: str
    changes: Changes = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the molecule."""
        return self.source.name

    def set(self, path: str, value: str | float, *, keep_spread: bool = True) -> Molecule:
        """Return the molecule with another value of a parameter.

        Args:
            path: Path in the file of the molecule, such as ``"synapse.alpha"``.
            value: Text with unit such as ``"5 L"``, or a number in the canonical unit.
            keep_spread: True for a new median, from which each patient keeps the deviation; False
                for the same value in all patients.

        Returns:
            A changed copy.

        Raises:
            qsp.QSPError: If the path is unknown or belongs to the population, or the value has the
                wrong unit.

        Example:
            >>> qsp.molecule("mosunetuzumab").set("synapse.alpha", "2e-3")
        """
        self._check_owner(path)
        new = edits.with_value(
            self.changes, path, value, keep_spread=keep_spread, where=self._where
        )
        return dataclasses.replace(self, changes=new)

    def scale(self, path: str, factor: float) -> Molecule:
        """Return the molecule with a parameter multiplied by a factor in every patient.

        The spread, a mixture and bounds scale with it.

        Args:
            path: Path in the file of the molecule.
            factor: Number of 0 or more.

        Raises:
            qsp.QSPError: If the path is unknown or belongs to the population, or the factor is
                negative.
        """
        self._check_owner(path)
        new = edits.with_scale(self.changes, path, factor, where=self._where)
        return dataclasses.replace(self, changes=new)

    @property
    def _where(self) -> str:
        return f"molecule {self.name}"

    def _check_owner(self, path: str) -> None:
        parameter_path(path, where=self._where)
        entries = self.source.parameters.entries
        group = path.partition(".")[0]
        is_shared = path in physiology().entries
        if path in entries or (group in molecules.GROUPS and not is_shared):
            return
        rule = f"{path} must be a parameter of the molecule"
        todo = "Change it with qsp.population(...).set or .scale, or on the sampled people"
        raise ConfigError(self._where, rule, "one of the population", todo)

    def __repr__(self) -> str:
        changed = f"; changed: {', '.join(self.changes)}" if self.changes else ""
        return f"Molecule({self.name}: {self.source.target} x CD3, {self.source.format}{changed})"


def molecule(name: str | Path) -> Molecule:
    """Return a molecule.

    Args:
        name: Name of a molecule of the package, such as ``"mosunetuzumab"``, or the path of a TOML
            file of the same form; the command ``qsp new`` writes a template.

    Raises:
        qsp.QSPError: If there is no such molecule, with the nearest names, or the file breaks a
            rule.

    Example:
        >>> qsp.molecule("mosunetuzumab").scale("binding.KD_CD3", 0.5)
    """
    text = str(name)
    file = os.path.abspath(text) if text.endswith(".toml") else text
    source = molecules.load(Path(file) if isinstance(name, Path) else file)
    for entry in source.parameters.entries.values():
        covariate_models(entry)  # raises an error if a covariate model is malformed
    return Molecule(source, file)


def plain(drug: Any) -> Molecule:
    """Return the molecule of an argument that may be a name.

    Raises:
        ConfigError: If it is neither.
    """
    if isinstance(drug, Molecule):
        return drug
    if isinstance(drug, str | Path):
        return molecule(drug)
    todo = 'Write molecule=qsp.molecule("mosunetuzumab"), or its name'
    raise ConfigError("sample", "molecule must be a molecule or its name", repr(drug), todo)
