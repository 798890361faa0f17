"""Diebold-Mariano by hand and under its null, long-run variance of an AR(1), bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import kstest
from scipy.stats import t as student

from bess_pipeline.scenarios.skill import (
    MIN_DAYS,
    bootstrap_weights,
    diebold_mariano,
    long_run_variance,
    mean,
    skill,
    usual_lags,
)


def ar1(rng: np.random.Generator, days: int, phi: float, series: int = 1) -> np.ndarray:
    x = lfilter([1.0], [1.0, -phi], rng.normal(size=(series, days + 200)), axis=1)
    return x[:, 200:]


def test_diebold_mariano_by_hand() -> None:
    """n = 10, one lag, two days ahead, every number written out."""
    d = np.array([1.0, -2.0, 3.0, 0.0, -1.0, 2.0, -4.0, 1.0, 0.5, -0.5])
    second = np.arange(10.0)
    away = d - 0.0  # the mean is 0.0
    assert d.mean() == 0.0
    d = d + 0.6
    gamma0 = (away @ away) / 10
    gamma1 = sum(away[k] * away[k - 1] for k in range(1, 10)) / 10
    variance = gamma0 + 2 * 0.5 * gamma1
    small = (10 + 1 - 4 + 2 * 1 / 10) / 10
    expected = 0.6 / np.sqrt(variance / 10) * np.sqrt(small)
    found = diebold_mariano(second + d, second, horizon_days=2, lags=1)
    assert found.statistic == pytest.approx(expected)
    assert found.p_better == pytest.approx(student.cdf(expected, 9))
    assert found.p_different == pytest.approx(2 * (1 - student.cdf(abs(expected), 9)))
    assert found.days == 10


def test_days_without_a_score_are_left_out_and_too_few_give_no_test() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 20))
    gap_a, gap_b = np.insert(a, 5, np.nan), np.insert(b, 5, 1.0)
    assert diebold_mariano(gap_a, gap_b) == diebold_mariano(a, b)
    few = diebold_mariano(a[: MIN_DAYS - 1], b[: MIN_DAYS - 1])
    assert np.isnan([few.statistic, few.p_better, few.p_different]).all()
    assert few.days == MIN_DAYS - 1
    same = diebold_mariano(a, a - 0.1)
    assert np.isnan(same.statistic), "a difference that never varies has no test"


@pytest.mark.parametrize(("phi", "days"), [(0.0, 60), (0.3, 400)])
def test_p_values_are_uniform_when_both_are_equally_good(phi: float, days: int) -> None:
    rng = np.random.default_rng(2)
    series = ar1(rng, days, phi, 1500)
    tests = [diebold_mariano(one, np.zeros(days)) for one in series]
    better, different = np.array([t.p_better for t in tests]), np.array([t.p_different for t in tests])
    assert kstest(better, "uniform").statistic < 0.045
    assert 0.03 < (different < 0.05).mean() < 0.085
    assert 0.005 < (better < 0.02).mean() < 0.045


def test_correlated_days_need_the_long_run_variance() -> None:
    rng = np.random.default_rng(3)
    series = ar1(rng, 200, 0.5, 800)
    without = np.mean([diebold_mariano(one, np.zeros(200), lags=0).p_different < 0.05 for one in series])
    with_lags = np.mean([diebold_mariano(one, np.zeros(200)).p_different < 0.05 for one in series])
    assert without > 0.2
    assert with_lags < 0.6 * without


def test_long_run_variance_of_an_ar1_is_its_formula() -> None:
    """sigma^2 / (1 - phi)^2 = 4 for phi 1/2; Bartlett weights of 60 lags lose 2 phi / ((1 - phi^2) 61) of it."""
    rng = np.random.default_rng(4)
    found = np.mean([long_run_variance(one, 60) for one in ar1(rng, 5_000, 0.5, 48)])
    assert found == pytest.approx(4.0, rel=0.08)
    assert long_run_variance(ar1(rng, 20_000, 0.5)[0], 0) == pytest.approx(4 / 3, rel=0.06)
    assert long_run_variance(np.array([1.0, -1.0] * 20), 1) >= 0.0


def test_usual_lags() -> None:
    assert [usual_lags(n) for n in (20, 100, 200, 365)] == [2, 4, 4, 5]


def test_skill_is_a_ratio_of_means_and_its_interval_covers() -> None:
    """True skill 0.2: about 95 of 100 intervals hold it."""
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        base = 10.0 + rng.normal(size=120)
        model = 0.8 * base + rng.normal(size=120)
        found = skill(model, base, seed=1)
        assert found.value == pytest.approx(1 - model.mean() / base.mean())
        hits += found.low <= 0.2 <= found.high
    assert 0.88 <= hits / 300 <= 0.99


def test_intervals_of_few_days_or_no_baseline_are_unknown() -> None:
    one = skill(np.array([3.0]), np.array([4.0]), seed=1)
    assert one.value == 0.25
    assert np.isnan([one.low, one.high]).all()
    assert np.isnan(skill(np.array([1.0, 2.0]), np.zeros(2), seed=1).value)
    assert np.isnan(skill(np.array([]), np.array([]), seed=1).value)
    assert np.isnan(skill(np.array([np.nan]), np.array([1.0]), seed=1).value)
    known = mean(np.append(np.arange(10.0), np.nan), seed=1)
    assert known.value == 4.5
    assert known.low < 4.5 < known.high


def test_bootstrap_weights_are_shares_repeat_with_the_seed_and_keep_days_together() -> None:
    weights = bootstrap_weights(50, 3)
    assert weights.sum(axis=1) == pytest.approx(1.0)
    assert (weights == bootstrap_weights(50, 3)).all()
    assert not (weights == bootstrap_weights(50, 4)).all()
    spread = (weights @ np.sin(np.arange(50) / 8.0)).std()
    assert spread > 1.5 * np.sin(np.arange(50) / 8.0).std() / np.sqrt(50), "blocks keep a slow wave together"
