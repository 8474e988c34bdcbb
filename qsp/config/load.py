"""Read a config file, apply the overrides of the command line, and check the result."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from qsp import shipped
from qsp.config.cohorts import check_with_cohort, cohort_of, roster_of_cohort
from qsp.config.config import LONGEST, Config
from qsp.config.messages import Source, first_error, shown
from qsp.config.observed import columns_to_read, in_trial, observations_of
from qsp.config.overrides import overridden
from qsp.config.patients import Roster, check_draws, notes, patient_ids, without_molecule
from qsp.config.patients import shown as ids_shown
from qsp.config.renamed import warn_of_renamed, with_new_keys
from qsp.errors import ConfigError, LengthError, QSPError, suggest
from qsp.molecules import load as load_molecule
from qsp.molecules.molecule import check_name
from qsp.observations import Observations
from qsp.trial import Arm, Trial, most_periods, steady
from qsp.trial.dose_rows import COVARIATES, DoseRows, read_dose_rows
from qsp.trial.length import minimum_days

if TYPE_CHECKING:
    from qsp.populations import CohortFile

# The molecular weight only scales amounts, so any weight reveals the errors of a trial.
_ANY_WEIGHT = 150.0
_BYTES = 1500
"""Order of magnitude of the results of a patient in an arm, without trajectories [byte]."""


def load(path: Path | str, overrides: Sequence[str] = (), patients: Roster | None = None) -> Config:
    """Read and check a config.

    Args:
        path: The TOML file, or the name of a config that ships with the package.
        overrides: Changes, each as KEY=VALUE, such as `arms.flat.doses.0.amount=30 mg`.
        patients: Patients of the run; they replace the number of patients in the file.

    Returns:
        The config, with every rule checked: `Config.trial` does not fail.

    Raises:
        ConfigError: At the first error, with file, key, rule, value and remedy.
    """
    file = config_file(path)
    text = _text(file)
    data, source = _renamed_and_overridden(file, text, overrides)
    data.setdefault("name", name_of(file))
    return checked(data, source, patients)


def checked(data: dict[str, Any], source: Source, patients: Roster | None = None) -> Config:
    """Check the tables of a config, wherever they come from.

    Args:
        data: Tables as TOML gives them, with a name.
        source: File, text and overrides; the file need not exist, but paths are relative to it.
        patients: Patients of the run; they replace the number of patients in the tables.

    Returns:
        The config, with every rule checked: `Config.trial` does not fail.

    Raises:
        ConfigError: At the first error, with file, key, rule, value and remedy.
    """
    try:
        rows = _dose_rows(data, source)
        table = _roster_of(rows)
        cohort = cohort_of(data, source)
        asked = _set_patients(data, source, table, patients, cohort)
        config = Config.model_validate(data)
        config._source, config._dose_rows, config._cohort = source, rows, cohort
        _check_tables(config, table if table and table.is_described else patients)
        if cohort is not None:
            check_with_cohort(config, table, patients)
        observed = _observed(config)
        if rows is not None and rows.problems:
            config.trial(_ANY_WEIGHT)  # raises all errors of the table together
        known = table if cohort is None else roster_of_cohort(cohort)
        config._ids = patient_ids(config.patients, known, patients)
        trial = _checked_trial(config)
        if observed is not None:
            config._observed = in_trial(observed, trial.arms, config.days)
        config._notes = (
            *notes(asked, config.patient_ids, table, patients),
            *(() if rows is None else _notes_of(rows, trial.arms, config.patient_ids)),
            *_notes_of_observations(config),
            *steady.notes(trial.lesions_alone_after),
        )
    except ValidationError as error:
        raise first_error(error, Config, source) from None
    except ConfigError as error:
        known = error.where.split(".", 1)[0] in (*Config.model_fields, "trial")
        # An error of a dose table already names the file and the line.
        named = source.say(error) if known else error
        if isinstance(error, LengthError):
            named = source.shortened(named, error.needed)
        raise named from None
    _ = config.parameter_files  # raises errors that name the file already
    return config


def name_of(file: Path) -> str:
    """Return the name of a run from the name of its config, without spaces and other letters."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", file.stem).lstrip("_.-") or "trial"


def config_file(path: Path | str) -> Path:
    """Return the file of a config: the path if there is such a file, else the shipped config.

    Raises:
        ConfigError: If there is neither, with the nearest names.
    """
    file, name = Path(path), Path(path).as_posix()
    if file.exists():
        return file
    found = None if file.suffix == ".toml" else shipped.find("configs", name)
    if found is not None:
        return found
    near = suggest(file.name, sorted(other.name for other in file.parent.glob("*.toml")))
    near = near or shipped.suggestion("configs", name.removesuffix(".toml"))
    todo = f"{near} Check the path, or write the name of a shipped config".strip()
    raise ConfigError(str(file), "the config file must exist", "missing", todo)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        todo = "Name a TOML file in UTF-8"
        rule = "the config must be a text file"
        raise ConfigError(str(file), rule, "not readable as text", todo) from None


