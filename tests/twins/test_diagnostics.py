"""R-hat and effective sample size of autoregressive chains, whose values are known."""

import numpy as np
import pytest

from qsp.twins.diagnostics import effective_sample_size, split_rhat


def chains(phi, shape=(3, 8, 4000)):
    """Autoregressive chains of variance 1 (quantity, chain, step)."""
    noise = np.random.default_rng(7).normal(size=shape)
    found = np.empty(shape)
    found[..., 0] = noise[..., 0]
    for t in range(1, shape[-1]):
        found[..., t] = phi * found[..., t - 1] + np.sqrt(1 - phi**2) * noise[..., t]
    return found


@pytest.mark.parametrize("phi", [-0.4, 0.0, 0.5, 0.9])
def test_effective_sample_size_of_autoregressive_chains(phi):
    expected = 8 * 4000 * (1 - phi) / (1 + phi)
    np.testing.assert_allclose(effective_sample_size(chains(phi)), expected, rtol=0.12)


def test_rhat_of_equal_and_of_shifted_chains():
    x = chains(0.0)
    np.testing.assert_allclose(split_rhat(x), 1.0, atol=2e-3)
    shifted = x + np.array([0.0, 1.0] * 4)[:, None]
    # variance between the means of the 16 halves: 0.25 * 16 / 15
    np.testing.assert_allclose(split_rhat(shifted), np.sqrt(1.0 + 4.0 / 15.0), rtol=0.01)


def test_trend_within_chains_is_seen():
    x = chains(0.0) + np.linspace(-1.0, 1.0, 4000)
    assert (split_rhat(x) > 1.1).all()


def test_constant_samples_have_no_value():
    assert np.isnan(split_rhat(np.ones((2, 4, 8)))).all()
    assert np.isnan(effective_sample_size(np.ones((2, 4, 8)))).all()


def test_short_chains_are_refused():
    with pytest.raises(ValueError, match="at least 4 steps, but have 3"):
        split_rhat(np.ones((2, 3)))
