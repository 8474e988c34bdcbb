"""Variables of lesions in the results, of runs whose tumor has lesions."""

import numpy as np
import xarray as xr

from qsp.engine.trajectory import SimulationResult

ML_PER_L = 1000.0
_LESIONS = {
    "volume": ("lesion_volume", "mL", "Volume of the lesion with dying cells"),
    "viable": ("lesion_viable", "mL", "Volume of the viable cells of the lesion"),
    "loss_share": ("lesion_loss_share", "1", "Share of cells of the lesion without antigen"),
    "exhaustion": (
        "lesion_exhaustion",
        "1",
        "Share of the killing by T cells of the lesion that exhaustion has removed",
    ),
    "new_lesions": ("new_lesion_hazard", "1", "Cumulative hazard of new lesions"),
    "m_protein": ("m_protein", "g/L", "M-protein in serum"),
}
"""Name, unit and meaning of each quantity of `qsp.system.LesionSnapshot`."""

_LESION_BASELINES = ("volume", "m_protein")
_MEANS = {
    "loss_share": "Share of tumor cells without antigen",
    "exhaustion": "Exhaustion of T cells, mean of the lesions weighted by viable cells",
}
"""Meaning of each quantity that the results have for the whole tumor too; unit 1."""


def lesion_variables(result: SimulationResult, ok: np.ndarray) -> dict[str, xr.Variable]:
    """Return quantities of lesions at visits and before the first dose; none for one pool.

    Args:
        result: Reductions with leading axes (arm, patient); its first snapshots are at the visits.
        ok: (arm, patient): Whether the simulation succeeded; the others have NaN.
    """
    data = {}
    for field, (name, units, meaning) in _LESIONS.items():
        visits = getattr(result.saved[0].lesions, field)
        if visits is None:
            continue
        factor = ML_PER_L if units == "mL" else 1.0
        dims = ("lesion",) if np.ndim(visits) > ok.ndim + 1 else ()

        def masked(values: np.ndarray, factor: float = factor) -> np.ndarray:
            mask = ok.reshape(ok.shape + (1,) * (np.ndim(values) - ok.ndim))
            return np.where(mask, np.asarray(values) * factor, np.nan)

        data[f"{name}_visit"] = xr.Variable(
            ("arm", "patient", "visit", *dims),
            masked(visits),
            _attributes(units, f"{meaning} at visits"),
        )
        if field in _LESION_BASELINES:
            before = np.asarray(getattr(result.periods.last.lesions, field))[:, :, 0]
            data[f"{name}_baseline"] = xr.Variable(
                ("arm", "patient", *dims),
                masked(before),
                _attributes(units, f"{meaning} at the first dose"),
            )
    return data | {
        f"{name}_visit": _mean(data[f"lesion_{name}_visit"], data["lesion_viable_visit"], meaning)
        for name, meaning in _MEANS.items()
        if f"lesion_{name}_visit" in data
    }


def _mean(values: xr.Variable, weights: xr.Variable, meaning: str) -> xr.Variable:
    """Return the mean over the lesions; NaN without a viable cell."""
    whole = weights.sum("lesion", skipna=False)
    mean = (values * weights).sum("lesion", skipna=False) / whole.where(whole > 0.0)
    return xr.Variable(mean.dims, mean.values, _attributes("1", f"{meaning}, at visits"))


def _attributes(units: str, long_name: str) -> dict[str, str]:
    return {"units": units, "long_name": long_name}
