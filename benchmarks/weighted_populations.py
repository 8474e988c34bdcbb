"""Effective size of each population weighted to published distributions. JSON lines.

    .venv/bin/python benchmarks/weighted_populations.py [--patients 2000] [--only nhl,myeloma]
    .venv/bin/python benchmarks/weighted_populations.py --write

`--write` records the rows of all populations in `results/weighted_populations.jsonl`, and the table
in `docs/guides/populations-weights.md` is written from them.

The patients of a population are simulated under one approved regimen with the management of CRS of
its trial, and weighted to the distributions of `qsp/validation/data/weights/NAME.csv`. The file
holds covariates, tumor burden, T cells and IL-6, never rates of CRS or response. A row has:

* `targets`, `distributions`: number of published shares that were read in a source, and of the
  quantities and sources that they belong to; `met`: number of distributions that the weights meet;
* `effective`, `perfect`, `ratio`: effective number of patients, that of a perfect model with the
  same numbers of patients in the publications, and the ratio of both;
* `worst_miss` of the weighted shares from the published ones, in points, and its `worst_target`;
* `without`: without each distribution in turn, the effective number and the ratio; `costliest` is
  the distribution without which the effective number is the largest;
* `unsupported`, `out_of_reach`, `conflicts`, `duplicates`, as `qsp weigh` reports them;
* `crs_any`, `crs_g2`: incidence of CRS of any grade and of grade 2 or higher, without weights and
  with them, in percent;
* `samples`: the figures with published IL-6 in a sample at a fixed time after a dose as well, for
  each sample and for all together, where quartiles of it were read (`weighted_samples`);
* `recalled`: number of further shares from memory. They are not counted. `effective_with_recalled`
  and `ratio_with_recalled` are the figures with them.

`too_small` is whether the effective number is below 200 or the ratio below 0.3. A population of
which no distribution was read has `status` "no distribution was read", and no weights.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rows import Row, emit, row
from weighted_samples import Sample, samples_of, with_samples

from qsp import process
from qsp.endpoints import crs
from qsp.patients import Diagnosis, Fit, Published, read_published
from qsp.patients.weighing import Weighing, weigh_values
from qsp.validation.study import APPROVED, conduct, of_arms, prepare
from qsp.validation.weighted import RECALLED, STUDIES, targets_of

HERE = Path(__file__).resolve().parent
RECORD = HERE / "results/weighted_populations.jsonl"
GUIDE = HERE.parent / "docs/guides/populations-weights.md"
BEGIN, END = "<!-- weighted populations: begin -->", "<!-- weighted populations: end -->"
SEED = 1
LEAST, LEAST_RATIO = 200, 0.3
"""Effective number of 2,000 patients, and its ratio to that of a perfect model, to reach."""


def main() -> None:
    """Simulate and weigh each population, and print its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(STUDIES))
    parser.add_argument("--write", action="store_true", help="record the rows, write the table")
    arguments = parser.parse_args()
    process.start()
    rows = []
    for name in arguments.only:
        began = time.perf_counter()
        ds, samples = simulated(STUDIES[name], arguments.patients)
        rows.append(_row(name, ds, samples, round(time.perf_counter() - began, 1)))
        emit(rows[-1])
    if arguments.write:
        if arguments.only != list(STUDIES):
            parser.error("--write records all populations; leave out --only")
        _replace(RECORD, "".join(f"{json.dumps(each)}\n" for each in rows))
        _replace(GUIDE, _with_table(GUIDE.read_text(encoding="utf-8"), table(rows)))


