"""Parameters derived from others, and default values for absent processes.

A parameter given in a file is never derived. Rules, in order:

========================================  =========================================================
``binding.density_per_concentration``     9.03e-3 molecule/um^2 per nmol/L: N_A * 15 nm, rounded
``binding.amount_per_copy``               1/6.022e8 nmol per (Mcell * molecule/cell): 1e6 / N_A
``targets.baseline.malignant.tumor``      tumor.cells * (1 - tumor.antigen_low)
``targets.baseline.antigen_low.tumor``    tumor.cells * tumor.antigen_low
``targets.k_growth.antigen_low.tumor``    value of the malignant cells
``engagement.k_kill.antigen_low.tumor``   value of the malignant cells * tumor.antigen_low_kill
``antigens.TARGET.copies.antigen_low``    copies.malignant * tumor.antigen_low_copies
``cells.area.antigen_low``                cells.area.malignant
``t_cells.baseline.tumor``                tumor.t_cells * size
``traffic.k_exit.tumor``                  tumor.k_exit * size
``binding.copies_target``                 antigens.TARGET.copies of the kind, in tissues with cells
``binding.area_target``                   cells.area of the kind, in tissues with cells
``disposition.soluble_target``            antigens.TARGET.soluble
``disposition.k_soluble``                 antigens.TARGET.k_soluble; 0 if no file gives it
``tissues.volume.tumor``                  0.24 * (cells / targets.density) + 1e-3 L
``targets.blood_ratio``                   baseline in blood / in the tissue, with exchange
``release.IL10_50``                       5 * cytokines.IL10_50
``severity.capacity``                     (cytokines.p_IL6 / p_IL6_reference)^rho
``lesions.k_kill``                        kill_rate * kill_factor * exp(kill_sd * deviation)
``disposition.CL_base``, half_life_CL     with mechanistic clearance: CL_ss, constant in time
``disposition.lost_on_death``             1 with mechanistic clearance, 0 with time-varying
========================================  =========================================================

deviation is sqrt(1 - tumor.kill_within) * tumor.kill_patient + sqrt(tumor.kill_within) *
tumor.kill_lesion of the lesion, so that lesions of a patient are more alike than those of different
patients; the killing rate is at most tumor.kill_limit. Names without a path are of the tumor.

size is (tumor.cells / tumor.reference_cells) ** tumor.size_exponent: the T cells of a tumor are a
density times its volume, and their exchange with blood is a perfusion times its volume, both to a
power below 1 where large tumors have fewer T cells per volume. The return from a tumor to blood
depends on the ratio of the two, and so not on the size. N_A is Avogadro's constant, 6.022e14
molecule/nmol. A million cells with one copy have 1e6 / N_A = 1/6.022e8 = 1.6606e-9 nmol; N_A * 15
nm is rounded to exactly 9.03e-3. TARGET is the antigen of the molecule. If no file gives them,
tumor.antigen_low is 0, and tumor.antigen_low_copies and tumor.antigen_low_kill are 1. The cells of
``tissues.volume.tumor`` are the sum of targets.baseline over both clones in the tumor, so that the
volume is constant in time. The interstitial fraction of the tumor (0.24) and the ratio of the two
IL-10 potencies (5) are assumed. A parameter that is still missing takes the value in `ABSENT` if
its process may be absent; otherwise it is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qsp.errors import PopulationError
from qsp.model.tissues import KINDS, LESIONS, TISSUES
from qsp.populations.paths import declared

Values = Mapping[str, np.ndarray]
"""Value (patient,) or () by path, in canonical units. Values may also be JAX arrays, traced or not:
values derived from them are then differentiable JAX arrays in float64."""

DENSITY_PER_CONCENTRATION = 9.03e-3  # molecule/um^2 per nmol/L: Avogadro * 15 nm
AMOUNT_PER_COPY = 1.0 / 6.022e8  # nmol per (Mcell * molecule/cell): 1e6 / Avogadro

ABSENT: Mapping[str, float] = {
    # Processes that are absent in some tissues, kinds of cell or molecules.
    "disposition.k_exchange.blood": 0.0,
    "disposition.partition.blood": 0.0,
    "disposition.soluble_target": 0.0,
    "disposition.k_soluble": 0.0,
    "disposition.competitor": 0.0,
    "disposition.k_competitor": 0.0,
    "targets.k_depletion": 0.0,
    "disposition.Q": 0.0,
    "disposition.ka": 0.0,
    "disposition.bioavailability": 0.0,
    "binding.copies_target": 0.0,
    "binding.k_int_CD3": 0.0,
    "binding.k_int_target": 0.0,
    "binding.chi": 0.0,
    "engagement.k_kill": 0.0,
    "t_cells.k_home": 0.0,
    "traffic.k_exit.blood": 0.0,
    "traffic.chemotaxis": 0.0,
    "targets.baseline": 0.0,
    "targets.k_home": 0.0,
    "targets.k_growth": 0.0,
    "targets.k_exchange": 0.0,
    "targets.blood_ratio": 0.0,
    # Divisors without effect on the results when their process is absent.
    "disposition.V2": 1.0,
    "binding.KD_soluble": 1.0,
    "binding.KD_competitor": 1.0,
    "disposition.V_competitor": 1.0,
    "disposition.competitor_per_mass": 1000.0 / 150.0,  # of an antibody of 150 kDa
    "targets.depletion50": 1.0,
    "binding.area_target": 300.0,
    "targets.capacity.blood": 1e6,
    "targets.capacity.lymphoid": 1e6,
    "targets.capacity.skin": 1e6,
    # The form of the tumor with lesions.
    "lesions.k_kill": 0.0,
    "lesions.growth_factor": 1.0,
    "lesions.loss_share": 0.0,
    "lesions.k_new": 0.0,
    "lesions.m_protein_baseline": 0.0,
    "lesions.k_protein": 0.0,
    # All patients have the reference capacity.
    "severity.capacity": 1.0,
}
"""Value of a parameter, or of each element of a field, that no file gives."""


BY_SIZE: Mapping[str, str] = {
    "tumor.t_cells": "t_cells.baseline.tumor",
    "tumor.k_exit": "traffic.k_exit.tumor",
}
"""Inputs for a tumor of the reference size, and the parameters that follow from the actual size."""


def complete(values: Values, *, target: str, clearance: str, where: str) -> dict[str, np.ndarray]:
    """Every parameter of the system, from the values of files or of sampled patients.

    Args:
        values: Values by path.
        target: Target antigen of the molecule.
        clearance: Form of clearance of the molecule.
        where: Names of molecule and cohort, for the error message.

    Raises:
        PopulationError: If a value is missing.
    """
    v = derive(values, target=target, clearance=clearance)
    _fill_absent(v)
    missing = [path for path in declared() if path not in v]
    if missing:
        shown = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if missing[4:] else "")
        raise PopulationError(where, f"{shown} must be given", "missing", "Add it to a file")
    return {path: v[path] for path in declared()}


def derive(values: Values, *, target: str, clearance: str) -> dict[str, np.ndarray]:
    """The values, and those derived from them by the rules above; see `complete`."""
    with jax.enable_x64(True):  # without effect on NumPy
        return _derive({path: array(x) for path, x in values.items()}, target, clearance)


def _derive(v: dict[str, np.ndarray], target: str, clearance: str) -> dict[str, np.ndarray]:
    _constants(v)
    _tumor(v)
    _size(v)
    _cells(v, target)
    _soluble(v, target)
    _volumes(v)
    _exchange(v)
    _capacity(v)
    _killing(v)
    if clearance == "mechanistic" and "disposition.CL_ss" in v:
        v.setdefault("disposition.CL_base", v["disposition.CL_ss"])
        v.setdefault("disposition.half_life_CL", np.asarray(1.0))
    v.setdefault("disposition.lost_on_death", np.asarray(float(clearance == "mechanistic")))
    return v


def _constants(v: MutableMapping[str, np.ndarray]) -> None:
    v.setdefault("binding.density_per_concentration", np.asarray(DENSITY_PER_CONCENTRATION))
    v.setdefault("binding.amount_per_copy", np.asarray(AMOUNT_PER_COPY))
    if "cytokines.IL10_50" in v:
        v.setdefault("release.IL10_50", 5.0 * v["cytokines.IL10_50"])


def _tumor(v: MutableMapping[str, np.ndarray]) -> None:
    if "tumor.cells" not in v:
        return
    antigen_low = v.get("tumor.antigen_low", np.asarray(0.0))
    v.setdefault("targets.baseline.malignant.tumor", v["tumor.cells"] * (1.0 - antigen_low))
    v.setdefault("targets.baseline.antigen_low.tumor", v["tumor.cells"] * antigen_low)
    one = np.asarray(1.0)
    for field, factor in (
        ("targets.k_growth", one),
        ("engagement.k_kill", v.get("tumor.antigen_low_kill", one)),
    ):
        if f"{field}.malignant.tumor" in v:
            v.setdefault(f"{field}.antigen_low.tumor", factor * v[f"{field}.malignant.tumor"])


def _size(v: MutableMapping[str, np.ndarray]) -> None:
    """T cells of the tumor and their exchange with blood, by the size of the tumor."""
    needed = ("tumor.cells", "tumor.reference_cells", "tumor.size_exponent")
    if any(path not in v for path in needed):
        return
    cells, reference, exponent = (v[path] for path in needed)
    size = (cells / reference) ** exponent
    for source, path in BY_SIZE.items():
        if source in v:
            v.setdefault(path, v[source] * size)


def _cells(v: MutableMapping[str, np.ndarray], target: str) -> None:
    """Copies and surface areas of each kind of cell, in the tissues that have cells of the kind."""
    copies, area = f"antigens.{target}.copies", "cells.area"
    relative_copies = v.get("tumor.antigen_low_copies", np.asarray(1.0))
    of_antigen_low = {copies: relative_copies, area: np.asarray(1.0)}
    for source, field in ((copies, "binding.copies_target"), (area, "binding.area_target")):
        if f"{source}.malignant" in v:
            clone = of_antigen_low[source] * v[f"{source}.malignant"]
            v.setdefault(f"{source}.antigen_low", clone)
        for kind in KINDS:
            for tissue in TISSUES:
                if f"{source}.{kind}" in v and f"targets.baseline.{kind}.{tissue}" in v:
                    v.setdefault(f"{field}.{kind}.{tissue}", v[f"{source}.{kind}"])


def _soluble(v: MutableMapping[str, np.ndarray], target: str) -> None:
    for element in ("k_soluble", *(f"soluble.{tissue}" for tissue in TISSUES)):
        if f"antigens.{target}.{element}" in v:
            name = element.replace("soluble.", "soluble_target.")
            v.setdefault(f"disposition.{name}", v[f"antigens.{target}.{element}"])


def _volumes(v: MutableMapping[str, np.ndarray]) -> None:
    kinds = [f"targets.baseline.{kind}.tumor" for kind in ("malignant", "antigen_low")]
    cells = sum((v[path] for path in kinds if path in v), np.asarray(0.0))
    if "targets.density" in v:
        volume = 0.24 * (cells / v["targets.density"]) + 1e-3
        v.setdefault("tissues.volume.tumor", volume)


def _exchange(v: MutableMapping[str, np.ndarray]) -> None:
    for kind in KINDS:
        for tissue in TISSUES[1:]:
            if f"targets.k_exchange.{kind}.{tissue}" in v:
                blood = v.get(f"targets.baseline.{kind}.blood", np.asarray(0.0))
                cells = v.get(f"targets.baseline.{kind}.{tissue}", np.asarray(0.0))
                v.setdefault(f"targets.blood_ratio.{kind}.{tissue}", _ratio(blood, cells))


def _capacity(v: MutableMapping[str, np.ndarray]) -> None:
    """Capacity for IL-6; 1 without production, which leaves nothing to compare with."""
    paths = ("cytokines.p_IL6", "severity.p_IL6_reference", "severity.rho")
    if all(path in v for path in paths):
        production, median, rho = (v[path] for path in paths)
        relative = _ratio(production, median)
        numpy: Any = jnp if isinstance(relative, jax.Array) else np
        v.setdefault("severity.capacity", numpy.where(relative > 0.0, relative, 1.0) ** rho)


def _killing(v: MutableMapping[str, np.ndarray]) -> None:
    """Maximum killing rate of each lesion, whose variance is between and within patients."""
    needed = ("kill_rate", "kill_sd", "kill_within", "kill_limit", "kill_patient")
    if any(f"tumor.{name}" not in v for name in needed):
        return
    rate, sd, within, limit, patient = (v[f"tumor.{name}"] for name in needed)
    for lesion in LESIONS:
        own = v.get(f"tumor.kill_lesion.{lesion}", np.asarray(0.0))
        factor = v.get(f"tumor.kill_factor.{lesion}", np.asarray(1.0))
        deviation: Any = (1.0 - within) ** 0.5 * patient + within**0.5 * own
        numpy: Any = jnp if isinstance(deviation * sd, jax.Array) else np
        unlimited = rate * factor * numpy.exp(sd * deviation)
        module: Any = jnp if isinstance(unlimited, jax.Array) else np
        v.setdefault(f"lesions.k_kill.{lesion}", module.minimum(unlimited, limit))


def array(value: Any) -> Any:
    """Return a number as an array in float64: of JAX if it is one, else of NumPy."""
    if isinstance(value, jax.Array):
        return jnp.asarray(value, jnp.float64)
    return np.asarray(value, np.float64)


def _ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0; differentiable there if an argument is a JAX array."""
    if isinstance(a, jax.Array) or isinstance(b, jax.Array):
        return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)
    return np.divide(a, b, out=np.zeros_like(a + b), where=b > 0)


def _fill_absent(v: MutableMapping[str, np.ndarray]) -> None:
    for path in declared():
        for group, value in ABSENT.items():
            if path == group or path.startswith(f"{group}."):
                v.setdefault(path, np.asarray(value))
