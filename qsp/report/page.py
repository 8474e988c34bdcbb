"""Report of a run as a self-contained HTML file: tables, figures, settings, sources and limits.

Text from the user's files (names of arms, configuration, sources) is escaped by the template.
Figures are embedded as PNG, and the page loads no external resources.
"""

from __future__ import annotations

import base64
import dataclasses
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
from qsp.endpoints import Row, has_trajectory, response, summary
from qsp.endpoints.decisions import has_doses, has_rules
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.steps import steps, with_steps
from qsp.plots.doses import prescribed, supportive
from qsp.plots.names import arm_titles, one_patient
from qsp.report import differences as compared
from qsp.report import facts, tables
from qsp.report import one_patient as single
from qsp.report.cells import Table
from qsp.report.decisions import decision_table, dose_decision_table
from qsp.report.export import write_summary
from qsp.report.facts import Supplement
from qsp.report.references import resolve

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
    """A figure of the page: title, caption, and the PNG in base64."""

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
    """Render the report of a run as an HTML page.

    Args:
        ds: Results with `best_response`.
        supplement: Doses, parameters, limits, command and references.
        trajectories: Trajectories of individual patients, if stored separately.
        trial_size: Number of patients in the trial of the prediction intervals.

    Returns:
        The page as text.
    """
    ds = with_steps(ds)
    return _template().render(
        title=_title(ds),
        single_patient=single.notice(patient) if (patient := one_patient(ds)) else "",
        facts=facts.run_facts(ds),
        numerics=facts.numerics(ds),
        notes=str(ds.attrs.get("notes", "")).splitlines(),
        failed=int((~solved(ds)).sum()),
        simulated=int(ds["outcome"].size),
        tables=_tables(ds, supplement, trial_size),
        pictures=_pictures(ds, trajectories, trial_size),
        limits=list(supplement.limits),
        command=supplement.command,
        config=str(ds.attrs.get("config", "")),
        references=[*_references(ds, supplement), *supplement.references],
    )


