"""T cells of a tumor and their exchange with blood follow from the size of the tumor."""

from pathlib import Path

import numpy as np
import pytest

from qsp.model.tissues import BLOOD, TUMOR
from qsp.populations import ParameterTable, nominal, sample, user_file


def table_of(
    mosunetuzumab: ParameterTable, folder: Path, *, cells: float, exponent: float, more: str = ""
) -> ParameterTable:
    """Lymphoma with T cells by size: 5000 Mcell and 0.048 1/day in a tumor of 50000 Mcell."""
    text = (
        f'{more}[tumor]\ncells = "{cells} Mcell"\nreference_cells = "50000 Mcell"\n'
        f'size_exponent = "{exponent}"\nt_cells = "5000 Mcell"\nk_exit = "0.002 1/hour"\n'
    )
    path = folder / "size.toml"
    path.write_text(text, encoding="utf-8")
    return nominal(mosunetuzumab.molecule, mosunetuzumab.cohort, [user_file(path)])


@pytest.mark.parametrize("exponent", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("ratio", [0.2, 1.0, 2.0])
def test_t_cells_and_exit_scale_with_a_power_of_the_size(exponent, ratio, mosunetuzumab, tmp_path):
    """A tumor twice as large has 2^g times the T cells and 2^g times the exchange with blood."""
    shipped = mosunetuzumab.nominal().model
    table = table_of(mosunetuzumab, tmp_path, cells=ratio * 5e4, exponent=exponent)
    sized, size = table.nominal().model, ratio**exponent
    cells, k_exit = shipped.t_cells.baseline.copy(), shipped.traffic.k_exit.copy()
    cells[TUMOR] *= size
    k_exit[TUMOR] *= size
    np.testing.assert_allclose(sized.t_cells.baseline, cells, rtol=1e-12)
    np.testing.assert_allclose(sized.traffic.k_exit, k_exit, rtol=1e-12)


def test_rate_of_return_to_blood_does_not_depend_on_the_size(mosunetuzumab, tmp_path):
    """It is k_exit times the ratio of T cells in blood to those in the tumor."""

    def k_back(cells):
        p = table_of(mosunetuzumab, tmp_path, cells=cells, exponent=0.4).nominal().model
        baseline = p.t_cells.baseline
        return p.traffic.k_exit[TUMOR] * baseline[BLOOD] / baseline[TUMOR]

    assert k_back(2e5) == pytest.approx(k_back(5e4), rel=1e-12)


def test_sampled_patients_scale_with_their_own_tumor(mosunetuzumab, tmp_path):
    table = table_of(mosunetuzumab, tmp_path, cells=5e4, exponent=0.4)
    patients = sample(table, range(20), seed=1, periods=1)
    cells = patients.parameters.model.targets.baseline[:, 1:, TUMOR].sum(axis=1)
    assert np.ptp(np.log(cells)) > 1.0
    size = (cells / 5e4) ** 0.4
    p, sampled = patients.parameters.model, patients.sampled
    for found, own in (
        (p.traffic.k_exit, sampled["tumor.k_exit"]),
        (p.t_cells.baseline, sampled["tumor.t_cells"]),
    ):
        assert np.ptp(np.log(own)) > 0.5
        np.testing.assert_allclose(found[:, TUMOR], own * size, rtol=1e-9)


def test_value_of_a_later_file_is_not_derived(mosunetuzumab, tmp_path):
    table = table_of(mosunetuzumab, tmp_path, cells=1e5, exponent=1.0)
    own = tmp_path / "own.toml"
    own.write_text('[traffic.k_exit]\ntumor = "0.3 1/day"\n', encoding="utf-8")
    files = [*table.overrides, user_file(own)]
    p = nominal(table.molecule, table.cohort, files).nominal().model
    assert p.traffic.k_exit[TUMOR] == pytest.approx(0.3)
    assert p.t_cells.baseline[TUMOR] == pytest.approx(1e4)