def table(rows: Iterable[Row]) -> str:
    """Return the table of the guide, in Markdown."""
    heads = ("population", "targets", "effective number", "perfect model", "ratio", "costliest")
    heads += ("met", "worst miss (points)", "CRS, any grade (%)", "CRS, grade 2 or higher (%)")
    lines = [heads, ("---",) * len(heads), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(found: dict[str, Any]) -> tuple[str, ...]:
    name = f"`{found['population']}`"
    if not found["targets"]:
        before = (f"{found['crs_any']:.1f}", f"{found['crs_g2']:.1f}")
        return (name, "0", *("-",) * 6, *before)
    return (
        *(name, str(found["targets"]), str(found["effective"]), str(found["perfect"])),
        *(f"{found['ratio']:.2f}", f"`{found['costliest']}`" if found["costliest"] else "-"),
        f"{found['met']} of {found['distributions']}",
        f"{abs(found['worst_miss']):.1f} (`{found['worst_target']}`)",
        *("{:.1f} → {:.1f}".format(*found[key]) for key in ("crs_any", "crs_g2")),
    )


def _with_table(page: str, text: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{GUIDE.name} must contain the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def _replace(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def is_read(published: Published) -> bool:
    """Return whether the values were read in a source; the others are from memory."""
    return not published.source.endswith(RECALLED)


def simulated(study: str, patients: int) -> tuple[xr.Dataset, list[Sample]]:
    """Return the results of the approved regimen of a study, and published samples of IL-6.

    Args:
        study: One of `STUDIES`.
        patients: Number of patients, up to 2,000.

    Returns:
        Results with the parameters of the patients, and with their IL-6 at the times of the
        samples; and the samples.
    """
    prepared = of_arms(prepare(study, patients=patients, seed=SEED), (APPROVED,))
    samples = samples_of(study, prepared)
    done = conduct(prepared, [each.time for each in samples])
    own = {name: each for name, each in done.parameters.items() if name not in done.results}
    return with_samples(done.results.assign(own), done.trajectories, samples), samples


def weighed(ds: xr.Dataset, published: Sequence[Published], file: Path) -> Weighing:
    """Return the weights of patients to published distributions, as `qsp weigh` finds them."""
    return weigh_values(ds, tuple(published), file, where=file.stem, ridge=1.0, seed=SEED)


def _row(name: str, ds: xr.Dataset, samples: Sequence[Sample], seconds: float) -> Row:
    file = targets_of(name)
    published = read_published(file)
    read = [each for each in published if is_read(each)]
    return row(
        "weighted_populations",
        "maximum_entropy",
        status="ok" if read else "no distribution was read",
        population=name,
        study=STUDIES[name],
        arm=APPROVED,
        patients=ds.sizes["patient"],
        seed=SEED,
        **_weights(ds, read, file),
        **_with_recalled(ds, published, file),
        samples=_with_samples(ds, read, [each.published for each in samples], file),
        simulate_s=seconds,
    )


def _weights(ds: xr.Dataset, read: Sequence[Published], file: Path) -> Row:
    if not read:
        return {"targets": 0, "distributions": 0, "crs_any": _crs(ds, 1), "crs_g2": _crs(ds, 2)}
    found = weighed(ds, read, file)
    diagnosis = found.diagnosis
    worst = max(diagnosis.fits, key=lambda fit: abs(fit.after - fit.published.shares[fit.place]))
    ratio = diagnosis.effective / diagnosis.perfect
    without = {
        other.title: _sizes(weighed(ds, rest, file).diagnosis)
        for other in read
        if (rest := [each for each in read if each is not other])
    }
    after = ds.assign(prevalence_weight=ds["prevalence_weight"].copy(data=found.weight))
    return {
        "targets": len(diagnosis.fits),
        "distributions": len(read),
        "met": len({fit.published.where for fit in diagnosis.fits if fit.is_met}),
        **_sizes(diagnosis),
        "too_small": bool(diagnosis.effective < LEAST or ratio < LEAST_RATIO),
        "worst_miss": round(100 * (worst.after - worst.published.shares[worst.place]), 1),
        "worst_target": _name(worst),
        "without": without,
        "costliest": max(without, key=lambda title: without[title]["effective"], default=None),
        "unsupported": [f"{each.published.title}: {each.bin}" for each in diagnosis.unsupported],
        "out_of_reach": [each.title for each in diagnosis.out_of_reach],
        "conflicts": [
            {"distribution": each.published.title, "with": [other.title for other in each.others]}
            for each in diagnosis.conflicts
        ],
        "duplicates": [[each.first.title, each.second.title] for each in diagnosis.duplicates],
        "shares": [
            {
                "target": _name(fit),
                "published": float(fit.published.shares[fit.place]),
                "before": round(fit.before, 3),
                "after": round(fit.after, 3),
            }
            for fit in diagnosis.fits
        ],
        "crs_any": [_crs(ds, 1), _crs(after, 1)],
        "crs_g2": [_crs(ds, 2), _crs(after, 2)],
    }


def _name(fit: Fit) -> str:
    """Name of a published share, such as "age, at most 63"."""
    return f"{fit.published.title}, at most {fit.published.at_most[fit.place]:g}"


def _with_recalled(ds: xr.Dataset, published: Sequence[Published], file: Path) -> Row:
    recalled = [each for each in published if not is_read(each)]
    if not recalled:
        return {"recalled": 0}
    sizes = _sizes(weighed(ds, published, file).diagnosis)
    return {
        "recalled": sum(len(each.shares) for each in recalled),
        "effective_with_recalled": sizes["effective"],
        "ratio_with_recalled": sizes["ratio"],
    }


def _with_samples(
    ds: xr.Dataset, read: Sequence[Published], samples: Sequence[Published], file: Path
) -> Row:
    """Effective sizes with each published sample of IL-6 as well, and with all of them."""
    added = {each.quantity: [each] for each in samples}
    if len(samples) > 1:
        added["all"] = list(samples)
    found = {name: weighed(ds, [*read, *more], file).diagnosis for name, more in added.items()}
    return {
        name: {
            **_sizes(each),
            "out_of_reach": [published.title for published in each.out_of_reach],
            "conflicts": [conflict.published.title for conflict in each.conflicts],
        }
        for name, each in found.items()
    }


def _sizes(found: Diagnosis) -> dict[str, float]:
    return {
        "effective": round(found.effective),
        "perfect": round(found.perfect),
        "ratio": round(found.effective / found.perfect, 2),
    }


def _crs(ds: xr.Dataset, grade: int) -> float:
    """Incidence of CRS of a grade or higher over all doses [%]."""
    rate = crs.incidence(ds, by="any", at_least=(grade,))["value"]
    return round(100 * float(np.squeeze(rate.values)), 1)


if __name__ == "__main__":
    main()
