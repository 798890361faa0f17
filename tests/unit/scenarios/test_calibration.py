"""Rank histograms, their band, chi-square and Holm against worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, chisquare, kstest

from bess_pipeline.scenarios.calibration import band, histogram, holm, uniform_p


def test_histogram_counts_ends_and_leaves_missing_days_out() -> None:
    assert histogram(np.array([0.0, 0.05, 0.1, 0.999, 1.0, np.nan]), 10).tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]


def test_chi_square_is_scipys_and_bins_shrink_for_few_days() -> None:
    rng = np.random.default_rng(1)
    rank = rng.random(120) ** 1.3
    assert uniform_p(rank) == pytest.approx(chisquare(histogram(rank, 10)).pvalue)
    assert uniform_p(rank[:30]) == pytest.approx(chisquare(histogram(rank[:30], 5)).pvalue)
    assert uniform_p(rank[:12]) == pytest.approx(chisquare(histogram(rank[:12], 2)).pvalue)
    assert np.isnan(uniform_p(rank[:9]))
    assert np.isnan(uniform_p(np.array([np.nan])))


def test_p_is_uniform_for_right_forecasts_and_small_for_narrow_ones() -> None:
    rng = np.random.default_rng(2)
    right = [uniform_p(rng.random(400)) for _ in range(400)]
    assert kstest(right, "uniform").statistic < 0.08
    assert uniform_p(rng.beta(0.5, 0.5, size=200)) < 1e-3


def test_holm_worked_example() -> None:
    """p of .01, .04, .03, .005: x4, x3, x2, x1 from the smallest, never falling."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "none": float("nan")})
    assert {k: round(v, 10) for k, v in found.items() if k != "none"} == {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    assert np.isnan(found["none"])
    assert holm({"a": 0.7, "b": 0.9}) == {"a": 1.0, "b": 1.0}


def test_band_is_the_binomial_law() -> None:
    low, high = band(150, 10, 0.9)
    assert binom.cdf(high, 150, 0.1) - binom.cdf(low - 1, 150, 0.1) >= 0.9
    assert binom.cdf(high - 1, 150, 0.1) - binom.cdf(low - 1, 150, 0.1) < 0.95
    assert band(1) == (0, 1)
