"""Dose escalation on virtual patients: the levels that phase I trials select, and how frequently.

Every virtual patient of a run was simulated in every arm, so the toxicity of each patient is known
at every dose level. A simulated trial samples patients of the run and looks up their toxicities;
thousands of trials need no further simulation. `operating_characteristics` also accepts true
probabilities of toxicity in place of patients, to reproduce tables of the literature.

To add a design, write a frozen dataclass that implements `design.Design`, and add its name to
`DESIGNS`.
"""

from __future__ import annotations

from qsp.designs.boin import BOIN
from qsp.designs.design import Design
from qsp.designs.escalation import operating_characteristics
from qsp.designs.named import DESIGNS, named
from qsp.designs.three_plus_three import ThreePlusThree
from qsp.designs.toxicity import dose_limiting

__all__ = [
    "BOIN",
    "DESIGNS",
    "Design",
    "ThreePlusThree",
    "dose_limiting",
    "named",
    "operating_characteristics",
]
