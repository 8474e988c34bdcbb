r"""Lesions as a scan shows them: diameters from volumes, and their sums.

A lesion is an ellipsoid with a longest diameter of 1.15 and a shortest one of 0.9 times the
diameter of the sphere of the same volume. Its volume is that of the living and dying cells and of a
residual, the normal node or scar that remains without tumor:

$$d = \left(\frac{6 (V + V_{res})}{\pi}\right)^{1/3}, \quad LD = 1.15 d \epsilon, \quad
SD = 0.9 d \epsilon$$

with the volume V of living and dying cells, the residual volume, and the log-normal factor of the
error of measurement, whose coefficient of variation is 6 %. The sums over the lesions l are

$$SPD = \sum_l LD_l SD_l, \quad SLD = \sum_l LD_l$$
"""

import math
from typing import NamedTuple

import jax.numpy as jnp

from qsp.typing import (
    Flag,
    FlagPerVisit,
    FlagPerVisitLesion,
    PerVisit,
    PerVisitIfAny,
    PerVisitLesion,
)

LONG_PER_SPHERE = 1.15
"""Longest diameter relative to that of the sphere of the same volume [1]; assumed."""
SHORT_PER_SPHERE = 0.9
"""Shortest diameter relative to that of the sphere of the same volume [1]; assumed."""
RESIDUAL = 0.3
"""Volume of a node or scar without tumor [mL]; assumed: a longest diameter of 1 cm."""
MEASURING_ERROR = 0.06
"""Coefficient of variation of a measured diameter [1]; assumed."""
MEASURABLE = 1.5
"""Longest diameter of a node above which it is measurable [cm]; Cheson 2014."""


class Lesions(NamedTuple):
    """Lesions of a patient before treatment (lesion,), or at visits (visit, lesion).

    Args:
        long: Longest diameters [cm].
        short: Shortest diameters [cm].
        viable: Volumes of the living tumor cells, which a PET shows [mL].
    """

    long: PerVisitLesion
    short: PerVisitLesion
    viable: PerVisitLesion


class Scans(NamedTuple):
    """Scans of a patient.

    Args:
        time: Times of the visits since the first dose, ascending (visit,) [day].
        lesions: Lesions at the visits (visit, lesion); NaN for a missed visit.
        baseline: Lesions before the first dose of any size (lesion,); NaN for no lesion.
        new_lesion: Whether the scan shows a new lesion (visit,).
    """

    time: PerVisit
    lesions: Lesions
    baseline: Lesions
    new_lesion: FlagPerVisit


def sphere_diameter(volume: PerVisitLesion) -> PerVisitLesion:
    """Return the diameter of the sphere of a volume [cm].

    Args:
        volume: Volumes, not negative [mL].
    """
    return jnp.cbrt(volume * (6.0 / math.pi))


def measured(
    volume: PerVisitLesion,
    viable: PerVisitLesion,
    error: PerVisitLesion,
    residual: float = RESIDUAL,
) -> Lesions:
    """Return lesions as a scan measures them.

    Args:
        volume: Volumes of the living and dying tumor cells [mL].
        viable: Volumes of the living tumor cells [mL].
        error: Factors of the error of a diameter [1]; see `error_factor`.
        residual: Volume that remains without tumor [mL]; 0 for a lesion that leaves no scar.
    """
    diameter = sphere_diameter(volume + residual) * error
    return Lesions(LONG_PER_SPHERE * diameter, SHORT_PER_SPHERE * diameter, viable)


def error_factor(normal: PerVisitLesion, cv: float = MEASURING_ERROR) -> PerVisitLesion:
    """Return log-normal factors of the error of a diameter, with median 1.

    Args:
        normal: Standard normal draws.
        cv: Coefficient of variation [1].
    """
    return jnp.exp(math.sqrt(math.log1p(cv * cv)) * normal)


def present(baseline: Lesions) -> FlagPerVisitLesion:
    """Return which lesions the patient has before treatment."""
    return jnp.isfinite(baseline.long)


def is_measured(lesions: Lesions, baseline: Lesions) -> FlagPerVisit:
    """Return at which visits all lesions of the patient were measured."""
    known = jnp.isfinite(lesions.long) & jnp.isfinite(lesions.short)
    return jnp.all(known | ~present(baseline), axis=-1)


def is_measurable(baseline: Lesions) -> Flag:
    """Return whether a patient has a measurable lesion, as trials require for inclusion."""
    return jnp.any(baseline.long > MEASURABLE)


def products(lesions: Lesions) -> PerVisitLesion:
    """Return the product of the diameters of each lesion [cm^2]."""
    return lesions.long * lesions.short


def sum_of_products(lesions: Lesions, has: FlagPerVisitLesion) -> PerVisitIfAny:
    """Return the sum of the products of the diameters (SPD) of the lesions of a patient [cm^2].

    Args:
        lesions: Lesions.
        has: The lesions that the patient has, from `present`.
    """
    return jnp.sum(jnp.where(has, products(lesions), 0.0), axis=-1)


def sum_of_diameters(diameters: PerVisitLesion, has: FlagPerVisitLesion) -> PerVisitIfAny:
    """Return the sum of the diameters (SLD) of the lesions of a patient [cm].

    Args:
        diameters: Diameters [cm].
        has: The lesions that the patient has, from `present`.
    """
    return jnp.sum(jnp.where(has, diameters, 0.0), axis=-1)
