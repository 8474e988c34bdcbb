"""A second, independent implementation of the T-cell-engager model, in plain NumPy and SciPy.

It was written from the description of the equations, not from the code of the package, so that an
error goes undetected only if it is made twice. It is simple on purpose: one patient, one drug, one
function for the whole right-hand side.

Comments give the labels of the equations in the book of the model (``Eq. D5``). Equation letters
used below: (a) bridges per synapse, (b) contact and rates, (c) drug, (d) T cells,
(e) targets, (f) drive, myeloid cells and cytokines, (g) severity of cytokine release.

Units: day, L, nmol, nmol/L, million cells (Mcell), pg/mL; supportive drugs in mg and mg/L. Every
rate is per day. Tissue axis k (4): blood, lymphoid, tumor (or marrow), skin. Kind axis j (3):
normal target cells, malignant cells, antigen-low malignant cells.

Not covered: the 2:1 format and the kinetic form of binding. Drug in trimers is not counted in the
mass balance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from tests.reference import axes

Value = float | np.ndarray
State = dict[str, Any]  # values of type Value; Any because the type depends on the name
Values = Mapping[str, Any]  # a state or a set of parameters

GAP = 9.03e-3  # molecules/um^2 in a 15 nm gap that make 1 nmol/L
PER_NMOL = 6.022e8  # Mcell * copies/cell that make 1 nmol
EPS = 1e-12  # guard of the contact ratios (Mcell) and of the trimer (nmol/L)
H = 24.0  # hours per day
LN2 = float(np.log(2.0))


def _a(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def _kinds(normal: Sequence, malignant: Sequence, low: Sequence) -> np.ndarray:
    return np.array([normal, malignant, low], dtype=float)


# Nominal values, mosunetuzumab-like, from the fit to nine molecules. The losses with cells are off
# (kint3 = kintT = lost = 0) because the time-varying CL contains them; with mechanistic clearance
# CLbase = CLss, kint3 = 1.584 and kintT = 0.24 per day, and lost = 1.
# fmt: off
PARAMETERS: dict[str, Value] = {
    # (c) drug
    "V1": 5.49, "V2": 6.17,                # L        central and peripheral volume
    "Q": 0.0608 * H,                       # L/day    exchange with the periphery
    "CLbase": 0.045 * H,                   # L/day    clearance at the first dose
    "CLss": 0.0243 * H,                    # L/day    clearance late
    "HL": 391.0 / H,                       # day      half-life of the change of clearance
    "ka": 0.0125 * H,                      # 1/day    absorption from the SC depot
    "F_sc": 0.75,                          # -        SC bioavailability, applied at dosing
    "kl_lymph": 0.316 * H,                 # 1/day    each of two lymph transits (about 6 h)
    "kex": H * _a(0, 1.45, 0.68, 0.03),    # 1/day    blood-tissue exchange; blood unused
    "Kp": _a(0, 0.4, 0.25, 0.35),          # -        tissue/blood ratio of free drug; blood unused
    "V": _a(5.0, 0.12, 0.013, 0.33),       # L        blood; interstitial volumes, constant
    "kint3": 0.0, "kintT": 0.0,            # 1/day    internalization of drug on CD3, on target
    "lost": 0.0,                           # -        drug on dying cells: lost 1, set free 0
    "Kd_s": 2.4,                           # nmol/L   drug and soluble target
    "sT0": _a(0, 0, 0, 0),                 # nmol/L   soluble target at baseline
    "kdeg_s": 0.0177,                      # 1/day    turnover of soluble target
    "K_O": 4.0, "k_O": 0.022, "O0": 0.0,   # nmol/L, 1/day, nmol/L  competitor: Kd, loss, start
    # (a) bridges
    "K3": 40.0, "KT": 70.0,                # nmol/L   Kd to CD3, Kd to target
    "alpha": 3.0e-3,                       # -        cross-linking efficiency
    "n_hill": 2.17,                        # -        Hill exponent of activation
    "beta50_act": 1010.0,                  # bridges  half activation
    "beta50_kill": 1010.0 / 60.0,          # bridges  half killing (activation / 60)
    "koffT": 22.5,                         # 1/day    target unbinding, with relaxation
    "n3": 6e4, "A_T": 150.0,               # copies/cell, um^2  CD3, T-cell surface
    "A_syn": 30.0,                         # um^2     contact area
    "nt": _kinds([1e5, 1e5, 0, 0], [3e4] * 4, [3e3] * 4),                  # copies/cell  target
    "At": _kinds([300, 300, 300, 800], [500] * 4, [500] * 4),              # um^2, surface
    # (b), (d) T cells
    "T0": _a(4e3, 1.5e5, 5e3, 2e4),        # Mcell    resting T cells at baseline
    "e": H * _a(0, 0.15, 0.002, 0.004),    # 1/day    exit from blood; blood unused
    "m": 9.0, "k_on": 0.6 * H,             # -, 1/day margination: size, onset
    "k_off": LN2 / 8 * H,                  # 1/day    margination: return
    "e50": 5e3 * H,                        # Mcell/day  recruitment at half onset of margination
    "w_e": _a(1, 1, 0.2, 1),               # -        weight of a tissue in that recruitment
    "k_act": 0.75 * H,                     # 1/day    activation
    "k_ad": 5.0, "k_fo": 0.028,            # 1/day    adaptation of recruitment: onset, fading
    "f": _a(1.0, 0.4, 0.4, 0.4),           # -        activation, relative to blood
    "excluded": _a(0, 0, 0.3, 0),          # -        resting T cells away from targets
    "kT": _a(0.3, 0.3, 0.31, 0.3),         # -        T cells per target at half contact (T side)
    "kK": 0.3,                             # -        the same, target side; scalar or (4,)
    "k_AX": 0.15 * H, "k_XR": 0.0038 * H,  # 1/day    A to X, X to R
    "f_re": 0.04,                          # -        re-activation of X, relative to R
    "d_A": 0.0025 * H, "d_X": 0.0005 * H,  # 1/day    death
    "g_A": 0.03 * H, "g_X": 0.01 * H,      # 1/day    expansion
    "Tmax": _a(1.2e4, 4.5e5, 6e4, 6e4),    # Mcell    limit of expansion
    "wX": 0.6,                             # -        killing by X relative to A
    "k_h": 0.0042,                         # 1/day    homeostasis of the T-cell total
    "chem": _a(0, 0, 3, 3),                # -        chemotaxis, maximum
    "chem50": 2000.0,                      # pg/mL    chemotaxis, half effect
    # (e) targets
    "N0": _kinds([500, 3e4, 0, 2e3], [0, 0, 4.95e4, 0], [0, 0, 500, 0]),   # Mcell, baseline
    "d_hom": _kinds([8e-4 * H, 8e-4 * H, 0, 0.03], [0] * 4, [0] * 4),      # 1/day, renewal
    "k_ex": _kinds([0, 0.02 * H, 0, 0], [0] * 4, [0] * 4),                 # 1/day, blood exchange
    "ratio": _kinds([0, 500 / 3e4, 0, 0], [0] * 4, [0] * 4),               # -, blood/tissue
    "g": _kinds([0] * 4, [0, 0, 0.025, 0], [0, 0, 0.025, 0]),              # 1/day, growth
    "cap": _a(1e6, 1e6, 1e6, 1e6),         # Mcell    limit of malignant growth
    "kmax": H * _kinds(*[[0.30, 0.03, 0.015, 0.005]] * 3),                 # 1/day, killing
    "k_clr": LN2 / 120 * H,                # 1/day    clearing of dying tumor cells
    "rho": 1e6,                            # Mcell/L  packing of tumor cells
    # (f) drive, myeloid cells, cytokines
    "w": _a(1.21, 0.49, 0.49, 0.49),       # -        transport weight per cell
    "ktr": 1.2 * H,                        # 1/day    each of two transits
    "CA50": 801.0 / H, "k_CA": 0.0040 * H,  # Mcell*day, 1/day  release memory
    "k_my": 12.0, "k_myoff": 12.0,         # 1/day    myeloid activation, deactivation
    "u50": 1.0, "n_my": 1.0,               # -        half stimulus and Hill exponent of activation
    "f_mx": 0.82, "k_rec": 0.0050 * H,     # -, 1/day myeloid tolerance: share, recovery
    "K_I": 500.0, "K_N": 400.0,            # pg/mL    IFN and TNF in the myeloid stimulus
    "K_z": 5000.0, "K10": 300.0,           # Mcell, pg/mL  contact stimulus, IL-10 brake
    "pI": 0.6 * H, "kI": LN2 / 3 * H,      # pg/mL/day/Mcell, 1/day  IFN
    "pN": 0.3 * H, "pNM": 12.0 * H, "kN": LN2 / 0.8 * H,  # as IFN; pg/mL/day; 1/day  TNF
    "p2": 0.05 * H, "k2": LN2 * H,         # as IFN   IL-2
    "p6": 341.0 * H,                       # pg/mL/day  IL-6 from myeloid cells
    "kl6": LN2 / 6 * H,                    # 1/day    IL-6 loss without the receptor
    "kr6": (LN2 / 1.5 - LN2 / 6) * H,      # 1/day    IL-6 loss by the receptor
    "p10": 200.0 * H, "p10T": 0.01 * H, "k10": LN2 / 3 * H,  # pg/mL/day; as IFN; 1/day  IL-10
    "pX": 900.0 * H, "K_X": 60.0, "kX": LN2 / 8 * H,  # pg/mL/day, pg/mL, 1/day  CXCL10
    "IFN0": 5.0, "TNF0": 4.0, "IL20": 1.0, "IL60": 3.0, "IL100": 3.0, "CXC0": 150.0,  # pg/mL
    # (g) severity
    "IL6_50_fever": 190.0, "TNF_50": 58.0, "IFN_50": 300.0,  # pg/mL  half effects on fever
    "IL6_50_leak": 400.0, "TNF_50_leak": 150.0,  # pg/mL  half effects on leak
    "weight_TNF": 0.5, "weight_IFN": 0.5, "weight_TNF_leak": 0.5,  # -  relative to IL-6
    "k_fever": 13.75, "k_set_point": 0.4, "k_leak": 12.0,  # 1/day
    "capacity": 1.0,                       # -        of the patient for IL-6
    # supportive drugs
    "d_Tc": 0.74, "d_Ta": 0.35,            # -        steroid maximum: drive, activation,
    "d_u": 0.74, "d_My": 0.74,             # -        stimulus of and production by myeloid cells
    "Vd_dex": 56.0, "CL_dex": 9.3 * H,     # L, L/day
    "ke0": 0.25 * H, "IC_dex": 0.003,      # 1/day, mg/L  dexamethasone effect site
    "V1_toci": 3.5, "V2_toci": 2.9,        # L
    "CL_toci": 0.3, "Q_toci": 0.2,         # L/day
    "Vmax_toci": 7.5, "Km_toci": 2.7, "Kss_toci": 1.5,  # mg/day, mg/L, mg/L
    "ka_jak": 36.0, "CL_jak": 528.0, "V_jak": 75.0,  # 1/day, L/day, L  JAK inhibitor
    "Jmax": 0.9, "IC_J": 0.05,             # -, mg/L
    "CL_tnf": 0.3, "V_tnf": 6.0, "Kd_N": 0.1,  # L/day, L, mg/L  anti-TNF
}

# States in the order of the solver's vector: shape, and the value (in the unit of the state) that
# scales the absolute tolerance.
STATES: dict[str, tuple[tuple[int, ...], float]] = {
    "depot": ((), 1e-6), "lymph1": ((), 1e-6), "lymph2": ((), 1e-6),       # nmol
    "C": ((4,), 1e-7), "C2": ((), 1e-7),                                   # nmol/L, soluble total
    "eliminated": ((), 1e-6), "internalized": ((), 1e-6), "died": ((), 1e-6),  # nmol, sinks
    "R": ((4,), 1e-3), "A": ((4,), 1e-3), "X": ((4,), 1e-3),               # Mcell
    "MAR": ((), 1e-5), "mem": ((4,), 1e-5),                                # -
    "N": ((3, 4), 1e-5), "Md": ((), 1e-5),                                 # Mcell
    "sT": ((4,), 1e-7), "O": ((), 1e-7),                                   # nmol/L
    "z1": ((), 1e-3), "z2": ((), 1e-3), "CA": ((), 1e-3),                  # Mcell, Mcell, Mcell*day
    "My": ((), 1e-6), "MyX": ((), 1e-6),                                   # -
    "IFN": ((), 1e-3), "TNF": ((), 1e-3), "IL2": ((), 1e-3),               # pg/mL
    "IL6": ((), 1e-3), "IL10": ((), 1e-3), "CXC": ((), 1e-3),              # pg/mL
    "F": ((), 1e-5), "B": ((), 1e-5), "W": ((), 1e-5),                     # -
    "TC1": ((), 1e-4), "TC2": ((), 1e-4), "DX": ((), 1e-5), "DE": ((), 1e-6),  # mg, mg, mg, mg/L
    "JG": ((), 1e-4), "JK": ((), 1e-4), "NA": ((), 1e-4),                  # mg
    "beta_r": ((3, 4), 1e-4),                                              # bridges, relaxed
}
# fmt: on


@dataclass(frozen=True)
class Event:
    """One dose.

    Attributes:
        time: Start, in days.
        target: "iv" or "sc" (the engager, nmol), "toci", "dex", "jak" (oral) or "anti_tnf" (mg).
        amount: Amount, nmol for "iv" and "sc", otherwise mg.
        duration: Length of the infusion in days; 0 is a bolus.
    """

    time: float
    target: str
    amount: float
    duration: float = 0.0


# Where a supportive or SC dose goes. An IV dose goes to the central concentration instead.
ENTRY = {"sc": "depot", "toci": "TC1", "dex": "DX", "jak": "JG", "anti_tnf": "NA"}


def complete(parameters: Values) -> dict[str, Any]:
    """Fill missing parameters with nominal values; an unknown name is an error."""
    unknown = set(parameters) - set(PARAMETERS)
    if unknown:
        raise KeyError(f"unknown parameters: {sorted(unknown)}")
    return {**PARAMETERS, **parameters}


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


def initial_state(parameters: Values) -> State:
    """State before treatment: resting T cells only, no drug.

    Eq. M6, D21, T16, T17, G11, C14, S7.
    """
    p = complete(parameters)
    y: State = {name: np.zeros(shape) if shape else 0.0 for name, (shape, _) in STATES.items()}
    y["R"], y["N"], y["sT"] = p["T0"] * np.ones(4), p["N0"] * np.ones((3, 4)), p["sT0"] * np.ones(4)
    y["O"] = p["O0"]
    for name in ("IFN", "TNF", "IL2", "IL6", "IL10", "CXC"):
        y[name] = p[name + "0"]
    y |= axes.before_treatment()
    return y


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


def trimer_bridges(c: np.ndarray, kte: float, p: Values) -> np.ndarray:
    """Bridges per synapse (3, 4) at free drug c (4,), closed form, equation (a).

    Eq. B3, B4, S1, S2, S3, S4, S6, for one target arm.

    The published root is multiplied through by a = alpha*c/(K3*KT), so that it also holds at a = 0.
    """
    c = np.maximum(c, 0.0) + EPS
    r3 = p["n3"] / p["A_T"] / GAP
    rt = p["nt"] / p["At"] / GAP
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
    rt = (p["nt"] * y["N"]).sum(axis=0) / (PER_NMOL * p["V"])
    b = {"c": c, "dc_dtotal": dc_dtotal, "dc_dsoluble": dc_dsoluble, "kte": kte}
    b["occ3"], b["occt"] = c / (p["K3"] + c), c / (kte + c)
    b["on_cd3"], b["on_target"] = r3 * b["occ3"], rt * b["occt"]
    b["dbound_dc"] = r3 * p["K3"] / (p["K3"] + c) ** 2 + rt * kte / (kte + c) ** 2
    b["dbound_dkte"] = -rt * c / (kte + c) ** 2
    return b


def contacts(y: Values, p: Values, relaxation: bool) -> dict[str, np.ndarray]:
    """Bridges, Hill terms, fractions in contact and secretion: equations (a) and (b).

    Eq. E1, E2, E3, E4, E5, T1; secretion before the weights of Eq. L1.

    Returns:
        Arrays over tissue, with a leading kind axis where marked: beta_qe and beta (3, 4) at
        quasi-equilibrium and as used, h_kill (3, 4), pk, ph_act and ph_kill (4,), the chance of
        contact and its products with the Hill terms summed over kinds, and S (4,), Mcell.
    """
    kte = p["KT"] * (1 + y["O"] / p["K_O"])
    beta_qe = trimer_bridges(free_drug(y["C"], y["sT"], p["Kd_s"])[0], kte, p)
    beta = np.maximum(y["beta_r"], 0.0) if relaxation else beta_qe
    power = (beta / p["beta50_act"]) ** p["n_hill"]
    h_act, h_kill = power / (1 + power), beta / (p["beta50_kill"] + beta)
    near = y["R"] + y["A"] + y["X"] - p["excluded"] * y["R"]
    contact = y["N"] / (y["N"].sum(axis=0) + p["kT"] * near + EPS)
    pk = contact.sum(axis=0)
    out = {"beta_qe": beta_qe, "beta": beta, "h_kill": h_kill, "pk": pk, "S": y["A"] * pk}
    out["ph_act"], out["ph_kill"] = (contact * h_act).sum(axis=0), (contact * h_kill).sum(axis=0)
    return out


def derivative(
    t: float,
    y: Values,
    p: Values,
    *,
    recruitment: str = "adaptation",
    severity: str = "two_axes",
    relaxation: bool = False,
    first_dose: float = 0.0,
    inputs: Mapping[str, float] | None = None,
) -> State:
    """Right-hand side of the whole model for one state.

    Args:
        t: Time, day.
        y: State, by the names of `STATES`.
        p: All parameters, by the names of `PARAMETERS`.
        recruitment: "threshold", "mass_action" or "adaptation".
        severity: "two_axes", or "one_axis" without leak.
        relaxation: Whether bridges follow their quasi-equilibrium with a delay.
        first_dose: Time of the first dose of the engager, for CL(t), day.
        inputs: Infusion rates by `Event.target`, nmol/day or mg/day; "sc" before bioavailability.

    Returns:
        Time derivatives under the names of the states.
    """
    if recruitment not in ("threshold", "mass_action", "adaptation"):
        raise ValueError(f"unknown recruitment: {recruitment}")
    if severity not in ("two_axes", "one_axis"):
        raise ValueError(f"unknown form of severity: {severity}")
    rate_in = dict.fromkeys(("iv", *ENTRY), 0.0) | dict(inputs or {})
    d: State = {}
    n, ifn, tnf = y["N"], y["IFN"] - p["IFN0"], y["TNF"] - p["TNF0"]
    il10 = y["IL10"] - p["IL100"]
    t_cells = y["R"] + y["A"] + y["X"]
    dex = y["DE"] / (p["IC_dex"] + y["DE"])
    jak = jak_effect(y, p)
    toci = y["TC1"] / p["V1_toci"]
    receptor_free = p["Kss_toci"] / (p["Kss_toci"] + toci)
    anti_tnf = p["Kd_N"] / (p["Kd_N"] + y["NA"] / p["V_tnf"])
    steroid_u, steroid_my = 1 - p["d_u"] * dex, 1 - p["d_My"] * dex
    steroid_release = 1 - p["d_Tc"] * dex
    f_memory = 1 / steroid_release  # Eq. L6, M8

    # (b) contact, activation, killing: Eq. E6, E7, E8, T2, T3, T4, T5, T6, T7, T18, T19
    k = contacts(y, p, relaxation)
    pk, ph_act = k["pk"], k["ph_act"]
    act = p["k_act"] * p["f"] * (1 - p["d_Ta"] * dex)
    resting_near = y["R"] - p["excluded"] * y["R"]
    hbar = np.where(pk > 0, ph_act / np.where(pk > 0, pk, 1.0), 0.0)
    d["mem"] = np.zeros(4)
    if recruitment == "adaptation":
        new = np.maximum(hbar - y["mem"], 0.0)
        d["mem"] = p["k_ad"] * new - p["k_fo"] * y["mem"]
        r_to_a = act * pk * new * resting_near
    elif recruitment == "threshold":
        met = y["A"] + y["X"]
        near = resting_near + met
        width = 0.02 * near
        excess = np.logaddexp(0.0, (hbar * near - met) / width) - np.logaddexp(0.0, -met / width)
        r_to_a = act * pk * np.minimum(width * excess, resting_near)
    else:
        r_to_a = act * ph_act * resting_near
    x_to_a = p["f_re"] * act * ph_act * y["X"]
    effectors = y["A"] + p["wX"] * y["X"]
    kill = p["kmax"] * effectors / (effectors + p["kK"] * n.sum(axis=0) + EPS) * k["h_kill"] * n

    # (d) T cells: exit from blood (raised by margination and chemotaxis) and return
    # Eq. R1, R2, R3, R4, R5, then T8, T9, T10, T11, T12
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

    # (e) targets: renewal, exchange with blood, growth, killing: Eq. G1, G3, G4, G5, G7
    exchange = p["k_ex"] * (n[:, :1] - p["ratio"] * n)
    exchange[:, 0] = -exchange[:, 1:].sum(axis=1)
    crowding = 1 - (n[1] + n[2]) / p["cap"]
    n_births_moves = exchange + p["d_hom"] * (p["N0"] - n) + p["g"] * n * crowding
    # Eq. G8, G9
    d["N"] = n_births_moves - kill
    d["Md"] = kill[1, 2] + kill[2, 2] - p["k_clr"] * y["Md"]

    # (c) drug: receptors that come or go with living cells carry drug with them; of the drug
    # on dying cells a share is lost, and the rest is set free where they die
    # Eq. D13, D14
    d["sT"] = p["kdeg_s"] * (p["sT0"] - y["sT"])
    d["O"] = -p["k_O"] * y["O"]
    # Eq. D8, D9, D10, D18, with the receptors of M2, M3, M4, M5; then D1, D6, D7, D11
    b = bind(y, p)
    loss = p["kint3"] * b["on_cd3"] + p["kintT"] * b["on_target"]
    t_in = d["R"] + d["A"] + d["X"] + t_deaths
    shift = b["occ3"] * p["n3"] * t_in + b["occt"] * (p["nt"] * n_births_moves).sum(axis=0)
    dead_t, dead_n = b["occ3"] * p["n3"] * t_deaths, b["occt"] * (p["nt"] * kill).sum(axis=0)
    on_dead = dead_t + dead_n
    shift = (shift - (1 - p["lost"]) * on_dead) / (PER_NMOL * p["V"])
    shift = shift + b["dbound_dc"] * b["dc_dsoluble"] * d["sT"]
    shift = shift + b["dbound_dkte"] * p["KT"] / p["K_O"] * d["O"]
    c0 = y["C"][0]
    since = max(t - first_dose, 0.0)
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
    # Eq. S8, S9
    unbind = np.clip(p["koffT"] * (1 + b["c"] / b["kte"]), 0.05 * H, 5 * H)
    d["beta_r"] = unbind * (k["beta_qe"] - y["beta_r"]) if relaxation else np.zeros((3, 4))

    # (f) drive, myeloid cells, cytokines: Eq. L2, C4, C13, C15
    drive = (p["w"] * k["S"]).sum() * steroid_release
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

    # (g) severity; supportive drugs
    d |= severity_rates(y, p, severity)
    swap = p["Q_toci"] * (toci - y["TC2"] / p["V2_toci"])
    saturable = p["Vmax_toci"] * toci / (p["Km_toci"] + toci)
    # Eq. P1, P2, P5, P6, P8, P9, P11
    d["TC1"] = rate_in["toci"] - p["CL_toci"] * toci - swap - saturable
    d["TC2"] = swap
    d["DX"] = rate_in["dex"] - p["CL_dex"] / p["Vd_dex"] * y["DX"]
    d["DE"] = p["ke0"] * (y["DX"] / p["Vd_dex"] - y["DE"])
    d["JG"] = rate_in["jak"] - p["ka_jak"] * y["JG"]
    d["JK"] = p["ka_jak"] * y["JG"] - p["CL_jak"] / p["V_jak"] * y["JK"]
    d["NA"] = rate_in["anti_tnf"] - p["CL_tnf"] / p["V_tnf"] * y["NA"]
    return d


def pack(y: Values) -> np.ndarray:
    """Dictionary of states to the solver's vector."""
    return np.concatenate([np.ravel(y[name]) for name in STATES])


