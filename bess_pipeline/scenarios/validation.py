"""Forecasts and scenarios of many past days against what came: the steps of a daily run, kept in memory.

What belongs here: walking a gate through past days and scoring each, beside the similar-day yardstick and beside
scenarios whose markets do not depend on each other. What does not: forecasts, scenarios and scores themselves, the
daily run that stores them (`daily.py`), and the summary of a window (`score_window.py`).

Nothing here looks ahead: each day's forecast is made from what its gate knew (`observe`), as in a daily run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.choice import Trader
from bess_pipeline.forecasting.distribution import ForecastSet
from bess_pipeline.forecasting.forecast import make_forecast
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.market_panel import MarketPanel
from bess_pipeline.forecasting.observation import observe
from bess_pipeline.scenarios.dependence import Method
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.paths import ScenarioSet, trading_day
from bess_pipeline.scenarios.scores import of_baseline, score_day, score_marginals
from bess_pipeline.scenarios.scoring import BASELINE_NAME, YARDSTICK_DAYS, outcome
from bess_pipeline.scenarios.yardstick import from_history
from bess_pipeline.trading import timeline

Array = npt.NDArray[np.float64]

INDEPENDENT: Method = "independent"
KEPT_INFORMATION = 4


@dataclass(frozen=True)
class ValidatedDay:
    """A past day at a gate: its forecasts, its scenarios, what came (periods,) by stream, and the rows of its scores.

    rows: as in `scenario.score`; "crps:similar_day" is the score of the yardstick, "variogram_score:independent"
    that of scenarios whose markets are independent of each other.
    """

    forecast: ForecastSet
    scenarios: ScenarioSet
    outcomes: Mapping[str, Array]
    rows: pd.DataFrame


class Validation:
    """Past days of one panel at one gate, under one set of settings.

    panel: what gates knew, over the window of the first day; came: the outcomes. Each set has `count` scenarios.
    yardstick: whether the similar-day forecast is scored as well.
    """

    def __init__(
        self,
        panel: MarketPanel,
        came: MarketPanel,
        gate: timeline.Gate,
        settings: ForecastSettings,
        *,
        count: int,
        seed: int,
        trader: Trader | None = None,
        yardstick: bool = True,
    ) -> None:
        self._panel, self._came, self._gate = panel, came, gate
        self._settings, self._count, self._seed, self._trader = settings, count, seed, trader
        self._with_yardstick = yardstick
        self._known = lru_cache(KEPT_INFORMATION)(self._observe)

    def forecast(self, day: date) -> ForecastSet:
        """What the gate forecast for `day`."""
        return make_forecast(self._known, day, self._gate, self._settings, self._trader)

    def outcomes(self, forecast: ForecastSet) -> dict[str, Array]:
        """What came in the periods of the trading day alone, NaN in those of the day after it."""
        return {
            name: np.where(one.lead == 0, outcome(self._came, one.stream, one.start_utc), np.nan)
            for name, one in forecast.marginals.items()
        }

    def day(self, day: date) -> ValidatedDay:
        """All scores of a day."""
        forecast = self.forecast(day)
        outcomes = self.outcomes(forecast)
        scenarios = generate(forecast, self._count, "copula", self._seed)
        independent = generate(forecast, self._count, INDEPENDENT, self._seed)
        joint = self._joint_scorer(day, outcomes)
        rows = [
            score_marginals(day, self._gate, forecast.marginals, outcomes, self._seed),
            joint(scenarios),
            of_baseline(joint(independent), INDEPENDENT),
        ]
        if self._with_yardstick:
            baseline = make_forecast(self._known, day, self._gate, self._settings, only=BASELINE_NAME)
            single = score_marginals(day, self._gate, baseline.marginals, outcomes, self._seed)
            whole = joint(generate(baseline, self._count, "copula", self._seed))
            rows += [of_baseline(single, BASELINE_NAME), of_baseline(whole, BASELINE_NAME)]
        return ValidatedDay(forecast, scenarios, outcomes, pd.concat(rows, ignore_index=True))

    def _joint_scorer(self, day: date, outcomes: Mapping[str, Array]) -> Callable[[ScenarioSet], pd.DataFrame]:
        """What gives the scores of whole paths of the trading day, on the yardstick that the gate knew."""
        history = observe(self._panel, day, self._gate, min(YARDSTICK_DAYS, self._settings.calibration_days)).outcome
        yardstick = from_history({name: values for (name, lead), values in history.items() if lead == 0})

        def joint(scenarios: ScenarioSet) -> pd.DataFrame:
            today = trading_day(scenarios)
            first = {name: outcomes[name][: starts.size] for name, starts in today.start_utc.items()}
            scored = score_day(today, first, yardstick, self._seed)
            return scored[scored["score"].isin(JOINT_SCORES)]

        return joint

    def _observe(self, day: date, gate: str) -> Information:
        return observe(self._panel, day, cast(timeline.Gate, gate), self._settings.calibration_days)


JOINT_SCORES = ("energy_score", "variogram_score", "cross_variogram_score", "average_rank", "depth_rank")


def mean_residuals(days: Sequence[tuple[ForecastSet, Mapping[str, Array]]]) -> pd.DataFrame:
    """Of each day and stream: the mean over the trading day of (value - forecast mean), by what came.

    A row per day, a column per stream that is uncertain; NaN where an outcome is missing.
    """
    return pd.DataFrame([_means(forecast, values) for forecast, values in days])


def scenario_mean_residuals(validated: Sequence[ValidatedDay]) -> pd.DataFrame:
    """As `mean_residuals`, of every scenario of every day."""
    parts = []
    for one in validated:
        values = {name: paths.T for name, paths in one.scenarios.value.items()}
        parts.append(pd.DataFrame(_means(one.forecast, values)))
    return pd.concat(parts, ignore_index=True)


def _means(forecast: ForecastSet, values: Mapping[str, Array]) -> dict[str, Array]:
    found = {}
    for name, one in forecast.marginals.items():
        today = one.lead == 0
        if (one.quantile[today, 0] < one.quantile[today, -1]).any():
            found[name] = (values[name][today].T - one.mean[today]).mean(axis=-1)
    return found
