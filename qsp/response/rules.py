"""Names of the rules of response, their measures and sources; without JAX, as `category`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class RuleTitle:
    """Description of a rule of response.

    Args:
        title: Name in tables.
        measure: Measure of the disease, of which the change from baseline is reported.
        confirmed: Whether a response must be confirmed.
        source: Reference.
    """

    title: str
    measure: str
    confirmed: bool
    source: str


RULES: Mapping[str, RuleTitle] = MappingProxyType(
    {
        "lugano": RuleTitle(
            "Lugano",
            "sum of products of diameters",
            confirmed=False,
            source="Cheson et al. 2014, J Clin Oncol 32:3059 (Lugano)",
        ),
        "recist": RuleTitle(
            "RECIST 1.1, confirmed",
            "sum of longest diameters",
            confirmed=True,
            source="Eisenhauer et al. 2009, Eur J Cancer 45:228 (RECIST 1.1)",
        ),
        "imwg": RuleTitle(
            "IMWG, confirmed",
            "M-protein in serum",
            confirmed=True,
            source="Kumar et al. 2016, Lancet Oncol 17:e328 (IMWG)",
        ),
        "blasts": RuleTitle(
            "Blasts in marrow",
            "share of blasts in marrow",
            confirmed=False,
            source="Kantarjian et al. 2017, N Engl J Med 376:836",
        ),
    }
)
"""Rules of lymphoma, solid tumors, myeloma and acute lymphoblastic leukemia, by name."""