def unpack(vector: np.ndarray) -> State:
    """The solver's vector to a dictionary of states (scalars and views)."""
    y: State = {}
    start = 0
    for name, (shape, _) in STATES.items():
        size = int(np.prod(shape))
        y[name] = vector[start : start + size].reshape(shape) if shape else vector[start]
        start += size
    return y


def derived(y: Values, p: Values, relaxation: bool = False) -> dict[str, Value]:
    """Total drug (nmol, sinks included), S (4,) Mcell, V_tum mL and beta (3, 4) of one state."""
    k, b, v = contacts(y, p, relaxation), bind(y, p), p["V"]
    soluble = p["V1"] * y["C"][0] + p["V2"] * y["C2"] + (v[1:] * y["C"][1:]).sum()
    bound = (v * (b["on_cd3"] + b["on_target"])).sum()
    waiting = y["depot"] + y["lymph1"] + y["lymph2"]
    sinks = y["eliminated"] + y["internalized"] + y["died"]
    v_tum = (y["N"][1, 2] + y["N"][2, 2] + y["Md"]) / p["rho"] * 1000
    total = waiting + soluble + bound + sinks
    return {"total_drug": total, "S": k["S"], "V_tum": v_tum, "beta": k["beta"]}


def give_bolus(vector: np.ndarray, event: Event, p: Values) -> np.ndarray:
    """State just after a bolus.

    An IV bolus is the limit of a short infusion: it is shared at once between the central volume
    and the receptors of blood, so that total drug rises by the dose.
    """
    vector = vector.copy()
    y = unpack(vector)
    if event.target != "iv":
        share = p["F_sc"] if event.target == "sc" else 1.0
        y[ENTRY[event.target]] = y[ENTRY[event.target]] + share * event.amount
        return pack(y)
    before = y["C"][0]

    def content(c0: float) -> float:
        y["C"][0] = c0
        b = bind(y, p)
        return p["V1"] * c0 + p["V"][0] * (b["on_cd3"][0] + b["on_target"][0])

    goal = content(before) + event.amount
    top = before + event.amount / p["V1"]
    y["C"][0] = brentq(lambda c0: content(c0) - goal, before, top * (1 + 1e-9), xtol=1e-18)
    return pack(y)


