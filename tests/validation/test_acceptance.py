"""The table of requirements: bounds of a line, and every line on synthetic results."""

import json

import numpy as np
import pytest
import xarray as xr

from qsp.model.tissues import TISSUES
from qsp.validation.acceptance import RESPONSE_STUDIES, STUDIES, Figure, Line, Runs, table
from qsp.validation.acceptance_facts import skin, skin_share
from qsp.validation.acceptance_recorded import invariants, speed
from qsp.validation.acceptance_response import MONTH_3, loss, uveal
from qsp.validation.acceptance_rows import ROWS, flat_over_steps
from qsp.validation.study import Study, prepare
from qsp.validation.targets import targets
from qsp.validation.validate import saved_times
from tests import synthetic
from tests.synthetic_lesions import with_lesions


def line(*verdicts, needed=None):
    figures = tuple(Figure("x", "1", least, aim) for least, aim in verdicts)
    return Line("name", figures, "1", "2", needed)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (line((True, True), (True, True)), "aim"),
        (line((True, True), (True, False)), "met"),
        (line((True, True), (False, False)), "not met"),
        (line((True, True), (False, False), needed=1), "met"),
        (line((None, None)), ""),
        (line((True, True), (None, None)), "aim"),
        (line((True, None)), "met"),
    ],
)
def test_result_of_a_line(found, verdict):
    assert found.verdict == verdict


def test_figure_outside_the_bound_is_marked():
    found = Line("name", (Figure("a", "1.2", False), Figure("b", "1.8", True)), "1.5", "2")
    assert found.cells() == ("name", "not met", "a 1.2!; b 1.8", "1.5", "2")


def results(name):
    """Neutral results with the arms, dose periods and saved times of a study."""
    prepared = prepare(name, patients=1, seed=1)
    arms = {arm.name: arm.labels for arm in prepared.trial.arms}
    labels = max(arms.values(), key=len)
    rows = [row for row in targets() if row.config == name]
    times = sorted({0.0, *saved_times(prepared, rows)})
    ds = synthetic.neutral(tuple(arms), patients=12, labels=labels, times=times)
    for place, own in enumerate(arms.values()):
        ds["dose_label"].values[place, :, len(own) :] = ""
        ds["dose_label"].values[place, :, : len(own)] = own
        starts = [
            min(d.time for d in prepared.trial.arms[place].administrations if d.period == n + 1)
            for n in range(len(own))
        ]
        ds["dose_time"].values[place, :, : len(own)] = starts
    shape = ds["outcome"].shape
    ds = ds.assign(il6_baseline=(("arm", "patient"), np.full(shape, 3.0)))
    ds["tumor_volume_baseline"].values[:] = np.arange(12.0)
    return ds.assign_attrs(molecular_weight_kda=146.0)


WEIGHTS = {"blood": 0.4, "lymphoid": 0.2, "tumor": 0.5, "skin": 2.0}


def with_source(ds):
    """Study with secreting cells in lymphoid tissue, tumor and skin, and the weights of each."""
    seen = np.zeros((*ds["crs_grade"].shape, len(TISSUES)))
    seen[..., 1:] = 1.0
    ds = ds.assign(cytokine_source=((*ds["crs_grade"].dims, "tissue"), seen))
    values = {
        f"release.weight.{tissue}": ("patient", np.full(ds.sizes["patient"], weight))
        for tissue, weight in WEIGHTS.items()
    }
    labels = {"patient": ds["patient"].values}
    return Study(ds.assign_coords(tissue=list(TISSUES)), ds, xr.Dataset(values, labels))


@pytest.fixture(scope="module")
def runs():
    found = {name: results(name) for name in STUDIES}
    found |= {name: with_lesions(results(name)) for name in RESPONSE_STUDIES}
    made = {name: Study(ds, ds) for name, ds in found.items()}
    return Runs(made | {"tebentafusp": with_source(found["tebentafusp"])})


