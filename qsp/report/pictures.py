"""Figures of a report: SVG, which prints sharply, or PNG where a figure has many marks."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable

import matplotlib
import numpy as np
import PIL.Image
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from qsp import plots
from qsp.endpoints import has_trajectory, response
from qsp.endpoints.decisions import has_rules
from qsp.endpoints.steps import steps
from qsp.plots.doses import supportive
from qsp.plots.names import one_patient
from qsp.plots.responders import has_responders
from qsp.plots.response_measure import AT_VISITS, BEST, ResponseMeasure, measure_of
from qsp.plots.survival import has_progression_free, has_response_duration
from qsp.report.drawing import Picture
from qsp.report.standing import shows_response
from qsp.results.record import record_of

RESOLUTION = 130
"""Resolution of PNG figures [dot/inch]."""
LARGEST_SVG = 180_000
"""Size of an SVG figure above which it is embedded as PNG [byte]."""
COLORS = 256
"""Colors of the palette of a PNG figure."""
_AS_ESTIMATED = (
    "weighted by prevalence. Bands, and parentheses after medians: 95 % Monte Carlo intervals. "
    "Small vertical marks: censored at the last visit. Numbers at risk are virtual patients."
)


def pictures(
    ds: xr.Dataset, trajectories: xr.Dataset | None, trial_size: int
) -> dict[str, Picture]:
    """Return the figures of a run; those over time need trajectories or their quantiles."""
    if one_patient(ds):
        return _single_patient_pictures(ds) | _over_time(ds, trajectories)
    found = {
        "crs_by_dose": _picture(
            lambda: plots.crs_by_dose(ds, trial_size=trial_size),
            "Incidence of CRS by dose period, and doses",
            "Upper panels: bars are stacked by worst grade in the dose period. Error bars: 95 % "
            "Monte Carlo interval for grade 1 or higher. Gray bars: 95 % prediction interval of a "
            f"trial of {trial_size:,} patients. Lower panels: doses.",
            vector=True,
        ),
        "cumulative_crs": _picture(
            lambda: plots.cumulative_crs(ds),
            "Cumulative incidence of first CRS",
            "Onset of the first CRS of each patient. Bands: 95 % Monte Carlo intervals. "
            "Percentages in the legend are values at the end.",
        ),
        "benefit_risk": _picture(
            lambda: plots.benefit_risk(ds, trial_size=trial_size),
            "Benefit and risk",
            "Objective response against CRS of grade 2 or higher, over all doses; error bars: 95 % "
            f"Monte Carlo intervals. The upper left corner is best. {_illustrative(ds)}",
            vector=True,
        ),
    }
    decided = _decision_pictures(ds) if has_rules(ds) else {}
    return found | _response_pictures(ds) | decided | _over_time(ds, trajectories)


def _response_pictures(ds: xr.Dataset) -> dict[str, Picture]:
    """Return the figures of tumor response; those of survival only if the results have times."""
    best, over_time = measure_of(ds, BEST), measure_of(ds, AT_VISITS)
    found = {
        "waterfall": _picture(
            lambda: plots.waterfall(ds),
            f"Best change in {best.name} from baseline",
            f"{_bars(ds)}; growth above {plots.HIGHEST:g} % is cut off. {_limits(best)}"
            f"{_confirmation(ds, best)}",
        ),
        "spider": _picture(
            lambda: plots.spider(ds),
            f"Change in {over_time.name} of individual patients",
            "The first patients of the run, at the scheduled visits"
            f"{'' if over_time.is_volume else ' up to progression'}, colored by best response.",
        ),
    }
    if has_progression_free(ds):
        found["progression_free"] = _picture(
            lambda: plots.progression_free(ds),
            "Progression-free survival",
            "Kaplan-Meier estimate of the time from the first dose to progression or death, of all "
            f"treated patients, {_AS_ESTIMATED}",
            vector=True,
        )
    if has_response_duration(ds):
        found["duration_of_response"] = _picture(
            lambda: plots.duration_of_response(ds),
            "Duration of response",
            "Kaplan-Meier estimate of the time from the first response to progression or death, of "
            f"the responders, {_AS_ESTIMATED}",
            vector=True,
        )
    if has_responders(ds):
        found["response_swimmer"] = _picture(
            lambda: plots.response_swimmer(ds),
            "Response of individual patients",
            f"Responders, the longest bar first; of more than {plots.MOST_RESPONDERS}, those at "
            "evenly spaced ranks. A complete response that is the first response has only its own "
            "mark. A thin line leads from progression to death.",
        )
    return found


def _limits(measure: ResponseMeasure) -> str:
    if not measure.limits:
        return ""
    if measure.is_volume:
        return "Dashed lines: limits of partial response and of progression relative to baseline. "
    title = measure.limits_title.replace("\n", " ")
    values = " and ".join(f"{limit:+g} %" for limit in measure.limits)
    return f"Dashed lines: {title}, at {values}. "


def _decision_pictures(ds: xr.Dataset) -> dict[str, Picture]:
    """Return the figures of arms with dosing rules."""
    return {
        "decision_flow": _picture(
            lambda: plots.decision_flow(ds),
            "Dosing decisions by visit",
            "Number of patients with each decision, at visits at which a dose was due.",
        ),
        "swimmer": _picture(
            lambda: plots.swimmer(ds),
            "Doses, CRS and rescue drugs of individual patients",
            f"The first {plots.MOST_ROWS} patients of the run in each arm.",
        ),
    }


def _single_patient_pictures(ds: xr.Dataset) -> dict[str, Picture]:
    """Return the figures of a single patient, without those that count patients."""
    return {
        "crs_by_dose": _picture(
            lambda: plots.crs_by_dose(ds),
            "CRS grade by dose period, and doses",
            "Worst grade of the event that starts in the dose period.",
            vector=True,
        ),
        "spider": _picture(
            lambda: plots.spider(ds),
            f"Change in {measure_of(ds, AT_VISITS).name}",
            "At the scheduled visits, colored by best response.",
        ),
    }


def _bars(ds: xr.Dataset) -> str:
    if ds.sizes["patient"] <= plots.MOST_BARS:
        return "One bar per patient"
    return f"{plots.MOST_BARS:,} bars, for patients at evenly spaced ranks"


def _confirmation(ds: xr.Dataset, measure: ResponseMeasure) -> str:
    """Explain why a bar below the limit of partial response may not be a response."""
    if not measure.is_volume:
        return (
            "Colors follow all criteria of the disease, also those that are not a change of this "
            "measure, and only responses before the first progression count."
        )
    if response.criteria_of(ds).confirmed:
        return (
            "A response must be confirmed at the next visit: gray bars below the lower limit are "
            "unconfirmed responses, which count as stable disease."
        )
    return "Only responses before the first progression count."


def _over_time(ds: xr.Dataset, trajectories: xr.Dataset | None) -> dict[str, Picture]:
    window, days = _first_doses(ds)
    patient = one_patient(ds)
    lines = patient.capitalize() or "Median and 5th to 95th percentile"
    individual = "" if patient else ", and individual patients"
    marks = " Small marks: doses of supportive drugs" if supportive(ds) else ""
    found: dict[str, Picture] = {}
    if has_trajectory(ds, "il6"):
        found["il6"] = _picture(
            lambda: plots.cytokine_bands(ds, "il6", window=window, trajectories=trajectories),
            "IL-6 in blood",
            f"{lines}{individual}, over {days}.{marks and marks + '.'}",
        )
        found["cytokines"] = _picture(
            lambda: plots.cytokine_overview(ds, window=window),
            f"Cytokines in blood, {patient or 'median'} by arm",
            f"Each cytokine on its own logarithmic scale, over {days}."
            f"{marks and marks + ', in the color of the arm.'}",
            vector=True,
        )
    if has_trajectory(ds, "drug_central"):
        found["drug"] = _picture(
            lambda: plots.drug_concentration(ds),
            "Free drug concentration in blood",
            f"{lines}. Triangles with numbers: doses.",
        )
    return found


def _first_doses(ds: xr.Dataset) -> tuple[tuple[float, float], str]:
    """Return the window to a week after the fourth dose time, with nearly all cytokine release."""
    known = {round(step.time, 3) for step in steps(ds) if math.isfinite(step.time)}
    times = sorted(known) or [0.0]
    last = float(ds.attrs["days"] if "days" in ds.attrs else ds["time"].max())
    end = min(times[min(3, len(times) - 1)] + 7.0, last)
    return (min(0.0, times[0]), end), f"the first {end:g} days"


def _picture(
    draw: Callable[[], Figure], title: str, caption: str, *, vector: bool = False
) -> Picture:
    """Draw a figure: as SVG if asked and not larger than `LARGEST_SVG`, otherwise as PNG."""
    figure = draw()
    if vector:
        data = _svg(figure)
        if len(data) <= LARGEST_SVG:
            return Picture(title, caption, _text(data), "svg+xml")
        figure.set_layout_engine("none")  # the layout of the first drawing stays
    return Picture(title, caption, _text(_png(figure)), "png")


def _svg(figure: Figure) -> bytes:
    """Return a figure as SVG; the same figure gives the same file."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "qsp"}):
        # `savefig` would draw the figure twice, the first time for its layout.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()


def _png(figure: Figure) -> bytes:
    """Return a figure as PNG with a palette, which has a third of the size."""
    figure.set_dpi(RESOLUTION)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    pixels.quantize(COLORS, PIL.Image.Quantize.FASTOCTREE).save(buffer, format="png")
    return buffer.getvalue()


def load_fonts() -> None:
    """Draw a figure without content, so that the first figure need not wait for fonts."""
    figure = plots.Figure()
    figure.subplots().set_title("Fonts", fontweight="bold")
    _svg(figure)
    _png(figure)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _illustrative(ds: xr.Dataset) -> str:
    """Return a caveat if the response of the run does not agree with a publication."""
    if shows_response(record_of(ds)):
        return ""
    return "The response is illustrative: it was not found to agree with a trial."
