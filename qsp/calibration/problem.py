"""The recorded problem of `scripts/calibrate`: one fit of CRS and response of all molecules.

Parameters of the physiology are shared by all studies, those of a disease by its molecules, and
those of a molecule by its studies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qsp.calibration.crs_studies import TunedStudy, crs_studies
from qsp.calibration.parameters import CRS, RESPONSE, Parameter, read
from qsp.calibration.residuals import Residual
from qsp.calibration.response_studies import response_studies

FILE = Path(__file__).parent / "data" / "calibration.toml"
RANDOM_SD = 0.5
"""Spread of the random start, in prior standard deviations; assumed."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """Parameters and studies of a fit, and values that follow from them.

    Args:
        parameters: Parameters.
        studies: Studies.
        seed: Seed of the random start.
        means: Molecules without published values, which get a mean; see `written.values`.
        ratios: Values that are a multiple of a parameter; see `written.values`.
    """

    parameters: tuple[Parameter, ...]
    studies: tuple[TunedStudy, ...]
    seed: int = 1
    means: tuple[Mapping[str, Any], ...] = ()
    ratios: tuple[Mapping[str, Any], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    def starts(self) -> dict[str, np.ndarray]:
        """Return the whitened parameters of each start, by its name."""
        random = np.random.default_rng(self.seed).normal(size=len(self.parameters))
        return {
            "prior medians": np.zeros(len(self.parameters)),
            "guesses": np.array([each.whitened(each.guess) for each in self.parameters]),
            "random": RANDOM_SD * random,
        }

    def residuals(self, z: np.ndarray) -> Iterator[tuple[str, Residual]]:
        """Yield the name of the study and each residual."""
        known = dict(zip(self.names, z, strict=True))
        for study in self.studies:
            own = np.array([known[each.name] for each in study.parameters])
            for residual in study.residuals(own):
                yield study.name, residual


def problem(
    file: Path = FILE,
    *,
    kinds: Sequence[str] = (CRS, RESPONSE),
    patients: int | None = None,
    seed: int | None = None,
    with_rescue: bool = True,
) -> Problem:
    """Read the parameters and prepare the studies.

    Args:
        file: Parameters, numbers of patients, seed and length.
        kinds: Kinds of studies; parameters on which none of them depends are left out.
        patients: Number of patients of each study, in place of those of the file.
        seed: Seed of the patients, in place of that of the file.
        with_rescue: Whether the rates of CRS of the approved arms are those under rescue.
    """
    tables, parameters = read(file)
    kept = tuple(each for each in parameters if set(each.acts_on) & set(kinds))
    chosen: int = tables["seed"] if seed is None else seed
    count = {kind: patients or tables[kind]["patients"] for kind in kinds}
    studies: list[TunedStudy] = []
    if CRS in kinds:
        days = tables[CRS]["days"]
        studies += crs_studies(
            kept, patients=count[CRS], seed=chosen, days=days, with_rescue=with_rescue
        )
    if RESPONSE in kinds:
        studies += response_studies(kept, patients=count[RESPONSE], seed=chosen)
    used = {each.name for study in studies for each in study.parameters}
    kept = tuple(each for each in kept if each.name in used)
    return Problem(kept, tuple(studies), chosen, tuple(tables["means"]), tuple(tables["ratios"]))
