"""Drugs that a trial can give: their names, routes and kinds of dose.

`DRUGS` has one entry per supportive drug; state, parameters, dose kinds and the choices of a config
follow from it. The equations of a drug are in the file of `qsp.interventions` that has its name,
and its parameter values in ``[supportive.NAME]`` of ``qsp/model/physiology.toml``.

This module imports only the standard library, so that configs and trials are read without JAX.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

Route = Literal["iv", "sc", "oral"]


@dataclasses.dataclass(frozen=True)
class SupportiveDrug:
    """A supportive drug as configs, dose tables and reports see it.

    Args:
        name: Name in configs, dose tables, parameter files and results.
        routes: Routes of administration. All enter the same compartment of the model.
        equivalents: Drugs modeled as this one, with its time course: mass of this drug that has the
            effect of 1 mg of the other [mg/mg].
        has_bolus: Whether it may be given as a bolus.
        example: Amount for the documentation.
        other_names: Other words for it, such as a class or a member of it, for `qsp explain`.
    """

    name: str
    routes: tuple[Route, ...]
    equivalents: Mapping[str, float] = dataclasses.field(default_factory=dict)
    has_bolus: bool = True
    example: str = "20 mg"
    other_names: tuple[str, ...] = ()

    @property
    def is_infused(self) -> bool:
        """Whether it can be given as an infusion."""
        return "iv" in self.routes


# Ratios of anti-inflammatory potency as in the usual conversion tables; assumed.
STEROIDS = {
    "methylprednisolone": 0.75 / 4.0,
    "prednisone": 0.75 / 5.0,
    "prednisolone": 0.75 / 5.0,
    "hydrocortisone": 0.75 / 20.0,
}

COMPETITOR = SupportiveDrug("obinutuzumab", routes=("iv",), has_bolus=False, example="1000 mg")
"""Antibody that competes with the molecule for its target: a state of `qsp.model.disposition`.

It is infused only: a bolus would displace drug from its receptors within one step.
"""

DRUGS = (
    SupportiveDrug("tocilizumab", routes=("iv",), example="8 mg/kg", other_names=("toci", "il6r")),
    SupportiveDrug(
        "dexamethasone",
        routes=("iv", "oral"),
        equivalents=STEROIDS,
        other_names=("steroid", "glucocorticoid", "dex"),
    ),
    SupportiveDrug("jak_inhibitor", routes=("oral",), other_names=("ruxolitinib", "rux", "jak")),
    SupportiveDrug("anti_tnf", routes=("iv",), other_names=("infliximab",)),
    SupportiveDrug("siltuximab", routes=("iv",), example="11 mg/kg"),
    SupportiveDrug("anakinra", routes=("sc",)),
    SupportiveDrug("kinase_inhibitor", routes=("oral",), other_names=("dasatinib",)),
    COMPETITOR,
)
"""Supportive drugs in the order of their kinds of dose: new ones go last."""

RESCUE = "tocilizumab"
"""Supportive drug whose use is an outcome of a trial: the usual rescue from CRS."""

STEROID = "dexamethasone"
"""Supportive drug of which doses of all glucocorticoids are equivalents."""

DRUG_BY_NAME: Mapping[str, SupportiveDrug] = {
    name: drug for drug in DRUGS for name in (drug.name, *drug.equivalents)
}
"""Supportive drug by each name that a config may use, equivalents included."""

MOLECULE_KINDS = ("drug_iv", "drug_sc")
DOSE_KINDS = (*MOLECULE_KINDS, *(drug.name for drug in DRUGS))
"""Kinds of dose in the order of event tables: nmol of the molecule, mg of a supportive drug."""
