"""What people call the arms of a run, and whether it is a population at all.

Results name arms by the keys of the config; their titles stand in its text, which the results keep.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import xarray as xr

_OVERRIDE = "# --set "


def config_of(text: str) -> Mapping[str, Any]:
    """A config as plain tables; empty where the text is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def overrides(text: str) -> dict[str, str]:
    """Keys changed on the command line with their values, which stand below a config as comments.

    Args:
        text: The config as the results keep it.

    Returns:
        Value as it was written, by key; the last one where a key was given twice.
    """
    changes = [line for line in text.splitlines() if line.startswith(_OVERRIDE)]
    pairs = (line.removeprefix(_OVERRIDE).partition("=") for line in changes)
    return {key.strip(): value.strip() for key, _, value in pairs}


def arm_titles(ds: xr.Dataset) -> dict[str, str]:
    """Title of each arm, by its name; the name where it has none.

    Args:
        ds: Results; titles are read from the attribute `config`.

    Returns:
        One title per arm, in the order of the arms. Arms of the same title keep their name beside.
    """
    text = str(ds.attrs.get("config", ""))
    tables, changed = config_of(text).get("arms"), overrides(text)
    names = [str(arm) for arm in ds["arm"].values]
    titles: dict[str, str] = {}
    for name in names:
        table = tables.get(name) if isinstance(tables, Mapping) else None
        given = table.get("title") if isinstance(table, Mapping) else None
        given = changed.get(f"arms.{name}.title", given)
        titles[name] = given.strip("\"'") if isinstance(given, str) and given.strip() else name
    twice = {title for title in titles.values() if list(titles.values()).count(title) > 1}
    return {name: f"{t} ({name})" if t in twice and t != name else t for name, t in titles.items()}


def one_patient(ds: xr.Dataset) -> str:
    """What to call the patient of a run of one, "" where a run is of several.

    Args:
        ds: Results.

    Returns:
        "the typical patient" where the run was asked for him, "one patient" where just one was
        simulated. Neither has a rate, or an interval.
    """
    if ds.sizes["patient"] != 1:
        return ""
    typical = "--typical" in str(ds.attrs.get("command", "")).split()
    return "the typical patient" if typical else "one patient"
