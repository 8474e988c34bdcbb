"""The command that weighs patients to published distributions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from qsp.cli import options as opt
from qsp.cli.output import Listing, chosen
from qsp.cli.text_table import TextTable

if TYPE_CHECKING:
    from qsp.patients import Diagnosis, Weighing

app = typer.Typer()
console = Console(highlight=False)

COLUMNS = (
    *("quantity", "arm", "period", "at_most", "unit", "published", "before", "after", "met"),
    *("selected", "resampled"),
    *("n", "source"),
)


@app.command()
def weigh(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.")],
    targets: Annotated[Path, typer.Option(help="CSV file of published distributions.")],
    out: Annotated[Path, typer.Option(help="Folder for the run with weights.")],
    ridge: Annotated[
        float,
        typer.Option(help="Factor of the sampling error of published shares; 0 to meet them."),
    ] = 1.0,
    select: Annotated[
        bool,
        typer.Option("--select", help="Write some of the patients, unweighted, not all weighted."),
    ] = False,
    resample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Draw N patients by weight, unweighted, and write them as a cohort for new runs.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Seed of the selection, resampling and the perfect model."),
    ] = 0,
    force: opt.Force = False,
    as_csv: opt.AsCsv = False,
    as_json: opt.AsJson = False,
    to: opt.TableFile = None,
) -> None:
    """Weigh the patients of a run to published distributions; write the weighted run."""
    from qsp import patients

    output = chosen(as_csv, as_json, to)
    found = patients.weigh(
        folder,
        targets,
        out=out,
        ridge=ridge,
        select=select,
        resample=resample,
        seed=seed,
        force=force,
    )
    output.show(listing(found), console)
    kind = "Run of the selected patients" if select else "Weighted run"
    kind = kind if resample is None else "Cohort of the drawn patients"
    output.console(console).print(f"{kind}: {out}", markup=False, soft_wrap=True)


def listing(found: Weighing) -> Listing:
    """Return the published shares before and after weighing, and the notes on the weights.

    Args:
        found: Weights, from `qsp.patients.weigh`.
    """
    rows = [
        [
            each.published.title,
            f"{each.published.at_most[each.place]:g} {each.published.unit}".removesuffix(" 1"),
            f"{100 * each.published.shares[each.place]:.0f}",
            f"{100 * each.before:.0f}",
            f"{100 * each.after:.0f}",
            "yes" if each.is_met else "no",
        ]
        for each in found.diagnosis.fits
    ]
    headers = ["distribution", "at most", "published (%)", "before (%)", "after (%)", "met"]
    from qsp.patients.weighing import copies

    title = f"Patients weighted to {found.file.name}"
    if found.shares_selected:
        headers.insert(-1, "selected (%)" if found.counts is None else "resampled (%)")
        for row, share in zip(rows, found.shares_selected, strict=True):
            row.insert(-1, f"{100 * share:.0f}")
    parts = [TextTable(title, headers, rows), *_notes(found.diagnosis)]
    if found.selected is not None:
        count, total = int(found.selected.sum()), found.selected.size
        parts.append(f"Selected: {count} of {total} patients.")
    if found.counts is not None:
        drawn = copies(found.counts)
        parts.append(
            f"Resampled: {drawn['resampled']} patients, of whom {drawn['distinct']} are distinct; "
            f"the most frequent one is drawn {_times(drawn['most_copies'])}."
        )
    return Listing(parts, lambda: _records(found), COLUMNS)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _notes(found: Diagnosis) -> list[str]:
    """Sentences about the effective number, support, conflicts and duplicates."""
    share = found.effective / found.perfect
    notes = [
        f"Effective number of patients: {found.effective:.0f} of {found.patients}; "
        f"of a perfect model with the same publications: {found.perfect:.0f} "
        f"(ratio {share:.2f})."
    ]
    notes += [
        f"No patient: {each.published.title}, {each.bin} "
        f"({100 * each.probability:.0f} % of the publication)."
        for each in found.unsupported
    ]
    notes += [
        f"Out of reach: {each.title} ({each.source}) is not met even alone."
        for each in found.out_of_reach
    ]
    for each in found.conflicts:
        others = " or ".join(f"{other.title} ({other.source})" for other in each.others)
        reason = f"it is met without {others}" if others else "several others together prevent it"
        title = f"{each.published.title} ({each.published.source})"
        notes.append(f"Conflict: {title} is met alone, but not together with the others; {reason}.")
    notes += [
        f"Duplicates: {each.first.title} ({each.first.source}) and {each.second.title} "
        f"({each.second.source}) count the same patients twice."
        for each in found.duplicates
    ]
    return notes


def _records(found: Weighing) -> list[dict[str, Any]]:
    none = [None] * len(found.diagnosis.fits)
    shares = found.shares_selected or none
    selected, resampled = (shares, none) if found.counts is None else (none, shares)
    return [
        {
            "quantity": each.published.quantity,
            "arm": each.published.arm,
            "period": each.published.period,
            **each.record(),
            "selected": in_selection,
            "resampled": in_cohort,
            "n": each.published.n,
            "source": each.published.source,
        }
        for each, in_selection, in_cohort in zip(
            found.diagnosis.fits, selected, resampled, strict=True
        )
    ]
