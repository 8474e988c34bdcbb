"""Killing in a simulated co-culture, by the number of target arms of the molecule.

T cells and target cells of a line share a well for a day at a constant concentration of the drug.
The numbers of bridges, the share of target cells attacked and the killing rate are those of the
model, so that the potency of a format follows from its binding alone.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from qsp import molecules, shipped
from qsp.model import Parameters
from qsp.model.tissues import BLOOD, NORMAL
from qsp.populations import nominal, read_cohort
from qsp.run.bridges import bridges_at, half_effect

MOLECULE, POPULATION = "glofitamab", "nhl_dlbcl"
EFFECTORS = 5.0
"""Effector cells per target cell."""
DAYS = 1.0
AREA = 300.0
"""Surface of a cell of the line [um^2]."""
FREE = np.geomspace(1e-7, 1.0, 400)
"""Free drug of the wells [nmol/L]: up to the lowest concentrations of treatment."""


def potency_ratio(copies: float) -> float:
    """Return the drug that kills half of the targets with one target arm, over that with two [1].

    Args:
        copies: Copies of CD20 on a target cell.
    """
    one, two = (half_effect(FREE, killed(arms, copies), 0.5) for arms in (1, 2))
    return one / two if two else math.nan


def killed(arms: int, copies: float) -> np.ndarray:
    """Return the share of targets killed in a day at each concentration of `FREE` [1].

    Args:
        arms: Target arms of the molecule, with the affinities of glofitamab.
        copies: Copies of CD20 on a target cell.
    """
    model = _model(arms, copies)
    bridges = bridges_at(FREE, model)[:, NORMAL, BLOOD]
    attacked = EFFECTORS / (EFFECTORS + float(model.engagement.k_K))
    per_contact = bridges / (float(model.synapse.beta50_kill) + bridges)
    rate = float(model.engagement.k_kill[NORMAL, BLOOD]) * attacked * per_contact
    return 1.0 - np.exp(-rate * DAYS)


def _model(arms: int, copies: float) -> Parameters:
    """Return the parameters of the typical patient with the drug and the cells of the wells."""
    cohort = read_cohort(shipped.folder("populations") / f"{POPULATION}.toml")
    model = nominal(molecules.load(MOLECULE), cohort).nominal().model
    cells = dataclasses.replace(
        model.binding,
        valency=np.asarray(float(arms)),
        copies_target=np.full_like(model.binding.copies_target, copies),
        area_target=np.full_like(model.binding.area_target, AREA),
    )
    return dataclasses.replace(model, binding=cells)
