"""Report of a run as a self-contained HTML file: tables, figures, settings, sources and limits.

Text from the user's files (names of arms, configuration, sources) is escaped by the template.
Figures are embedded, and the page loads no external resources.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path

import jinja2
import xarray as xr

from qsp.endpoints import Row, response, summary
from qsp.endpoints.decisions import has_doses, has_rules
from qsp.endpoints.observed import has_observations
from qsp.endpoints.statistics import interval
from qsp.endpoints.statistics.patients import solved
from qsp.endpoints.steps import with_steps
from qsp.plots.doses import prescribed
from qsp.plots.names import arm_titles, one_patient
from qsp.report import crs_times, facts, tables
from qsp.report import differences as compared
from qsp.report import one_patient as single
from qsp.report.cells import Table
from qsp.report.decisions import decision_table, dose_decision_table
from qsp.report.drawing import Pictures, in_this_process
from qsp.report.explained import explained_table
from qsp.report.export import write_summary
from qsp.report.facts import Supplement
from qsp.report.glance import Glance, glance, glance_table
from qsp.report.observed import observed_table
from qsp.report.provenance import Provenance, provenance, ranking_table
from qsp.report.questions import Answers, answers
from qsp.report.references import resolve
from qsp.report.uncertainty import uncertainty_table
from qsp.results.model_version import other_model
from qsp.results.record import record_of
from qsp.stages import Stage, unmeasured

METHODS = (
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212.",
    "Brown LD, Cai TT, DasGupta A. Interval estimation for a binomial proportion. "
    "Stat Sci 2001;16:101-133.",
    "Lee DW et al. ASTCT consensus grading for cytokine release syndrome and neurologic toxicity "
    "associated with immune effector cells. Biol Blood Marrow Transplant 2019;25:625-638.",
)


def render(  # noqa: PLR0913
    ds: xr.Dataset,
    supplement: Supplement,
    *,
    trajectories: xr.Dataset | None = None,
    trial_size: int = interval.TRIAL_SIZE,
    stage: Stage = unmeasured,
    figures: Callable[[], Pictures] | None = None,
) -> str:
    """Render the report of a run as an HTML page.

    Args:
        ds: Results with `best_response`.
        supplement: Doses, parameters, limits, command and references.
        trajectories: Trajectories of individual patients, if stored separately.
        trial_size: Number of patients in the trial of the prediction intervals.
        stage: Entered for each stage.
        figures: Returns the figures, which may be drawn meanwhile; None to draw them here.

    Returns:
        The page as text.
    """
    ds = with_steps(ds)
    figures = figures or in_this_process(ds, trajectories, trial_size)
    with stage("tables"):
        patient = one_patient(ds)
        summarized = None if patient else _summarized(ds, supplement, trial_size)
        found = _tables(ds, supplement, summarized, trial_size)
    with stage("figures"):
        drawn = figures()
    with stage("page"):
        return _page(ds, supplement, summarized, found, drawn)


def _page(
    ds: xr.Dataset,
    supplement: Supplement,
    summarized: Summarized | None,
    found: dict[str, Table],
    figures: Pictures,
) -> str:
    patient = one_patient(ds)
    return _template().render(
        title=_title(ds),
        about=facts.about(ds, supplement),
        other_model=other_model(record_of(ds)),
        single_patient=single.notice(patient) if patient else "",
        facts=facts.run_facts(ds),
        numerics=facts.numerics(ds),
        notes=str(ds.attrs.get("notes", "")).splitlines(),
        failed=int((~solved(ds)).sum()),
        simulated=int(ds["outcome"].size),
        sentence=summarized.glance.sentence if summarized else "",
        illustrative=_illustrative(summarized.glance.sentence) if summarized else "",
        answers=summarized.answers if summarized else None,
        tables=found,
        pictures=figures,
        limits=list(supplement.limits),
        command=supplement.command,
        config=str(ds.attrs.get("config", "")),
        references=[*_references(ds, supplement), *supplement.references],
    )


@dataclasses.dataclass(frozen=True)
class Summarized:
    """First part of the page of several patients."""

    glance: Glance
    provenance: Provenance
    answers: Answers


def _summarized(ds: xr.Dataset, supplement: Supplement, trial_size: int) -> Summarized:
    found = glance(ds, trial_size=trial_size)
    origin = provenance(ds, found.reference, record_of(ds).parameters, supplement.sampled)
    return Summarized(found, origin, answers(ds, found, origin))


def _illustrative(sentence: str) -> str:
    """Return the reason why a response is not among the main results, where it is shown below."""
    return sentence.replace("Tumor response is not shown here", "Tumor response is illustrative")


def _title(ds: xr.Dataset) -> str:
    """Return the title of the trial, or the name of its config if it has no title."""
    name = str(ds.attrs.get("config_name", "Simulated trial"))
    title = str(ds.attrs.get("title", "")).strip() or name
    return title.replace("_", " ") if title == name else title


def write(  # noqa: PLR0913
    ds: xr.Dataset,
    folder: Path,
    supplement: Supplement,
    *,
    trajectories: xr.Dataset | None = None,
    trial_size: int = interval.TRIAL_SIZE,
    stage: Stage = unmeasured,
    figures: Callable[[], Pictures] | None = None,
) -> tuple[Path, Path]:
    """Write `report.html` and `summary.csv`.

    Args:
        ds: Results with `best_response`.
        folder: Folder to write to; created if missing.
        supplement: Doses, parameters, limits, command and references.
        trajectories: Trajectories of individual patients, if stored separately.
        trial_size: Number of patients in the trial of the prediction intervals.
        stage: Entered for each stage.
        figures: Returns the figures, which may be drawn meanwhile; None to draw them here.

    Returns:
        The two files.
    """
    ds = with_steps(ds)
    with stage("tables"):  # before the page, which waits for the figures
        rows = summary(ds, trial_size=trial_size)
        rows = [_without_intervals(row) for row in rows] if one_patient(ds) else rows
    options = {"trajectories": trajectories, "trial_size": trial_size, "stage": stage}
    page = render(ds, supplement, **options, figures=figures)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.html"
    report.write_text(page, encoding="utf-8")
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


def _tables(
    ds: xr.Dataset, supplement: Supplement, summarized: Summarized | None, trial_size: int
) -> dict[str, Table]:
    titles = arm_titles(ds)
    seen = {"observed": observed_table(ds)} if has_observations(ds) else {}
    written = prescribed(ds)
    written = {(titles.get(arm, arm), label): text for (arm, label), text in written.items()}
    rows = facts.dose_rows(supplement.dose_table, written)
    shared = {
        "doses": facts.mapping_table("Doses by arm", rows, by="arm"),
        "parameters": facts.mapping_table("Parameters and their sources", supplement.parameters),
        "failures": facts.failure_table(ds),
    } | seen
    if summarized is None:
        return shared | _single_patient_tables(ds)
    decided = {"decisions": decision_table(ds)} if has_rules(ds) else {}
    decided |= {"dose_decisions": dose_decision_table(ds)} if has_doses(ds) else {}
    first = {"glance": glance_table(summarized.glance)}
    if summarized.provenance.ranked:
        arm = summarized.glance.arms[summarized.glance.reference]
        first["ranking"] = ranking_table(summarized.provenance, arm)
    if supplement.uncertainty is not None:
        first["uncertainty"] = uncertainty_table(supplement.uncertainty, titles)
    return (
        shared
        | first
        | _population_tables(ds, trial_size)
        | decided
        | compared.tables(ds, summarized.glance.frame, summarized.glance.preferences)
    )


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
        "patients": facts.patient_table(ds),
        "crs": tables.crs_table(ds, trial_size=trial_size),
        "times": crs_times.times_table(ds, trial_size=trial_size),
        "quartiles": crs_times.quartile_table(ds),
        "explained": explained_table(ds),
        "worst_grade": tables.worst_grade_table(ds, trial_size=trial_size),
        "cytokines": tables.cytokine_table(ds),
        "ratios": tables.ratio_table(ds),
        "exposure": tables.exposure_table(ds),
        "response": tables.response_table(ds, trial_size=trial_size),
    }


def _references(ds: xr.Dataset, supplement: Supplement) -> list[str]:
    """Return the references of the methods and of the keys cited in the table of parameters."""
    cited = resolve(str(row.get("source", "")) for row in supplement.parameters)
    return [*METHODS, response.rule_of(ds).source, *cited]
