"""The record of a run: its resolved input as typed data, stored as JSON in the results.

Results carry the record in the attribute `run_record`. Arms, doses, rules, parameters and the
request are read from it, and no code parses the text of a config or a shell command. Single values,
such as `days`, `response_criteria` and `title`, are also attributes: `ncdump -h` prints them, and
endpoints and reports read them. Files of qsp 0.1.0 have no record; `qsp.results.legacy` builds one
when such a file is read.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qsp.errors import ConfigError
from qsp.parameter_record import ParameterRecord

if TYPE_CHECKING:
    import xarray as xr

SCHEMA = 1
"""Version of the record; it changes when a field is renamed or gets another meaning."""

ATTRIBUTE = "run_record"
"""Attribute of the results that holds the record."""

HOURS_PER_DAY = 24.0
SMALLEST_MG = 0.1
"""Amounts below this are written in ug [mg]."""

_SIZES = {"patient": "", "kg": "/kg", "m2": "/m^2"}
_MOLECULE_KINDS = ("drug_iv", "drug_sc")


@dataclasses.dataclass(frozen=True)
class RequestRecord:
    """Arguments of the run.

    Args:
        config: Path of the config file.
        overrides: Key and value of each change to the config that had an effect, in order.
        parameters: Path of the user's parameter values, if any.
        covariates: Path of the CSV file of the user's patients, if any.
        typical: Whether the run is of the typical patient, who has no variability.
        out: Output folder, if one was named.
    """

    config: str
    overrides: tuple[tuple[str, str], ...] = ()
    parameters: str | None = None
    covariates: str | None = None
    typical: bool = False
    out: str | None = None


@dataclasses.dataclass(frozen=True)
class MethodRecord:
    """Numerical method.

    Args:
        solver: Name of the solver.
        rtol: Relative tolerance.
        precision: "float64" or "float32".
        backend: Code that computed the run, "native" or "xla"; before the run, the requested one.
    """

    solver: str
    rtol: float
    precision: str
    backend: str


@dataclasses.dataclass(frozen=True)
class DoseRecord:
    """One planned administration.

    Args:
        time: Start, since the first dose of the molecule [day].
        drug: Name of the molecule or of the supportive drug.
        kind: Drug and route as the model knows them, such as "drug_iv"; see `qsp.trial`.
        route: "IV", "SC" or "oral".
        amount_mg: Amount [mg] for the patient, or for each kg or m^2.
        per: "patient", "kg" or "m2".
        cap_mg: Largest amount that a patient receives [mg]; None where there is no cap.
        duration: Duration of the infusion; 0 for a bolus or an injection [day].
        period: Label of the dose period; "" for a supportive drug.
    """

    time: float
    drug: str
    kind: str
    route: str
    amount_mg: float
    per: str = "patient"
    cap_mg: float | None = None
    duration: float = 0.0
    period: str = ""

    @property
    def day(self) -> int:
        """Protocol day: 1 is the day of the first dose, -1 the day before it."""
        day = math.floor(round(self.time, 6))
        return day + 1 if day >= 0 else day

    @property
    def hour(self) -> float:
        """Hour of the protocol day, from 0."""
        time = round(self.time, 6)
        return (time - time // 1) * HOURS_PER_DAY

    @property
    def is_molecule(self) -> bool:
        """Whether this is a dose of the molecule and not of a supportive drug."""
        return self.kind in _MOLECULE_KINDS

    @property
    def is_rate(self) -> bool:
        """Whether the dose is written by its rate, as protocols write infusions of days."""
        return self.duration >= 1.0

    @property
    def amount(self) -> str:
        """Amount as text, such as "8 mg/kg, at most 800 mg"; by rate for an infusion of days."""
        days, unit = (self.duration, "/day") if self.is_rate else (1.0, "")
        cap = math.inf if self.cap_mg is None else self.cap_mg / days
        return amount_text(self.amount_mg / days, self.per, cap, unit=unit)

    @property
    def over(self) -> str:
        """Duration as text: "7 day", "4 h" or "bolus"."""
        if self.is_rate:
            return f"{self.duration:.4g} day"
        return f"{self.duration * HOURS_PER_DAY:.4g} h" if self.duration else "bolus"


@dataclasses.dataclass(frozen=True)
class RegimenRecord:
    """Planned doses of some patients of an arm.

    Args:
        doses: Administrations in order of time.
        patients: Ids of the patients; empty where the regimen is that of the whole arm.
    """

    doses: tuple[DoseRecord, ...]
    patients: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class ArmRecord:
    """One arm of the trial.

    Args:
        name: Name in the config, and in the coordinate `arm`.
        title: Title for tables and figures; "" where the arm has none.
        regimens: Distinct regimens, in the order of the patients; at most the first ten.
        regimens_left_out: Number of further regimens.
        parameters: Values of model parameters in this arm, by path.
        rules: Names of the dosing rules, in the order of their index.
        planned_doses: Label of each planned dose of an arm with adaptive dosing.
    """

    name: str
    title: str = ""
    regimens: tuple[RegimenRecord, ...] = ()
    regimens_left_out: int = 0
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rules: tuple[str, ...] = ()
    planned_doses: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """Resolved input of a run. A trial simulated without a config leaves the config part empty.

    Args:
        qsp_version: Version of the package.
        model_version: Version of the equations; "" where it was not recorded.
        git_commit: Commit of the checkout; "" outside of one.
        name: Name of the trial.
        title: Title of the trial; "" where it has none.
        request: Arguments of the run; None where it was not started from a config.
        config: Tables of the config with overrides and defaults in place.
        data_files: SHA-256 of each table of doses or covariates, by its role.
        seed: Seed of the random draws.
        method: Numerical method; None before the run is computed.
        molecule: Name of the molecule.
        molecular_weight_kda: Molecular weight [kDa].
        population: Name of the population.
        disease: Disease of the population.
        response_criteria: Criteria of tumor response.
        days: Length of the trial [day].
        visits: Times of tumor assessment [day].
        arms: Arms in order.
        notes: Remarks about the patients of the run.
        parameters: Parameter values with their sources.
        limits: Limits of validity.
        schema: Version of this record.
    """

    qsp_version: str = ""
    model_version: str = ""
    git_commit: str = ""
    name: str = ""
    title: str = ""
    request: RequestRecord | None = None
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    data_files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    seed: int | None = None
    method: MethodRecord | None = None
    molecule: str = ""
    molecular_weight_kda: float | None = None
    population: str = ""
    disease: str = ""
    response_criteria: str = ""
    days: float | None = None
    visits: tuple[float, ...] = ()
    arms: tuple[ArmRecord, ...] = ()
    notes: tuple[str, ...] = ()
    parameters: tuple[ParameterRecord, ...] = ()
    limits: tuple[str, ...] = ()
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the record as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """Read a record.

        Raises:
            ConfigError: If the text is no record, or one of a later schema.
        """
        try:
            found = json.loads(text)
            schema = found["schema"]
            record = None if schema != SCHEMA else _run_record(found)
        except (ValueError, KeyError, TypeError) as error:
            todo = "Run the trial again"
            raise ConfigError(
                ATTRIBUTE, "it must be the record of a run", repr(error), todo
            ) from None
        if record is None:
            rule, todo = f"schema must be {SCHEMA}", "Read the results with the qsp that wrote them"
            raise ConfigError(ATTRIBUTE, rule, schema, todo)
        return record


def record_of(ds: xr.Dataset | xr.DataTree) -> RunRecord:
    """Return the record of results; an empty one where results have none.

    Args:
        ds: Results.

    Raises:
        ConfigError: If the attribute `run_record` cannot be read.
    """
    text = ds.attrs.get(ATTRIBUTE)
    return RunRecord() if text is None else RunRecord.from_json(str(text))


def amount_text(mg: float, per: str, cap: float = math.inf, *, unit: str = "") -> str:
    """Return an amount as text, in ug below 0.1 mg.

    Args:
        mg: Amount [mg] for the patient, or for each kg or m^2.
        per: "patient", "kg" or "m2".
        cap: Largest amount that a patient receives [mg].
        unit: Text after the unit of the amount, such as "/day".
    """
    value, name = (mg * 1000.0, "ug") if 0 < mg < SMALLEST_MG else (mg, "mg")
    text = f"{value:.4g} {name}{_SIZES[per]}{unit}"
    is_capped = math.isfinite(cap)
    return f"{text}, at most {amount_text(cap, 'patient', unit=unit)}" if is_capped else text


def _run_record(found: dict[str, Any]) -> RunRecord:
    request, method = found["request"], found["method"]
    lists = {name: tuple(found[name]) for name in ("visits", "notes", "limits")}
    typed = {
        "request": None if request is None else _request(request),
        "method": None if method is None else MethodRecord(**method),
        "arms": tuple(_arm(arm) for arm in found["arms"]),
        "parameters": tuple(ParameterRecord(**row) for row in found["parameters"]),
    }
    return RunRecord(**{**found, **lists, **typed})


def _request(found: dict[str, Any]) -> RequestRecord:
    pairs = tuple((key, value) for key, value in found["overrides"])
    return RequestRecord(**{**found, "overrides": pairs})


def _arm(found: dict[str, Any]) -> ArmRecord:
    lists = {name: tuple(found[name]) for name in ("rules", "planned_doses")}
    regimens = tuple(
        RegimenRecord(
            doses=tuple(DoseRecord(**dose) for dose in regimen["doses"]),
            patients=tuple(regimen["patients"]),
        )
        for regimen in found["regimens"]
    )
    return ArmRecord(**{**found, **lists, "regimens": regimens})
