"""Read a config file, with the changes of the command line, and refuse it if anything is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qsp.config.config import Config
from qsp.config.messages import Source, first_error
from qsp.config.overrides import overridden
from qsp.errors import ConfigError, suggest
from qsp.trial.dose_rows import dose_rows

# Only scales amounts, so what is wrong with a trial shows with any weight.
_ANY_WEIGHT = 150.0


def load(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Read and check a config.

    Args:
        path: The TOML file.
        overrides: Changes, each as KEY=VALUE, such as `arms.flat.doses.0.amount=30 mg`.

    Returns:
        The config, complete: a trial can be made of it.

    Raises:
        ConfigError: With file, key, rule, value and what to do, at the first thing that is wrong.
    """
    file = Path(path)
    text = _text(file)
    data, applied = overridden(_tables(file, text), overrides)
    source = Source(file, text, applied)
    data.setdefault("name", file.stem)
    try:
        _add_patients(data, source)
        config = Config.model_validate(data)
        config._source = source
        _check(config)
    except ValidationError as error:
        raise first_error(error, Config, source) from None
    except ConfigError as error:
        known = error.where.split(".", 1)[0] in (*Config.model_fields, "trial")
        # A dose table names its own file and line.
        raise (source.say(error) if known else error) from None
    return config


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        known = sorted(other.name for other in file.parent.glob("*.toml"))
        todo = f"{suggest(file.name, known)} Check the path".strip()
        raise ConfigError(str(file), "the config file must exist", "missing", todo) from None
    except (OSError, UnicodeDecodeError):
        todo = "Name a TOML file in UTF-8"
        rule = "the config must be a text file"
        raise ConfigError(str(file), rule, "not readable as one", todo) from None


def _tables(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        todo = "Correct that line; texts and quantities stand in quotes"
        raise ConfigError(str(file), "the file must be TOML", f"not: {error}", todo) from None


def _add_patients(data: dict[str, Any], source: Source) -> None:
    """With a dose table, everyone in it unless the config says how many."""
    table = data.get("dose_table")
    if "patients" in data or not isinstance(table, dict) or not isinstance(table.get("file"), str):
        return
    ignore = table.get("ignore", [])
    columns = [column for column in ignore if isinstance(column, str)] if ignore else []
    rows = dose_rows(source.file.parent / table["file"], columns)
    data["patients"] = max(1, len({row.text("ID") for row in rows}))


def _check(config: Config) -> None:
    if config.dose_table is None and not config.arms:
        todo = "Write [arms.NAME] tables, or [dose_table] in their place"
        raise ConfigError("arms", "the value must be given, or else dose_table", "missing", todo)
    for key in ("arms", "premedication"):
        if config.dose_table is not None and getattr(config, key):
            todo = "Remove one of them; the table holds every dose"
            raise ConfigError(key, "the value must not stand beside dose_table", "there", todo)
    # The properties raise where there is no file.
    _ = config.population_file, config.molecule_file
    chosen = config.trajectories
    if chosen.patients and chosen.ids:
        rule, todo = "the value must not stand beside patients", "Remove one of them"
        raise ConfigError("trajectories.ids", rule, list(chosen.ids), todo)
    for n, patient in enumerate(chosen.ids):
        if patient >= config.patients:
            rule = f"the value must be below the number of patients ({config.patients})"
            raise ConfigError(f"trajectories.ids.{n}", rule, patient, "Ids count from 0")
    config.trial(_ANY_WEIGHT)
