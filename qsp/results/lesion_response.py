"""Tumor response of runs with lesions, by the rule of the disease, as variables of the results.

Variables by dimension (each has `units` and `long_name`):

* ``(arm, patient)``: `best_response best_response_unconfirmed`; `best_disease_change`;
  `progression_free_time response_duration complete_response_duration`, each with an indicator of
  its event (`progression_free_event` ...), which is 0 if the patient is censored;
  `response_time complete_response_time progression_time death_time`; for scans
  `sum_of_products_baseline sum_of_diameters_baseline`
* ``(arm, patient, visit)``: `response_visit`, `disease_change_visit`; for scans
  `sum_of_products_visit sum_of_diameters_visit`

Codes of response are those of `qsp.response.category`, and -1 if the simulation failed. A time or
duration that does not apply is NaN, and its event -1. The measure of `disease_change_visit` is that
of the disease and is named in its attribute `measure`. A patient without any assessment is not
evaluable and counts in the denominator of rates.

Random numbers depend on the seed, the patient, their purpose, and the time of the visit where they
belong to one: they are the same in all arms, and do not depend on the other patients.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from qsp.engine.cache import jax_cache
from qsp.engine.precision import double
from qsp.errors import ConfigError, suggest
from qsp.populations import visit_names
from qsp.populations.draws import normals
from qsp.response.assessment import Assessment, AssessmentDraws, SimulatedVisits, assess
from qsp.response.category import CODES, MEANINGS
from qsp.response.m_protein import ELIMINATION
from qsp.response.outcomes import Survival
from qsp.response.rules import RULES

SIMULATIONS = 1024
"""Pairs of arm and patient assessed at a time. It is fixed, so that each rule is compiled once for
a number of visits and lesions, and that the bits do not depend on the number of patients."""
FILL = -1
"""Code of a patient whose simulation failed, and of an event that does not apply."""
_BOTH, _VISIT = ("arm", "patient"), ("arm", "patient", "visit")
_CODE = np.array([CODES[category] for category in sorted(CODES)], np.int8)


@dataclasses.dataclass(frozen=True)
class Naming:
    """Words in the descriptions of the variables.

    Args:
        rule: Name of the rule.
        measure: Measure of the disease, of which the change is reported.
        source: Reference of the rule.
    """

    rule: str
    measure: str
    source: str


@dataclasses.dataclass(frozen=True)
class Assessed:
    """Quantities of the patients that an assessment needs and the results do not hold.

    Args:
        k_death: Hazard of death without progression, (arm, patient) or a number [1/day].
        other_marrow: Volume of the other cells of the marrow, at the density of tumor cells, (arm,
            patient) or a number [mL].
        seed: Seed of the random numbers; None for the medians of all of them, without error of
            measurement.
    """

    k_death: np.ndarray | float = 0.0
    other_marrow: np.ndarray | float = np.nan
    seed: int | None = None


def with_lesion_response(ds: xr.Dataset, rule: str, patients: Assessed) -> xr.Dataset:
    """Return results with the response of every patient by the rule of the disease.

    Args:
        ds: Results with the variables of lesions, and the M-protein and its elimination for `imwg`.
        rule: One of `qsp.response.rules.RULES`.
        patients: Further quantities of the patients.

    Raises:
        ConfigError: If the rule is unknown, or the results lack a variable that it needs.
    """
    _check(ds, rule)
    if not ds.sizes["visit"]:  # a rule needs a visit, which is missed
        one = ds.drop_dims("visit").assign_coords(visit=[0.0])
        empty = {name: _missed(ds[name]) for name in ds if "visit" in ds[name].dims}
        found = with_lesion_response(one.assign(empty), rule, patients)
        return ds.assign(found.isel(visit=[])[[name for name in found if name not in ds]])
    known = RULES[rule]
    naming = Naming(rule, known.measure, known.source)
    return ds.assign(response_variables(ds, _assess(ds, rule, patients), naming))


def _check(ds: xr.Dataset, rule: str) -> None:
    if rule not in RULES:
        text = f"the rule of response must be one of {', '.join(RULES)}"
        raise ConfigError("results", text, repr(rule), suggest(rule, RULES))
    names = ["lesion_volume_visit", "lesion_viable_visit", "lesion_volume_baseline", "outcome"]
    if rule == "imwg":
        names += ["m_protein_visit", "m_protein_baseline", "m_protein_elimination"]
    for name in names:
        if name not in ds:
            text = f"the variable {name} must be present for {rule}"
            todo = 'Run the trial with [method] tumor = "lesions"'
            raise ConfigError("results", text, "missing", todo)


def _missed(values: xr.DataArray) -> xr.DataArray:
    """Return a variable over visits with one visit that is missed."""
    shape = [1 if dim == "visit" else size for dim, size in values.sizes.items()]
    return xr.DataArray(np.full(shape, np.nan), dims=values.dims, attrs=values.attrs)


def _assess(ds: xr.Dataset, rule: str, patients: Assessed) -> Assessment:
    """Return the assessments, with axes (arm, patient)."""
    arms, count = ds.sizes["arm"], ds.sizes["patient"]
    time = ds["visit"].values.astype(float)
    flat = jax.tree.map(
        lambda leaf: leaf.reshape(arms * count, *leaf.shape[2:]), _visits(ds, patients)
    )
    draws = _draws(ds, patients.seed)
    parts = []
    for here, more in _parts(arms * count):
        # Draws are those of the patient in every arm.
        of_patients = jax.tree.map(lambda leaf, at=here: leaf[at % count], draws)
        of_visits = jax.tree.map(lambda leaf, at=here: leaf[at], flat)
        with double(), jax_cache():
            found = jax.device_get(assess(rule, time, of_visits, of_patients))
        parts.append(jax.tree.map(lambda leaf, n=more: leaf[:n], found))
    whole = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    return jax.tree.map(lambda leaf: leaf.reshape(arms, count, *leaf.shape[1:]), whole)


def _parts(count: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield indices of simulations, always `SIMULATIONS` of them, and how many are not padding."""
    for first in range(0, count, SIMULATIONS):
        here = np.arange(first, first + SIMULATIONS)
        yield np.minimum(here, count - 1), min(SIMULATIONS, count - first)