def test_every_line_can_be_computed(runs):
    lines = table(runs, ROWS)
    assert len(lines) == 26
    assert not [found.name for found in lines if "not computed" in found.cells()[2]]
    by_name = {found.name: found for found in lines}
    burden = by_name["odds ratio of CRS, upper over lower third of burden"]
    assert len(burden.figures) == 11
    assert {figure.text[:4] for figure in burden.figures} == {"1.00"}
    assert by_name["order only"].verdict == "not met"  # arms without events are alike


def test_share_of_the_skin_has_equal_weights_per_cell(runs):
    """Equal release seen from blood: 5, 2 and 0.5 cells in lymphoid tissue, tumor and skin."""
    study = runs.by_name["tebentafusp"]
    assert skin_share(study, ("SUD1",)) == pytest.approx(0.5 / 7.5)
    without = Runs({**runs.by_name, "tebentafusp": Study(study.results, study.trajectories)})
    assert "parameters of the patients are not stored" in table(without, [skin])[0].cells()[2]


def recorded(folder, name, *rows):
    (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def ratio(numerator, denominator, key, value):
    keys = {"numerator": numerator, "denominator": denominator, "key": key}
    return {"bench": "ratio", **keys, "value": value}


def disease(name, **figures):
    good = {"conservation": 1e-8, "lowest": -0.5, "lowest_state": "axes.leak"}
    rest = {"patients": 10_000, "not_finite": 0, "failures": 0}
    return {"bench": "invariants", "case": name, **good, **rest, **figures}


def test_lines_without_a_record_name_the_command(runs, tmp_path):
    start = "run python benchmarks/page.py --run"
    assert speed(runs, tmp_path).cells()[2] == f"{start} --only against_first_model"
    found = invariants(runs, tmp_path)
    assert found.cells()[2] == f"{start} --only invariants; {start} --full --only scaling"
    assert found.verdict == speed(runs, tmp_path).verdict == ""


@pytest.mark.parametrize(
    ("factor", "rescue", "verdict"),
    [(0.9, 1.2, "aim"), (0.7, 1.2, "met"), (0.5, 1.2, "not met"), (0.9, 2.1, "not met")],
)
def test_speed_is_that_of_the_record(factor, rescue, verdict, runs, tmp_path):
    rows = (
        ratio("current model", "model-1", "patients_per_s", factor),
        ratio("rescue on", "rescue off", "simulate_s", rescue),
    )
    recorded(tmp_path, "against_first_model", {"bench": "against_first_model"}, *rows)
    found = speed(runs, tmp_path)
    assert found.verdict == verdict
    assert f"speed {factor:.2f}" in found.cells()[2]
    assert f"rescue {rescue:.2f}" in found.cells()[2]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "aim"),
        ({"conservation": 2e-6}, "not met"),
        ({"lowest": -1.2}, "not met"),
        ({"not_finite": 1}, "not met"),
        ({"failures": 1}, "not met"),
    ],
)
def test_invariants_are_those_of_the_worst_disease(changes, verdict, runs, tmp_path):
    rows = (disease("lymphoma"), disease("myeloma", **changes))
    recorded(tmp_path, "invariants", *rows, {"bench": "script"})
    memory = ratio("1,000,000 patients", "10,000 patients", "peak_memory_mb", 1.1)
    recorded(tmp_path, "scaling", memory)
    assert invariants(runs, tmp_path).verdict == verdict


def test_invariants_of_few_patients_have_no_verdict(runs, tmp_path):
    recorded(tmp_path, "invariants", disease("lymphoma", patients=500))
    assert invariants(runs, tmp_path).verdict == ""
    recorded(tmp_path, "invariants", disease("lymphoma", patients=500, lowest=-2.0))
    assert invariants(runs, tmp_path).verdict == "not met"


def test_memory_alone_meets_no_line(runs, tmp_path):
    memory = ratio("1,000,000 patients", "10,000 patients", "peak_memory_mb", 1.1)
    recorded(tmp_path, "scaling", memory)
    assert invariants(runs, tmp_path).verdict == ""


def test_memory_above_the_bound_fails(runs, tmp_path):
    memory = ratio("1,000,000 patients", "10,000 patients", "peak_memory_mb", 1.2)
    recorded(tmp_path, "scaling", memory)
    assert invariants(runs, tmp_path).verdict == "not met"


