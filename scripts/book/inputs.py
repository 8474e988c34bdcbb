"""Page of the values in files that are no parameters of the equations."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator, Sequence
from html import escape

from qsp.explain.values import Files
from qsp.populations import derived
from qsp.populations.paths import antigen_of, inputs
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
            html.table(("Path", "Value"), [(code(p), f"{v:g}") for p, v in derived.ABSENT.items()]),
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
                ("Population", "File", "Disease", "Extends", "Response criteria", "Growth"),
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
            "## Mixtures",
            "",
            "A population may consist of kinds of patient that differ in some values.",
            "",
            html.named(
                ("Mixture", "File", "Kind of patient", "Share", "Path", "Value"),
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
        cells = [*map(escape, (*texts, cohort.response_criteria, cohort.growth))]
        yield f"{name}.toml growth", cells


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


def _mixtures(files: Files) -> Iterator[Row]:
    of_molecules = [molecule.parameters for molecule in files.molecules.values()]
    of_cohorts = [cohort.parameters[-1] for cohort in files.cohorts.values()]
    for mixture in (each for file in (*of_molecules, *of_cohorts) for each in file.mixtures):
        for part in mixture.components:
            for path, changes in part.values.items():
                value = ", ".join(f"{key} {each}" for key, each in changes.items())
                share = f"{100 * part.weight:g} %"
                texts = (mixture.name, mixture.file, part.name, share, path, value)
                yield f"{mixture.file} {path} ({part.name})", [escape(each) for each in texts]
