"""Constants, parameters and states of the twin."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Value = float | np.ndarray
State = dict[str, Any]  # values of type Value; Any because the type depends on the name
Values = Mapping[str, Any]  # a state or a set of parameters

GAP = 9.03e-3  # molecules/um^2 in a 15 nm gap that make 1 nmol/L
PER_NMOL = 6.022e8  # Mcell * copies/cell that make 1 nmol
EPS = 1e-12  # guard of the contact ratios (Mcell)
TRACE = 1e-18  # nmol/L, guard of the trimers
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
    "arms": 1, "chi": 0.0,                 # -, -     target arms; enhancement of the second
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
    # (h) lesions, one value each; none in the pool
    "q_size": _a(), "q_kill": _a(), "q_grow": _a(),  # -, 1/day, -  size, killing, growth
    "q_R": 1.0,                            # -        killing by resting T cells relative to A
    "q_exh": 0.13, "q_rec": 0.013,         # 1/day    exhaustion and recovery
    "q_lost": 0.0,                         # -        cells without antigen before treatment
    "q_copies": 0.0, "q_lost_kill": 0.0,   # -        their copies and killing, relative
    "q_one": 1e-6,                         # Mcell    one cell
    "q_new": 0.0,                          # 1/day    hazard of new lesions
    "MP0": 0.0, "k_MP": 0.0,               # g/L, 1/day  M-protein
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
# scales the absolute tolerance. States with the shape `EACH` have one value for each lesion.
EACH = (-1,)
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
    "Np": (EACH, 1e-5), "Nl": (EACH, 1e-5), "Dq": (EACH, 1e-5),            # Mcell, lesions
    "xi": (EACH, 1e-5), "new": ((), 1e-5), "MP": ((), 1e-3),               # -, -, g/L
}
# fmt: on


def complete(parameters: Values) -> dict[str, Any]:
    """Fill missing parameters with nominal values; an unknown name is an error."""
    unknown = set(parameters) - set(PARAMETERS)
    if unknown:
        raise KeyError(f"unknown parameters: {sorted(unknown)}")
    return {**PARAMETERS, **parameters}


@functools.cache
def sizes(lesions: int) -> dict[str, int]:
    """Numbers of values of each state."""
    return {
        name: lesions if shape == EACH else int(np.prod(shape))
        for name, (shape, _) in STATES.items()
    }


def floors(lesions: int) -> np.ndarray:
    """Values that scale the absolute tolerance, for the solver's vector."""
    return np.concatenate([np.full(n, STATES[name][1]) for name, n in sizes(lesions).items()])


def zeros(lesions: int) -> State:
    """States of zero."""
    count = sizes(lesions)
    return {
        name: np.zeros(count[name]).reshape(shape) if shape else 0.0
        for name, (shape, _) in STATES.items()
    }


def pack(y: Values) -> np.ndarray:
    """Dictionary of states to the solver's vector."""
    return np.concatenate([np.ravel(y[name]) for name in STATES])


def unpack(vector: np.ndarray) -> State:
    """The solver's vector to a dictionary of states (scalars and views)."""
    none, one = (sum(sizes(lesions).values()) for lesions in (0, 1))
    count = sizes((vector.size - none) // (one - none))
    y: State = {}
    start = 0
    for name, (shape, _) in STATES.items():
        size = count[name]
        y[name] = vector[start : start + size].reshape(shape) if shape else vector[start]
        start += size
    return y