def _renamed_and_overridden(
    file: Path, text: str, overrides: Sequence[str]
) -> tuple[dict[str, Any], Source]:
    """Tables of a config with current keys and with the overrides, and their source."""
    tables, in_file = with_new_keys(_tables(file, text), str(file))
    changed = overridden(tables, overrides)
    # An override may be a table, with old keys in it.
    data, in_overrides = with_new_keys(changed.tables, f"{file} with --set")
    warn_of_renamed((*in_file, *changed.renamed, *in_overrides), str(file))
    return data, Source(file, text, changed.applied)


def _tables(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        todo = "Correct that line; text and quantities need quotes"
        raise ConfigError(str(file), "the file must be TOML", f"not: {error}", todo) from None


def _dose_rows(data: dict[str, Any], source: Source) -> DoseRows | None:
    """Rows of the dose table, or None if the config has no dose table."""
    table = data.get("dose_table")
    if not isinstance(table, dict) or not isinstance(table.get("file"), str):
        return None
    ignore = table.get("ignore", [])
    ignore = [ignore] if isinstance(ignore, str) else ignore
    columns = [c for c in ignore if isinstance(c, str)] if isinstance(ignore, list) else []
    path, default = source.file.parent / table["file"], str(table.get("default_compartment", ""))
    return read_dose_rows(
        path, columns, COVARIATES, columns_to_read(data), default_compartment=default
    )


def _observed(config: Config) -> Observations | None:
    table, doses = config.observations, config.dose_table
    if table is None:
        return None
    time_unit = None if doses is None else doses.time_unit
    return observations_of(table, config.dose_rows, time_unit, config.source.file.parent)


def _notes_of_observations(config: Config) -> tuple[str, ...]:
    """Sentences about observations; lines of a dose table that no table maps are counted."""
    rows = config.dose_rows
    if config.observed is not None:
        return config.observed.notes
    if rows is None or "DV" not in rows.passed or not rows.is_observation.any():
        return ()
    count = int(rows.is_observation.sum())
    lines = "1 line with EVID 0 is" if count == 1 else f"{count} lines with EVID 0 are"
    return (
        f"{rows.name}: {lines} not read; [observations] maps DVID to quantities to compare them.",
    )


def _roster_of(rows: DoseRows | None) -> Roster | None:
    if rows is None:
        return None
    return Roster(rows.patients, rows.name, is_described=bool(rows.covariates))


def _notes_of(rows: DoseRows, arms: Sequence[Arm], ids: Sequence[int]) -> tuple[str, ...]:
    """Sentences about the lines of a dose table that the user should know."""
    sentences = list(rows.notes)
    for arm in arms:
        untreated = without_molecule(arm, ids)
        if untreated:
            who = "patient" if len(untreated) == 1 else f"{len(untreated)} patients:"
            place = f" in arm {arm.name!r}" if len(arms) > 1 else ""
            sentences.append(
                f"{rows.name} has no dose of the molecule{place} for {who} {ids_shown(untreated)}; "
                "simulated untreated, and not counted in the rates of CRS."
            )
    if rows.covariates:
        columns = ", ".join(rows.covariates)
        sex = " (SEX: 0 is male, 1 is female)" if "SEX" in rows.covariates else ""
        sentences.append(f"Covariates of the patients are in {rows.name}: {columns}{sex}.")
    return tuple(sentences)


def _set_patients(
    data: dict[str, Any],
    source: Source,
    table: Roster | None,
    roster: Roster | None,
    cohort: CohortFile | None,
) -> int | None:
    """Set the number of patients; return the number in the config, or None if it has none.

    Raises:
        ConfigError: If an override sets a number that differs from that of a file of patients.
    """
    asked = data.get("patients")
    if roster is not None:
        changed = any(key == "patients" for key, _ in source.overrides)
        if changed and asked != len(roster.ids):
            rule = f"the value must be the number of patients in {roster.file} ({len(roster.ids)})"
            raise ConfigError(
                "patients", rule, shown(asked), "Leave it out: the file lists the patients"
            )
        data["patients"] = len(roster.ids)
    elif cohort is not None:
        data.setdefault("patients", len(cohort))
    elif table is not None:
        data.setdefault("patients", max(1, len(table.ids)))
    return asked


def _check_tables(config: Config, roster: Roster | None) -> None:
    if config.dose_table is None and not config.arms:
        todo = "Write [arms.NAME] tables or a [dose_table]"
        rule = "the value must be given, unless there is a dose_table"
        raise ConfigError("arms", rule, "missing", todo)
    for key in ("arms", "premedication"):
        if config.dose_table is not None and getattr(config, key):
            todo = "Remove one of them; the table has every dose"
            raise ConfigError(key, "the value must not be given with dose_table", "given", todo)
    if config.draws and (config.is_typical or roster is not None):
        other = f"the patients of {roster.file}" if roster else 'patients = "typical"'
        rule, todo = f"the value must not be given with {other}", "Remove one of them"
        raise ConfigError("draws", rule, "given", todo)


def _checked_trial(config: Config) -> Trial:
    """Return the trial of a config, with every rule about patients, files and doses checked."""
    _check_patients(config)
    # These properties raise if there is no file.
    if config.molecule_file is None:
        check_name(config.molecule, config.source.file.parent)
    _ = config.population_file
    check_draws(config.draws, len(config.patient_ids))
    chosen = config.trajectories
    if chosen.patients and chosen.ids:
        rule, todo = "the value must not be given with patients", "Remove one of them"
        raise ConfigError("trajectories.ids", rule, list(chosen.ids), todo)
    for n, patient in enumerate(chosen.ids):
        if patient not in config.patient_ids:
            rule = "the value must be the id of a patient of the run"
            todo = f"Ids of the run: {ids_shown(config.patient_ids)}"
            raise ConfigError(f"trajectories.ids.{n}", rule, patient, todo)
    try:
        trial = config.trial(_weight(config))
    except LengthError as error:
        error.needed = _minimum_days(config)
        raise
    _check_molecule(config, trial)
    _check_periods(config, trial)
    _check_reference(config.reference, [arm.name for arm in trial.arms])
    return trial


def _check_patients(config: Config) -> None:
    """Check the number of patients before anything is allocated."""
    asked, most = config.patients, config.method.most_patients
    # The length of a range of more than 2^63 ids overflows.
    count = asked if isinstance(asked, int) else len(config.patient_ids)
    if count > most:
        arms = max(1, len(config.arms))
        rule = f"the value must be at most method.most_patients ({most})"
        todo = (
            f"Their results need about {count * arms * _BYTES / 1e9:,.0f} GB: lower it, or raise "
            "method.most_patients"
        )
        raise ConfigError("patients", rule, count, todo)


def _check_molecule(config: Config, trial: Trial) -> None:
    """Check that a dose table treats a patient of the run; an arm of a config always has doses."""
    rows = config.dose_rows
    regimens = (regimen for arm in trial.arms for regimen in arm.regimens)
    if rows is not None and not any(regimen.labels for regimen in regimens):
        rule = "the table must hold a dose of the molecule for a patient of the run"
        raise ConfigError(rows.name, rule, "without one", "Add a dose, or choose other patients")


def _check_periods(config: Config, trial: Trial) -> None:
    """Check the number of dose periods, on which compile time and memory depend."""
    count, most = most_periods(trial, bucket=1), config.method.most_periods
    if count > most:
        file = config.source.file.name if config.dose_rows is None else config.dose_rows.name
        rule = f"the dose periods of a patient must be at most method.most_periods ({most})"
        todo = (
            "Compile time and memory grow with them (1000 need more than 13 GB): give doses that "
            "belong together one period, or raise method.most_periods"
        )
        raise ConfigError(file, rule, count, todo)


def _weight(config: Config) -> float:
    """Molecular weight [kDa] with which a run builds the trial; any, if the molecule is invalid."""
    if config.dose_table is None:
        return _ANY_WEIGHT
    try:
        return load_molecule(config.molecule_file or config.molecule).molecular_weight
    except QSPError:  # a run reports it
        return _ANY_WEIGHT


def _check_reference(reference: str | None, arms: Sequence[str]) -> None:
    if reference is not None and reference not in arms:
        todo = f"{suggest(reference, arms)} Arms: {', '.join(arms)}".strip()
        raise ConfigError("reference", "the value must be an arm", repr(reference), todo)


def _minimum_days(config: Config) -> int | None:
    """Days that the trial needs, or None if even the longest trial has an error."""
    longest = config.model_copy(update={"days": LONGEST})
    try:
        arms = longest.trial(_ANY_WEIGHT).arms
    except ConfigError:
        return None
    return minimum_days(arms, config.visit_times if config.visits else ())
