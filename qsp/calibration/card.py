"""Records of a fit: its values, its residuals, and a card of what they are valid for."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence

import numpy as np

from qsp.calibration.identifiability import sentences
from qsp.calibration.laplace import Laplace
from qsp.calibration.parameters import Parameter
from qsp.calibration.problem import Problem
from qsp.calibration.residuals import Residual
from qsp.calibration.written import rounded
from qsp.model import MODEL_VERSION
from qsp.validation.targets import TABLE, targets

Stored = Mapping[str, np.ndarray]
Rows = Sequence[tuple[str, Residual]]
_DUPLICATE = 0.98
"""Correlation of the derivatives of two residuals above which they hold the same information."""
_NO_EFFECT = 1e-3
"""Largest derivative of a residual by a parameter that has no effect; of one prior sd."""


def values(problem: Problem, stored: Stored) -> str:
    """Return the values of a fit as TOML, each with its prior median."""
    starts = ", ".join(f"{first:.1f} to {last:.1f}" for first, last in stored["starts"])
    cost = float(stored["cost"])
    lines = [f"# scripts/calibrate, cost {cost:.1f}; costs of the starts: {starts}", ""]
    for each, z in zip(problem.parameters, stored["z"], strict=True):
        lines.append(
            f'{each.name} = {{ from = "{_text(each, each.start)}", '
            f'to = "{_text(each, each.value(z))}", z = {z:.6f}, status = "tuned" }}'
        )
    return "\n".join(lines) + "\n"


def residuals(rows: Rows) -> str:
    """Return the residuals as CSV, in their order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("study", "row", "simulated", "published", "residual"))
    for study, each in rows:
        found = (each.simulated, each.published, each.value)
        writer.writerow((study, each.name, *(f"{value:.4g}" for value in found)))
    return text.getvalue()


def card(problem: Problem, stored: Stored, rows: Rows) -> str:
    """Return the card of a fit as Markdown."""
    size = np.abs([each.value for _, each in rows])
    used = {each.name for _, each in rows}
    held_out = sorted(row.id for row in targets() if row.use == "holdout")
    recalled = sorted(row.id for row in targets() if row.id in used and not row.is_read)
    molecules = sorted({study.prepared.table.molecule.name for study in problem.studies})
    diseases = sorted({study.prepared.table.cohort.disease for study in problem.studies})
    without = [
        name for mean in problem.means for name in mean["molecules"] if name not in molecules
    ]
    has_derivatives = bool(np.any(stored["jacobian"]))
    silent = _without_effect(problem, stored) if has_derivatives else []
    table = hashlib.sha256(TABLE.read_bytes()).hexdigest()[:12]
    lines = [
        "# Card of the parameter values",
        "",
        f"Model {MODEL_VERSION}; `scripts/calibrate`; `targets.csv`, SHA-256 {table}.",
        "",
        f"* Fitted to: {len(rows)} residuals of {len(problem.studies)} studies of "
        f"{', '.join(molecules)} in {', '.join(diseases)}. {int((size > 2.0).sum())} are above 2 "
        f"errors, {int((size > 3.0).sum())} above 3.",
        f"* Of these, {len(recalled)} are values from general knowledge, with 1.5 times the error.",
        f"* Held out: {', '.join(held_out) or 'none'}.",
        "* Valid for: CRS of the approved regimens and of other steps of these molecules, and "
        "response in these diseases, as far as the validation page shows.",
        f"* Not valid for: other diseases and targets; {_names(without)} have the mean over "
        "molecules; individual patients; clinical decisions.",
    ]
    if has_derivatives:
        lines += [
            f"* Parameters without effect on any residual: {_names(silent)}.",
            f"* Pairs of residuals with the same information: {_duplicates(stored)}.",
        ]
        around = Laplace(problem.names, stored["z"], stored["jacobian"])
        lines += [f"* {each}" for each in sentences(problem.parameters, around)]
    lines.append("")
    return "\n".join(lines)


def _text(parameter: Parameter, value: float) -> str:
    return rounded(value) + ("" if parameter.unit == "1" else f" {parameter.unit}")


def _names(found: Sequence[str]) -> str:
    return ", ".join(sorted(set(found))) or "none"


def _without_effect(problem: Problem, stored: Stored) -> list[str]:
    largest = np.abs(stored["jacobian"]).max(axis=0)
    return [name for name, size in zip(problem.names, largest, strict=True) if size < _NO_EFFECT]


def _duplicates(stored: Stored) -> int:
    """Number of pairs of residuals whose derivatives are proportional."""
    jacobian = stored["jacobian"]
    length = np.linalg.norm(jacobian, axis=1)
    unit = jacobian[length > _NO_EFFECT] / length[length > _NO_EFFECT, None]
    return int((np.triu(np.abs(unit @ unit.T), 1) > _DUPLICATE).sum())
