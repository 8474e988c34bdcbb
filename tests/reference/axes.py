"""Fever and leak by a second, independent implementation, written from the book of the model.

One patient, in plain numbers; names of parameters as in ``severity.NAME``. Units: day, pg/mL.
"""

from collections.abc import Mapping


def before_treatment() -> dict[str, float]:
    """The index of fever, its set point and leak without drug (Eq. V6, V10)."""
    return {"F": 0.0, "B": 0.0, "W": 0.0}


def derivatives(
    state: Mapping[str, float],
    cytokines: Mapping[str, float],
    before: Mapping[str, float],
    effects: Mapping[str, float],
    p: Mapping[str, float],
) -> dict[str, float]:
    """Derivatives of the index of fever, its set point and leak (Eq. V1, V2, V3, V4, V7, V8, V11).

    Args:
        state: F, B and W.
        cytokines: IL6, TNF and IFN in blood.
        before: The same before treatment.
        effects: Shares of IL6, IL6R and TNF that are free, and inhibition of JAK.
        p: Parameters.
    """
    free = effects["IL6"] * effects["IL6R"] * (1.0 - effects["JAK"])
    s = (cytokines["IL6"] - before["IL6"]) * free / p["capacity"]
    t = (cytokines["TNF"] - before["TNF"]) * effects["TNF"]
    i = cytokines["IFN"] - before["IFN"]

    def half(signal: float, half_maximum: float) -> float:
        return signal / (half_maximum + signal)

    steady = half(s, p["IL6_50_fever"])
    steady += p["weight_TNF"] * half(t, p["TNF_50"]) + p["weight_IFN"] * half(i, p["IFN_50"])
    leak = half(s, p["IL6_50_leak"]) + p["weight_TNF_leak"] * half(t, p["TNF_50_leak"])
    return {
        "F": p["k_fever"] * (steady - state["F"]),
        "B": p["k_set_point"] * (steady - state["B"]),
        "W": p["k_leak"] * (leak - state["W"]),
    }
