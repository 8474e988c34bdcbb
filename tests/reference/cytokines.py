"""Release, myeloid cells, cytokines, severity and supportive drugs in the twin: (f) and (g)."""

import numpy as np

from tests.reference import axes
from tests.reference.values import State, Values


def severity_rates(y: Values, p: Values, severity: str) -> State:
    """Rates of fever, its set point and leak, equation (g); Eq. P4, P12."""
    free = {
        "IL6": 1.0,
        "IL6R": p["Kss_toci"] / (p["Kss_toci"] + y["TC1"] / p["V1_toci"]),
        "JAK": jak_effect(y, p),
        "TNF": p["Kd_N"] / (p["Kd_N"] + y["NA"] / p["V_tnf"]),
    }
    before = {name: p[f"{name}0"] for name in ("IL6", "TNF", "IFN")}
    rates = axes.derivatives(y, y, before, free, p)
    return rates if severity == "two_axes" else rates | {"W": 0.0}


def jak_effect(y: Values, p: Values) -> float:
    """Fraction of JAK signaling that is blocked, Eq. P10."""
    concentration = y["JK"] / p["V_jak"]
    return p["Jmax"] * concentration / (p["IC_J"] + concentration)


def steroid_effect(y: Values, p: Values) -> float:
    """Effect of the steroid, as a fraction of its maximum, Eq. P7."""
    return y["DE"] / (p["IC_dex"] + y["DE"])


def cytokine_rates(y: Values, p: Values, secreting: np.ndarray) -> State:
    """Rates of release, myeloid cells and cytokines; `secreting` (4,) in Mcell."""
    d: State = {}
    ifn, tnf, il10 = y["IFN"] - p["IFN0"], y["TNF"] - p["TNF0"], y["IL10"] - p["IL100"]
    dex, jak = steroid_effect(y, p), jak_effect(y, p)
    receptor_free = p["Kss_toci"] / (p["Kss_toci"] + y["TC1"] / p["V1_toci"])
    anti_tnf = p["Kd_N"] / (p["Kd_N"] + y["NA"] / p["V_tnf"])
    steroid_u, steroid_my = 1 - p["d_u"] * dex, 1 - p["d_My"] * dex
    steroid_release = 1 - p["d_Tc"] * dex
    f_memory = 1 / steroid_release  # Eq. L6, M8

    # drive: Eq. L2, C4, C13, C15
    drive = (p["w"] * secreting).sum() * steroid_release
    drive = drive / (1 + (y["CA"] / p["CA50"]) ** 2) / (1 + il10 / (5 * p["K10"]))
    # Eq. L3, L4, L5
    d["z1"] = p["ktr"] * (drive - y["z1"])
    d["z2"] = p["ktr"] * (y["z1"] - y["z2"])
    d["CA"] = f_memory * drive - p["k_CA"] * y["CA"]
    stimulus = ifn / p["K_I"] * (1 - jak) + tnf / p["K_N"] * anti_tnf + y["z2"] / p["K_z"]
    u = max(stimulus * steroid_u / (1 + il10 / p["K10"]), 0.0)
    # Eq. C2, C3, then C1 by cytokine with C5, C6, C7, C8, C9, C10, C11, C12
    u_n = (u / p["u50"]) ** p["n_my"]
    d["My"] = p["k_my"] * u_n / (1 + u_n) * (1 - y["My"] - y["MyX"]) - p["k_myoff"] * y["My"]
    to_tolerant = min(f_memory * p["f_mx"], 1.0)
    d["MyX"] = to_tolerant * p["k_myoff"] * y["My"] - p["k_rec"] * y["MyX"]
    d["IFN"] = p["pI"] * y["z2"] - p["kI"] * ifn
    d["TNF"] = p["pN"] * y["z2"] + p["pNM"] * y["My"] * steroid_my - p["kN"] * tnf
    d["IL2"] = p["p2"] * y["z2"] - p["k2"] * (y["IL2"] - p["IL20"])
    il6_loss = (p["kl6"] + p["kr6"] * receptor_free) * y["IL6"]
    d["IL6"] = p["p6"] * y["My"] * steroid_my + (p["kl6"] + p["kr6"]) * p["IL60"] - il6_loss
    d["IL10"] = p["p10"] * y["My"] + p["p10T"] * y["z2"] - p["k10"] * il10
    signal = ifn * (1 - jak)
    d["CXC"] = p["pX"] * signal / (p["K_X"] + signal) * steroid_my - p["kX"] * (
        y["CXC"] - p["CXC0"]
    )
    return d


def supportive_rates(y: Values, p: Values, rate_in: Values) -> State:
    """Rates of the supportive drugs."""
    toci = y["TC1"] / p["V1_toci"]
    swap = p["Q_toci"] * (toci - y["TC2"] / p["V2_toci"])
    saturable = p["Vmax_toci"] * toci / (p["Km_toci"] + toci)
    # Eq. P1, P2, P5, P6, P8, P9, P11
    return {
        "TC1": rate_in["toci"] - p["CL_toci"] * toci - swap - saturable,
        "TC2": swap,
        "DX": rate_in["dex"] - p["CL_dex"] / p["Vd_dex"] * y["DX"],
        "DE": p["ke0"] * (y["DX"] / p["Vd_dex"] - y["DE"]),
        "JG": rate_in["jak"] - p["ka_jak"] * y["JG"],
        "JK": p["ka_jak"] * y["JG"] - p["CL_jak"] / p["V_jak"] * y["JK"],
        "NA": rate_in["anti_tnf"] - p["CL_tnf"] / p["V_tnf"] * y["NA"],
    }
