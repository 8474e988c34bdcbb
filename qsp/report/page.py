"""A run as one HTML file that needs nothing else: tables, figures, settings, sources, limits.

Everything that comes from a file of the user (names of arms, the configuration, sources) is escaped
by the template. Figures are PNG inside the page, and nothing is fetched from anywhere.
"""

from __future__ import annotations

import base64
import functools
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
import xarray as xr
from matplotlib.figure import Figure

from qsp import plots
from qsp.endpoints import has_trajectory, interval, response, summary
from qsp.endpoints.patients import solved
from qsp.endpoints.steps import steps
from qsp.report import facts, tables
from qsp.report.cells import Table
from qsp.report.export import write_summary
from qsp.report.facts import Supplement

RESOLUTION = 160
METHODS = (
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212.",
    "Brown LD, Cai TT, DasGupta A. Interval estimation for a binomial proportion. "
    "Stat Sci 2001;16:101-133.",
    "Lee DW et al. ASTCT consensus grading for cytokine release syndrome and neurologic toxicity "
    "associated with immune effector cells. Biol Blood Marrow Transplant 2019;25:625-638.",
)


@dataclass(frozen=True)
class Picture:
    """A figure in the page: PNG as text, and what it shows."""

    title: str
    caption: str
    data: str


def render(
    ds: xr.Dataset,
    supplement: Supplement,
    *,
    trajectories: xr.Dataset | None = None,
    trial_size: int = interval.TRIAL_SIZE,
) -> str:
    """Report of a run as one HTML page.

    Args:
        ds: Results with `best_response`.
        supplement: Doses, parameters, limits, command, references.
        trajectories: Single patients over time, where they are stored apart.
        trial_size: Patients of the trial of the prediction intervals.

    Returns:
        The page.
    """
    return _template().render(
        title=str(ds.attrs.get("config_name", "Simulated trial")).replace("_", " "),
        facts=facts.run_facts(ds),
        numerics=facts.numerics(ds),
        failed=int((~solved(ds)).sum()),
        simulated=int(ds["outcome"].size),
        tables=_tables(ds, supplement, trial_size),
        pictures=_pictures(ds, trajectories, trial_size),
        limits=list(supplement.limits),
        command=supplement.command,
        config=str(ds.attrs.get("config", "")),
        references=[*_references(ds), *supplement.references],
    )


def write(
    ds: xr.Dataset,
    folder: Path,
    supplement: Supplement,
    *,
    trajectories: xr.Dataset | None = None,
    trial_size: int = interval.TRIAL_SIZE,
) -> tuple[Path, Path]:
    """Write `report.html` and `summary.csv`.

    Args:
        ds: Results with `best_response`.
        folder: Folder to write to; made where it is missing.
        supplement: Doses, parameters, limits, command, references.
        trajectories: Single patients over time, where they are stored apart.
        trial_size: Patients of the trial of the prediction intervals.

    Returns:
        The two files.
    """
    page = render(ds, supplement, trajectories=trajectories, trial_size=trial_size)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.html"
    report.write_text(page, encoding="utf-8")
    return report, write_summary(summary(ds, trial_size=trial_size), folder / "summary.csv")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("qsp", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _tables(ds: xr.Dataset, supplement: Supplement, trial_size: int) -> dict[str, Table]:
    doses = facts.mapping_table("Doses by arm", supplement.dose_table, by="arm")
    return {
        "headline": tables.headline_table(ds, trial_size=trial_size),
        "doses": doses,
        "patients": facts.patient_table(ds),
        "crs": tables.crs_table(ds, trial_size=trial_size),
        "worst_grade": tables.worst_grade_table(ds, trial_size=trial_size),
        "links": tables.link_table(ds, trial_size=trial_size),
        "cytokines": tables.cytokine_table(ds),
        "ratios": tables.ratio_table(ds),
        "exposure": tables.exposure_table(ds),
        "response": tables.response_table(ds, trial_size=trial_size),
        "failures": facts.failure_table(ds),
        "parameters": facts.mapping_table("Parameters and their sources", supplement.parameters),
    }


def _pictures(
    ds: xr.Dataset, trajectories: xr.Dataset | None, trial_size: int
) -> dict[str, Picture]:
    """Figures the results allow; those over time need trajectories or their bands."""
    drawn = {
        "crs_by_dose": _picture(
            lambda: plots.crs_by_dose(ds, trial_size=trial_size),
            "CRS rate by dose period over the doses",
            "Bars are stacked by worst grade in the dose period. Whiskers: Monte Carlo interval of "
            f"grade 1 or more; pale brackets: where 95 % of trials of {trial_size} patients fall.",
        ),
        "cumulative_crs": _picture(
            lambda: plots.cumulative_crs(ds),
            "Cumulative incidence of first CRS",
            "Start of the first event of a patient; bands are Monte Carlo intervals.",
        ),
        "waterfall": _picture(
            lambda: plots.waterfall(ds),
            "Best change in tumor volume",
            f"One bar per patient, growth cut at {plots.HIGHEST:g} %. Dashed: partial response, "
            "and progression from the start.",
        ),
        "spider": _picture(
            lambda: plots.spider(ds),
            "Tumor volume of single patients",
            "The first patients of the run, at the visits; colors as above.",
        ),
    }
    return drawn | _over_time(ds, trajectories)


def _over_time(ds: xr.Dataset, trajectories: xr.Dataset | None) -> dict[str, Picture]:
    window, days = _first_doses(ds)
    drawn: dict[str, Picture] = {}
    if has_trajectory(ds, "il6"):
        drawn["il6"] = _picture(
            lambda: plots.cytokine_bands(ds, "il6", window=window, trajectories=trajectories),
            "IL-6 in blood",
            f"Median, 5-95 % of the patients and single patients; {days}.",
        )
        drawn["cytokines"] = _picture(
            lambda: plots.cytokine_overview(ds, window=window),
            "Cytokines in blood, median by arm",
            f"Each cytokine on its own logarithmic scale; {days}.",
        )
    if has_trajectory(ds, "drug_central"):
        drawn["drug"] = _picture(
            lambda: plots.drug_concentration(ds),
            "Drug in blood",
            "Median and 5-95 % of the patients; triangles and numbers mark the doses in mg.",
        )
    return drawn


def _first_doses(ds: xr.Dataset) -> tuple[tuple[float, float], str]:
    """From the start to a week after the fourth dose time, where nearly all release falls."""
    known = {round(step.time, 3) for step in steps(ds) if math.isfinite(step.time)}
    times = sorted(known) or [0.0]
    last = float(ds.attrs["days"] if "days" in ds.attrs else ds["time"].max())
    end = min(times[min(3, len(times) - 1)] + 7.0, last)
    return (min(0.0, times[0]), end), f"the first {end:g} days"


def _picture(draw: Callable[[], Figure], title: str, caption: str) -> Picture:
    buffer = io.BytesIO()
    draw().savefig(buffer, format="png", dpi=RESOLUTION)
    return Picture(title, caption, base64.b64encode(buffer.getvalue()).decode("ascii"))


def _references(ds: xr.Dataset) -> list[str]:
    return [*METHODS, response.criteria_of(ds).source]
