"""One gate of one trading day: from the market tables to the rows of its forecasts and of its scenario set.

What belongs here: the order of steps (observe, forecast, draw, reduce), what is recorded of them, and the reason
where one of them refuses. What does not: the steps themselves (`forecasting/`, `generate.py`, `reduce.py`), and which
gates are made when (`daily.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import cast

import numpy as np
import pandas as pd

from bess_pipeline import schemas
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import BessError
from bess_pipeline.forecast_tables import BASELINE, FORECAST, JUDGEMENT, PATHS
from bess_pipeline.forecasting.choice import Trader
from bess_pipeline.forecasting.distribution import ForecastSet
from bess_pipeline.forecasting.forecast import make_forecast, retraining_day, vintage
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.known import newest_known_utc
from bess_pipeline.forecasting.market_panel import read_panel
from bess_pipeline.forecasting.observation import observe, window
from bess_pipeline.lake import Lake
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.reduce import reduce_scenarios
from bess_pipeline.scenarios.scoring import BASELINE_NAME
from bess_pipeline.scenarios.storage import forecast_rows, path_rows
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline

JUDGED_GATE: timeline.Gate = "day_ahead"
SEEDS_APART = 2**32  # settings may name any seed; no two sets of a day share theirs below this
KEPT_INFORMATION = 4  # of both gates on a day and on its retraining day


@dataclass(frozen=True)
class MadeGate:
    """Rows of a gate by table, and what is recorded of it; without rows `reason` says why."""

    rows: dict[str, pd.DataFrame]
    record: dict[str, str]


def judgement_seed(seed: int) -> int:
    """The seed of the paths that plans are judged on, from the one of all draws: never the same."""
    return seed + SEEDS_APART


class GateMaker:
    """Makes gates of days that are read together once."""

    def __init__(self, settings: Settings, lake: Lake, days: Sequence[date]) -> None:
        self.settings = settings
        retrained = retraining_day(min(days), settings.forecast.retraining_weekday)
        first, _ = window(retrained, settings.forecast.calibration_days)
        self._panel = read_panel(lake, first, max(days), settings.data)
        self._known = lru_cache(KEPT_INFORMATION)(self._observe)
        self._trader = Trader(Battery.from_settings(settings.battery), Solver(settings.solver).roll)

    def make(self, day: date, gate: timeline.Gate) -> MadeGate:
        """Forecasts and scenarios of `gate`; never raises for what is wrong with a day."""
        information = self._known(day, gate)
        known = newest_known_utc(self._panel, information)
        record = {"inputs": vintage(information)[:12], "known_utc": known.isoformat() if known else ""}
        try:
            return self._made(day, gate, record)
        except (BessError, np.linalg.LinAlgError) as error:
            reason = str(error)
        empty = {table: schemas.empty_frame(table) for table in (FORECAST, BASELINE, JUDGEMENT, PATHS)}
        return MadeGate(empty, record | {"reason": reason})

    def _made(self, day: date, gate: timeline.Gate, record: dict[str, str]) -> MadeGate:
        chosen, drawing = self.settings.forecast, self.settings.scenarios
        forecasts = make_forecast(self._known, day, gate, chosen, self._trader)
        baseline = make_forecast(self._known, day, gate, chosen, only=BASELINE_NAME)
        drawn = generate(forecasts, drawing.count, drawing.method, self.settings.seed)
        reduced = reduce_scenarios(drawn, drawing.reduced)
        rows = {
            FORECAST: forecast_rows(forecasts),
            BASELINE: forecast_rows(baseline),
            JUDGEMENT: self._judgement_rows(forecasts),
            PATHS: path_rows(reduced.scenarios),
        }
        own = [note for note in reduced.scenarios.notes if note not in forecasts.notes]
        return MadeGate(
            rows,
            record
            | {
                "reason": "",
                "forecast_notes": "\n".join(forecasts.notes),
                "scenarios_notes": "\n".join(own),
                "relative_distance": f"{reduced.relative_distance:.4f}",
            },
        )

    def _judgement_rows(self, forecasts: ForecastSet) -> pd.DataFrame:
        """Paths that plans of the day-ahead gate are judged on: drawn apart from those that they are made with."""
        drawing = self.settings.scenarios
        if not drawing.fresh or forecasts.gate != JUDGED_GATE:
            return schemas.empty_frame(JUDGEMENT)
        return path_rows(generate(forecasts, drawing.fresh, drawing.method, judgement_seed(self.settings.seed)))

    def _observe(self, day: date, gate: str) -> Information:
        return observe(self._panel, day, cast(timeline.Gate, gate), self.settings.forecast.calibration_days)
