"""Tables of the doses of supportive drugs: the compartment that they enter, and equivalents."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from qsp.drugs import COMPETITOR, DRUGS
from qsp.interventions import INTERVENTIONS
from scripts.book import html
from scripts.book.links import label_link, path_link


def doses() -> str:
    """Return the sections on doses in Markdown."""
    return "\n".join(
        [
            "## Doses",
            "",
            "Boluses, injections and oral doses add to the amount in this compartment; infusions",
            "enter it at the rate *r*.",
            "",
            html.table(("Drug", "Routes", "Compartment", "Doses"), _entries()),
            "",
            "## Equivalents",
            "",
            "A dose of another drug is a dose of the one that it is modeled as, times this factor",
            "(assumed: ratios of potency in the usual conversion tables).",
            "",
            html.table(("Drug", "Modeled as", "Factor [mg/mg]"), _equivalents()),
            "",
        ]
    )


def _entries() -> Iterator[tuple[str, ...]]:
    for drug in DRUGS:
        routes = ", ".join(drug.routes)
        if drug is COMPETITOR:
            where = f"{path_link('drug.competitor')} ({label_link('D14')})"
        else:
            where = path_link(f"supportive.{drug.name}.{INTERVENTIONS[drug.name].entry}")
        kinds = "bolus or infusion" if drug.is_infused else "bolus"
        yield drug.name, routes, where, kinds if drug.has_bolus else "infusion only"


def _equivalents() -> Iterator[tuple[str, ...]]:
    for drug in DRUGS:
        for name, factor in drug.equivalents.items():
            yield escape(name), drug.name, f"{factor:g}"
