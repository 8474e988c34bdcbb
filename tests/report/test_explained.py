"""Table of the variance between patients that covariates explain, for patients of known shares."""

import numpy as np
import pytest

from qsp import report
from qsp.endpoints import add_best_response
from qsp.report.explained import explained_table
from tests import synthetic
from tests.report.test_page import Page, supplement

PATIENTS = 60


@pytest.fixture
def patients():
    """The logarithm of the IL-6 peak is the sum of two orthogonal ones, of volume and of noise."""
    random = np.random.default_rng(6)
    raw = random.normal(size=(PATIENTS, 2))
    volume, noise = np.linalg.qr(raw - raw.mean(0))[0].T * np.sqrt(PATIENTS)
    ds = synthetic.neutral(patients=PATIENTS).drop_vars("fever_peak")
    peak = 30.0 * np.exp(volume + noise)
    return synthetic.put(
        ds, tumor_volume_baseline=50 * np.exp(volume), il6_peak=peak[:, None], age=60.0
    )


def test_row_has_the_shares_and_names_what_is_left_out(patients):
    table = explained_table(synthetic.fail(patients, 0, 3))
    (row,) = table.plain_rows()
    titles = [column.title for column in table.columns]
    assert titles[-3:] == ["Tumor volume", "Tumor volume", "Left out"]
    assert row[1:4] == ("IL-6 peak", "59", "1")
    assert float(row[4]) == pytest.approx(50.0, abs=2.0)
    assert row[7] == row[8] == row[4]  # one covariate: alone, and added to none
    assert row[9] == (
        "Soluble target (not in the results), T cells per tumor cell (not in the results), "
        "Age (constant), Body weight (constant)"
    )


def test_page_explains_the_shares(patients):
    text = Page(report.render(add_best_response(patients), supplement())).text
    assert "Variance between patients that covariates explain" in text
    assert "parameters that a clinic does not measure" in text


def test_no_table_without_a_share():
    few = synthetic.lively(8)
    assert explained_table(few).groups == ()
    text = Page(report.render(add_best_response(few), supplement())).text
    assert "Variance between patients that covariates explain" not in text
