"""Parameters and states of the package, renamed for the independent SciPy twin."""

from typing import Any

import numpy as np

from qsp.model.cytokines import CXCL10, CYTOKINES, IFN_GAMMA, IL2, IL6, IL10, TNF_ALPHA
from qsp.system import Parameters, State

SEVERITY = (
    *("IL6_50_fever", "TNF_50", "IFN_50", "IL6_50_leak", "TNF_50_leak", "weight_TNF"),
    *("weight_IFN", "weight_TNF_leak", "k_fever", "k_set_point", "k_leak", "capacity"),
)
"""Parameters of severity, which have the same names in the twin."""
TWIN_CYTOKINES = ("IFN", "TNF", "IL2", "IL6", "IL10", "CXC")
assert len(TWIN_CYTOKINES) == len(CYTOKINES)


def twin_parameters(p: Parameters, lesions: int = 0) -> dict[str, Any]:
    """Return the parameters of one patient under the names of the twin.

    Args:
        p: Parameters.
        lesions: Number of lesions; 0 for a tumor of one pool.
    """
    m, s = p.model, p.supportive
    q = m.lesions
    d, b, y, e, t = m.disposition, m.binding, m.synapse, m.engagement, m.t_cells
    f, n, r, c, g = m.traffic, m.targets, m.release, m.cytokines, m.severity
    named = {
        **{"V1": d.V1, "V2": d.V2, "Q": d.Q, "CLbase": d.CL_base, "CLss": d.CL_ss},
        **{"HL": d.half_life_CL, "ka": d.ka, "F_sc": d.bioavailability, "kl_lymph": d.k_lymph},
        **{"lost": d.lost_on_death},
        **{"kex": d.k_exchange, "Kp": d.partition, "V": m.tissues.volume},
        **{"kint3": b.k_int_CD3, "kintT": b.k_int_target, "Kd_s": b.KD_soluble},
        **{"sT0": d.soluble_target, "kdeg_s": d.k_soluble, "K_O": b.KD_competitor},
        **{"k_O": d.k_competitor, "O0": d.competitor, "K3": b.KD_CD3, "KT": b.KD_target},
        **{"arms": b.valency, "chi": b.chi},
        **{"alpha": y.alpha, "n_hill": y.hill_act, "beta50_act": y.beta50_act},
        **{"beta50_kill": y.beta50_kill, "koffT": y.k_off_target, "n3": b.copies_CD3},
        **{"A_T": b.area_t_cell, "A_syn": y.area, "nt": b.copies_target, "At": b.area_target},
        **{"T0": t.baseline, "e": f.k_exit, "m": f.margination, "k_on": f.k_on, "k_off": f.k_off},
        **{"k_act": t.k_act, "f": t.f_act, "excluded": t.excluded, "kT": e.k_T, "kK": e.k_K},
        **{"k_AX": t.k_AX, "k_XR": t.k_XR, "f_re": t.f_re, "d_A": t.d_A, "d_X": t.d_X},
        **{"g_A": t.g_A, "g_X": t.g_X, "Tmax": t.expansion_limit * t.baseline, "wX": e.weight_post},
        **{"k_h": t.k_home[1], "chem": f.chemotaxis, "chem50": f.EC50_CXCL10},
        **{"N0": n.baseline, "d_hom": n.k_home, "k_ex": n.k_exchange, "ratio": n.blood_ratio},
        **{"g": n.k_growth, "cap": n.capacity, "kmax": e.k_kill, "k_clr": n.k_clear},
        **{"rho": n.density},
        **{"q_size": q.weight[:lesions], "q_kill": q.k_kill[:lesions]},
        **{"q_grow": q.growth_factor[:lesions], "q_R": q.weight_resting, "q_exh": q.k_exhaust},
        **{"q_rec": q.k_recover, "q_lost": q.loss_share, "q_copies": q.loss_copies},
        **{"q_lost_kill": q.loss_kill, "q_one": q.one_cell, "q_new": q.k_new},
        **{"MP0": q.m_protein_baseline, "k_MP": q.k_protein},
        **{"w": r.weight, "ktr": r.k_transit, "CA50": r.CA50, "k_CA": r.k_CA},
        **{"k_my": c.k_myeloid_on, "k_myoff": c.k_myeloid_off, "f_mx": c.f_tolerant},
        **{"k_rec": c.k_recovery, "K_I": c.IFN50, "K_N": c.TNF50, "K_z": c.contact50},
        **{"K10": c.IL10_50, "pI": c.p_IFN, "pN": c.p_TNF, "pNM": c.p_TNF_myeloid, "p2": c.p_IL2},
        **{"p6": c.p_IL6, "kr6": c.k_IL6_receptor, "p10": c.p_IL10, "p10T": c.p_IL10_T},
        **{"pX": c.p_CXCL10, "K_X": c.IFN50_CXCL10},
        **{name: getattr(g, name) for name in SEVERITY},
        **{"d_Tc": r.steroid_release, "d_Ta": t.steroid_act},
        **{"d_u": c.steroid_stimulus, "d_My": c.steroid_production},
        **{"k_ad": t.k_adapt, "k_fo": t.k_forget, "e50": f.flux50, "w_e": f.weight_recruitment},
        **{"u50": c.u50_myeloid, "n_my": c.hill_myeloid},
        **{"kI": c.k_loss[IFN_GAMMA], "kN": c.k_loss[TNF_ALPHA], "k2": c.k_loss[IL2]},
        **{"kl6": c.k_loss[IL6], "k10": c.k_loss[IL10], "kX": c.k_loss[CXCL10]},
        **{"Vd_dex": s.dexamethasone.V, "CL_dex": s.dexamethasone.CL, "ke0": s.dexamethasone.ke0},
        **{"IC_dex": s.dexamethasone.IC50, "V1_toci": s.tocilizumab.V1},
        **{"V2_toci": s.tocilizumab.V2, "CL_toci": s.tocilizumab.CL, "Q_toci": s.tocilizumab.Q},
        **{"Vmax_toci": s.tocilizumab.Vmax, "Km_toci": s.tocilizumab.Km},
        **{"Kss_toci": s.tocilizumab.K_ss, "ka_jak": s.jak_inhibitor.ka},
        **{"CL_jak": s.jak_inhibitor.CL, "V_jak": s.jak_inhibitor.V, "Jmax": s.jak_inhibitor.Imax},
        **{"IC_J": s.jak_inhibitor.IC50, "CL_tnf": s.anti_tnf.CL, "V_tnf": s.anti_tnf.V},
        **{"Kd_N": s.anti_tnf.KD},
        **dict(zip([f"{name}0" for name in TWIN_CYTOKINES], c.baseline, strict=True)),
    }
    return {name: _plain(value) for name, value in named.items()}


