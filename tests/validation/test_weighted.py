"""Published distributions of patients that ship with the package; nothing is simulated."""

import json
from pathlib import Path

import pytest

from qsp import shipped, units
from qsp.patients import read_published
from qsp.validation.study import APPROVED, prepare, start_of, tables_of
from qsp.validation.weighted import FOLDER, RECALLED, STUDIES, targets_of

ROOT = Path(__file__).resolve().parents[2]
COVARIATES = {"age": "year", "body_weight": "kg", "sex": "1"}
RESULTS = {
    "sum_of_products_baseline": "cm^2",
    "soluble_target_baseline": "nmol/L",
    "il6_baseline": "pg/mL",
    "il6_peak": "pg/mL",
}
"""Variables of results (`qsp.results.schema`) with their units."""


@pytest.fixture(scope="module", params=STUDIES)
def population(request):
    name = request.param
    return name, read_published(targets_of(name))


def test_each_population_has_a_file_and_exists():
    assert {path.stem for path in FOLDER.iterdir()} == set(STUDIES)
    for name, study in STUDIES.items():
        assert shipped.find("populations", name)
        used = str(tables_of(study)["population"]).rpartition("/")[2]
        assert used.removesuffix(".toml").removesuffix("_plasma_target") == name


def test_values_are_read_in_a_source_or_marked_as_recalled(population):
    for each in population[1]:
        assert ("(read)" in each.source) != each.source.endswith(RECALLED), each.where


def test_quantities_are_those_of_a_run_and_never_rates(population):
    name, published = population
    prepared = prepare(STUDIES[name], patients=1, seed=1)
    for each in published:
        row = prepared.table.rows.get(each.quantity)
        known = {**COVARIATES, **RESULTS, **({each.quantity: row.unit} if row else {})}
        assert each.quantity in known, each.where
        if each.unit != known[each.quantity]:
            assert units.parse(f"1 {each.unit}", known[each.quantity], where=each.where) > 0
        assert each.arm == (APPROVED if each.quantity in RESULTS else "")
        assert bool(each.period) == each.quantity.endswith("_peak")
        if each.period:
            assert start_of(prepared, APPROVED, each.period) >= 0


def test_sources_do_not_count_the_same_patients_twice(population):
    quantities = [(each.title, each.at_most.tolist()) for each in population[1]]
    assert len({title for title, _ in quantities}) == len(quantities)


def test_guide_has_the_recorded_figures():
    record = ROOT / "benchmarks" / "results" / "weighted_populations.jsonl"
    rows = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    assert [row["population"] for row in rows] == list(STUDIES)
    guide = (ROOT / "docs" / "guides" / "populations-weights.md").read_text(encoding="utf-8")
    for row in rows:
        if row["targets"]:
            figures = " | ".join(str(row[key]) for key in ("targets", "effective", "perfect"))
            assert f"| `{row['population']}` | {figures} |" in guide
