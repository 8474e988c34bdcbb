"""Columns of observations: their names in NONMEM, nlmixr2, Monolix and ADaM files."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from qsp.errors import ConfigError, suggest

NAMES: Mapping[str, tuple[str, ...]] = {
    "dv": ("DV",),
    "dvid": ("DVID", "CMT"),
    "mdv": ("MDV",),
    "lloq": ("LLOQ", "ALLOQ"),
    "blq": ("BLQ", "BLOQ", "BLQFL", "CENS"),
}
"""Names of the column of each role: of several for `dvid`, the first that the file has."""
CENSORED = "CENS"
"""Column of nlmixr2 and Monolix: where it is 1, DV is the limit of quantification."""


def column_names(columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns that may hold observations, in capitals.

    Args:
        columns: Names by role that differ from `NAMES`.
    """
    return tuple(dict.fromkeys(name for role in NAMES for name in _of_role(role, columns)))


def resolved(columns: Mapping[str, str], header: Collection[str], file: str) -> dict[str, str]:
    """Return the column of each role that the file has.

    Args:
        columns: Names by role that differ from `NAMES`.
        header: Names of the columns of the file, in capitals.
        file: Name of the file.

    Raises:
        ConfigError: If a named column or DV is missing, or if two columns have one role.
    """
    found: dict[str, str] = {}
    for role in NAMES:
        names = [name for name in _of_role(role, columns) if name in header]
        if role in columns and not names:
            rule, got = f"the value must be a column of {file}", repr(columns[role])
            todo = f"{suggest(columns[role].upper(), header)} Columns: {', '.join(header)}".strip()
            raise ConfigError(f"observations.columns.{role}", rule, got, todo)
        if role in ("lloq", "blq") and len(names) > 1:
            rule, todo = (
                "the value must name one column",
                f'Write columns = {{ {role} = "{names[0]}" }}',
            )
            raise ConfigError(f"observations.columns.{role}", rule, " and ".join(names), todo)
        if names:
            found[role] = names[0]
    if "dv" not in found:
        rule, todo = "the first line must name DV", 'Or write columns = { dv = "CONC" }'
        raise ConfigError(file, rule, ", ".join(header), f"{todo} in [observations]")
    return found


def _of_role(role: str, columns: Mapping[str, str]) -> tuple[str, ...]:
    return (columns[role].upper(),) if role in columns else NAMES[role]
