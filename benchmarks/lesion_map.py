"""Error and time of lesions alone, against the full equations. JSON lines; about 10 minutes.

    .venv/bin/python benchmarks/lesion_map.py [--patients 200] [--config NAME --after 84]

The arm `approved` of a config, with its maintenance dose up to day 540 and with lesions, is
simulated in full and with `lesions_alone_after`. The same draws of measuring errors and of new
lesions judge both by the response rule of the disease: Lugano, RECIST 1.1, or in myeloma the
M-protein alone. Figures are shares of all patients [%], and the difference of the logarithms of the
volume of a patient's tumor at the last visit, of volumes above 0.1 mL. Times are those of a second
simulation, from the patients to the labeled results.
"""

from __future__ import annotations

import argparse
import json
import time as clock
import tomllib
from pathlib import Path
from typing import Any

import base_case
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from rows import Row, emit, row

from qsp import units
from qsp.engine.precision import double
from qsp.response import geometry
from qsp.response.category import Category
from qsp.response.events import new_lesion_seen, no_events
from qsp.response.lugano import Lugano
from qsp.response.recist import Recist
from qsp.run import Request, prepare

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "approved"
DAYS = 540
VISITS = (42, 84, 126, 168, 252, 336, 420, 504, DAYS)
CASES = {"glofitamab": 119, "tarlatamab": 84, "teclistamab_1.5_weekly": 83}
"""Configs, and the day of the dose from which lesions are alone."""
SMALLEST_ML = 0.1