def twin_state(x: State) -> dict[str, Any]:
    """Return a state, or its derivative, under the names of the twin.

    States that a form of the model lacks have the value 0, and lesions of a pool no values.
    """
    m, s = x.model, x.supportive
    q = m.lesions
    each = {"Np": q.positive, "Nl": q.loss, "Dq": q.dying, "xi": q.exhaustion}
    d, t = m.drug, m.t_cells
    bridges = np.zeros((3, 4)) if m.bridges is None else m.bridges.per_synapse
    leak = 0.0 if m.axes.leak is None else m.axes.leak
    adapted = np.zeros(4) if m.adaptation is None else m.adaptation.stimulation
    named = {
        **{"depot": d.depot, "lymph1": d.lymph_1, "lymph2": d.lymph_2, "C": d.soluble},
        **{"C2": d.peripheral, "eliminated": d.eliminated, "internalized": d.internalized},
        **{"died": d.died, "R": t.resting, "A": t.activated, "X": t.post_activated},
        **{"MAR": m.margination, "mem": adapted, "N": m.targets.viable, "Md": m.targets.dying},
        **{"sT": d.soluble_target, "O": d.competitor, "z1": m.release.transit_1},
        **{"z2": m.release.transit_2, "CA": m.release.memory, "My": m.cytokines.myeloid},
        **{"MyX": m.cytokines.tolerant, "F": m.severity, "B": m.axes.set_point, "W": leak},
        **{"TC1": s.tocilizumab.central},
        **{"TC2": s.tocilizumab.peripheral, "DX": s.dexamethasone.central},
        **{"DE": s.dexamethasone.effect_site, "JG": s.jak_inhibitor.gut},
        **{"JK": s.jak_inhibitor.plasma, "NA": s.anti_tnf.central, "beta_r": bridges},
        **dict(zip(TWIN_CYTOKINES, m.cytokines.blood, strict=True)),
        **{name: np.zeros(0) if value is None else value for name, value in each.items()},
        **{"new": 0.0 if q.new_lesions is None else q.new_lesions},
        **{"MP": 0.0 if q.m_protein is None else q.m_protein},
    }
    return {name: _plain(value) for name, value in named.items()}


def _plain(value: Any) -> Any:
    array = np.asarray(value, float)
    return array if array.ndim else float(array)
