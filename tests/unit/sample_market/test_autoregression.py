"""Autoregressions against SciPy's filter, which the sample market does without."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from bess_pipeline.sample_market.autoregression import autoregression, path_of


def test_a_path_has_the_bits_of_scipy_s_filter() -> None:
    shocks = np.random.default_rng(1).standard_normal(5000)
    expected, _ = lfilter([1.0], [1.0, -0.97], shocks, zi=[0.97 * 1.25])
    np.testing.assert_array_equal(path_of(shocks, 0.97, 1.25), expected)
    assert path_of(shocks[:0], 0.97).size == 0


def test_an_autoregression_is_stationary_with_unit_variance() -> None:
    paths = np.array([autoregression(np.random.default_rng(seed), 60, 0.9) for seed in range(4000)])
    np.testing.assert_allclose(paths.var(axis=0), 1.0, atol=0.12)  # at every time, the first included
    np.testing.assert_allclose((paths[:, 1:] * paths[:, :-1]).mean(axis=0), 0.9, atol=0.12)