def main() -> None:
    """Print a row for each case and form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--config", choices=CASES)
    parser.add_argument("--after", type=int)
    arguments = parser.parse_args()
    for name in [arguments.config] if arguments.config else CASES:
        after = arguments.after or CASES[name]
        full = _simulated(name, arguments.patients, None)
        alone = _simulated(name, arguments.patients, after)
        for form, ds in (("full", full), ("alone", alone)):
            emit(_row(name, after, form, ds))
        emit(_differences(name, after, full, alone))


def _simulated(name: str, patients: int, after: int | None) -> xr.Dataset:
    file = tomllib.loads((CONFIGS / f"{name}.toml").read_text(encoding="utf-8"))
    arm = file["arms"]["approved"]
    *steps, last = arm["doses"]
    changes: dict[str, Any] = {
        "patients": patients,
        "days": DAYS,
        "visits": [f"{visit} day" for visit in VISITS],
        "arms": {"approved": {**arm, "doses": [*steps, _until_end(last)]}},
        "method.tumor": "lesions",
    }
    if after is not None:
        changes["method.lesions_alone_after"] = f"{after} day"
    texts = [f"{key}={_toml(value)}" for key, value in changes.items()]
    case = prepare(Request(CONFIGS / f"{name}.toml", texts))
    ds = base_case.endpoints(case, case.method)
    began = clock.perf_counter()
    again = base_case.endpoints(case, case.method)  # without compilation, also of the map
    seconds = clock.perf_counter() - began - again.attrs["compile_s"]
    return ds.assign_attrs(simulate_s=seconds, response_criteria=case.config.response)


def _until_end(dose: dict[str, Any]) -> dict[str, Any]:
    """Return a repeated dose of a config, repeated until the end of the trial."""
    first, every = (
        units.parse(text, "day", where="time") for text in (dose["time"], dose["repeat"]["every"])
    )
    times = int(np.ceil((DAYS - first) / every))
    names = [*dose["period"], *(f"M{n}" for n in range(1, times))]
    return {**dose, "period": names[:times], "repeat": {**dose["repeat"], "times": times}}


def _row(name: str, after: int, form: str, ds: xr.Dataset) -> Row:
    return row(
        "lesion_map",
        form,
        case=name,
        after=after,
        patients=ds.sizes["patient"],
        days=DAYS,
        compile_s=round(ds.attrs["compile_s"], 1),
        simulate_s=round(ds.attrs["simulate_s"], 2),
        **{key: round(100 * float(np.mean(values)), 2) for key, values in judged(ds).items()},
    )


def _differences(name: str, after: int, full: xr.Dataset, alone: xr.Dataset) -> Row:
    one, other = judged(full), judged(alone)
    volumes = [ds.tumor_volume_visit.values[0, :, -1] for ds in (full, alone)]
    seen = np.minimum(*volumes) > SMALLEST_ML
    error = np.abs(np.log(volumes[1][seen] / volumes[0][seen]))
    return row(
        "lesion_map",
        "difference",
        case=name,
        after=after,
        patients=full.sizes["patient"],
        **{f"{key}_patients": int((one[key] != other[key]).sum()) for key in one},
        log_volume_median=float(f"{np.median(error):.2g}"),
        log_volume_q95=float(f"{np.quantile(error, 0.95):.2g}"),
        log_volume_max=float(f"{error.max():.2g}"),
    )


def judged(ds: xr.Dataset) -> dict[str, np.ndarray]:
    """Return whether each patient of the only arm responds, and has progressed or not.

    Args:
        ds: Results with lesions.

    Returns:
        Response, complete response (in myeloma a very good partial one), progression within six
        months, and response at the last visit; (patient,) each.
    """
    if "m_protein_visit" in ds:
        protein = (ds.m_protein_visit / ds.m_protein_baseline).values[0]
        nadir = np.minimum.accumulate(np.concatenate([np.ones_like(protein[:, :1]), protein], 1), 1)
        before = ds.m_protein_baseline.values[0, :, None]
        rise = (protein - nadir[:, :-1]) * before  # [g/L]
        grows = (protein >= 1.25 * nadir[:, :-1]) & (rise >= np.where(before < 1.0, 0.1, 5.0))
        early = np.array(VISITS) <= 168
        return {
            "orr": (protein <= 0.5).any(1),
            "cr": (protein <= 0.1).any(1),
            "pd_6_months": grows[:, early].any(1),
            "response_at_end": (protein[:, -1] <= 0.5) & ~grows.any(1),
        }
    with double():
        return {key: np.asarray(value) for key, value in _by_scans(ds).items()}


def _by_scans(ds: xr.Dataset) -> dict[str, jax.Array]:
    """Response by Lugano or RECIST, with the same random draws for the same patients."""
    rule = Lugano() if ds.attrs["response_criteria"] == "lugano" else Recist()
    shape = ds.lesion_volume_visit.shape[1:]
    random = np.random.default_rng(1)
    draws = random.standard_normal(shape), random.standard_normal((shape[0], shape[2]))
    threshold = random.exponential(size=shape[0])

    def of_patient(*values: jax.Array) -> Any:
        volume, viable, before, hazard, error, error_before, limit = values
        scans = geometry.Scans(
            time=jnp.array(VISITS, float),
            lesions=geometry.measured(volume, viable, geometry.error_factor(error)),
            baseline=geometry.measured(before, before, geometry.error_factor(error_before)),
            new_lesion=new_lesion_seen(hazard, limit),
        )
        return rule(scans, no_events())

    found = jax.vmap(of_patient)(
        *(jnp.maximum(jnp.asarray(ds[f"lesion_{key}"].values[0]), 0.0) for key in _MEASURES),
        jnp.asarray(ds.new_lesion_hazard_visit.values[0]),
        *map(jnp.asarray, draws),
        jnp.asarray(threshold),
    )
    return {
        "orr": found.best >= Category.PARTIAL,
        "cr": found.best == Category.COMPLETE,
        "pd_6_months": found.progression_time <= 168,
        "response_at_end": (found.best >= Category.PARTIAL) & ~(found.progression_time <= DAYS),
    }


_MEASURES = ("volume_visit", "viable_visit", "volume_baseline")


def _toml(value: Any) -> str:
    """Return a value as TOML on one line; only tables differ from JSON."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(k)} = {_toml(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
