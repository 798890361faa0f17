"""LEAR finds what drives prices, and looks at nothing it may not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from planted import HOURLY, daily_shape, information

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.knowledge import recent_mean
from bess_pipeline.forecasting.lear import lear
from bess_pipeline.forecasting.model import Question
from bess_pipeline.forecasting.yardsticks import similar_day

DAYS = 160
SETTINGS = ForecastSettings(lear_window_days=(365,))


def _windy(seed: int = 1) -> tuple[Information, np.ndarray]:
    """Prices that fall by 1 for each 100 MW of forecast wind; the truth of every row."""
    rng = np.random.default_rng(seed)
    wind = np.repeat(3000.0 * rng.normal(size=(DAYS, 1)), 48, axis=1)
    price = daily_shape() - wind[:, ::2] / 100.0 + rng.normal(size=(DAYS, 24))
    return information({HOURLY: price}, {"wind": wind}), price


def _question(known: Information) -> Question:
    return Question(known, HOURLY, 0, recent_mean(known, HOURLY.name), SETTINGS)


def test_it_finds_the_planted_regressor() -> None:
    known, price = _windy()
    question = _question(known)
    model, yardstick = lear(question), similar_day(question)
    errors = [np.nanmean(np.abs(price[60:-2] - one.located.point[60:-2])) for one in (model, yardstick)]
    assert errors[1] > 20.0  # what wind does to prices
    assert errors[0] < 4.0
    assert np.abs(model.point(question) - price[-1]).mean() < 6.0


def test_rows_that_are_not_wholly_known_are_not_trained_on() -> None:
    known, _ = _windy()
    poisoned = {key: values.copy() for key, values in known.outcome.items()}
    poisoned[HOURLY.name, 0][-1, :3] = 1e6
    question, absurd = _question(known), _question(replace(known, outcome=poisoned))
    assert not question.usable[-1]
    for mine, other in zip(lear(question).ahead(question), lear(absurd).ahead(absurd), strict=True):
        assert mine.tobytes() == other.tobytes()


def test_a_known_outcome_does_change_the_forecast() -> None:
    known, _ = _windy()
    changed = {key: values.copy() for key, values in known.outcome.items()}
    changed[HOURLY.name, 0][-3] += 50.0
    question, other = _question(known), _question(replace(known, outcome=changed))
    assert lear(question).point(question).tobytes() != lear(other).point(other).tobytes()


def test_the_same_information_gives_the_same_bytes() -> None:
    found = [lear(_question(_windy()[0])).ahead(_question(_windy()[0])) for _ in range(2)]
    assert found[0][0].tobytes() == found[1][0].tobytes()
