"""The key `cohort`: patients that `qsp populate` or `qsp weigh --resample` chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsp.config.messages import Source, shown
from qsp.config.patients import TYPICAL, Roster
from qsp.errors import ConfigError

if TYPE_CHECKING:
    from qsp.config.config import Config
    from qsp.populations import CohortFile


def cohort_of(data: dict[str, Any], source: Source) -> CohortFile | None:
    """Return the cohort of the tables of a config; None if they have none.

    Raises:
        ConfigError: If the value is no text, there is no such cohort, or its file is damaged.
    """
    if "cohort" not in data:
        return None
    folder = data["cohort"]
    if not isinstance(folder, str) or not folder:
        rule = "the value must be the folder of a cohort, in quotes"
        todo = 'Write cohort = "cohorts/nhl", the folder that qsp populate wrote'
        raise ConfigError("cohort", rule, shown(folder), todo)
    # Reading imports the random draws, which a config without a cohort does not need.
    from qsp.populations.cohort_file import read_cohort_file

    return read_cohort_file(source.file.parent / folder)


def roster_of_cohort(cohort: CohortFile) -> Roster:
    """Return the ids of a cohort, which a list of patients must be among."""
    return Roster(tuple(cohort.ids.tolist()), cohort.name, is_described=True, is_cohort=True)


def check_with_cohort(config: Config, table: Roster | None, covariates: Roster | None) -> None:
    """Refuse other choices of patients together with a cohort.

    Args:
        config: Config with a cohort.
        table: Patients of the dose table, if any.
        covariates: Patients of a file of covariates, if any.

    Raises:
        ConfigError: If something else chooses the patients, or their covariates, too.
    """
    others = {
        'patients = "typical"': config.patients == TYPICAL,
        "draws": bool(config.draws),
        f"the patients of {table.file if table else ''}": table is not None
        and (len(table.ids) > 1 or table.is_described),
        f"the patients of {covariates.file if covariates else ''}": covariates is not None,
    }
    for other, is_given in others.items():
        if is_given:
            rule, todo = f"the value must not be given with {other}", "Remove one of them"
            raise ConfigError("cohort", rule, "given", todo)
