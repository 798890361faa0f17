"""Blocks and intervals against a published algorithm's values, closed forms and coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bess_pipeline.risk.bootstrap import Interval, interval, optimal_block_days, resampled_days
from bess_pipeline.risk.measures import sortino

DRAWS = {"replicates": 4000, "seed": 5}


def autoregressive(seed: int, persistence: float, days: int) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(size=days)
    series = shocks.copy()
    for day in range(1, days):
        series[day] = persistence * series[day - 1] + shocks[day]
    return series


def mean(sample: np.ndarray) -> np.ndarray:
    return sample.mean(axis=-1)


@pytest.mark.parametrize(
    ("seed", "persistence", "days", "arch_8_0_0"),
    [
        (1, 0.5, 365, 4.898367498832036),
        (2, 0.8, 250, 6.870770180911246),
        (3, 0.0, 300, 2.0069233572085405),
        (4, -0.4, 500, 5.8739868437278),
    ],
)
def test_block_lengths_are_those_of_the_package_arch(
    seed: int, persistence: float, days: int, arch_8_0_0: float
) -> None:
    assert optimal_block_days(autoregressive(seed, persistence, days)) == pytest.approx(arch_8_0_0, rel=1e-9)


def test_odd_series_have_a_block_length() -> None:
    assert optimal_block_days(np.full(100, 3.0)) == 1.0
    assert optimal_block_days([1.0, 2.0]) == 1.0
    for days in range(8, 40):
        assert 1.0 <= optimal_block_days(autoregressive(days, 0.9, days)) <= math.ceil(days / 3)


def test_blocks_have_their_mean_length_and_go_round() -> None:
    places = resampled_days(200, 2000, 8.0, 3)
    assert places.shape == (2000, 200)
    assert np.bincount(places.ravel(), minlength=200).std() / 2000 < 0.1  # every day as likely as any other
    follows = (places[:, 1:] == (places[:, :-1] + 1) % 200).mean()
    assert follows == pytest.approx(1.0 - 1.0 / 8.0 * (1.0 - 1.0 / 200.0), abs=2e-3)
    assert ((places[:, 1:] == 0) & (places[:, :-1] == 199)).any()
    assert (resampled_days(5, 4, 2.0, 9) == resampled_days(5, 4, 2.0, 9)).all()


def test_variance_of_the_mean_is_that_of_politis_and_romano() -> None:
    """Lemma 1 of Politis and Romano (1994): with circular autocovariances C(i) and p = 1 / mean block."""
    daily, block = autoregressive(6, 0.6, 80), 6.0
    centred = daily - daily.mean()
    covariance = [centred @ np.roll(centred, -lag) / 80 for lag in range(80)]
    weights = [(1 - lag / 80) * (1 - 1 / block) ** lag for lag in range(1, 80)]
    variance = (covariance[0] + 2 * np.dot(weights, covariance[1:])) / 80
    sample = daily[resampled_days(80, 20_000, block, 1)].mean(axis=1)
    assert sample.var() == pytest.approx(variance, rel=0.04)


def test_interval_of_the_mean_of_independent_days_is_the_normal_one() -> None:
    daily = np.random.default_rng(8).normal(100.0, 50.0, 400)
    found = interval(mean, daily, mean_block_days=1.0, **DRAWS)
    half = 1.96 * daily.std() / 20.0
    assert found.value == pytest.approx(daily.mean())
    assert (found.low, found.high) == (
        pytest.approx(daily.mean() - half, abs=0.4),
        pytest.approx(daily.mean() + half, abs=0.4),
    )
    narrow = interval(mean, daily, mean_block_days=1.0, confidence=0.5, **DRAWS)
    assert found.low < narrow.low < narrow.high < found.high


def test_intervals_cover_the_truth_of_an_autocorrelated_series_and_single_days_do_not() -> None:
    covered = {1.0: 0, 15.0: 0}
    for seed in range(120):
        daily = autoregressive(seed, 0.6, 250)
        for block in covered:
            found = interval(mean, daily, mean_block_days=block, replicates=300, seed=1)
            covered[block] += found.low <= 0.0 <= found.high
    assert covered[15.0] >= 96  # 80 % of 120: block bootstraps cover less than the nominal 95 %
    assert covered[1.0] <= 84


def test_seven_days_would_cover_far_less_than_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bess_pipeline.risk.bootstrap.LEAST_BLOCKS", 0)
    covered = {7: 0, 60: 0}
    for seed in range(200):
        for days in covered:
            daily = np.random.default_rng(seed).normal(size=days)
            found = interval(mean, daily, mean_block_days=5.0, replicates=200, seed=1)
            covered[days] += found.low <= 0.0 <= found.high
    assert covered[7] < 155, "of 200: why there is no such interval"
    assert covered[60] > 170


def test_a_difference_of_series_is_resampled_on_the_same_days() -> None:
    one = autoregressive(3, 0.5, 300) * 1000.0
    found = interval(lambda s: mean(s[:, 1] - s[:, 0]), [one, one + 2.0], mean_block_days=7.0, **DRAWS)
    assert found == Interval(*(pytest.approx(2.0, abs=1e-9),) * 3)


def test_long_series_in_pieces_and_the_same_seed_give_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    daily = autoregressive(1, 0.2, 50)
    assert interval(mean, daily, mean_block_days=5.0, **DRAWS) == interval(mean, daily, mean_block_days=5.0, **DRAWS)
    monkeypatch.setattr("bess_pipeline.risk.bootstrap.CHUNK", 1000)
    pieces = interval(mean, daily, mean_block_days=5.0, **DRAWS)
    assert pieces.low < daily.mean() < pieces.high


def test_a_measure_that_hardly_exists_has_no_interval() -> None:
    found = interval(sortino, [1.0] * 30 + [-1.0], mean_block_days=1.0, **DRAWS)
    assert math.isfinite(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_series_of_few_blocks_has_its_value_and_no_interval() -> None:
    daily = autoregressive(2, 0.0, 50)
    enough, few = (interval(mean, daily[:days], mean_block_days=5.0, **DRAWS) for days in (50, 49))
    assert enough.low < enough.value < enough.high
    assert few.value == pytest.approx(daily[:49].mean())
    assert math.isnan(few.low)
    assert math.isnan(few.high)


def test_missing_days_and_impossible_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="no value"):
        interval(mean, [1.0, math.nan], mean_block_days=1.0, **DRAWS)
    with pytest.raises(ValueError, match="confidence"):
        interval(mean, [1.0], mean_block_days=1.0, confidence=95.0, **DRAWS)
    with pytest.raises(ValueError, match="at least"):
        interval(mean, [1.0], mean_block_days=0.5, **DRAWS)
    with pytest.raises(ValueError, match="days"):
        optimal_block_days([])
