"""Binding of the drug, bridges and contacts in the twin: equations (a), (b) and (c)."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from tests.reference.tumor import copies
from tests.reference.values import EPS, GAP, LN2, PER_NMOL, TRACE, H, State, Values

Bridges = Literal["equilibrium", "plateau", "relaxed", "relaxed_by_cd3"]


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


def gap_receptors(p: Values) -> tuple[float, np.ndarray]:
    """CD3 and target (3, 4) in the contact gap, nmol/L; Eq. B3, B4."""
    return p["n3"] / p["A_T"] / GAP, copies(p) / p["At"] / GAP


def affinity(arm: float, p: Values) -> tuple[np.ndarray, np.ndarray]:
    """Gain by a second target arm, and Kd of the molecule (3, 4); Eq. B6, B9.

    Args:
        arm: Kd of one target arm under competition, nmol/L.
        p: Parameters.
    """
    gain = p["arms"] + (p["arms"] - 1) * p["chi"] * gap_receptors(p)[1] / arm
    return gain, arm / gain


def trimers(t: np.ndarray, c: np.ndarray, arm: float, p: Values) -> tuple[np.ndarray, np.ndarray]:
    """Trimers (3, 4) at a free target t, and the free target that follows; Eq. S2, S3, S4, S5.

    The published root is multiplied through by a, so that it also holds at a = 0.
    """
    n, (r3, rt) = p["arms"], gap_receptors(p)
    kappa = (n - 1) * p["chi"] / arm
    u, v = 1 + c / p["K3"], 1 + c / arm * (n + 2 * kappa * t)
    a = p["alpha"] * c * (n + kappa * t) / (p["K3"] * arm)
    m = (n + 2 * kappa * t) / (n + kappa * t)
    s = a * (m * r3 + rt) + u * v
    x = 2 * a * r3 * rt / (s + np.sqrt(s * s - 4 * a * a * m * r3 * rt))
    return x, (rt - m * x) / v


def bridges_per_synapse(c: np.ndarray, arm: float, p: Values, plateau: bool) -> np.ndarray:
    """Bridges per synapse (3, 4) at free drug c (4,), equation (a); Eq. S1, S6.

    With two target arms, seven iterations find the free target. Without a fall at high drug, drug
    is limited by Eq. S17.
    """
    if plateau:
        c = c / np.sqrt(1 + c**2 / (p["K3"] * affinity(arm, p)[1]))
    c = np.maximum(c, 0.0) + TRACE
    n, rt = p["arms"], gap_receptors(p)[1]
    b = 1 + n * c / arm
    t = 2 * rt / (b + np.sqrt(b * b + 8 * (n - 1) * p["chi"] / arm * c / arm * rt))
    x, after = trimers(t, c, arm, p)
    for _ in range(7 if n == 2 else 0):
        x, after = trimers(np.sqrt(t * after + 1e-300), c, arm, p)
        t = np.sqrt(t * after + 1e-300)
    return x * GAP * p["A_syn"]


def bind(y: Values, p: Values) -> dict[str, np.ndarray]:
    """Binding of the free drug to CD3 and to target in the four tissues (c).

    Eq. M1, B1, B2, B5, B10, B11, B12, B13, B16.

    Returns:
        Free drug c and its derivatives dc_dtotal and dc_dsoluble; occupancies occ3 (4,) and occt
        (3, 4); drug on_cd3 and on_target (nmol/L of tissue); and the derivatives dbound_dc and
        dbound_dO of the bound drug by free drug and competitor.
    """
    c, dc_dtotal, dc_dsoluble = free_drug(y["C"], y["sT"], p["Kd_s"])
    gain, kd = affinity(p["KT"] * (1 + y["O"] / p["K_O"]), p)
    r3 = p["n3"] * (y["R"] + y["A"] + y["X"]) / (PER_NMOL * p["V"])
    rt = copies(p) * y["N"] / (PER_NMOL * p["V"])
    b = {"c": c, "dc_dtotal": dc_dtotal, "dc_dsoluble": dc_dsoluble}
    b["occ3"], b["occt"] = c / (p["K3"] + c), c / (kd + c)
    b["on_cd3"], b["on_target"] = r3 * b["occ3"], (rt * b["occt"]).sum(axis=0)
    b["dbound_dc"] = r3 * p["K3"] / (p["K3"] + c) ** 2 + (rt * kd / (kd + c) ** 2).sum(axis=0)
    by_kd = (rt * c / (kd + c) ** 2 * (2 - p["arms"] / gain) / gain).sum(axis=0)
    b["dbound_dO"] = -p["KT"] / p["K_O"] * by_kd
    return b


def contacts(y: Values, p: Values, bridges: Bridges) -> dict[str, np.ndarray]:
    """Bridges, Hill terms, fractions in contact and secretion: equations (a) and (b).

    Eq. E1, E2, E3, E4, E5, T1; secretion before the weights of Eq. L1.

    Args:
        y: State.
        p: Parameters.
        bridges: Form of the bridges.

    Returns:
        Arrays over tissue, with a leading kind axis where marked: free drug c (4,), beta_qe and
        beta (3, 4) at quasi-equilibrium and as used, h_kill (3, 4), pk, ph_act and ph_kill (4,),
        the chance of contact and its products with the Hill terms summed over kinds, and S (4,),
        Mcell; and the Kd of a target arm, kte.
    """
    kte = p["KT"] * (1 + y["O"] / p["K_O"])
    c = free_drug(y["C"], y["sT"], p["Kd_s"])[0]
    beta_qe = bridges_per_synapse(c, kte, p, bridges == "plateau")
    beta = np.maximum(y["beta_r"], 0.0) if bridges.startswith("relaxed") else beta_qe
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


def bridge_rates(y: Values, p: Values, k: Values, bridges: Bridges) -> np.ndarray:
    """Rates of relaxing bridges (3, 4), Eq. S8, S9, S18; zero in the other forms."""
    if not bridges.startswith("relaxed"):
        return np.zeros((3, 4))
    faster = 1 + k["c"] / k["kte"]
    if bridges == "relaxed_by_cd3":
        faster = faster + p["alpha"] * gap_receptors(p)[0] * k["c"] / (p["K3"] * k["kte"])
    unbind = np.clip(p["koffT"] * faster, 0.05 * H, 5 * H)
    return unbind * (k["beta_qe"] - y["beta_r"])


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
    shift = b["occ3"] * p["n3"] * cells["t_in"] + (b["occt"] * nt * cells["n_in"]).sum(axis=0)
    dead_t = b["occ3"] * p["n3"] * cells["t_deaths"]
    dead_n = (b["occt"] * nt * cells["n_deaths"]).sum(axis=0)
    on_dead = dead_t + dead_n
    shift = (shift - (1 - p["lost"]) * on_dead) / (PER_NMOL * p["V"])
    shift = shift + b["dbound_dc"] * b["dc_dsoluble"] * d["sT"]
    shift = shift + b["dbound_dO"] * d["O"]
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
