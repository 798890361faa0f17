"""Forecasts and scenarios against the sample market, whose law is known: 200 days in a row at the day-ahead gate.

Seeds are stated. Models are trained weekly on a year, as always; fewer are tried than by default (the regression, the
mixture of regimes and the yardstick) and two calibration windows are averaged in place of three, which costs less.

The truth about dependence comes from other seeds of the same law: a long simulation in pieces, in which the same models
forecast week by week what was not known yet. No scenario has a part in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sample_panel import sample_panel

from bess_pipeline import gb_time
from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.forecast import forget_trained
from bess_pipeline.forecasting.observation import observe, window
from bess_pipeline.forecasting.streams import RESPONSE
from bess_pipeline.forecasting.training import NOT_FORECAST, fit_streams
from bess_pipeline.scenarios.calibration import holm, uniform_p
from bess_pipeline.scenarios.dependence import market_of
from bess_pipeline.scenarios.skill import bootstrap_weights, diebold_mariano
from bess_pipeline.scenarios.validation import INDEPENDENT, Validation, mean_residuals, scenario_mean_residuals

pytestmark = pytest.mark.slow

SEED, TRUTH_SEEDS = 2, (21, 22, 23, 24, 25, 26)
FIRST, DAYS, COUNT = date(2025, 2, 3), 200, 200
STREAMS = ("day_ahead", "system_price", "market_index", *(stream.name for stream in RESPONSE.values()))
SETTINGS = ForecastSettings(models=("similar_day", "lear", "niv_regimes"), lear_window_days=(84, 365))
FORWARD = SETTINGS.model_copy(update={"choice_days": 180, "calibration_days": 545})
FORWARD_DAYS = 174  # of each piece, up to the last day known whole: 25 weeks, forecast by fits that saw nothing later


@dataclass(frozen=True)
class Walked:
    """Rows of scores of all days, residuals of daily means by what came (days) and by scenario (days x scenarios)."""

    rows: pd.DataFrame
    came: pd.DataFrame
    simulated: pd.DataFrame

    def daily(self, stream: str, score: str) -> np.ndarray:
        """The score of a stream on each day."""
        mine = self.rows[(self.rows["stream"] == stream) & (self.rows["score"] == score)]
        return mine.sort_values("efa_date")["value"].to_numpy()


def walk(seed: int) -> Walked:
    """All days of the market of a seed, a day at a time."""
    days = gb_time.days_between(FIRST, FIRST + timedelta(days=DAYS - 1))
    panel = sample_panel(seed, window(days[0], SETTINGS.calibration_days)[0] - timedelta(days=6), days[-1])
    validation = Validation(panel, panel, "day_ahead", SETTINGS, count=COUNT, seed=seed, yardstick=False)
    rows, came, simulated = [], [], []
    for day in days:
        one = validation.day(day)
        rows.append(one.rows)
        came.append(mean_residuals([(one.forecast, one.outcomes)]))
        simulated.append(scenario_mean_residuals([one]))
    return Walked(*(pd.concat(parts, ignore_index=True) for parts in (rows, came, simulated)))


def long_simulation(seeds: tuple[int, ...]) -> pd.DataFrame:
    """Residuals of daily means (days, streams) of honest forecasts of days that nothing later was known of."""
    last = FIRST + timedelta(days=DAYS - 1)
    pieces = []
    for seed in seeds:
        panel = sample_panel(seed, window(last, FORWARD.calibration_days)[0], last)
        known = observe(panel, last, "day_ahead", FORWARD.calibration_days)
        fitted = fit_streams(known, FORWARD, None, [name for name in known.streams if name not in NOT_FORECAST])
        everything = np.ones(len(known.days), dtype=bool)
        away = {name: known.outcome[name, 0] - one.by_lead[0].past(everything)[1] for name, one in fitted.items()}
        piece = pd.DataFrame({name: np.nanmean(one[-FORWARD_DAYS - 2 : -2], axis=1) for name, one in away.items()})
        pieces.append(piece)
    return pd.concat(pieces, ignore_index=True)


def rank_correlation(residuals: pd.DataFrame, one: str, other: str) -> float:
    """Spearman's."""
    return float(residuals[one].rank().corr(residuals[other].rank()))


