"""Lesions in plain Python: one lesion at a time, and the sums over them. Units day, Mcell, g/L."""

from collections.abc import Mapping, Sequence
from typing import Any

Values = Mapping[str, Any]


def shares(weights: Sequence[float]) -> list[float]:
    """Shares of the tumor before treatment, Eq. N1."""
    return [weight / sum(weights) for weight in weights]


def before(share: float, tumor: float, loss_share: float, one_cell: float) -> dict[str, float]:
    """Cells of a lesion before treatment, Eq. N2, N3, N4."""
    clone = tumor * share * loss_share
    loss = clone if clone >= one_cell else 0.0
    return {"positive": tumor * share - loss, "loss": loss, "dying": 0.0, "exhaustion": 0.0}


def kills(lesion: Values, tumor: Values) -> tuple[float, float]:
    """Kills per day of antigen-positive cells and of the loss clone, Eq. N5, N6, N7."""
    effectors = lesion["share"] * tumor["effectors"]
    targets = max(lesion["positive"] + lesion["loss"], 0.0)
    per_cell = lesion["k_kill"] * (1.0 - lesion["exhaustion"])
    per_cell *= effectors / (effectors + tumor["k_K"] * targets)
    of_positive = per_cell * tumor["h_positive"] * lesion["positive"]
    return of_positive, tumor["loss_kill"] * per_cell * tumor["h_loss"] * lesion["loss"]


def change(lesion: Values, tumor: Values) -> dict[str, float]:
    """Rates of one lesion, Eq. N9, N10, N11, N12."""

    def growing(cells: float) -> float:
        """Eq. N8."""
        one = tumor["one_cell"]
        return cells**3 / (cells**2 + one**2) if cells > 0.0 else 0.0

    killed, killed_loss = kills(lesion, tumor)
    speed = lesion["growth_factor"]
    t_cells = lesion["share"] * tumor["in_reach"]
    touching = lesion["positive"] / (lesion["positive"] + lesion["loss"] + tumor["k_T"] * t_cells)
    fresh = 1.0 - lesion["exhaustion"]
    return {
        "positive": speed * tumor["growth"] * growing(lesion["positive"]) - killed,
        "loss": speed * tumor["growth_loss"] * growing(lesion["loss"]) - killed_loss,
        "dying": killed + killed_loss - tumor["k_clear"] * lesion["dying"],
        "exhaustion": tumor["k_exhaust"] * touching * tumor["h_positive"] * fresh
        - tumor["k_recover"] * lesion["exhaustion"],
    }


def disease(cells: float, before: float, y: Values, p: Values) -> dict[str, float]:
    """Rates of the hazard of new lesions and of the M-protein, Eq. N15, N16, N17."""
    burden = cells / before
    return {
        "new_lesions": p["k_new"] * burden**0.5,
        "m_protein": p["k_protein"] * (burden * p["m_protein_baseline"] - y["m_protein"]),
    }
