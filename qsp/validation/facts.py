"""Conversion of the rows of the published tables to facts with a simulated counterpart."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from qsp.validation import measure
from qsp.validation.judge import Rule, rule
from qsp.validation.published import Published, read
from qsp.validation.row import Fact, Figure, Measure

LABELS: Mapping[str, tuple[str, ...]] = {
    "overall": (),
    "FD2 (C2D1)": ("FD2",),
    "C3+": ("C3", "C4"),
}
"""Simulated dose periods of each period that has another name in the tables."""
TWO_CYCLES = ("SUD1", "SUD2", "FD1", "FD2")
"""Dose periods of mosunetuzumab in days 0 to 42, for which the US label reports one AUC."""
STUDY_OF_INDICATION: Mapping[str, str] = {
    "R/R FL pivotal": "mosunetuzumab_fl",
    "R/R FL >=2 lines": "mosunetuzumab_fl",
}
"""Study of each indication in the tables that has a separate population."""
DETECTABLE = 10.0
"""Lowest IL-6 concentration that could be digitized [pg/mL]."""
STEROID = "_STEROID"
"""Suffix of the name of a regimen with an assumed steroid."""


def published_facts() -> tuple[Fact, ...]:
    """Return the facts of all tables, in the order of the tables."""
    return tuple(
        fact for table, facts in _TABLES.items() for each in read(table) for fact in facts(each)
    )


def labels_of(period: str) -> tuple[str, ...]:
    """Return the labels of the simulated dose periods of a period in the tables; () for all."""
    return LABELS.get(period, (period,))


def _fact(row: Published, what: str, when: str, published: Figure, measured: Measure) -> Fact:
    return Fact(
        molecule=row["molecule"],
        study=STUDY_OF_INDICATION.get(row.cells.get("indication", ""), row["molecule"]),
        what=what,
        when=when,
        published=published,
        measure=measured,
        rule=_rule(row, points=published.unit == "%"),
        certainty=row["certainty"],
        source=row["source"],
    )


def _rule(row: Published, *, points: bool, column: str = "") -> Rule:
    where = f"{row.table}.csv: {row['regimen_id']}"
    return rule(row.judged(column), points=points, where=where)


def _figure(row: Published, column: str, unit: str) -> Figure:
    return Figure(row.number(column), unit, row.number("low"), row.number("high"))


def _crs_rates(row: Published) -> Iterator[Fact]:
    low, high = int(row["grade_min"]), int(row["grade_max"])
    arm, period = row["regimen_id"], row["dose_period"]
    if high == 5:
        what = "CRS, any grade" if low == 1 else f"CRS, grade {low} or more"
        labels = labels_of(period)
        measured = functools.partial(measure.crs_rate, arm=arm, labels=labels, at_least=low)
    else:
        what = f"CRS, grade {low}"
        measured = functools.partial(measure.crs_exactly, arm=arm, grade=low)
    when = f"{period}, {row['indication']}"
    yield _fact(row, what, when, _figure(row, "percent", "%"), measured)


def _crs_timing(row: Published) -> Iterator[Fact]:
    arm, period, metric = row["regimen_id"], row["dose_period"], row["metric"]
    labels = labels_of(period)
    what, unit, measured = {
        "median_onset_from_infusion_start": (
            "CRS onset, median",
            "hour",
            functools.partial(measure.crs_onset, arm=arm, labels=labels),
        ),
        "median_duration": (
            "CRS duration, median",
            "day",
            functools.partial(measure.crs_duration, arm=arm),
        ),
        "percent_onset_on_infusion_day": (
            "CRS with onset on the day of infusion",
            "%",
            functools.partial(measure.crs_on_infusion_day, arm=arm),
        ),
    }[metric]
    yield _fact(row, what, period, _figure(row, "value", unit), measured)


def _cytokines(row: Published) -> Iterator[Fact]:
    builder = {
        "median of individual peaks": _il6_peaks,
        "median of detectable samples": _il6_samples,
        "time of peak": _il6_peak_time,
    }[row["statistic"]]
    yield from builder(row)


def _il6_peaks(row: Published) -> Iterator[Fact]:
    """Yield the fact for a first dose, or for several first doses pooled as in the publication."""
    arms = {row["regimen_id"]: 1.0}
    if "pooled" in row["dose"]:
        alike = [r for r in read(row.table) if r["statistic"] == row["statistic"]]
        arms = {r["regimen_id"]: r.number("n") for r in alike if "pooled" not in r["dose"]}
    labels = labels_of(row["dose_period"])
    measured = functools.partial(measure.il6_peak, arms=arms, labels=labels)
    figure = _figure(row, "value", "pg/mL")
    yield _fact(row, "IL-6 peak, median", f"first dose, {row['dose']}", figure, measured)


def _il6_samples(row: Published) -> Iterator[Fact]:
    """Yield the fact at the time of the samples; if judged, also one with an assumed steroid."""
    arm, day = row["regimen_id"], row.number("time_after_first_dose_d")
    regimen = "5/15/60" if arm.endswith("5_15_60") else "60 flat"
    when = f"{regimen} ug/m2/day, {_time(day)}"
    what, figure = f"IL-6 above {DETECTABLE:g} pg/mL, median", _figure(row, "value", "pg/mL")
    without_steroid = replace(_fact(row, what, when, figure, _above(arm, day)), time=day)
    yield without_steroid
    if without_steroid.rule.judged:
        yield replace(
            without_steroid,
            when=f"{when}, with steroid",
            measure=_above(f"{arm}{STEROID}", day),
            rule=Rule("steroid assumed", judged=False),
        )


def _above(arm: str, day: float) -> Measure:
    return functools.partial(measure.level, arm=arm, name="il6", day=day, above=DETECTABLE)


def _time(day: float) -> str:
    hours = round(24.0 * day, 1)
    return f"{hours:g} h" if hours <= 48 else f"day {day:g}"


def _il6_peak_time(row: Published) -> Iterator[Fact]:
    labels = labels_of(row["dose_period"])
    measured = functools.partial(measure.il6_peak_time, arm=row["regimen_id"], labels=labels)
    when = f"{row['dose_period']}, {row['dose']}"
    yield _fact(row, "Time to IL-6 peak, median", when, _figure(row, "value", "hour"), measured)


def _exposure(row: Published) -> Iterator[Fact]:
    """Yield one fact for each number of the row."""
    arm, unit = row["regimen_id"], row["unit"]
    mean = "mean" in row["statistic"]
    when = f"{row['dose_period']}, {row['dose']}"
    labels = labels_of(row["dose_period"])
    # The steady state of a constant infusion is the concentration at its end.
    columns: Sequence[tuple[str, str, measure.Metric]] = (
        ("cmax", "Cmax", "cmax"),
        ("ctrough", "Ctrough", "ctrough"),
        ("cavg", "Css", "ctrough"),
    )
    for column, title, metric in columns:
        if not math.isnan(row.number(column)):
            measured = functools.partial(
                measure.concentration, arm=arm, labels=labels, metric=metric, mean=mean, unit=unit
            )
            what = f"{title}, {'mean' if mean else 'typical'}"
            fact = _fact(row, what, when, Figure(row.number(column), unit), measured)
            yield replace(fact, rule=_rule(row, points=False, column=column))
    if not math.isnan(row.number("auc")):
        measured = functools.partial(measure.area, arm=arm, labels=TWO_CYCLES, mean=mean, unit=unit)
        figure = Figure(row.number("auc"), row["auc_unit"].split(" (")[0])
        yield _fact(row, "AUC, mean", "days 0 to 42", figure, measured)


def _efficacy(row: Published) -> Iterator[Fact]:
    for column, title, complete in (
        ("orr_percent", "ORR", False),
        ("cr_percent", "CR", True),
    ):
        if math.isnan(row.number(column)):
            continue
        measured = functools.partial(measure.responders, arm=row["regimen_id"], complete=complete)
        certainty = row["certainty"] if _was_read(row, title) else "own-knowledge"
        figure = Figure(row.number(column), "%")
        yield replace(_fact(row, title, row["indication"], figure, measured), certainty=certainty)


def _was_read(row: Published, title: str) -> bool:
    """Return whether a number of a row was verified in its source; the others are from memory."""
    fields = row["read_fields"]
    where: Sequence[str] = (row["source"],) if fields == "see source" else fields.split(";")
    return fields == "all non-empty" or any(title in each for each in where)


_TABLES: Mapping[str, Callable[[Published], Iterator[Fact]]] = {
    "crs_rates": _crs_rates,
    "crs_timing": _crs_timing,
    "cytokines": _cytokines,
    "exposure": _exposure,
    "efficacy": _efficacy,
}