def test_memory_with_lesions_is_printed_without_a_verdict(runs, tmp_path):
    recorded(tmp_path, "invariants", disease("lymphoma"))
    memory = ratio("1,000,000 patients", "10,000 patients", "peak_memory_mb", 1.1)
    lesions = ratio("tumor as lesions", "tumor as pool", "bytes_per_patient", 1.6)
    recorded(tmp_path, "scaling", memory, lesions)
    found = invariants(runs, tmp_path)
    assert found.verdict == "aim"
    assert found.cells()[2].endswith("results of a patient with lesions over one pool 1.60 times")


def test_flat_over_steps_is_that_of_the_same_patients(runs):
    by_name = dict(runs.by_name)
    for name in ("mosunetuzumab_iv", "glofitamab", "teclistamab", "elranatamab"):
        ds = by_name[name].results.copy(deep=True)
        grade = ds["crs_grade"]
        place = {str(arm): n for n, arm in enumerate(ds["arm"].values)}
        grade.values[place["approved"], :4, 0] = 2
        grade.values[place["flat"], :8, 0] = 3
        by_name[name] = Study(ds, ds)
    found = flat_over_steps(Runs(by_name))
    assert all(figure.text.startswith("2.00 (") for figure in found.figures)
    assert found.meets_least == all(figure.meets_least for figure in found.figures)


def test_hazard_of_death_counts_from_the_first_dose_on(runs):
    """Baseline at the first dose, and a burden of 2^(1/0.3) at each visit: twice the hazard."""
    by_name = dict(runs.by_name)
    ds = by_name["tebentafusp_response"].results.copy(deep=True)
    days = ds["visit"].values
    ds["tumor_volume_baseline"].values[:] = 10.0
    ds["tumor_volume_visit"].values[:] = 10.0
    ds["tumor_volume_visit"].loc[{"arm": "untreated"}] = 10.0 * 2.0 ** (1.0 / 0.3)
    by_name["tebentafusp_response"] = Study(ds, ds)
    (_, ratio_of_hazards) = uveal(Runs(by_name)).figures
    expected = days[-1] / (1.5 * days[0] + 2.0 * (days[-1] - days[0]))
    assert ratio_of_hazards.text == f"{expected:.2f}"


@pytest.mark.parametrize(
    ("count", "share", "text", "verdict"),
    [
        (40, 0.1, "10 % of 40", False),
        (40, 0.0, "0 % of 40", True),
        (8, 0.5, "50 % of 8", None),
        (0, 0.0, "0 % of 0", None),
    ],
)
def test_loss_before_month_3_is_that_of_both_studies(count, share, text, verdict, runs):
    """Half of the early progressions are in each study; all others are late and half have loss."""
    by_name, half = dict(runs.by_name), count // 2
    for name in ("glofitamab_response", "epcoritamab_dlbcl_response"):
        ds = by_name[name].results.isel(patient=np.zeros(100, int)).copy(deep=True)
        times = MONTH_3 - 7.0 + 14.0 * np.arange(ds.sizes["visit"])
        ds = ds.assign_coords(patient=np.arange(100), visit=times)
        first, last = times[[0, -1]]
        lost = np.where(np.arange(100) < half, np.arange(100) < share * half, np.arange(100) % 2)
        ds["outcome"].values[:] = 0
        ds["response_time"].values[:] = first
        ds["progression_time"].values[:] = np.where(np.arange(100) < half, first, last)
        ds["lesion_loss_share_visit"].values[:] = lost[None, :, None, None]
        by_name[name] = Study(ds, ds)
    *late, early = loss(Runs(by_name)).figures
    assert (early.text, early.meets_least) == (text, verdict)
    assert all(figure.text.endswith("% of 100") for figure in late)


def test_line_that_results_do_not_have_names_the_reason(runs):
    ds = runs.by_name["glofitamab"].results
    without = Study(ds, ds.isel(time=[0]))
    lines = table(Runs({**runs.by_name, "glofitamab": without}), ROWS)
    (missing,) = [found for found in lines if "not computed" in found.cells()[2]]
    assert "was not saved" in missing.cells()[2]
    assert missing.verdict == ""