def standard_error(residuals: pd.DataFrame, one: str, other: str, days: int) -> float:
    """Of a rank correlation estimated from `days` such days, by the stationary bootstrap of these."""
    ranks = residuals[[one, other]].rank().to_numpy()
    x, y = ((ranks - ranks.mean(axis=0)) / ranks.std(axis=0)).T
    weight = bootstrap_weights(len(ranks), seed=1)
    means = [weight @ values for values in (x * y, x, y, x**2, y**2)]
    drawn = (means[0] - means[1] * means[2]) / np.sqrt((means[3] - means[1] ** 2) * (means[4] - means[2] ** 2))
    return float(drawn.std() * np.sqrt(len(ranks) / days))


def cross_market_pairs() -> list[tuple[str, str]]:
    """Two streams of different markets."""
    return [pair for pair in combinations(STREAMS, 2) if market_of(pair[0]) != market_of(pair[1])]


@pytest.fixture(scope="module")
def walked() -> Iterator[Walked]:
    yield walk(SEED)
    forget_trained()


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return long_simulation(TRUTH_SEEDS)


def test_the_90_percent_interval_of_every_stream_holds_86_to_94_percent(walked: Walked) -> None:
    shares = {name: walked.daily(name, "coverage_90") for name in STREAMS}
    assert {name: share.size for name, share in shares.items()} == dict.fromkeys(STREAMS, DAYS)
    outside = {name: share.mean() for name, share in shares.items() if not 0.86 <= share.mean() <= 0.94}
    assert outside == {}


def test_ranks_of_one_random_period_a_day_and_stream_are_uniform(walked: Walked) -> None:
    adjusted = holm({name: uniform_p(walked.daily(name, "rank")) for name in STREAMS})
    assert {name: p for name, p in adjusted.items() if not p > 0.01} == {}


def test_residuals_of_daily_means_correlate_across_markets_as_in_a_long_simulation(
    walked: Walked, truth: pd.DataFrame
) -> None:
    """Within max(0.05, 2.5 standard errors): of the truth, and of the year of days that scenarios learn from."""
    assert len(truth.dropna()) > 1000
    away, beyond = {}, {}
    for one, other in cross_market_pairs():
        away[one, other] = rank_correlation(walked.simulated, one, other) - rank_correlation(truth, one, other)
        errors = [standard_error(truth, one, other, days) for days in (len(truth), SETTINGS.calibration_days)]
        if not abs(away[one, other]) <= max(0.05, 2.5 * float(np.hypot(*errors))):
            beyond[one, other] = away[one, other]
    assert len(away) == 21
    assert beyond == {}
    assert abs(np.mean(list(away.values()))) < 0.05


def test_scenarios_are_better_than_with_independent_markets(walked: Walked) -> None:
    """The variogram score over pairs of streams of different markets."""
    joint, apart = (
        np.mean([walked.daily("|".join(pair), f"variogram_score{of}") for pair in _stored(walked)], axis=0)
        for of in ("", f":{INDEPENDENT}")
    )
    assert joint.size == DAYS
    assert diebold_mariano(joint, apart).p_better < 0.01


def test_as_a_score_of_all_pairs_of_streams_too(walked: Walked) -> None:
    joint, apart = (walked.daily("all", f"cross_variogram_score{of}") for of in ("", f":{INDEPENDENT}"))
    assert diebold_mariano(joint, apart).p_better < 0.01


def _stored(walked: Walked) -> list[tuple[str, str]]:
    """Cross-market pairs in the order in which rows name them."""
    named = set(walked.rows["stream"])
    return [pair if "|".join(pair) in named else (pair[1], pair[0]) for pair in cross_market_pairs()]
