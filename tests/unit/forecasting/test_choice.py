"""The choice of a model by what it would have earned, and by its error among equals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from planted import HOURLY, daily_shape, information

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.choice import PastScore, Trader, chosen, crps_of_quantiles, earned_gbp, past_scores
from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.forecasting.model import Question
from bess_pipeline.optimisation.rolling import optimise_horizon

SIMPLE = Trader(Battery(energy_mwh=1.0, power_mw=1.0, max_cycles_per_day=1.0), optimise_horizon)


@dataclass(frozen=True)
class Told:
    """A candidate whose past is given."""

    name: str
    values: np.ndarray

    def past(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.repeat(self.values[rows][..., None], LEVELS.size, axis=2), self.values[rows]

    def ahead(self, question: Question) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def point(self, question: Question) -> np.ndarray:
        raise NotImplementedError


def test_a_day_earns_the_spread_between_the_hours_that_the_forecast_picks() -> None:
    forecast, came = np.full((1, 24), 50.0), np.full((1, 24), 50.0)
    forecast[0, 3], forecast[0, 18] = 30.0, 70.0
    came[0, 3], came[0, 18], came[0, 10], came[0, 12] = 45.0, 52.0, 53.0, 50.0
    assert earned_gbp(forecast, came, SIMPLE)[0] == pytest.approx(52.0 - 45.0)


def test_the_lowest_error_that_earns_least_is_not_chosen() -> None:
    rng = np.random.default_rng(1)
    price = daily_shape() + rng.normal(size=(60, 24))
    flat, shifted = np.full(price.shape, 70.0), np.broadcast_to(daily_shape() + 40.0, price.shape)
    question = Question(information({HOURLY: price}), HOURLY, 0, np.zeros(price.shape), ForecastSettings())
    scores = past_scores([Told("flat", flat), Told("shifted", shifted)], question, SIMPLE)
    assert scores[0].crps.size == 28
    assert scores[0].crps.mean() < scores[1].crps.mean()
    assert chosen(scores, 1.0).name == "shifted"
    assert scores[1].rank_correlation > 0.9 > abs(scores[0].rank_correlation)
    assert chosen(past_scores([Told("flat", flat), Told("shifted", shifted)], question, None), 1.0).name == "flat"


def test_among_equal_values_the_lowest_crps_is_chosen_and_noise_counts_in_pairs() -> None:
    rng = np.random.default_rng(2)
    value = rng.normal(size=28) * 100.0
    best = PastScore("best", np.full(28, 9.0), value, 0.5)
    noise = 20.0 * rng.normal(size=28)
    near = PastScore("near", np.full(28, 8.0), value - 1.0 + noise - noise.mean(), 0.5)  # 1 behind, give or take 4
    worse = PastScore("worse", np.full(28, 1.0), value - 5.0, 0.5)  # always 5 behind: no noise between them
    assert chosen([best, near, worse], 2.0).name == "near"
    assert chosen([best, worse], 2.0).name == "best"


def test_of_equals_the_combination_is_taken_whatever_its_crps() -> None:
    rng = np.random.default_rng(5)
    value, noise = rng.normal(size=28) * 100.0, 20.0 * rng.normal(size=28)
    best = PastScore("best", np.full(28, 1.0), value, 0.5)
    near = PastScore("combination", np.full(28, 9.0), value - 1.0 + noise - noise.mean(), 0.5)
    behind = PastScore("combination", np.full(28, 0.5), value - 5.0, 0.5)  # always: no noise between them
    assert chosen([best, near], 1.0).name == "combination"
    assert chosen([best, behind], 2.5).name == "best"


def test_without_values_the_combination_is_taken_where_its_error_is_no_clearly_higher_one() -> None:
    error = 5.0 + np.random.default_rng(6).normal(size=(2, 28))
    best, near = PastScore("best", error[0], None, 0.5), PastScore("combination", error[1] + 0.05, None, 0.5)
    assert best.crps.mean() < near.crps.mean()
    assert chosen([best, near], 2.5).name == "combination"
    assert chosen([best, PastScore("combination", error[0] + 0.05, None, 0.5)], 2.5).name == "best"
    assert chosen([best, PastScore("other", error[1] + 0.05, None, 0.5)], 2.5).name == "best"


def test_a_candidate_beaten_in_error_and_order_is_out_before_anything_is_solved() -> None:
    rng = np.random.default_rng(4)
    price = daily_shape() + rng.normal(size=(60, 24))
    near, far = price + rng.normal(size=price.shape), price + 20.0 * rng.normal(size=price.shape)
    question = Question(information({HOURLY: price}), HOURLY, 0, np.zeros(price.shape), ForecastSettings())
    scores = past_scores([Told("near", near), Told("far", far)], question, SIMPLE)
    assert [score.value_gbp is None for score in scores] == [False, True]
    assert chosen(scores, 100.0).name == "near"


def test_days_that_a_candidate_did_not_forecast_are_not_compared() -> None:
    price = daily_shape() + np.random.default_rng(3).normal(size=(40, 24))
    missing = price.copy()
    missing[:12], missing[30:] = np.nan, np.nan
    question = Question(information({HOURLY: price}), HOURLY, 0, np.zeros(price.shape), ForecastSettings())
    scores = past_scores([Told("whole", price), Told("part", missing)], question, None)
    assert [score.crps.size for score in scores] == [18, 18]  # rows 12 to 29, though the last 28 known are 11 to 38
    assert scores[1].crps.max() == 0.0


def test_crps_of_a_point_is_its_absolute_error() -> None:
    quantile = np.full((3, LEVELS.size), 5.0)
    np.testing.assert_allclose(crps_of_quantiles(quantile, np.array([5.0, 7.0, 1.0])), [0.0, 2.0, 4.0])


def test_crps_of_a_normal_distribution_is_its_closed_form() -> None:
    from scipy.stats import norm

    outcome = np.array([0.0, 0.8, -2.0])
    closed = outcome * (2 * norm.cdf(outcome) - 1) + 2 * norm.pdf(outcome) - 1 / np.sqrt(np.pi)
    found = crps_of_quantiles(np.tile(norm.ppf(LEVELS), (3, 1)), outcome)
    np.testing.assert_allclose(found, closed, rtol=0.03)
