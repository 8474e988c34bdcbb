"""Cohorts: disease, cells, tumor, antigens and covariates of the patients, read from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qsp.errors import ConfigError
from qsp.model.tissues import LESIONS
from qsp.molecules.parameter_file import ParameterFile, parameter_file, read_toml
from qsp.response.rules import RULES

VOLUME_CRITERIA = ("lugano", "recist")
"""Criteria of response for a tumor that is one pool of cells."""
_TEXTS = ("title", "disease", "response_criteria", "card")
_HEADER = ("extends", "covariates", "lesion_count", "lesion_criteria", *_TEXTS)


@dataclasses.dataclass(frozen=True)
class Cohort:
    """Description of the patients of a trial.

    Args:
        name: Name of the file without suffix.
        title: Title for reports.
        disease: Short name of the disease.
        response_criteria: ``lugano`` or ``recist``, for a tumor that is one pool of cells.
        lesion_criteria: Rule of the disease for a tumor with lesions: ``lugano``, ``recist``,
            ``imwg`` or ``blasts``; empty for that of the config.
        card: Text on the patients represented, the data behind the values, and limits of use.
        lesion_count: Number of lesions in the form of the tumor with lesions, 1 to 6.
        covariates: Distributions of the covariates, as in the file.
        parameters: Entries of the files, those of extended files first.
        files: Paths of the files, those of extended files first.
    """

    name: str
    title: str
    disease: str
    response_criteria: str
    card: str
    lesion_count: int
    lesion_criteria: str
    covariates: Mapping[str, Any]
    parameters: tuple[ParameterFile, ...]
    files: tuple[Path, ...]


def read_cohort(path: Path) -> Cohort:
    """Read a cohort from a TOML file and the files it extends.

    Raises:
        ConfigError: If a file breaks a rule.
    """
    return _read(path, ())


def _read(path: Path, extending: tuple[Path, ...]) -> Cohort:
    if path.resolve() in extending:
        rule = "extends must name a file that does not extend this one"
        raise ConfigError(extending[-1].name, rule, repr(path.name), "Remove one of the extends")
    table, where = read_toml(path), path.name
    if "growth" in table:  # of qsp 0.1.0
        rule = "growth must be absent: all tumors grow logistically to targets.capacity"
        todo = "Remove the line (docs/migration.md)"
        raise ConfigError(where, rule, repr(table["growth"]), todo)
    parameters = parameter_file(table, where, header=_HEADER)
    if "extends" in table:
        base = _read(path.parent / str(table["extends"]), (*extending, path.resolve()))
        texts = {key: getattr(base, key) for key in _TEXTS}
        lesion_count, lesion_criteria = base.lesion_count, base.lesion_criteria
        covariates, files, before = dict(base.covariates), base.parameters, base.files
        if "mixtures" in table:  # mixtures of a file, even an empty list, replace inherited ones
            files = tuple(dataclasses.replace(file, mixtures=()) for file in files)
    else:
        texts, covariates, files, before = {}, {}, (), ()
        lesion_count, lesion_criteria = 4, ""
    for key in _TEXTS:
        texts[key] = table.get(key, texts.get(key))
        if not isinstance(texts[key], str) or not texts[key].strip():
            todo = f'Write {key} = "..."'
            raise ConfigError(where, f"{key} must be given", "missing", todo)
    if texts["response_criteria"] not in VOLUME_CRITERIA:
        rule = f"response_criteria must be one of {', '.join(VOLUME_CRITERIA)}"
        todo = "Choose one; lesion_criteria has the rule of the disease for lesions"
        raise ConfigError(where, rule, repr(texts["response_criteria"]), todo)
    return Cohort(
        name=path.stem,
        lesion_count=_lesion_count(table.get("lesion_count", lesion_count), where),
        lesion_criteria=_lesion_criteria(table.get("lesion_criteria", lesion_criteria), where),
        covariates={**covariates, **_table(table, "covariates", where)},
        parameters=(*files, parameters),
        files=(*before, path),
        **texts,
    )


def _lesion_count(value: Any, where: str) -> int:
    if type(value) is not int or not 1 <= value <= len(LESIONS):
        rule = f"lesion_count must be a whole number from 1 to {len(LESIONS)}"
        raise ConfigError(where, rule, repr(value), "Leave it out for 4")
    return value


def _lesion_criteria(value: Any, where: str) -> str:
    if value not in ("", *RULES):
        rule = f"lesion_criteria must be one of {', '.join(RULES)}"
        raise ConfigError(where, rule, repr(value), "Leave it out for the criteria of the config")
    return value


def _table(table: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigError(where, f"{key} must be a table", repr(value), f"Write [{key}]")
    return value