def _visits(ds: xr.Dataset, patients: Assessed) -> SimulatedVisits:
    """Return the simulated quantities, with axes (arm, patient)."""
    shape = tuple(ds.sizes[dim] for dim in _BOTH)
    missing = np.full((*shape, ds.sizes["visit"]), np.nan)

    def values(name: str, *dims: str, absent: Any = missing) -> Any:
        return ds[name].transpose(*_BOTH, *dims).values.astype(float) if name in ds else absent

    one: Any = np.ones(shape)
    k_protein = values("m_protein_elimination", absent=one)
    return SimulatedVisits(
        volume=values("lesion_volume_visit", "visit", "lesion"),
        viable=values("lesion_viable_visit", "visit", "lesion"),
        volume_baseline=values("lesion_volume_baseline", "lesion"),
        new_lesion_hazard=values("new_lesion_hazard_visit", "visit"),
        m_protein=values("m_protein_visit", "visit"),
        m_protein_baseline=values("m_protein_baseline", absent=one),
        isotype=_isotype(k_protein),
        other_marrow=one * patients.other_marrow,
        k_death=one * patients.k_death,
    )


def _isotype(k_protein: np.ndarray) -> Any:
    """Return the isotype whose elimination is the nearest on the scale of logarithms."""
    known = np.where(k_protein > 0.0, k_protein, 1.0)
    return np.abs(np.log(known)[..., None] - np.log(ELIMINATION)).argmin(-1).astype(np.int32)


def _draws(ds: xr.Dataset, seed: int | None) -> AssessmentDraws:
    """Return the draws, with a leading patient axis."""
    ids, visits = ds["patient"].values, visit_names(ds["visit"].values)
    lesions = [f"response.{name}" for name in ds["lesion"].values]
    events = [f"response.{name}" for name in ("new_lesion", "death", "recovery")]
    errors = [f"{lesion}.{visit}" for visit in ("baseline", *visits) for lesion in lesions]
    names = [*events, *errors]
    z: Any = np.zeros((len(ids), len(names))) if seed is None else normals(seed, ids, names)
    error = z[:, len(events) :].reshape(len(ids), len(visits) + 1, len(lesions))
    return AssessmentDraws(error[:, 1:], error[:, 0], *z[:, : len(events)].T)


