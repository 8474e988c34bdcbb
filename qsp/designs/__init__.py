"""Dose escalation on virtual patients: which level a phase I trial would choose, and how often.

Every virtual patient of a run was simulated in every arm, so his toxicity is known at each level
he might be given. A trial of an escalation design draws patients from the run and looks up what
happened to them; thousands of trials need no further simulation. The same verb takes true
probabilities of toxicity in place of patients, for the tables of the literature.

Adding a design: a frozen dataclass with what `design.Design` asks for, and its name in `DESIGNS`.
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
