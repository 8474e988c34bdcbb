"""Names for figures and tables: titles of the arms, and the name of a single patient."""

from __future__ import annotations

from collections import Counter

import xarray as xr

from qsp.results.record import record_of


def arm_titles(ds: xr.Dataset) -> dict[str, str]:
    """Return the title of each arm by its name.

    Args:
        ds: Results; titles are in their record.

    Returns:
        One title per arm, in the order of the arms: the name where an arm has no title. Arms with
        the same title have their name appended.
    """
    recorded = {arm.name: arm.title.strip() for arm in record_of(ds).arms}
    titles = {name: recorded.get(name) or name for name in map(str, ds["arm"].values)}
    count = Counter(titles.values())
    return {
        name: f"{title} ({name})" if count[title] > 1 and title != name else title
        for name, title in titles.items()
    }


def one_patient(ds: xr.Dataset) -> str:
    """Return a name for the only patient of a run, "" for a run of several patients.

    Args:
        ds: Results.

    Returns:
        "the typical patient" where the run is of the typical patient, "one patient" where it is of
        one patient from the population. Neither has a rate or an interval.
    """
    if ds.sizes["patient"] != 1:
        return ""
    record = record_of(ds)
    by_request = record.request is not None and record.request.typical
    is_typical = by_request or record.config.get("patients") == "typical"
    return "the typical patient" if is_typical else "one patient"
