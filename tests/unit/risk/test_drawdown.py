"""Depth, dates, length and recovery of falls of cumulative cash, by hand and against all pairs of days."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.risk.drawdown import Drawdown, deepest_fall_gbp, drawdown, drawdown_series

FIRST = date(2024, 3, 30)


def day(place: int) -> date:
    return FIRST + timedelta(days=place)


def series(*values: float) -> pd.Series:
    return pd.Series(values, index=[FIRST + timedelta(days=n) for n in range(len(values))], dtype="float64")


def test_drawdown_by_hand() -> None:
    frame = drawdown_series(series(100.0, -30.0, -50.0, 60.0, 40.0, -10.0))
    assert list(frame["cumulative_gbp"]) == [100.0, 70.0, 20.0, 80.0, 120.0, 110.0]
    assert list(frame["peak_gbp"]) == [100.0, 100.0, 100.0, 100.0, 120.0, 120.0]
    assert list(frame["drawdown_gbp"]) == [0.0, 30.0, 80.0, 20.0, 0.0, 10.0]
    result = drawdown(series(100.0, -30.0, -50.0, 60.0, 40.0, -10.0))
    assert result == Drawdown(80.0, 10.0, day(0), day(2), day(4), 4, 4)


def test_a_loss_from_the_first_day_is_a_drawdown_from_the_start() -> None:
    assert drawdown(series(-5.0, -5.0, 3.0)) == Drawdown(10.0, 7.0, None, day(1), None, 3, 3)


def test_no_fall_and_no_day_have_no_drawdown() -> None:
    nothing = Drawdown(0.0, 0.0, None, None)
    assert drawdown(series(1.0, 0.0, 2.0)) == nothing
    assert drawdown(series()) == nothing


def test_depth_is_the_worst_of_all_pairs_of_days() -> None:
    rng = np.random.default_rng(11)
    for _ in range(50):
        values = rng.normal(0.0, 100.0, 30)
        path = np.append(0.0, np.cumsum(values))
        worst = max(path[i] - path[j] for i in range(len(path)) for j in range(i, len(path)))
        assert drawdown(series(*values)).depth_gbp == pytest.approx(worst)
        assert deepest_fall_gbp(values) == pytest.approx(worst)


def test_the_deepest_fall_need_not_be_the_longest() -> None:
    daily = series(10.0, -1.0, 0.0, 0.0, 0.0, 1.0, -50.0, 60.0)
    assert drawdown(daily) == Drawdown(50.0, 0.0, day(5), day(6), day(7), 2, 5)
    assert drawdown(daily).recovered
    assert not drawdown(series(-5.0)).recovered


def test_a_day_left_out_lengthens_a_fall() -> None:
    daily = series(10.0, -5.0, -5.0, 20.0).drop(day(1))
    assert drawdown(daily) == Drawdown(5.0, 0.0, day(0), day(2), day(3), 3, 3)


def test_a_day_without_cash_is_refused() -> None:
    with pytest.raises(ValueError, match="1 days have no cash"):
        drawdown(series(1.0, math.nan))
