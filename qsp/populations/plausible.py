"""Physical limits of parameters: finite, positive volumes, fractions between 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qsp.interventions import INTERVENTIONS

POSITIVE = (
    "tissues.volume",
    "disposition.half_life_CL",
    "disposition.V1",
    "disposition.V2",
    "binding.KD_CD3",
    "binding.KD_target",
    "binding.KD_soluble",
    "binding.KD_competitor",
    "binding.valency",
    "binding.area_t_cell",
    "binding.area_target",
    "synapse.area",
    "synapse.beta50_act",
    "synapse.beta50_kill",
    "synapse.hill_act",
    "synapse.k_relax_min",
    "t_cells.expansion_limit",
    "traffic.flux50",
    "traffic.EC50_CXCL10",
    "targets.capacity",
    "targets.density",
    "release.CA50",
    "release.IL10_50",
    "interleukin1.k_IL1",
    "cytokines.IFN50_CXCL10",
    "cytokines.IFN50",
    "cytokines.TNF50",
    "cytokines.contact50",
    "cytokines.u50_myeloid",
    "cytokines.hill_myeloid",
    "cytokines.IL10_50",
    "severity.TNF_50",
    "severity.IFN_50",
    "severity.capacity",
    "severity.p_IL6_reference",
    "severity.IL6_50_fever",
    "severity.IL6_50_leak",
    "severity.TNF_50_leak",
    "severity.level",
    *(f"supportive.{name}.{key}" for name, drug in INTERVENTIONS.items() for key in drug.positive),
    "disposition.V_competitor",
    "targets.depletion50",
    "tumor.reference_cells",
)
"""Parameters, or fields of several, that must be above zero because equations divide by them."""

FRACTIONS = (
    "disposition.bioavailability",
    "disposition.lost_on_death",
    "t_cells.steroid_act",
    "release.steroid_release",
    "cytokines.f_tolerant",
    "cytokines.steroid_stimulus",
    "cytokines.steroid_production",
    *(f"supportive.{name}.{key}" for name, drug in INTERVENTIONS.items() for key in drug.fractions),
    "cytokines.share_IL1",
    "tumor.antigen_low",
    "tumor.kill_within",
    "lesions.loss_share",
)
"""Parameters that must lie between zero and one."""


DEVIATIONS = ("tumor.kill_patient", "tumor.kill_lesion")
"""Deviations from a median, which may be negative."""

COVARIATE_LIMITS: Mapping[str, tuple[float, float]] = {
    "body_weight": (20.0, 300.0),
    "height": (0.8, 2.5),
    "body_surface": (0.7, 3.5),
    "age": (1.0, 110.0),
}
"""Lower and upper limit of each covariate [kg, m, m^2, year].

The shipped populations are adults. The limits are wider and detect wrong units (cm, pounds) and
typing errors.
"""

CHOICES: Mapping[str, tuple[float, ...]] = {"binding.valency": (1.0, 2.0)}
"""Parameters with a set of allowed values: the binding equations are for one or two target arms."""


def plausible(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Whether the parameters of each patient are possible.

    Args:
        values: All parameters by path, each (patient,) or ().

    Returns:
        Booleans (patient,), or () if all values are ().
    """
    shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()))
    ok = np.ones(shape, bool)
    for path, value in values.items():
        ok &= possible(path, value)
    return ok


def possible(path: str, value: np.ndarray) -> np.ndarray:
    """Whether values of one parameter or input are possible; Boolean array of the same shape."""
    ok = np.isfinite(value)
    if path in CHOICES:
        return ok & np.isin(value, CHOICES[path])
    if within(path, DEVIATIONS):
        return ok
    if within(path, POSITIVE):
        ok &= value > 0.0
    else:
        ok &= value >= 0.0
    return ok & (value <= 1.0) if within(path, FRACTIONS) else ok


def rule(path: str) -> str:
    """Rule for the value of a path, to follow "must" in an error message."""
    if path in CHOICES:
        return f"be {' or '.join(f'{choice:g}' for choice in CHOICES[path])}"
    if within(path, FRACTIONS):
        return "lie between 0 and 1"
    return "be positive" if within(path, POSITIVE) else "be 0 or more"


def within(path: str, groups: tuple[str, ...]) -> bool:
    """Whether a path is one of these parameters or an element of one of these fields."""
    return any(path == group or path.startswith(f"{group}.") for group in groups)
