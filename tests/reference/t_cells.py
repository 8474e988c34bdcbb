"""T cells in the twin: recruitment, exhaustion, expansion and traffic, equation (d)."""

import numpy as np

from tests.reference import tumor
from tests.reference.values import State, Values


def recruited(
    y: Values, p: Values, k: Values, activation: np.ndarray, recruitment: str
) -> tuple[np.ndarray, np.ndarray]:
    """Recruitment of resting T cells (4,), Mcell/day, and the rate of the memory of stimulation.

    Eq. E6, T2, T3, T4, T5, T18, T19.
    """
    pk, ph_act = k["pk"], k["ph_act"]
    resting_near = y["R"] - p["excluded"] * y["R"]
    hbar = np.where(pk > 0, ph_act / np.where(pk > 0, pk, 1.0), 0.0)
    none = np.zeros(4)
    if recruitment == "adaptation":
        new = np.maximum(hbar - y["mem"], 0.0)
        return activation * pk * new * resting_near, p["k_ad"] * new - p["k_fo"] * y["mem"]
    if recruitment == "threshold":
        met = y["A"] + y["X"]
        near = resting_near + met
        width = 0.02 * near
        excess = np.logaddexp(0.0, (hbar * near - met) / width) - np.logaddexp(0.0, -met / width)
        return activation * pk * np.minimum(width * excess, resting_near), none
    return activation * ph_act * resting_near, none


def rates(
    y: Values, p: Values, k: Values, dex: float, recruitment: str
) -> tuple[State, np.ndarray]:
    """Rates of the T cells, of their memory of stimulation and of margination.

    Args:
        y: State.
        p: Parameters.
        k: Effects of contacts.
        dex: Effect of the steroid, as a fraction of its maximum.
        recruitment: "threshold", "mass_action" or "adaptation".

    Returns:
        Rates, and deaths (4,), Mcell/day.
    """
    d: State = {}
    t_cells = y["R"] + y["A"] + y["X"]
    ph_act = k["ph_act"]
    # activation: Eq. T6, T7
    act = p["k_act"] * p["f"] * (1 - p["d_Ta"] * dex)
    r_to_a, d["mem"] = recruited(y, p, k, act, recruitment)
    x_to_a = p["f_re"] * act * ph_act * y["X"]
    # exit from blood (raised by margination and chemotaxis) and return
    # Eq. R1, R2, R3, R4, R5, then T8, T9, T10, T11, T12; Eq. N14 in the tumor
    chemotaxis = 1 + p["chem"] * (y["CXC"] - p["CXC0"]) / (p["chem50"] + y["CXC"])
    leave = p["e"] * (1 + p["m"] * y["MAR"]) * chemotaxis
    come_back = p["e"] * p["T0"][0] / p["T0"] / (1 + 2 * y["MAR"])
    traffic = {}
    for name, speed in (("R", 1.0), ("A", 2.0), ("X", 2.0)):
        net = speed * (leave * y[name][0] - come_back * y[name])
        net[0] = -net[1:].sum()
        traffic[name] = net
    below = 1 - t_cells / p["Tmax"]
    below = (below + np.sqrt(below * below + 1e-4)) / 2
    growth = (p["g_A"] * y["A"] * ph_act + p["g_X"] * y["X"] * k["ph_kill"]) * below
    growth = growth * tumor.division(y, p)
    homeostasis = np.zeros(4)
    missing = p["T0"].sum() - t_cells.sum()
    left = 1.0 if missing > 0 else y["R"][1] / p["T0"][1]
    homeostasis[1] = p["k_h"] * missing * left
    t_deaths = p["d_A"] * y["A"] + p["d_X"] * y["X"]
    a_to_x, x_to_r = p["k_AX"] * y["A"], p["k_XR"] * y["X"]
    # Eq. T13, T14, T15, then R6, R7
    d["R"] = x_to_r - r_to_a + homeostasis + traffic["R"]
    d["A"] = r_to_a + x_to_a - a_to_x - p["d_A"] * y["A"] + traffic["A"]
    d["X"] = a_to_x - x_to_a - x_to_r - p["d_X"] * y["X"] + growth + traffic["X"]
    signal = (p["w_e"] * r_to_a).sum()
    onset = p["k_on"] * signal / (p["e50"] + signal)
    d["MAR"] = onset * (1 - y["MAR"]) - p["k_off"] * y["MAR"]
    return d, t_deaths