def _title(ds: xr.Dataset) -> str:
    """Return the title of the trial, or the name of its config if it has no title."""
    name = str(ds.attrs.get("config_name", "Simulated trial"))
    title = str(ds.attrs.get("title", "")).strip() or name
    return title.replace("_", " ") if title == name else title


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
        folder: Folder to write to; created if missing.
        supplement: Doses, parameters, limits, command and references.
        trajectories: Trajectories of individual patients, if stored separately.
        trial_size: Number of patients in the trial of the prediction intervals.

    Returns:
        The two files.
    """
    ds = with_steps(ds)
    page = render(ds, supplement, trajectories=trajectories, trial_size=trial_size)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.html"
    report.write_text(page, encoding="utf-8")
    rows = summary(ds, trial_size=trial_size)
    rows = [_without_intervals(row) for row in rows] if one_patient(ds) else rows
    return report, write_summary(rows, folder / "summary.csv")


def _without_intervals(row: Row) -> Row:
    """Return a row of the summary without intervals, for a single patient."""
    none = {"lower": math.nan, "upper": math.nan, "interval": "", "trial_size": 0}
    return dataclasses.replace(row, **none, trial_lower=math.nan, trial_upper=math.nan)


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
    titles = arm_titles(ds)
    written = prescribed(ds)
    written = {(titles.get(arm, arm), label): text for (arm, label), text in written.items()}
    rows = facts.dose_rows(supplement.dose_table, written)
    shared = {
        "doses": facts.mapping_table("Doses by arm", rows, by="arm"),
        "parameters": facts.mapping_table("Parameters and their sources", supplement.parameters),
        "failures": facts.failure_table(ds),
    }
    if one_patient(ds):
        return shared | _single_patient_tables(ds)
    decided = {"decisions": decision_table(ds)} if has_rules(ds) else {}
    decided |= {"dose_decisions": dose_decision_table(ds)} if has_doses(ds) else {}
    return shared | _population_tables(ds, trial_size) | decided | compared.tables(ds)


def _single_patient_tables(ds: xr.Dataset) -> dict[str, Table]:
    """Return the tables of a run with a single patient."""
    makers = (facts.patient_table, tables.cytokine_table, tables.exposure_table, tables.ratio_table)
    names = ("patients", "cytokines", "exposure", "ratios")
    return {
        "headline": single.headline_table(ds),
        "crs": single.crs_table(ds),
        "response": single.response_table(ds),
    } | {name: single.plain(make(ds)) for name, make in zip(names, makers, strict=True)}


def _population_tables(ds: xr.Dataset, trial_size: int) -> dict[str, Table]:
    """Return the tables of a run with several patients."""
    return {
        "headline": tables.headline_table(ds, trial_size=trial_size),
        "patients": facts.patient_table(ds),
        "crs": tables.crs_table(ds, trial_size=trial_size),
        "worst_grade": tables.worst_grade_table(ds, trial_size=trial_size),
        "links": tables.link_table(ds, trial_size=trial_size),
        "cytokines": tables.cytokine_table(ds),
        "ratios": tables.ratio_table(ds),
        "exposure": tables.exposure_table(ds),
        "response": tables.response_table(ds, trial_size=trial_size),
    }


def _pictures(
    ds: xr.Dataset, trajectories: xr.Dataset | None, trial_size: int
) -> dict[str, Picture]:
    """Return the figures of a run; those over time need trajectories or their quantiles."""
    if one_patient(ds):
        return _single_patient_pictures(ds) | _over_time(ds, trajectories)
    pictures = {
        "crs_by_dose": _picture(
            lambda: plots.crs_by_dose(ds, trial_size=trial_size),
            "Incidence of CRS by dose period, and doses",
            "Upper panels: bars are stacked by worst grade in the dose period. Error bars: 95 % "
            "Monte Carlo interval for grade 1 or higher. Gray bars: 95 % prediction interval of a "
            f"trial of {trial_size:,} patients. Lower panels: doses.",
        ),
        "cumulative_crs": _picture(
            lambda: plots.cumulative_crs(ds),
            "Cumulative incidence of first CRS",
            "Onset of the first CRS of each patient. Bands: 95 % Monte Carlo intervals. "
            "Percentages in the legend are values at the end.",
        ),
        "waterfall": _picture(
            lambda: plots.waterfall(ds),
            "Best change in tumor volume from baseline",
            f"{_bars(ds)}; growth above {plots.HIGHEST:g} % is cut off. Dashed lines: limits of "
            f"partial response and of progression relative to baseline. {_confirmation(ds)}",
        ),
        "spider": _picture(
            lambda: plots.spider(ds),
            "Change in tumor volume of individual patients",
            "The first patients of the run, at the scheduled visits, colored by best response.",
        ),
    }
    decided = _decision_pictures(ds) if has_rules(ds) else {}
    return pictures | decided | _over_time(ds, trajectories)


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
        ),
        "spider": _picture(
            lambda: plots.spider(ds),
            "Change in tumor volume",
            "At the scheduled visits, colored by best response.",
        ),
    }


def _bars(ds: xr.Dataset) -> str:
    if ds.sizes["patient"] <= plots.MOST_BARS:
        return "One bar per patient"
    return f"{plots.MOST_BARS:,} bars, for patients at evenly spaced ranks"


def _confirmation(ds: xr.Dataset) -> str:
    """Explain why a bar below the limit of partial response may not be a response."""
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
    pictures: dict[str, Picture] = {}
    if has_trajectory(ds, "il6"):
        pictures["il6"] = _picture(
            lambda: plots.cytokine_bands(ds, "il6", window=window, trajectories=trajectories),
            "IL-6 in blood",
            f"{lines}{individual}, over {days}.{marks and marks + '.'}",
        )
        pictures["cytokines"] = _picture(
            lambda: plots.cytokine_overview(ds, window=window),
            f"Cytokines in blood, {patient or 'median'} by arm",
            f"Each cytokine on its own logarithmic scale, over {days}."
            f"{marks and marks + ', in the color of the arm.'}",
        )
    if has_trajectory(ds, "drug_central"):
        pictures["drug"] = _picture(
            lambda: plots.drug_concentration(ds),
            "Free drug concentration in blood",
            f"{lines}. Triangles with numbers: doses.",
        )
    return pictures


def _first_doses(ds: xr.Dataset) -> tuple[tuple[float, float], str]:
    """Return the window to a week after the fourth dose time, with nearly all cytokine release."""
    known = {round(step.time, 3) for step in steps(ds) if math.isfinite(step.time)}
    times = sorted(known) or [0.0]
    last = float(ds.attrs["days"] if "days" in ds.attrs else ds["time"].max())
    end = min(times[min(3, len(times) - 1)] + 7.0, last)
    return (min(0.0, times[0]), end), f"the first {end:g} days"


def _picture(draw: Callable[[], Figure], title: str, caption: str) -> Picture:
    buffer = io.BytesIO()
    draw().savefig(buffer, format="png", dpi=RESOLUTION)
    return Picture(title, caption, base64.b64encode(buffer.getvalue()).decode("ascii"))


def _references(ds: xr.Dataset, supplement: Supplement) -> list[str]:
    """Return the references of the methods and of the keys cited in the table of parameters."""
    cited = resolve(str(row.get("source", "")) for row in supplement.parameters)
    return [*METHODS, response.criteria_of(ds).source, *cited]
