"""Estimates of other programs, published with their data: NONMEM, nlmixr, Monolix, mapbayr.

Numbers and models as facts; sources of the data in `data/README.md`. Cases B and C are among the
tests of mapbayr (Le Louedec et al. 2021, CPT Pharmacometrics Syst Pharmacol 10:1208) and posologyr
(Leven et al. 2022, Pharmaceutics 14:442).
"""

import numpy as np
import pytest

from qsp.twins.derivatives import Differences
from qsp.twins.laplace import laplace
from qsp.twins.likelihood import LinearError
from qsp.twins.map_estimate import Search, map_estimate
from qsp.twins.simulator import with_covariance
from tests.twins.closed_forms import one_compartment_oral, read, study, two_compartments

EXACT = Differences(step=1e-4, is_central=True, negligible=0.0)
SEARCH = Search(iterations=50, tolerance=1e-13, differences=EXACT)


def estimate(predict, measured, omega):
    """Random effects (patient, effect), their Laplace covariance, and the Laplace result."""
    whitened, factor = with_covariance(predict, np.asarray(omega, float))
    found = map_estimate(whitened, measured, np.zeros((len(measured.value), len(omega))), SEARCH)
    assert found.has_converged.all()
    around = laplace(whitened, measured, found.z, EXACT)
    return found.z @ factor.T, factor @ around.covariance @ factor.T, around


def test_a_oral_doses_against_nonmem():
    """One compartment, oral, proportional error of variance 0.05; etas of CL, V, ka."""
    data = read("a_oral.csv")

    def predict(eta):
        return one_compartment_oral(
            data, np.exp(eta[..., 2]), 4.0 * np.exp(eta[..., 0]), 70.0 * np.exp(eta[..., 1])
        )

    measured = data.measured(LinearError(proportional=np.sqrt(0.05)))
    eta, covariance, _ = estimate(predict, measured, 0.2 * np.eye(3))
    nonmem = [
        [0.405058386, 0.0728505976, -0.0749540941],
        [-0.145364976, 0.024058784, -0.00618814556],
        [0.767680982, -0.139206821, 0.0821537434],
        [0.270025131, -0.136257306, 0.0123831629],
        [-0.356969487, -0.232178765, 0.0860926557],
        [0.294834001, -0.182121631, 0.0112881356],
        [0.220646048, 0.00714905162, 0.0693300113],
        [0.0266508767, -0.00704240138, 0.00123001684],
    ]
    np.testing.assert_allclose(eta, nonmem, atol=1e-5)
    np.testing.assert_allclose(np.diag(covariance[0]), [0.012812, 0.023166, 0.125253], rtol=1e-4)


@pytest.mark.parametrize(
    ("is_below", "mapbayr"),
    [(True, [-0.0427451, -0.122636]), (False, [-0.0706898, -0.113914])],
)
def test_b_below_quantification_against_mapbayr(is_below, mapbayr):
    """Two compartments; the last sample is below the limit of 1, or is the value 1."""
    data = study([[(0, 100)]], [[(1, 75), (6, 25), (24, 7), (48, 1)]])

    def predict(eta):
        cl, v1 = 0.2 * np.exp(eta[..., 0]), 2.0 * np.exp(eta[..., 1])
        return two_compartments(data, np.array([[100 / 1200]]), cl, v1, 0.1, 0.5)

    error = LinearError(additive=np.sqrt(0.5), proportional=np.sqrt(0.1))
    measured = data.measured(error, np.array([[False, False, False, is_below]]))
    eta, _, _ = estimate(predict, measured, np.diag([0.05, 0.02]))
    np.testing.assert_allclose(eta[0], mapbayr, atol=1e-4)


def test_c_amikacin_against_nlmixr():
    data = study([[(0, 1600)]], [[(1, 75), (6, 32)]])
    typical = np.array([4.3 * (50 / 82) ** 0.7, 15.9 * (62 / 78) ** 0.9, 21.4, 12.1])

    def predict(eta):
        cl, v1, v2, q = np.moveaxis(typical * np.exp(eta), -1, 0)
        return two_compartments(data, np.array([[0.5]]), cl, v1, q, v2)

    omega = [
        [0.1, 0.01, 0.01, -0.06],
        [0.01, 0.05, 0.02, 0.004],
        [0.01, 0.02, 0.2, 0.003],
        [-0.06, 0.004, 0.003, 0.08],
    ]
    error = LinearError(additive=0.2, proportional=0.1)
    eta, _, _ = estimate(predict, data.measured(error), omega)
    np.testing.assert_allclose(typical * np.exp(eta[0]), [2.62, 11.01, 14.57, 11.96], atol=0.005)


def test_c_vancomycin_against_monolix():
    """Additive and proportional standard deviations are added."""
    data = study([[(0, 1900), (22.2, 1750)]], [[(12, 14.8), (37.5, 22.5)]])
    typical = np.array([4.5 * (34 / 120) ** 0.8, 58.4 * 62 / 70, 38.4])

    def predict(eta):
        cl, v1, v2 = np.moveaxis(typical * np.exp(eta), -1, 0)
        return two_compartments(data, np.array([[1.0, 1.0]]), cl, v1, 6.5, v2)

    error = LinearError(additive=3.4, proportional=0.227, adds_sd=True)
    eta, _, _ = estimate(predict, data.measured(error), np.diag([0.147, 0.51, 0.282]))
    cl, v1, v2 = typical * np.exp(eta[0])
    assert cl == pytest.approx(1.72, abs=0.005)
    assert [v1, v2] == pytest.approx([59.8, 41.6], abs=0.05)


def test_c_tobramycin_against_monolix():
    data = study([[(0, 500)]], [[(1, 25), (14, 5.5)]])
    typical = np.array(
        [0.21 * (80 / 67.8) ** 0.89 * (65 / 66.4) ** -1.09, 19.8 * (65 / 66.4) ** 0.8]
    )

    def predict(eta):
        ke, v = np.moveaxis(typical * np.exp(eta), -1, 0)
        return two_compartments(data, np.array([[0.5]]), ke * v, v, 0.041 * v, 0.041 * v / 0.12)

    eta, _, _ = estimate(
        predict, data.measured(LinearError(proportional=0.198)), np.diag([0.08075, 0.01203])
    )
    ke, v = typical * np.exp(eta[0])
    assert ke == pytest.approx(0.1258, abs=5e-5)
    assert v == pytest.approx(18.21, abs=0.005)


def test_d_theophylline_objective_and_shrinkage():
    """FOCE objective at the published estimates is that of nlmixr2, without n ln(2 pi)."""
    data = read("d_theophylline.csv")
    assert data.is_used.sum() == 132

    def predict(eta):
        ka, cl, v = np.moveaxis(np.exp(np.array([0.4639, 1.0121, 3.4597]) + eta), -1, 0)
        return one_compartment_oral(data, ka, cl, v)

    omega = np.array([0.4023, 0.0691, 0.0192])
    eta, _, around = estimate(predict, data.measured(LinearError(additive=0.6944)), np.diag(omega))
    objective = -2.0 * around.log_evidence.sum() - 132 * np.log(2.0 * np.pi)
    assert objective == pytest.approx(116.803, abs=0.005)
    shrinkage = 100.0 * (1.0 - eta.std(axis=0, ddof=1) / np.sqrt(omega))
    assert shrinkage == pytest.approx([1.8, 3.9, 10.3], abs=0.1)
