"""Page of the values in files that are no parameters of the equations."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from qsp.explain.values import Files
from qsp.populations import derived
from qsp.populations.covariates import SEXES, covariate_law, covariate_models
from qsp.populations.paths import antigen_of, inputs
from qsp.populations.table_from_files import physiology
from qsp.units import parse
from scripts.book import html, text
from scripts.book.links import code, source_links
from scripts.book.parameters import parameter_table

Row = tuple[str, Sequence[str]]
_TEXTS = ("status", "source", "note")


def page(files: Files) -> str:
    """Return the page in Markdown: inputs of parameters, molecules, covariates, mixtures, rules."""
    paths = list(inputs())
    paths += list(dict.fromkeys(e.path for e in files.entries if antigen_of(e.path)))
    _, rules = text.heading(inspect.getdoc(derived) or "")
    return "\n".join(
        [
            "# Inputs from which parameters are derived",
            "",
            "Some inputs of a molecule or a population are closer to measurements than the",
            "parameters of the equations. They are listed here, then the rules that derive",
            "parameters from them.",
            "",
            parameter_table(paths, files),
            "",
            '<span id="derivation"></span>',
            "",
            "## Rules",
            "",
            rules,
            "",
            "## Absent processes",
            "",
            "A parameter without a value has this one if its process is absent.",
            "",
            "The competitor has the amount per mass of an antibody of 150 kDa, 1000/150 nmol/mg.",
            "",
            html.table(
                ("Path", "Value"),
                [(code(p), repr(v).removesuffix(".0")) for p, v in derived.ABSENT.items()],
            ),
            "",
            "## Molecules",
            "",
            html.named(
                ("Molecule", "Target", "Format", "Weight [kDa]", "Routes", "Clearance", "Bridges"),
                _molecules(files),
            ),
            "",
            "## Populations",
            "",
            html.named(
                (
                    "Population",
                    "File",
                    "Disease",
                    "Extends",
                    "Response criteria",
                    "Lesions",
                ),
                _populations(files),
            ),
            "",
            "## Potency in vitro",
            "",
            "Concentrations of half-maximum effect, for comparison; no equation uses them.",
            "",
            html.named(
                ("Path", "File", "Value", "Status", "Source", "Note"),
                _in_vitro(files),
            ),
            "",
            "## Covariates",
            "",
            "A population has the covariates of the one that it extends, unless it has its own.",
            "",
            html.named(
                ("Covariate", "File", "Value and spread", "Status", "Source", "Note"),
                _covariates(files),
            ),
            "",
            "The body surface area is sqrt(weight [kg] * height [cm] / 3600) in m^2",
            "([Mosteller1987](references.md#Mosteller1987)), unless a population has a value of",
            "its own. Covariate models apply to the typical patient too, who has the median of",
            "each covariate and the more frequent sex. The last column is an example of their",
            "effect, on `supportive.tocilizumab.CL`.",
            "",
            html.table(
                (
                    "Population",
                    "Sex",
                    "Age [year]",
                    "Weight [kg]",
                    "Body surface [m^2]",
                    "Tocilizumab CL [L/day]",
                ),
                _typical(files),
            ),
            "",
            "## Correlations",
            "",
            "Correlations between patients, on the scale where both values are normal: that of the",
            "logarithm for a log-normal value. A correlation holds if both values vary in the",
            "population; the last file with a pair takes precedence, in the order physiology,",
            "molecule, population.",
            "",
            html.named(
                ("Between", "And", "File", "Correlation", "Status", "Source", "Note"),
                _correlations(files),
            ),
            "",
            "## Mixtures",
            "",
            "A population may consist of kinds of patient that differ in some values. The typical",
            "patient belongs to no kind: the value is that of the parameter's entry in the file.",
            "",
            html.named(
                ("Mixture", "File", "Kind of patient", "Share", "Path", "Value", "Typical patient"),
                _mixtures(files),
            ),
        ]
    )


def _molecules(files: Files) -> Iterator[Row]:
    for name, m in files.molecules.items():
        weight, routes = f"{m.molecular_weight:g}", ", ".join(m.routes)
        cells = (m.title, m.target, m.format, weight, routes, m.clearance, m.synapse)
        yield f"{name}.toml molecular_weight", [escape(str(cell)) for cell in cells]


def _populations(files: Files) -> Iterator[Row]:
    for name, cohort in files.cohorts.items():
        base = cohort.files[-2].name if len(cohort.files) > 1 else ""
        texts = (cohort.title, f"{name}.toml", cohort.disease, base)
        cells = [*map(escape, (*texts, cohort.response_criteria))]
        cells.append(str(cohort.lesion_count))
        yield f"{name}.toml response_criteria", cells


def _in_vitro(files: Files) -> Iterator[Row]:
    for molecule in files.molecules.values():
        for entry in molecule.in_vitro.values():
            texts = (entry.path, entry.file.partition(":")[0], entry.value, entry.status)
            cells = [*map(escape, texts), source_links(entry.source), escape(entry.note)]
            yield f"{molecule.parameters.name} {entry.path}", cells


def _covariates(files: Files) -> Iterator[Row]:
    """Yield the covariates that each population file states itself."""
    for cohort in files.cohorts.values():
        file = cohort.files[-1]
        own = tomllib.loads(file.read_text(encoding="utf-8")).get("covariates", {})
        for name, entry in own.items():
            value = ", ".join(f"{k} {v}" for k, v in entry.items() if k not in _TEXTS)
            status, source, note = (str(entry.get(key, "")) for key in _TEXTS)
            texts = (name, file.name, value.removeprefix("value "), status)
            cells = [*map(escape, texts), source_links(source), escape(note)]
            yield f"{file.name} covariates.{name}", cells


def _typical(files: Files) -> Iterator[Sequence[str]]:
    """Yield the covariates of each typical patient, and a clearance that depends on them."""
    [clearance] = files.of("supportive.tocilizumab.CL")
    for name, cohort in files.cohorts.items():
        law = covariate_law(cohort)
        x = law.at({path: np.zeros(1) for path in law.names}, {})
        value = parse(clearance.value, "L/day", where=clearance.where)
        for model in covariate_models(clearance):
            value *= float(model.effect(x)[0])
        sizes = (f"{float(x[key][0]):.4g}" for key in ("age", "body_weight", "body_surface"))
        yield escape(name), SEXES[int(x["sex"][0])], *sizes, f"{value:.4f}"


def _correlations(files: Files) -> Iterator[Row]:
    for item in files.correlations:
        first, second = item.between
        texts = (item.file, f"{item.value:g}", item.status)
        cells = [code(first), code(second), *map(escape, texts)]
        cells += [source_links(item.source), escape(item.note)]
        yield f"{item.file} {first} and {second}", cells


def _mixtures(files: Files) -> Iterator[Row]:
    """Yield the values of each kind of patient, and the value of the typical patient."""
    of_molecules = [(molecule.parameters,) for molecule in files.molecules.values()]
    of_cohorts = [(physiology(), *cohort.parameters) for cohort in files.cohorts.values()]
    for group in (*of_molecules, *of_cohorts):
        typical = {path: entry.value for file in group for path, entry in file.entries.items()}
        for mixture in group[-1].mixtures:
            for part in mixture.components:
                for path, changes in part.values.items():
                    value = ", ".join(f"{key} {each}" for key, each in changes.items())
                    share = f"{100 * part.weight:g} %"
                    texts = (mixture.name, mixture.file, part.name, share, path, value)
                    cells = [escape(each) for each in (*texts, typical[path])]
                    yield f"{mixture.file} {path} ({part.name})", cells
