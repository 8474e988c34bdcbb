"""Soluble target and effector-to-target ratio of sampled patients, and their place in results."""

from pathlib import Path

import numpy as np
import pytest

from qsp import molecules
from qsp.explain import blank
from qsp.model.tissues import ANTIGEN_LOW, BLOOD, MALIGNANT, TUMOR
from qsp.populations import nominal, read_cohort, sample, to_parameters
from qsp.results.before_treatment import TARGET_BASELINE, target_baseline

POPULATIONS = Path(__file__).parents[2] / "populations"


@pytest.fixture(scope="module")
def table():
    return nominal(molecules.load("teclistamab"), read_cohort(POPULATIONS / "myeloma.toml"))


def parameters_of(table, **values):
    paths = {name.replace("__", "."): value for name, value in values.items()}
    return to_parameters(table.complete({**table.values, **paths}))


def test_variables_are_those_of_the_parameters(table):
    people = sample(table, np.arange(5), seed=1, periods=1)
    model = people.parameters.model
    found = target_baseline([people.parameters, people.parameters])
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(
        TARGET_BASELINE, (2, 5)
    )
    soluble = found["soluble_target_baseline"][1]
    assert np.ptp(soluble) > 0.0
    np.testing.assert_array_equal(soluble, model.disposition.soluble_target[:, BLOOD])
    viable = model.targets.baseline
    malignant = viable[:, MALIGNANT, TUMOR] + viable[:, ANTIGEN_LOW, TUMOR]
    ratio = model.t_cells.baseline[:, TUMOR] / malignant
    np.testing.assert_allclose(found["effector_to_target_baseline"][0], ratio, rtol=1e-14)


def test_ratio_is_missing_without_malignant_cells(table):
    values = parameters_of(table, tumor__cells=np.array([0.0, 1e5]))
    ratio = target_baseline([values])["effector_to_target_baseline"]
    assert np.isnan(ratio[0, 0])
    assert ratio[0, 1] > 0.0


def test_results_hold_the_variables():
    for name, (unit, title) in TARGET_BASELINE.items():
        attrs = blank.results()[name].attrs
        assert (attrs["units"], attrs["long_name"]) == (unit, title)
        assert blank.results()[name].dims == ("arm", "patient")
