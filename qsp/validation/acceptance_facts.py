"""Lines of the table of requirements: figures compared with published values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from qsp.endpoints import crs
from qsp.model.tissues import TISSUES
from qsp.validation import events
from qsp.validation.acceptance import EVERY, MAIN, Figure, Line, Runs, below, fold, published_text
from qsp.validation.row import number
from qsp.validation.selected import PERCENT, NotComputed, part
from qsp.validation.study import APPROVED, Study
from qsp.validation.targets import target, targets

FEWEST_EVENTS = 30
"""Fewest events of which shares and medians have a verdict."""


_ONSET = {
    "mosunetuzumab": (4.0, 16.0),
    "glofitamab": (6.0, 18.0),
    "tarlatamab": (8.0, 24.0),
    "epcoritamab": (20.0, 60.0),
    "teclistamab": (20.0, 60.0),
    "elranatamab": (20.0, 60.0),
    "talquetamab": (20.0, 60.0),
}


def onset(runs: Runs) -> Line:
    """Median onset with steroid at the first dose."""
    figures = []
    for molecule, (low, high) in _ONSET.items():
        ds = part(runs.results(MAIN[molecule]), APPROVED, ("SUD1",))
        hours = _median_onset(ds)
        figures.append(Figure(molecule, f"{hours:.3g} h", low <= hours <= high))
    for molecule in ("talquetamab", "tarlatamab"):
        key = f"{MAIN[molecule]}_onset_median"
        hours, known = runs.value(key), target(key).value
        aim = 1 / 1.5 <= fold(hours, known) <= 1.5
        figures.append(Figure(f"{molecule} all doses", f"{hours:.3g} h ({known:g})", meets_aim=aim))
    return Line(
        "median onset with steroid, first dose",
        tuple(figures),
        "mosunetuzumab 4 to 16, glofitamab 6 to 18, tarlatamab 8 to 24, SC 20 to 60 h",
        "talquetamab 27, tarlatamab 16 h within 1.5-fold",
    )


def _median_onset(ds: xr.Dataset) -> float:
    return float(crs.onset(ds, by="any", quantiles=(0.5,))["value"].squeeze())


def pooled_events(runs: Runs) -> Line:
    """Events pooled: duration and IL-6."""
    figures = []
    for molecule, study in EVERY.items():
        found = events.pooled(part(runs.results(study), APPROVED))
        text = (
            f"{found.duration:.2g} d, {100 * found.long:.1f} %, {100 * found.low_il6:.1f} % "
            f"(n = {found.number})"
        )
        shares = found.long <= 0.05 and found.low_il6 <= 0.05
        is_right = 0.8 <= found.duration <= 4.0 and shares
        enough = found.number >= FEWEST_EVENTS
        figures.append(Figure(molecule, text, is_right if enough else None))
    return Line(
        "events pooled: median duration, longer than 7 d, IL-6 < 2 x baseline",
        tuple(figures),
        "0.8 to 4 d; 5 %; 5 %",
        "",
    )


def high_grades(runs: Runs) -> Line:
    """Grade >= 2 and >= 3."""
    figures = []
    for molecule, study in MAIN.items():
        keys = [f"{study}_crs_g2", f"{study}_crs_g3"]
        limits, texts, near = (8.0, 3.0), [], []
        for key, limit in zip(keys, limits, strict=True):
            row, found = target(key), runs.value(key)
            texts.append(f"{found:.1f} {published_text(row)}")
            near += [abs(found - row.value) <= limit] if row.is_read else []
        figures.append(Figure(molecule, ", ".join(texts), all(near), all(near)))
    return Line(
        "CRS grade >= 2, >= 3 (published, [recalled])",
        tuple(figures),
        "within 8 and 3 points in 5 of 8",
        "all",
        needed=5,
    )


def misses(runs: Runs) -> Line:
    """CRS of any grade, mean miss."""
    by_dose = {
        row.id: runs.simulated(row).value - row.value
        for row in targets()
        if row.statistic == "crs_period" and row.is_read and not row.judged.startswith("shown")
    }
    overall = {
        molecule: runs.value(f"{study}_crs_any") - target(f"{study}_crs_any").value
        for molecule, study in MAIN.items()
    }
    mean_dose, mean_all = (float(np.mean(np.abs([*m.values()]))) for m in (by_dose, overall))
    worst = max(by_dose, key=lambda key: abs(by_dose[key]))
    largest = max(overall, key=lambda key: abs(overall[key]))
    size = abs(by_dose[worst])
    return Line(
        "CRS any grade, mean miss: by dose (read), overall",
        (
            Figure(f"by dose, n = {len(by_dose)}:", f"{mean_dose:.1f}", *below(mean_dose, 8, 5)),
            Figure("overall", f"{mean_all:.1f}", *below(mean_all, 8, 5)),
            Figure("worst dose", f"{by_dose[worst]:+.1f} ({worst})", *below(size, 18, 13)),
            Figure("worst overall", f"{overall[largest]:+.1f} ({largest})"),
        ),
        "8; 8 points; worst dose 18",
        "5; 5; 13",
    )


def t_cells(runs: Runs) -> Line:
    """T cells in blood."""
    figures = []
    for row in targets():
        if row.statistic != "t_cells_relative" or row.config not in (
            "glofitamab",
            "blinatumomab_mrd",
        ):
            continue
        if row.periods[0] == "SUD2" or row.hours in (24.0, 48.0):
            continue
        found = runs.simulated(row).value
        text, miss = f"{found:.2f} ({row.value:.2f})", abs(found - row.value)
        judged = below(miss, 0.25, 0.15) if row.molecule == "glofitamab" else (None, None)
        figures.append(Figure(f"{row.molecule} {row.hours:g} h", text, *judged))
    return Line(
        "T cells in blood, of baseline (published)",
        tuple(figures),
        "glofitamab within 0.25",
        "within 0.15",
    )


JUDGED_IL6 = (
    "epcoritamab_dlbcl_il6_median_FD1_24h",
    "talquetamab_weekly_il6_median_peak_SUD1-SUD2-FD1",
    "blinatumomab_BLIN_NHL_5_15_60_il6_median_detectable_SUD1_6h",
    "mosunetuzumab_first_doses_il6_median_peak",
    "teclistamab_il6_mean_SUD2_48.2h",
    "teclistamab_il6_mean_FD1_47.6h",
)
"""Rows of IL-6 that the table judges."""


def il6(runs: Runs) -> Line:
    """IL-6."""
    figures = []
    for key in JUDGED_IL6:
        row = target(key)
        found = runs.value(key)
        near = 1 / 3 <= fold(found, row.value) <= 3
        name = f"{row.molecule} {row.periods[-1]}"
        figures.append(Figure(name, f"{number(found)} ({number(row.value)})", near, near))
    return Line("IL-6 in pg/mL (published)", tuple(figures), "within 3-fold in 4 of 6", "all", 4)


def il6_order(runs: Runs) -> Line:
    """IL-6 of teclistamab by dose."""
    keys = [f"teclistamab_il6_mean_{period}h" for period in ("SUD1_47.6", "SUD2_48.2", "FD1_47.6")]
    found = [runs.value(key) for key in keys]
    is_right = max(found[1:]) > found[0]
    text = ", ".join(number(value) for value in found)
    return Line(
        "IL-6 of teclistamab, mean at 48 h by dose",
        (Figure("SUD1, SUD2, FD1:", text, is_right, is_right),),
        "second or third dose highest",
        "",
    )


def skin(runs: Runs) -> Line:
    """Skin as the source of cytokines under tebentafusp."""
    study = runs.by_name[MAIN["tebentafusp"]]
    first, every = (PERCENT * skin_share(study, labels) for labels in (("SUD1",), ()))
    figures = [
        Figure("first dose", f"{first:.0f} %", first > 50.0, first > 50.0),
        Figure("all doses", f"{every:.0f} %"),
    ]
    for period in ("SUD1", "FD1"):
        key = f"tebentafusp_cmax_median_{period}"
        found, known = runs.value(key), target(key).value
        near = abs(fold(found, known) - 1.0) <= 0.2
        figures.append(Figure(f"Cmax {period}", f"{found:.3g} ng/mL ({known:g})", near, near))
    return Line(
        "skin under tebentafusp: share of the release with equal weights per cell; Cmax",
        tuple(figures),
        "> 50 %; within 20 %",
        "",
    )


def skin_share(study: Study, labels: Sequence[str] = ()) -> float:
    """Return the share of the skin in the release of cytokines with equal weights per cell [1].

    Secreting cells seen from blood are divided by the weights of the patient, so that the share is
    that of the cells. The weights of the simulation enter their number only through CXCL10, which
    attracts T cells, and through rescue.

    Args:
        study: Results with the approved regimen, and the parameters of its patients.
        labels: Names of the dose periods; all by default.

    Raises:
        NotComputed: If the parameters of the patients are not stored.
    """
    parameters = study.parameters
    if not parameters:
        raise NotComputed("the parameters of the patients are not stored")
    weights = [parameters[f"release.weight.{tissue}"] for tissue in TISSUES]
    weight = xr.concat(weights, xr.Variable("tissue", list(TISSUES)))
    seen = part(study.results, APPROVED, labels)["cytokine_source"].sum("dose_period")
    cells = (seen / weight).sum(("arm", "patient"))
    return float(cells.sel(tissue="skin") / cells.sum())