def give_boluses(vector: np.ndarray, events: Sequence[Event], now: float, p: Values) -> np.ndarray:
    """State after every bolus due now."""
    for event in events:
        if event.duration == 0 and event.time == now:
            vector = give_bolus(vector, event, p)
    return vector


def infusion_rates(events: Sequence[Event], now: float) -> dict[str, float]:
    """Sum of the running infusions by target, nmol/day or mg/day."""
    rates = dict.fromkeys(("iv", *ENTRY), 0.0)
    for event in events:
        if event.time <= now < event.time + event.duration:
            rates[event.target] += event.amount / event.duration
    return rates


def check_schedule(events: Sequence[Event], first_output: float, start: float) -> None:
    """Raise an error for unknown targets and for events before the start."""
    for event in events:
        if event.target != "iv" and event.target not in ENTRY:
            raise ValueError(f"unknown target: {event.target}")
    if first_output < start or any(event.time < start for event in events):
        raise ValueError("times and events must not lie before the start")


def simulate(
    parameters: Values,
    events: Sequence[Event],
    times: Sequence[float] | np.ndarray,
    *,
    recruitment: str = "adaptation",
    severity: str = "two_axes",
    relaxation: bool = False,
    rtol: float = 1e-9,
    t_start: float | None = None,
    method: str = "LSODA",
) -> dict[str, np.ndarray]:
    """Run the model piecewise between the starts and stops of the doses.

    Args:
        parameters: Values by the names of `PARAMETERS`; nominal values where missing.
        events: Doses.
        times: Times of the output, day. At the time of a bolus, the state after it.
        recruitment: As in `derivative`.
        severity: As in `derivative`.
        relaxation: Whether bridges follow their quasi-equilibrium with a delay.
        rtol: Relative tolerance; the absolute one is `rtol` times the floor in `STATES`.
        t_start: Time of the state before treatment; default the earlier of 0 and the first event.
        method: Solver of `solve_ivp`; DOP853 and Radau agree, as the model is mildly stiff.

    Returns:
        Every state and the values of `derived`, time along the first axis, and "t".
    """
    p = complete(parameters)
    times, where = np.unique(np.asarray(times, dtype=float), return_inverse=True)
    start = min([0.0, *(e.time for e in events)]) if t_start is None else t_start
    end = times[-1]
    check_schedule(events, times[0], start)
    edges = [e.time for e in events] + [e.time + e.duration for e in events]
    breaks = sorted({start, end, *(edge for edge in edges if start < edge < end)})
    first_dose = min((e.time for e in events if e.target in ("iv", "sc")), default=0.0)
    atol = rtol * np.concatenate([np.full(int(np.prod(s)), x) for s, x in STATES.values()])
    vector = give_boluses(pack(initial_state(p)), events, start, p)
    rows: list[np.ndarray] = []
    for left, right in pairwise(breaks):
        inputs = infusion_rates(events, left)

        def slope(t: float, v: np.ndarray, inputs: dict[str, float] = inputs) -> np.ndarray:
            dy = derivative(
                t,
                unpack(v),
                p,
                recruitment=recruitment,
                severity=severity,
                relaxation=relaxation,
                first_dose=first_dose,
                inputs=inputs,
            )
            return pack(dy)

        if left in times:
            rows.append(vector)
        inside = times[(times > left) & (times < right)]
        grid = np.append(inside, right)
        out = solve_ivp(slope, (left, right), vector, method, t_eval=grid, rtol=rtol, atol=atol)
        if not out.success:
            raise RuntimeError(f"the solver stopped between day {left} and {right}: {out.message}")
        rows.extend(out.y.T[:-1])
        vector = give_boluses(out.y[:, -1], events, right, p)
    rows.append(vector)
    rows = [rows[i] for i in where]
    states = [unpack(row) for row in rows]
    states = [{**y, **derived(y, p, relaxation)} for y in states]
    result = {name: np.array([y[name] for y in states]) for name in states[0]}
    return {"t": times[where], **result}
