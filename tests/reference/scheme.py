"""Independent forms, in plain NumPy, of equations that the twin does not cover.

Three supportive drugs, written with amounts per compartment as flows between them, and the kinetic
form of binding, written as reactions with on-rates. Units as in the twin: day, mg, nmol/L.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

Values = Mapping[str, Any]


def antibody(amount: float, dosing: float, p: Values) -> float:
    """Siltuximab, Eq. P13: rate of an amount [mg/day] with first-order loss CL/V."""
    return dosing - amount * (p["CL"] / p["V"])


def injected(y: Values, dosing: float, p: Values) -> dict[str, float]:
    """Anakinra, Eq. P15, P16: depot and plasma [mg/day]."""
    flow, loss = y["depot"] * p["ka"], y["plasma"] * p["CL"] / p["V"]
    return {"depot": dosing - flow, "plasma": flow - loss}


def oral(y: Values, dosing: float, p: Values) -> dict[str, float]:
    """Inhibitor of a T-cell kinase, Eq. P18, P19: gut and plasma [mg/day]."""
    flow, loss = y["gut"] * p["ka"], y["plasma"] * p["CL"] / p["V"]
    return {"gut": dosing - flow, "plasma": flow - loss}


def reactions(y: Values, c: np.ndarray, r3: np.ndarray, rt: np.ndarray, p: Values) -> Values:
    """Complexes in the contact gap, Eq. S11, S12, S13: four reversible reactions.

    Args:
        y: cd3_drug, target_drug and trimer, nmol/L.
        c: Free drug, nmol/L.
        r3: CD3 in the gap, nmol/L.
        rt: Target in the gap, nmol/L.
        p: K3 and KT [nmol/L], alpha, off3 and offT [1/day].
    """
    free3, freet = r3 - y["cd3_drug"] - y["trimer"], rt - y["target_drug"] - y["trimer"]
    on3, ont = p["off3"] / p["K3"], p["offT"] / p["KT"]  # first step
    on3_second, ont_second = p["alpha"] * on3, p["alpha"] * ont
    bind3 = on3 * c * free3 - p["off3"] * y["cd3_drug"]
    bindt = ont * c * freet - p["offT"] * y["target_drug"]
    close_by_target = ont_second * y["cd3_drug"] * freet - p["offT"] * y["trimer"]
    close_by_cd3 = on3_second * y["target_drug"] * free3 - p["off3"] * y["trimer"]
    return {
        "cd3_drug": bind3 - close_by_target,
        "target_drug": bindt - close_by_cd3,
        "trimer": close_by_target + close_by_cd3,
    }
