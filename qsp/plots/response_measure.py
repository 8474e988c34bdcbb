"""Measure in which the figures of tumor response show a run: its change, name and limits.

Runs whose response follows the rule of the disease have the change of the disease's own measure,
such as the sum of the products of the diameters of the lesions. Other runs have one tumor volume.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace

import xarray as xr

from qsp.endpoints import response, tumor
from qsp.endpoints.endpoint import require
from qsp.endpoints.statistics.patients import solved
from qsp.errors import ConfigError

BEST, AT_VISITS = "best_disease_change", "disease_change_visit"
# Characters of an axis title that fit along a panel.
_AXIS_WIDTH = 27
_VOLUME = "tumor volume"
_RELATIVE = "partial response, progression\n(relative to baseline)"
_COMPLETE, _PARTIAL, _STABLE, _PROGRESSIVE, _VERY_GOOD, _INCOMPLETE = 1, 2, 3, 4, 5, 6
_USUAL = (_COMPLETE, _PARTIAL, _STABLE, _PROGRESSIVE)


@dataclass(frozen=True)
class ResponseMeasure:
    """Measure of the tumor, and what the rule of response makes of its change.

    Args:
        name: Name in axis titles and captions.
        limits: Changes from baseline at the limits of the rule [%].
        limits_title: Legend of the limits.
        responses: Codes of the responses of the rule, from the deepest.
    """

    name: str
    limits: tuple[float, ...] = ()
    limits_title: str = ""
    responses: tuple[int, ...] = (_COMPLETE, _INCOMPLETE, _VERY_GOOD, *_USUAL[1:])

    @property
    def is_volume(self) -> bool:
        """Whether the measure is the volume of one tumor."""
        return self.name == _VOLUME

    def axis_title(self, begin: str) -> str:
        """Return the title of the axis of the change, in two lines.

        Args:
            begin: First words, such as "Change in".
        """
        in_two = f"{begin}\n{self.name} [%]"
        if max(map(len, in_two.splitlines())) <= _AXIS_WIDTH:
            return in_two
        return textwrap.fill(in_two.replace("\n", " "), _AXIS_WIDTH)


# Limits of the rules of `qsp.response` that are changes from baseline; progression is the change
# from the nadir, which for a tumor that never shrank is that from baseline.
_SPD = ResponseMeasure("sum of products of diameters", (-50.0, 50.0), _RELATIVE, _USUAL)
_SUM = ResponseMeasure("sum of diameters", (-30.0, 20.0), _RELATIVE, _USUAL)
_PROTEIN = ResponseMeasure(
    "M-protein",
    (-50.0, -90.0),
    "partial and very good\npartial response",
    (_COMPLETE, _VERY_GOOD, *_USUAL[1:]),
)
_BLASTS = ResponseMeasure(
    "blasts in marrow", responses=(_COMPLETE, _INCOMPLETE, _STABLE, _PROGRESSIVE)
)
_ANY = ResponseMeasure("")
# A name may say more, such as which diameters are added.
_MEASURES = {
    "sum of products of diameters": _SPD,
    "sum of diameters": _SUM,
    "sum of longest diameters": _SUM,
    "sum of shortest diameters": _SUM,
    "M-protein": _PROTEIN,
    "M-protein in serum": _PROTEIN,
    "involved free light chain": _PROTEIN,
    "blasts in marrow": _BLASTS,
    "share of blasts in marrow": _BLASTS,
}


def measure_of(ds: xr.Dataset, variable: str = BEST) -> ResponseMeasure:
    """Return the measure of the tumor in a run.

    Args:
        ds: Results.
        variable: Variable that is drawn, `BEST` or `AT_VISITS`.

    Returns:
        The measure named by the attribute `measure` of the variable, without limits if its rule is
        unknown; the tumor volume if the results do not have the variable.

    Raises:
        ConfigError: If the variable is present without the attribute, or in another unit than %.
    """
    if variable not in ds:
        criteria = response.criteria_of(ds)
        limits = tuple(100 * (limit - 1) for limit in (criteria.partial, criteria.progression))
        return ResponseMeasure(_VOLUME, limits, _RELATIVE, _USUAL)
    require(ds, variable, "%")
    name = str(ds[variable].attrs.get("measure", "")).strip()
    if not name:
        rule = "the attribute measure must name the measure of the disease"
        raise ConfigError(f"results: {variable}", rule, "missing")
    return replace(_MEASURES.get(name, _ANY), name=name)


def best_change(ds: xr.Dataset) -> xr.DataArray:
    """Return the best change of the measure of the run (arm, patient) [%], NaN if failed."""
    return ds[BEST].where(solved(ds)) if BEST in ds else tumor.best_change(ds)


def change_at_visits(ds: xr.Dataset) -> xr.DataArray:
    """Return the change of the measure of the run (arm, patient, visit) [%], NaN if failed.

    The change of a disease's own measure ends at progression.
    """
    return ds[AT_VISITS].where(solved(ds)) if AT_VISITS in ds else tumor.change(ds)
