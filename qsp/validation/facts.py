"""Conversion of the rows of the table of published values to facts with a simulated counterpart."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

from qsp.endpoints.survival import DAYS_PER_MONTH
from qsp.validation import measure
from qsp.validation.judge import rule
from qsp.validation.row import Fact, Figure
from qsp.validation.study import APPROVED, HOURS_PER_DAY
from qsp.validation.targets import SINCE_START, STATISTICS, Target, targets

TITLES: Mapping[str, str] = {
    "crs_any": "CRS, any grade",
    "crs_period": "CRS, any grade",
    "crs_g2": "CRS, grade 2 or more",
    "crs_g3": "CRS, grade 3 or more",
    "crs_recurrent": "CRS at more than one dose",
    "crs_on_infusion_day": "CRS with onset on the day of infusion",
    "onset_median": "CRS onset, median",
    "duration_median": "CRS duration, median",
    "tocilizumab_share": "Tocilizumab for CRS, of treated",
    "tocilizumab_share_of_crs": "Tocilizumab for CRS, of patients with CRS",
    "steroid_share": "Steroid for CRS, of treated",
    "steroid_share_of_crs": "Steroid for CRS, of patients with CRS",
    "burden_odds_ratio": "CRS by tumor burden, odds ratio",
    "il6_median_peak": "IL-6 peak, median",
    "il6_median": "IL-6, median",
    "il6_median_detectable": "IL-6 above 10 pg/mL, median",
    "il6_mean": "IL-6, mean",
    "il6_peak_time": "Time to IL-6 peak, median",
    "t_cells_relative": "T cells in blood, of baseline",
    "cmax_mean": "Cmax, mean",
    "cmax_median": "Cmax, typical",
    "ctrough_mean": "Ctrough, mean",
    "ctrough_median": "Ctrough, typical",
    "css_mean": "Css, mean",
    "cavg_median": "Cavg, typical",
    "auc_mean": "AUC, mean",
    "orr": "ORR",
    "cr": "CR",
    "vgpr": "VGPR or better",
    "pfs_median": "Progression-free survival, median",
    "pfs_rate": "Progression-free survival",
    "dor_median": "Duration of response, median",
    "dor_rate": "Responses that last",
    "cr_kept": "Complete responses that last",
}
"""Name of each statistic in tables."""
_ORDER = tuple(STATISTICS)
_OF_RESPONSE = ("orr", "cr", "vgpr", "pfs_median", "dor_median", *SINCE_START)


def published_facts(molecule: str | None = None) -> tuple[Fact, ...]:
    """Return the facts of the table, in its order.

    Args:
        molecule: Name of a molecule; all molecules by default.
    """
    return tuple(fact(row) for row in targets() if molecule in (None, row.molecule))


def fact(row: Target) -> Fact:
    """Return a row of the table with its simulated counterpart and acceptance criterion."""
    return Fact(
        molecule=row.molecule,
        study=row.config,
        what=TITLES[row.statistic],
        when=_when(row),
        published=Figure(row.value, row.unit, row.low, row.high),
        measure=functools.partial(measure.simulated, row=row),
        rule=rule(row.judged, unit=row.unit, published=row.value, where=row.id),
        certainty=row.certainty,
        source=row.source,
        order=_ORDER.index(row.statistic),
    )


def _when(row: Target) -> str:
    """Return dose periods, time, arm and patients as text."""
    if row.statistic in SINCE_START:
        return f"{row.hours / HOURS_PER_DAY / DAYS_PER_MONTH:.3g} months, {row.population}"
    if row.statistic in _OF_RESPONSE:
        return row.population
    many = len(row.periods) > 2
    periods = f"{row.periods[0]} to {row.periods[-1]}" if many else " and ".join(row.periods)
    hours = row.hours
    if math.isnan(hours):
        time = ""
    elif hours <= 72:
        time = f" + {hours:g} h"
    else:
        time = f" + {hours / HOURS_PER_DAY:.3g} d"
    arm = "" if row.arm == APPROVED else "first doses pooled" if len(row.arms) > 1 else row.arm
    return ", ".join(part for part in ((periods or "overall") + time, arm, row.population) if part)
