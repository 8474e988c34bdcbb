"""In-silico trials of T-cell-engaging bispecifics: step-up dosing, cytokines, CRS, response.

For research, not for clinical decisions. Importing this package imports no solver and changes no
setting of JAX; the names below are loaded when they are used.

::

    import qsp

    drug = qsp.molecule("mosunetuzumab")
    people = qsp.population("nhl").sample(200, molecule=drug, seed=1)
    step = qsp.regimen(qsp.iv("1 mg", day=1, over="4 h"), qsp.iv("60 mg", day=8, over="4 h"))
    run = qsp.simulate({"step": step}, people, days=28)
    qsp.plots.crs_by_dose(run)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from qsp.drugs import DRUG_BY_NAME
from qsp.process import fewer_collections
from qsp.version import __version__

if TYPE_CHECKING:
    from qsp import endpoints, plots
    from qsp.api.doses import civ, iv, sc
    from qsp.api.drugs import molecule
    from qsp.api.populations import population
    from qsp.api.regimens import regimen
    from qsp.api.rules import rules, when
    from qsp.api.simulate import simulate
    from qsp.api.trajectory import trajectory
    from qsp.api.trials import Trial, read
    from qsp.errors import QSPError
    from qsp.patients.populating import populate
    from qsp.patients.weighing import weigh

_WHERE = {
    "molecule": "api.drugs",
    "population": "api.populations",
    "iv": "api.doses",
    "sc": "api.doses",
    "civ": "api.doses",
    "regimen": "api.regimens",
    "when": "api.rules",
    "rules": "api.rules",
    "simulate": "api.simulate",
    "trajectory": "api.trajectory",
    "Trial": "api.trials",
    "read": "api.trials",
    "populate": "patients.populating",
    "weigh": "patients.weighing",
    "QSPError": "errors",
}
"""Module of each public name."""
_PACKAGES = ("endpoints", "plots")

__all__ = [
    "QSPError",
    "Trial",
    "__version__",
    "civ",
    "endpoints",
    "iv",
    "molecule",
    "plots",
    "populate",
    "population",
    "read",
    "regimen",
    "rules",
    "sc",
    "simulate",
    "trajectory",
    "weigh",
    "when",
]
__all__ += list(DRUG_BY_NAME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"qsp.{name}")
    if name in _WHERE:
        with fewer_collections():
            module = importlib.import_module(f"qsp.{_WHERE[name]}")
        return getattr(module, name)
    if name in DRUG_BY_NAME:
        return importlib.import_module("qsp.api.supportive").WORDS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
