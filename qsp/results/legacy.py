"""Reader of results of qsp 0.1.0: its names become those of this version, and a record is built.

This is the only module that parses the text of a config or a shell command out of results.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from qsp.errors import ConfigError, QSPWarning
from qsp.parameter_record import ParameterRecord
from qsp.results.mass import with_mass_units
from qsp.results.record import (
    ATTRIBUTE,
    HOURS_PER_DAY,
    ArmRecord,
    DoseRecord,
    MethodRecord,
    RegimenRecord,
    RequestRecord,
    RunRecord,
)

ATTRIBUTES = {"lane_width": "chunk_size"}
"""Attributes by their name in 0.1.0."""

PREFIX, NEW_PREFIX = "given_", "administered_"
"""Prefix of the variables of administered doses, in 0.1.0 and now."""

_REPLACED = ("arm_titles", "doses", "parameters", "limits", "rules", "planned_doses")
"""Attributes whose content is in the record."""

_OVERRIDE = "# --set "
_OPTIONS = {
    "--patients": "patients",
    "--seed": "seed",
    "--solver": "method.solver",
    "--rtol": "method.rtol",
}
_AMOUNT = re.compile(r"([\d.]+(?:e[+-]?\d+)?) (mg|ug)(/kg|/m\^2)?(/day)?")
_SIZES = {None: "patient", "/kg": "kg", "/m^2": "m2"}
_LEFT_OUT = re.compile(r"(\d+) more regimens")
_MOLECULE_KINDS = {"IV": "drug_iv", "SC": "drug_sc"}


class OldResultsWarning(QSPWarning):
    """Results of an earlier version were read under the names of this version."""


def is_old(results: xr.DataTree) -> bool:
    """Whether results were written by qsp 0.1.0: by a run, and without a record."""
    return ATTRIBUTE not in results.attrs and "qsp_version" in results.attrs


def upgraded(results: xr.DataTree) -> xr.DataTree:
    """Return results under the names of this version, with a record.

    Results that have a record are returned unchanged. For older ones, a warning names the
    version and the renamed items.

    Args:
        results: Results, after reading.
    """
    if not is_old(results):
        return results
    ds = results.to_dataset()
    names = {
        name: NEW_PREFIX + str(name).removeprefix(PREFIX)
        for name in ds.variables
        if str(name).startswith(PREFIX)
    }
    attributes = {old: new for old, new in ATTRIBUTES.items() if old in ds.attrs}
    record = _record(ds.attrs)
    kept = {
        attributes.get(name, name): value
        for name, value in ds.attrs.items()
        if name not in _REPLACED
    }
    _warn(str(ds.attrs["qsp_version"]), attributes, has_doses=bool(names))
    renamed = ds.rename(names)
    renamed.attrs = {**kept, ATTRIBUTE: record.to_json()}
    tree = xr.DataTree(renamed, children=dict(results.children))
    tree.set_close(results.close)
    weight = record.molecular_weight_kda
    return tree if weight is None else _with_mass_units(tree, weight)


def _with_mass_units(tree: xr.DataTree, weight: float) -> xr.DataTree:
    described = with_mass_units(tree, weight)
    described.set_close(tree.close)
    return described


def _warn(version: str, attributes: Mapping[str, str], *, has_doses: bool) -> None:
    renamed = [f"attribute {old} -> {new}" for old, new in attributes.items()]
    renamed += [f"variables {PREFIX}* -> {NEW_PREFIX}*"] if has_doses else []
    what = f"; renamed: {', '.join(renamed)}" if renamed else ""
    text = f"results of qsp {version}, read under the names of this version{what}"
    warnings.warn(text, OldResultsWarning, stacklevel=3)


def _record(attrs: Mapping[str, Any]) -> RunRecord:
    """Build the record of a run from the attributes of 0.1.0."""

    def text(name: str) -> str:
        return str(attrs.get(name, ""))

    def number(name: str) -> float | None:
        return float(attrs[name]) if name in attrs else None

    return RunRecord(
        qsp_version=text("qsp_version"),
        git_commit=text("git_commit"),
        name=text("config_name"),
        title=text("title"),
        request=_request(text("command"), text("config")),
        config=_tables(text("config")),
        seed=int(attrs["seed"]) if "seed" in attrs else None,
        method=MethodRecord(
            text("solver"), float(attrs["rtol"]), text("precision"), text("backend")
        ),
        molecule=text("molecule"),
        molecular_weight_kda=number("molecular_weight_kda"),
        population=text("population"),
        disease=text("disease"),
        response_criteria=text("response_criteria"),
        days=number("days"),
        arms=_arms(attrs),
        notes=tuple(text("notes").splitlines()),
        parameters=tuple(ParameterRecord(**row) for row in _loaded(attrs, "parameters", [])),
        limits=tuple(_loaded(attrs, "limits", [])),
    )


def _loaded(attrs: Mapping[str, Any], name: str, default: Any) -> Any:
    return json.loads(str(attrs[name])) if name in attrs else default


def _tables(config: str) -> dict[str, Any]:
    """Tables of the config file, without the overrides, which follow them as comments.

    Dates and times, which a config does not need, become text, as JSON has no such type.
    """
    return json.loads(json.dumps(tomllib.loads(config), default=str))


def _request(command: str, config: str) -> RequestRecord | None:
    """Arguments of the recorded command."""
    words = shlex.split(command)
    if words[:2] != ["qsp", "run"] or len(words) < 3:
        return None
    options: dict[str, str] = {}
    rest = words[3:]
    while rest:
        option = rest.pop(0)
        if option != "--typical":
            options[option] = rest.pop(0)
    return RequestRecord(
        config=words[2],
        overrides=_overrides(config),
        parameters=options.get("--parameters"),
        covariates=options.get("--covariates"),
        typical="--typical" in words,
        out=options.get("--out"),
    )


def _overrides(config: str) -> tuple[tuple[str, str], ...]:
    """Key and value of each change to the config, from the comments below its text."""
    lines = [line for line in config.splitlines() if line.startswith(_OVERRIDE)]
    pairs = (line.removeprefix(_OVERRIDE).partition("=") for line in lines)
    return tuple((key.strip(), value.strip()) for key, _, value in pairs)


def _arms(attrs: Mapping[str, Any]) -> tuple[ArmRecord, ...]:
    titles: dict[str, str] = _loaded(attrs, "arm_titles", {})
    rows: list[dict[str, str]] = _loaded(attrs, "doses", [])
    rules = _loaded(attrs, "rules", {})
    planned = _loaded(attrs, "planned_doses", {})
    return tuple(
        ArmRecord(
            name=name,
            title="" if title == name else title,
            regimens=_regimens(title, rows, str(attrs.get("molecule", ""))),
            regimens_left_out=_left_out(title, rows),
            rules=tuple(rules.get(name, ())),
            planned_doses=tuple(planned.get(name, ())),
        )
        for name, title in titles.items()
    )


def _regimens(
    title: str, rows: Sequence[dict[str, str]], molecule: str
) -> tuple[RegimenRecord, ...]:
    """Regimens of an arm, from rows that name it by its title, with patients where they differ."""
    groups: dict[str, list[DoseRecord]] = {}
    for row in rows:
        own = row["arm"] == title or re.match(re.escape(title) + r", patients? \d", row["arm"])
        if own and not _LEFT_OUT.fullmatch(row["day"]):
            groups.setdefault(row["arm"], []).append(_dose(row, molecule))
    return tuple(
        RegimenRecord(tuple(doses), _patients(name.removeprefix(title)))
        for name, doses in groups.items()
    )


def _left_out(title: str, rows: Sequence[dict[str, str]]) -> int:
    found = (_LEFT_OUT.fullmatch(row["day"]) for row in rows if row["arm"] == title)
    return sum(int(match[1]) for match in found if match)


def _patients(text: str) -> tuple[int, ...]:
    """Ids in a text such as ", patients 3 to 7"; long lists were shortened, so these are some."""
    span = re.fullmatch(r", patients (\d+) to (\d+)", text)
    if span:
        return tuple(range(int(span[1]), int(span[2]) + 1))
    return tuple(int(number) for number in re.findall(r"\d+", text.partition(" and ")[0]))


def _dose(row: Mapping[str, str], molecule: str) -> DoseRecord:
    """A dose from the row of a table: texts with four digits and a unit."""
    day = int(row["day"].removeprefix("day "))
    duration = _duration(row["over"])
    amount, _, cap = row["amount"].partition(", at most ")
    is_molecule = row["drug"] == molecule
    kind = _MOLECULE_KINDS[row["route"]] if is_molecule else row["drug"].replace(" ", "_")
    return DoseRecord(
        time=(day - 1 if day > 0 else day) + float(row["hour"]) / HOURS_PER_DAY,
        drug=row["drug"],
        kind=kind,
        route=row["route"],
        amount_mg=_mg(amount, duration),
        per=_SIZES[_amount(amount)[3]],
        cap_mg=_mg(cap, duration) if cap else None,
        duration=duration,
        period=row["period"],
    )


def _duration(text: str) -> float:
    """Days in a text such as "4 h", "7 day" or "bolus"."""
    if text == "bolus":
        return 0.0
    value, unit = text.split(" ")
    return float(value) / (HOURS_PER_DAY if unit == "h" else 1.0)


def _mg(text: str, duration: float) -> float:
    """Amount in a text such as "8 mg/kg" or "9 ug/day" [mg]; a rate times the duration."""
    found = _amount(text)
    value = float(found[1]) * (1e-3 if found[2] == "ug" else 1.0)
    return value * duration if found[4] else value


def _amount(text: str) -> re.Match[str]:
    found = _AMOUNT.fullmatch(text)
    if found is None:
        rule, todo = "doses must be amounts in mg or ug", "Run the trial again"
        raise ConfigError("results of an earlier version", rule, repr(text), todo)
    return found
