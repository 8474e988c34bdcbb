"""The quantities that a file may observe, and the variable of the results to compare each with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Observable:
    """A quantity that is measured in patients.

    Args:
        name: Name in configs and results.
        title: Name in tables and figures.
        units: Units to which observations are converted, the one of the results first. A second
            one has another dimension: the drug in moles.
        variable: Variable of the results; "" if the quantity is not compared.
        reason: Reason why the quantity is not compared.
    """

    name: str
    title: str
    units: tuple[str, ...]
    variable: str = ""
    reason: str = ""

    @property
    def unit(self) -> str:
        """Unit in the results."""
        return self.units[0]

    @property
    def is_positive(self) -> bool:
        """Whether values are above 0, and may be below a limit of quantification."""
        return self.name not in (CRS, TEMPERATURE)


DRUG, DRUG_TOTAL, CRS, TEMPERATURE = "drug", "drug_total", "crs", "temperature"
GRADES = (0, 1, 2, 3, 4)
"""ASTCT grades of CRS; 0 is a visit without CRS."""
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 30.0, 45.0
"""Limits of a body temperature [degC]."""

_CYTOKINES = {
    "il6": "IL-6",
    "ifn_gamma": "IFN-γ",
    "tnf_alpha": "TNF-α",
    "il2": "IL-2",
    "il10": "IL-10",
    "cxcl10": "CXCL10",
}
_ALL = (
    Observable(DRUG, "Free drug in blood", ("ug/mL", "nmol/L"), "drug_central"),
    Observable(
        DRUG_TOTAL,
        "Total drug in blood",
        ("ug/mL", "nmol/L"),
        reason="the results have the free drug only",
    ),
    *(Observable(name, title, ("pg/mL",), name) for name, title in _CYTOKINES.items()),
    Observable("t_cells", "T cells in blood", ("cell/uL",), "t_cells_blood"),
    Observable("b_cells", "Normal target cells in blood", ("cell/uL",), "b_cells_blood"),
    Observable("tumor_volume", "Tumor volume", ("mL",), "tumor_volume"),
    Observable(
        "lesion_sum",
        "Sum of lesion diameters",
        ("mm",),
        reason="the model has a tumor volume, and no diameters",
    ),
    Observable(CRS, "CRS grade", ("1",), "crs_grade"),
    Observable(
        TEMPERATURE,
        "Temperature",
        ("degC",),
        reason="the results have no temperature over time",
    ),
)
OBSERVABLES: Mapping[str, Observable] = {each.name: each for each in _ALL}
"""Observable quantities by name; `drug_total` is the quantity drug of the form total."""
QUANTITIES = tuple(name for name in OBSERVABLES if name != DRUG_TOTAL)
"""Names of the quantities in a config."""
