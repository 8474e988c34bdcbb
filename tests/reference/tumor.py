"""Cells of the tumor and of other targets in the twin: one pool, or lesions.

Written from the pages on targets, tumors and lesions in the book of the model. A patient has as
many lesions as `q_size` has values; without any, the tumor is the pool. Lesions of a tumor have
index q, and the tumor is tissue 2.
"""

from typing import Any

import numpy as np

from tests.reference.values import EPS, State, Values

TUMOR = 2


def share(p: Values) -> np.ndarray:
    """Share of each lesion in the cells and T cells of the tumor before treatment; Eq. N1."""
    return p["q_size"] / (p["q_size"].sum() + EPS)


def copies(p: Values) -> np.ndarray:
    """Copies per cell (3, 4): the loss clone is in the place of antigen-low cells; Eq. N19."""
    if not p["q_size"].size:
        return p["nt"]
    nt = np.array(p["nt"], dtype=float)
    nt[2, TUMOR] = p["q_copies"] * nt[1, TUMOR]
    return nt


def before_treatment(p: Values) -> State:
    """Lesions before treatment, and the tumor that they add up to; Eq. G11, N2, N3, N4."""
    n = p["N0"] * np.ones((3, 4))
    if not p["q_size"].size:
        return {"N": n}
    cells = share(p) * n[1:, TUMOR].sum()
    lost = np.where(p["q_lost"] * cells >= p["q_one"], p["q_lost"] * cells, 0.0)
    positive = cells - lost
    n[1:, TUMOR] = positive.sum(), lost.sum()
    return {"N": n, "Np": positive, "Nl": lost, "MP": p["MP0"]}


def growth_per_cell(n: np.ndarray, p: Values) -> np.ndarray:
    """Growth per cell (3, 4), 1/day: Eq. G2."""
    return p["g"] * (1 - (n[1] + n[2]) / p["cap"])


def divides(x: np.ndarray, p: Values) -> np.ndarray:
    """Factor of growth that is zero without a cell; Eq. N8."""
    cells, one = np.maximum(x, 0.0) ** 2, p["q_one"] ** 2
    return 1 - one / (cells + one + 1e-24)


def division(y: Values, p: Values) -> np.ndarray:
    """Division of T cells by tissue, relative to that without exhaustion; Eq. N14."""
    factor = np.ones(4)
    if p["q_size"].size:
        factor[TUMOR] = (share(p) * (1 - y["xi"])).sum()
    return factor


def burden(y: Values, p: Values) -> float:
    """Viable tumor cells relative to those before treatment; Eq. N15."""
    return max(y["N"][1:, TUMOR].sum(), 0.0) / (p["N0"][1:, TUMOR].sum() + EPS)


def lesion_rates(y: Values, p: Values, k: Values) -> tuple[State, np.ndarray]:
    """Rates of the lesions, of the hazard of new ones and of the M-protein.

    Args:
        y: State.
        p: Parameters.
        k: Effects of contacts.

    Returns:
        Rates by the names of the states, and killing (2, lesion) of both clones, Mcell/day.
    """
    positive, lost, left, s = y["Np"], y["Nl"], 1 - y["xi"], share(p)
    resting = (1 - p["excluded"][TUMOR]) * y["R"][TUMOR]
    met = y["A"][TUMOR] + y["X"][TUMOR]
    # Eq. N5, N6, N7; T cells within reach as in Eq. T1
    effectors = s * (y["A"][TUMOR] + p["wX"] * y["X"][TUMOR] + p["q_R"] * resting)
    k_half = np.broadcast_to(p["kK"], 4)[TUMOR]
    attacked = effectors / (effectors + k_half * np.maximum(positive + lost, 0.0) + EPS)
    most = p["q_kill"] * left * attacked
    h_positive, h_lost = k["h_kill"][1:, TUMOR]
    killed = np.array([most * h_positive * positive, p["q_lost_kill"] * most * h_lost * lost])
    # Eq. N9, N10, N11
    g = growth_per_cell(y["N"], p)[:, TUMOR]
    d: dict[str, Any] = {
        "Np": p["q_grow"] * g[1] * divides(positive, p) * positive - killed[0],
        "Nl": p["q_grow"] * g[2] * divides(lost, p) * lost - killed[1],
        "Dq": killed.sum(axis=0) - p["k_clr"] * y["Dq"],
    }
    # Eq. N12, N13
    all_cells = np.maximum(positive, 0.0) + np.maximum(lost, 0.0)
    near = np.broadcast_to(p["kT"], 4)[TUMOR] * s * (resting + met)
    contact = np.maximum(positive, 0.0) / (all_cells + near + EPS)
    d["xi"] = p["q_exh"] * contact * h_positive * left - p["q_rec"] * y["xi"]
    # Eq. N16, N17
    b = burden(y, p)
    d["new"] = p["q_new"] * np.sqrt(b + 1e-12)
    d["MP"] = p["k_MP"] * (b * p["MP0"] - y["MP"])
    return d, killed


def rates(y: Values, p: Values, k: Values) -> tuple[State, np.ndarray, np.ndarray]:
    """Rates of the target cells, and of lesions.

    Args:
        y: State.
        p: Parameters.
        k: Effects of contacts.

    Returns:
        Rates; killing and the other changes of viable cells (3, 4), Mcell/day.
    """
    n = y["N"]
    # killing: Eq. E7, E8
    effectors = y["A"] + p["wX"] * y["X"]
    kill = p["kmax"] * effectors / (effectors + p["kK"] * n.sum(axis=0) + EPS) * k["h_kill"] * n
    # renewal, exchange with blood, growth: Eq. G1, G2, G3, G4, G5, G7
    exchange = p["k_ex"] * (n[:, :1] - p["ratio"] * n)
    exchange[:, 0] = -exchange[:, 1:].sum(axis=1)
    births_moves = exchange + p["d_hom"] * (p["N0"] - n) + growth_per_cell(n, p) * n
    lesions = {name: np.zeros_like(y[name]) for name in ("Np", "Nl", "Dq", "xi", "new", "MP")}
    if p["q_size"].size:
        lesions, killed = lesion_rates(y, p, k)
        kill[1:, TUMOR] = killed.sum(axis=1)
        births_moves[1:, TUMOR] = lesions["Np"].sum(), lesions["Nl"].sum()
        births_moves[1:, TUMOR] += kill[1:, TUMOR]
    # Eq. G8, G9
    d = {"N": births_moves - kill}
    d["Md"] = kill[1, TUMOR] + kill[2, TUMOR] - p["k_clr"] * y["Md"]
    return d | lesions, kill, births_moves


def shown(y: Values, p: Values) -> dict[str, Any]:
    """Volumes of the tumor and of its lesions, mL, and the share of the loss clone.

    Eq. G10, N18, N20, N21.
    """
    viable = y["Np"] + y["Nl"]
    cells = np.maximum(y["Np"], 0.0) + np.maximum(y["Nl"], 0.0)
    return {
        "V_tum": (y["N"][1, TUMOR] + y["N"][2, TUMOR] + y["Md"]) / p["rho"] * 1000,
        "V_lesion": (viable + y["Dq"]) / p["rho"] * 1000,
        "V_viable": viable / p["rho"] * 1000,
        "lost": np.maximum(y["Nl"], 0.0) / (cells + EPS),
    }