def response_variables(ds: xr.Dataset, found: Assessment, naming: Naming) -> dict[str, xr.Variable]:
    """Return assessments as variables of the results.

    Args:
        ds: Results with `outcome`.
        found: Assessments with axes (arm, patient).
        naming: Words of the descriptions.
    """
    ok = ds["outcome"].transpose(*_BOTH).fillna(FILL).values == 0
    of, rule, measure = found.outcomes, naming.rule, naming.measure
    make = _Maker(ok, naming.source)
    long = f"{measure[0].upper()}{measure[1:]}: change from baseline"
    about = {"measure": measure}
    data = {
        "best_response": make.code(of.best, f"Best response ({rule})"),
        "best_response_unconfirmed": make.code(
            of.best_unconfirmed, f"Best response without confirmation ({rule})"
        ),
        "response_visit": make.code(of.category, f"Response at visits ({rule})"),
        "disease_change_visit": make(of.change, "%", f"{long} at visits up to progression", about),
        "best_disease_change": make(of.best_change, "%", f"{long}, smallest at any visit", about),
        "response_time": make(of.response_time, "day", "Time to first response"),
        "complete_response_time": make(of.complete_time, "day", "Time to first complete response"),
        "progression_time": make(of.progression_time, "day", "Time to progression"),
        "death_time": make(found.death_time, "day", "Time to death without progression"),
    }
    for name, survival, meaning in (
        ("progression_free", of.progression_free, "Progression-free survival"),
        ("response_duration", of.response, "Duration of response"),
        ("complete_response_duration", of.complete, "Duration of complete response"),
    ):
        data |= make.survival(name, survival, meaning)
    if found.sums is not None:
        for field, long_name, units in (
            ("products", "Sum of products of diameters", "cm^2"),
            ("diameters", "Sum of longest diameters", "cm"),
        ):
            now, before = getattr(found.sums, field), getattr(found.sums, f"{field}_baseline")
            name = f"sum_of_{field}"
            data[f"{name}_visit"] = make(now, units, f"{long_name} at visits, as measured")
            data[f"{name}_baseline"] = make(before, units, f"{long_name} before treatment")
    return data


@dataclasses.dataclass(frozen=True)
class _Maker:
    """Makes variables of arrays, without values where the simulation failed.

    Args:
        ok: (arm, patient): Whether the simulation succeeded.
        source: Reference of the rule.
    """

    ok: np.ndarray
    source: str

    def __call__(
        self, values: Any, units: str, long_name: str, more: Mapping[str, str] | None = None
    ) -> xr.Variable:
        attributes = {"units": units, "long_name": long_name, **(more or {})}
        return xr.Variable(
            self._dims(values), np.where(self._mask(values), values, np.nan), attributes
        )

    def code(self, category: Any, long_name: str) -> xr.Variable:
        """Return the codes of categories."""
        return self._int8(
            _CODE[np.asarray(category)],
            self._mask(category),
            {
                "units": "1",
                "long_name": long_name,
                "flag_values": np.arange(len(MEANINGS), dtype=np.int8),
                "flag_meanings": " ".join(MEANINGS),
                "source": self.source,
            },
        )

    def survival(self, name: str, values: Survival, meaning: str) -> dict[str, xr.Variable]:
        """Return the time to an event, and whether it occurred."""
        applies = self._mask(values.time) & np.isfinite(values.time)
        attributes = {
            "units": "1",
            "long_name": f"{meaning}: whether it ended with an event (1) or is censored (0)",
            "flag_values": np.arange(2, dtype=np.int8),
            "flag_meanings": "censored event",
        }
        # `response_duration` is the name of the time itself.
        time = name if name.endswith("duration") else f"{name}_time"
        return {
            time: self(values.time, "day", meaning),
            f"{name}_event": self._int8(values.event, applies, attributes),
        }

    def _int8(self, values: Any, known: np.ndarray, attributes: dict[str, Any]) -> xr.Variable:
        codes = np.where(known, values, FILL).astype(np.int8)
        return xr.Variable(self._dims(codes), codes, attributes, {"_FillValue": np.int8(FILL)})

    def _mask(self, values: Any) -> np.ndarray:
        return self.ok.reshape(self.ok.shape + (1,) * (np.ndim(values) - self.ok.ndim))

    def _dims(self, values: Any) -> tuple[str, ...]:
        return _VISIT[: np.ndim(values)]
