"""Binding of the drug, bridges and contacts in the twin: equations (a), (b) and (c)."""

from collections.abc import Mapping

import numpy as np

from tests.reference.tumor import copies
from tests.reference.values import EPS, GAP, LN2, PER_NMOL, TRACE, State, Values


def free_drug(
    total: np.ndarray, soluble: np.ndarray, kd: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Free drug at quasi-equilibrium with a soluble target, all nmol/L.

    Eq. B7, B8, B14, B15.

    Args:
        total: Drug in solution, free and on soluble target.
        soluble: Soluble target, free and on drug.
        kd: Dissociation constant.

    Returns:
        The free drug c and its derivatives by `total` and by `soluble`.
    """
    b = soluble + kd - total
    root = np.sqrt(b * b + 4 * kd * total)
    c = np.where(b > 0, 2 * kd * total / (np.maximum(b, 0.0) + root), (root - b) / 2)
    return c, (c + kd) / root, -c / root


def trimer_bridges(c: np.ndarray, kte: float, p: Values, plateau: bool) -> np.ndarray:
    """Bridges per synapse (3, 4) at free drug c (4,), closed form, equation (a).

    Eq. B3, B4, S1, S2, S3, S4, S6, for one target arm; S17 and B9 without a fall at high drug.

    The published root is multiplied through by a = alpha*c/(K3*KT), so that it also holds at a = 0.
    """
    if plateau:
        c = c / np.sqrt(1 + c**2 / (p["K3"] * kte))
    c = np.maximum(c, 0.0) + TRACE
    r3 = p["n3"] / p["A_T"] / GAP
    rt = copies(p) / p["At"] / GAP
    a = p["alpha"] * c / (p["K3"] * kte)
    s = a * (r3 + rt) + (1 + c / p["K3"]) * (1 + c / kte)
    trimers = 2 * a * r3 * rt / (s + np.sqrt(s * s - 4 * a * a * r3 * rt))
    return trimers * GAP * p["A_syn"]


def bind(y: Values, p: Values) -> dict[str, np.ndarray]:
    """Two-body binding of the free drug to CD3 and to target in the four tissues (c).

    Eq. M1, B1, B2, B5, B10, B11, B12, B13, B16.

    Returns:
        Free drug c and its derivatives dc_dtotal and dc_dsoluble; kte, the target Kd raised by the
        competitor; occupancies occ3 and occt; drug on_cd3 and on_target (nmol/L of tissue); and the
        derivatives dbound_dc and dbound_dkte of the bound drug.
    """
    c, dc_dtotal, dc_dsoluble = free_drug(y["C"], y["sT"], p["Kd_s"])
    kte = p["KT"] * (1 + y["O"] / p["K_O"])
    r3 = p["n3"] * (y["R"] + y["A"] + y["X"]) / (PER_NMOL * p["V"])
    rt = (copies(p) * y["N"]).sum(axis=0) / (PER_NMOL * p["V"])
    b = {"c": c, "dc_dtotal": dc_dtotal, "dc_dsoluble": dc_dsoluble, "kte": kte}
    b["occ3"], b["occt"] = c / (p["K3"] + c), c / (kte + c)
    b["on_cd3"], b["on_target"] = r3 * b["occ3"], rt * b["occt"]
    b["dbound_dc"] = r3 * p["K3"] / (p["K3"] + c) ** 2 + rt * kte / (kte + c) ** 2
    b["dbound_dkte"] = -rt * c / (kte + c) ** 2
    return b


def contacts(y: Values, p: Values, bridges: str) -> dict[str, np.ndarray]:
    """Bridges, Hill terms, fractions in contact and secretion: equations (a) and (b).

    Eq. E1, E2, E3, E4, E5, T1; secretion before the weights of Eq. L1.

    Args:
        y: State.
        p: Parameters.
        bridges: "equilibrium", "plateau" or "relaxed".

    Returns:
        Arrays over tissue, with a leading kind axis where marked: free drug c (4,), beta_qe and
        beta (3, 4) at quasi-equilibrium and as used, h_kill (3, 4), pk, ph_act and ph_kill (4,),
        the chance of contact and its products with the Hill terms summed over kinds, and S (4,),
        Mcell; and the target Kd kte.
    """
    kte = p["KT"] * (1 + y["O"] / p["K_O"])
    c = free_drug(y["C"], y["sT"], p["Kd_s"])[0]
    beta_qe = trimer_bridges(c, kte, p, bridges == "plateau")
    beta = np.maximum(y["beta_r"], 0.0) if bridges == "relaxed" else beta_qe
    power = (beta / p["beta50_act"]) ** p["n_hill"]
    h_act, h_kill = power / (1 + power), beta / (p["beta50_kill"] + beta)
    near = y["R"] + y["A"] + y["X"] - p["excluded"] * y["R"]
    contact = y["N"] / (y["N"].sum(axis=0) + p["kT"] * near + EPS)
    pk = contact.sum(axis=0)
    out = {
        "c": c,
        "kte": kte,
        "beta_qe": beta_qe,
        "beta": beta,
        "h_kill": h_kill,
        "pk": pk,
        "S": y["A"] * pk,
    }
    out["ph_act"], out["ph_kill"] = (contact * h_act).sum(axis=0), (contact * h_kill).sum(axis=0)
    return out


def drug_rates(
    t: float,
    y: Values,
    p: Values,
    rate_in: Values,
    first_dose: float,
    cells: Mapping[str, np.ndarray],
) -> State:
    """Rates of drug, soluble target and competitor, equation (c).

    Receptors that come or go with living cells carry drug with them; of the drug on dying cells a
    share is lost, and the rest is set free where they die.

    Args:
        t: Time, day.
        y: State.
        p: Parameters.
        rate_in: Infusions.
        first_dose: Time of the first dose of the engager, day.
        cells: Gain of T cells t_in (4,) and of targets n_in (3, 4) without deaths, and deaths
            t_deaths and n_deaths, Mcell/day.
    """
    nt = copies(p)
    # Eq. D13, D14
    d: State = {"sT": p["kdeg_s"] * (p["sT0"] - y["sT"]), "O": -p["k_O"] * y["O"]}
    # Eq. D8, D9, D10, D18, with the receptors of M2, M3, M4, M5; then D1, D6, D7, D11
    b = bind(y, p)
    loss = p["kint3"] * b["on_cd3"] + p["kintT"] * b["on_target"]
    shift = b["occ3"] * p["n3"] * cells["t_in"] + b["occt"] * (nt * cells["n_in"]).sum(axis=0)
    dead_t = b["occ3"] * p["n3"] * cells["t_deaths"]
    dead_n = b["occt"] * (nt * cells["n_deaths"]).sum(axis=0)
    on_dead = dead_t + dead_n
    shift = (shift - (1 - p["lost"]) * on_dead) / (PER_NMOL * p["V"])
    shift = shift + b["dbound_dc"] * b["dc_dsoluble"] * d["sT"]
    shift = shift + b["dbound_dkte"] * p["KT"] / p["K_O"] * d["O"]
    c0 = y["C"][0]
    since = t - first_dose
    clearance = p["CLss"] + (p["CLbase"] - p["CLss"]) * np.exp(-LN2 * since / p["HL"])
    flux = p["kex"] * (p["Kp"] * c0 - y["C"])
    net = flux - loss - shift
    phi = 1 + b["dbound_dc"] * b["dc_dtotal"]
    phi[0] = 1 + p["V"][0] / p["V1"] * (phi[0] - 1)  # C lives in V1, receptors in V_b
    arrival = rate_in["iv"] + p["kl_lymph"] * y["lymph2"]
    to_tissue = (flux[1:] * p["V"][1:]).sum()
    to_periphery = p["Q"] * (c0 - y["C2"])
    bound_loss = (loss[0] + shift[0]) * p["V"][0]
    net[0] = (arrival - clearance * c0 - to_periphery - to_tissue - bound_loss) / p["V1"]
    # Eq. D5, D12, D2, D3, D4, D15, D16, D17
    d["C"] = net / phi
    d["C2"] = to_periphery / p["V2"]
    d["depot"] = p["F_sc"] * rate_in["sc"] - p["ka"] * y["depot"]
    d["lymph1"] = p["ka"] * y["depot"] - p["kl_lymph"] * y["lymph1"]
    d["lymph2"] = p["kl_lymph"] * (y["lymph1"] - y["lymph2"])
    d["eliminated"] = clearance * c0
    d["internalized"] = (loss * p["V"]).sum()
    d["died"] = p["lost"] * on_dead.sum() / PER_NMOL
    return d
