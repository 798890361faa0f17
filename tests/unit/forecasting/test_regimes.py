"""The mixture of a short and a long system against its formula, and the probability of being short."""

from __future__ import annotations

import numpy as np
import pytest
from planted import information
from scipy.stats import norm

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.forecasting.model import Question
from bess_pipeline.forecasting.regimes import Mixture, ShortModel, niv_regimes, short_or_long
from bess_pipeline.forecasting.streams import NET_IMBALANCE, SYSTEM_PRICE

SETTINGS = ForecastSettings()


def test_the_mixture_is_that_of_its_formula() -> None:
    """Both regimes are samples without noise, so what is left is the straight lines between KNOTS and PROBABILITIES."""
    few, many = ((np.arange(days) + 0.5) / days for days in (1600, 2400))
    values = np.concatenate([norm.ppf(few, 5.0, 2.0), norm.ppf(many, -3.0, 1.0)])
    unit, short = (np.tile(one[:, None], (1, 48)) for one in (values, np.repeat([1.0, 0.0], [1600, 2400])))
    mixture = Mixture.fit(unit, short, 1e9)
    for p in (0.0, 0.3, 0.5, 0.925, 1.0):
        quantile, mean = mixture.at(np.full((1, 48), p))
        level = p * norm.cdf(quantile[0], 5.0, 2.0) + (1.0 - p) * norm.cdf(quantile[0], -3.0, 1.0)
        inner = (LEVELS > 0.015) & (LEVELS < 0.985)
        np.testing.assert_allclose(level[:, inner], np.broadcast_to(LEVELS[inner], (48, inner.sum())), atol=0.015)
        np.testing.assert_allclose(mean[0], p * 5.0 - (1.0 - p) * 3.0, atol=0.15)
    assert (np.diff(mixture.quantile, axis=2) >= 0).all()


def test_the_probability_of_short_is_a_logistic_regression() -> None:
    rng = np.random.default_rng(2)
    volume = rng.normal(size=(6000, 1))
    true = 1.0 / (1.0 + np.exp(-(0.5 + 2.0 * np.arcsinh(volume[:, 0] / 0.6745 / 1.4826))))
    model = ShortModel.fit(volume, (rng.random(6000) < true).astype(float))
    assert np.abs(model(volume) - true).mean() < 0.03


def test_a_system_that_is_always_long_has_its_share_and_no_regression() -> None:
    model = ShortModel.fit(np.random.default_rng(3).normal(size=(50, 2)), np.zeros(50))
    np.testing.assert_allclose(model(np.zeros((3, 2))), 1e-3)


def test_regimes_are_those_of_the_volume_and_of_the_price_where_none_is_known() -> None:
    price, volume = np.full((40, 48), 60.0), np.full((40, 48), 5.0)
    volume[:, 24:] = -5.0
    volume[10] = np.nan
    known = information({SYSTEM_PRICE: price, NET_IMBALANCE: volume})
    question = Question(known, SYSTEM_PRICE, 0, np.full(price.shape, 70.0), SETTINGS)
    found = short_or_long(question)
    np.testing.assert_array_equal(found[5], np.repeat([1.0, 0.0], 24))
    np.testing.assert_array_equal(found[10], np.zeros(48))  # below its base
    assert np.isnan(found[-1]).all()


def test_the_forecast_has_two_humps_whose_shares_follow_the_hour() -> None:
    rng = np.random.default_rng(4)
    days = 200
    chance = np.where(np.arange(48) < 24, 0.15, 0.85)
    short = rng.random((days, 48)) < chance
    volume = np.where(short, 200.0, -200.0) + 20.0 * rng.normal(size=short.shape)
    price = 70.0 + np.where(short, 30.0, -30.0) + rng.normal(size=short.shape)
    known = information({SYSTEM_PRICE: price, NET_IMBALANCE: volume}, freshest={"system_price": 2})
    question = Question(known, SYSTEM_PRICE, 0, np.full(price.shape, 70.0), SETTINGS)
    quantile, mean = niv_regimes(question).ahead(question)
    above = (quantile > 70.0).mean(axis=1)
    at = [int(np.argmin(np.abs(LEVELS - level))) for level in (0.3, 0.7)]
    assert (quantile[4:20, at[1]] < 55.0).all()  # mostly long
    assert (quantile[28:44, at[0]] > 85.0).all()  # mostly short
    assert above[28:44].mean() > above[4:20].mean()
    assert mean[36] == pytest.approx(70.0 + 30.0 * (2 * 0.85 - 1.0), abs=8.0)
