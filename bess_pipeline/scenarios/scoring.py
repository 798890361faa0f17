"""Scores of stored forecasts and scenario sets: what was made at a gate against what came since.

What belongs here: reading stored sets, their outcomes and the yardstick that the gate knew, and which scores are kept.
What does not: the formulas (`scores.py`, `univariate.py`, `multivariate.py`), and which days are scored when
(`daily.py`).

Single periods are scored from the stored quantiles, which hold the tails; paths from the stored scenarios, the set
that plans are made with. The periods of the trading day count, not those of the day after it. Outcomes are the newest
versions: prices as they are settled now. Activation that was assumed because it is not measured here is not waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.forecast_settings import ModelName
from bess_pipeline.forecast_tables import BASELINE, COMPLETE, FORECAST, PATHS, PROVISIONAL, REFUSED, SCORE
from bess_pipeline.forecasting.activation import ASSUMED
from bess_pipeline.forecasting.distribution import Marginals
from bess_pipeline.forecasting.fundamentals import instants
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames, read_panel
from bess_pipeline.forecasting.observation import observe, window
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.lake import Lake
from bess_pipeline.scenarios.codependence import blocks_of_scenarios, dependence_rows
from bess_pipeline.scenarios.paths import trading_day
from bess_pipeline.scenarios.scores import of_baseline, score_day, score_marginals
from bess_pipeline.scenarios.storage import marginals_from, scenarios_from
from bess_pipeline.scenarios.yardstick import from_history
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline

Array = npt.NDArray[np.float64]

YARDSTICK_DAYS = 56  # of history before the gate
BASELINE_NAME: ModelName = "similar_day"


@dataclass(frozen=True)
class ScoredGate:
    """Rows of `scenario/score` of a day and gate, how far they are complete, and the streams without any outcome."""

    rows: pd.DataFrame
    status: str
    reason: str = ""
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


class GateScorer:
    """Scores gates of days whose outcomes are read together once."""

    def __init__(self, settings: Settings, lake: Lake, days: Sequence[date]) -> None:
        self.settings = settings
        self.lake = lake
        first, last = min(days), max(days)
        self._known = read_panel(lake, window(first, YARDSTICK_DAYS)[0], last, settings.data)
        self._came = outcome_panel(lake, first, last, settings)

    def score(self, day: date, gate: timeline.Gate) -> ScoredGate:
        """The scores of `gate`; without outcomes or forecasts none, and the reason."""
        marginals = self._marginals(FORECAST, day, gate)
        if not marginals:
            return ScoredGate(schemas.empty_frame(SCORE), REFUSED, "there are no forecasts to score")
        outcomes = {name: outcome(self._came, one.stream, one.start_utc) for name, one in marginals.items()}
        absent = tuple(name for name, values in outcomes.items() if np.isnan(values).all())
        if len(absent) == len(outcomes):
            reason = "no outcome of any stream is in the lake"
            return ScoredGate(schemas.empty_frame(SCORE), REFUSED, reason, absent=absent)
        parts = [
            score_marginals(day, gate, marginals, outcomes, self.settings.seed),
            self._baseline_rows(day, gate, outcomes),
            self._path_rows(day, gate, {name: one.stream for name, one in marginals.items()}, outcomes),
        ]
        rows = pd.concat([part for part in parts if len(part)], ignore_index=True)
        notes = tuple(_holes(name, values) for name, values in outcomes.items() if np.isnan(values).any())
        awaited = [name for name in absent if marginals[name].model != ASSUMED]
        if awaited:
            return ScoredGate(rows, PROVISIONAL, f"no outcome yet of {', '.join(awaited)}", notes, absent)
        return ScoredGate(rows, COMPLETE, "", notes, absent)

    def _marginals(self, table: str, day: date, gate: str) -> dict[str, Marginals]:
        rows = self.lake.read(table, day, day)
        start, end = (pd.Timestamp(instant) for instant in gb_time.efa_day_bounds_utc(day))
        mine = rows[(rows["gate"] == gate) & (rows["start_utc"] >= start) & (rows["start_utc"] < end)]
        return marginals_from(mine, day)

    def _baseline_rows(self, day: date, gate: str, outcomes: Mapping[str, Array]) -> pd.DataFrame:
        """Scores of the baseline's single periods, where it has the same periods."""
        baseline = {
            name: one
            for name, one in self._marginals(BASELINE, day, gate).items()
            if name in outcomes and one.start_utc.size == outcomes[name].size
        }
        return of_baseline(score_marginals(day, gate, baseline, outcomes, self.settings.seed), BASELINE_NAME)

    def _path_rows(
        self, day: date, gate: timeline.Gate, streams: Mapping[str, Stream], outcomes: Mapping[str, Array]
    ) -> pd.DataFrame:
        """Scores of whole paths and of streams together, and how the scenarios depend on each other."""
        rows = self.lake.read(PATHS, day, day)
        closes, settings = timeline.gate_utc(day, gate), self.settings
        rows = rows[rows["gate"] == gate]
        scenarios = scenarios_from(rows, streams, day, gate, closes, settings.scenarios.method, settings.seed)
        today = trading_day(scenarios)
        history = observe(self._known, day, gate, YARDSTICK_DAYS).outcome
        yardstick = from_history({name: values for (name, lead), values in history.items() if lead == 0})
        scored = score_day(today, outcomes, yardstick, self.settings.seed)
        single = {"periods", "crps", "rank"}
        whole = scored[~scored["score"].isin(single) & ~scored["score"].str.match(r"crps_|coverage_|width_")]
        pairs = dependence_rows(blocks_of_scenarios(scenarios), scenarios.probability)
        frame = pd.DataFrame(pairs, columns=["stream", "score", "value"]).assign(efa_date=day, gate=gate)
        return pd.concat([whole, frame[list(whole.columns)]], ignore_index=True)


def outcome_panel(lake: Lake, first: date, last: date, settings: Settings) -> MarketPanel:
    """What came in the EFA days `first` to `last`, in its newest versions."""

    def read(table: str) -> pd.DataFrame:
        return lake.read(f"market/{table}", first - timedelta(days=1), last)

    return panel_of_frames(
        first,
        last,
        day_ahead_price=read("day_ahead_price"),
        system_price=read("system_price"),
        market_index_price=read("market_index_price"),
        auction_clearing=read("auction_clearing"),
        response_energy=read("response_energy"),
        settings=settings.data,
    )


def outcome(panel: MarketPanel, stream: Stream, start_utc: pd.DatetimeIndex) -> Array:
    """What came in each period (n,), NaN where nothing is known; an hour has the mean of its half-hours."""
    if stream.name not in panel.values:
        return np.full(len(start_utc), np.nan)
    grid, values = panel.grid(stream), panel.values[stream.name].value
    place = grid.place(instants(start_utc))
    found = np.where(place >= 0, values[place], np.nan)
    if stream.clock != "hour":
        return found
    return (found + np.where(place >= 0, values[np.minimum(place + 1, values.size - 1)], np.nan)) / 2.0


def _holes(name: str, values: Array) -> str:
    return f"{name}: {int(np.isnan(values).sum())} of {values.size} periods have no outcome"
