"""Measures risk of stored trading days and writes the tables `risk/*` of an as-of day.

What belongs here: what is measured of which day, the stamps, and whether what is stored still stands. What does not:
the formulas, and from days to rows (`stored_measures.py`, `stored_tail.py`, `stored_days.py`, `stored_warnings.py`).

The partition of an as-of day holds what was known of the days up to it; older as-of days stay as they are. What was
expected of a day, and the limits of a day, have partitions of that day, which are written again when they change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

import pandas as pd

from bess_pipeline import __version__
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.errors import UserInputError
from bess_pipeline.lake import Lake
from bess_pipeline.risk import stored_days, stored_measures, stored_tail
from bess_pipeline.risk.day_parts import read_parts
from bess_pipeline.risk.history import History, last_counted_day, read_history
from bess_pipeline.risk.stored_warnings import (
    capture_warnings,
    history_warnings,
    limit_warnings,
    rich_warnings,
    warning_rows,
)
from bess_pipeline.risk_tables import (
    ATTRIBUTION,
    CAPTURE,
    DRAWDOWN,
    EXPLAIN,
    FORECAST_PNL,
    LADDER,
    LIMIT_STATUS,
    MEASURE,
    RISK_TABLES,
    STRESS,
    TAIL_DAY,
    VAR_BACKTEST,
    WARNING,
    WATERFALL,
)
from bess_pipeline.settings import Settings
from bess_pipeline.trading.stamps import DAILY_PNL, RUN_STATUS
from bess_pipeline.trading_tables import PLAN_OUTCOME

DAY_TABLES = (FORECAST_PNL, LIMIT_STATUS)  # partitions of the day itself
AS_OF_TABLES = tuple(table for table in RISK_TABLES if table not in DAY_TABLES)


@dataclass(frozen=True)
class Measured:
    """What a measurement wrote: rows by table, days that counted, and warnings in words."""

    as_of: date
    rows: Mapping[str, int]
    days: int
    strategies: Sequence[str]
    warnings: Sequence[str]


class StoredRisk:
    """Risk of one workspace under one set of settings."""

    def __init__(self, settings: Settings, lake: Lake) -> None:
        self.settings = settings
        self.lake = lake
        self.battery = Battery.from_settings(settings.battery)

    def as_of(self, first: date, last: date) -> date | None:
        """The last day of a range that counts for some strategy: what risk is measured of. None where none does."""
        return last_counted_day(self.lake, first, last)

    def measure(self, as_of: date) -> Measured:
        """Write all tables of risk as of a day. UserInputError where no day up to it has settled."""
        history = read_history(self.lake, as_of)
        if not history.days:
            raise UserInputError(f"there is no risk to measure: no trading day up to {as_of} has settled")
        frames = self._frames(history)
        stamp = self._stamp(as_of)
        rows = {table: self.lake.write(table, as_of, frames[table], stamp) for table in AS_OF_TABLES}
        rows |= {table: self._write_days(table, frames[table]) for table in DAY_TABLES}
        words = [f"{row['strategy']}: {row['words']}" for row in frames[WARNING].to_dict("records")]
        return Measured(as_of, rows, len(history.days), history.strategies, words)

    def stands(self, as_of: date) -> bool:
        """Whether what is stored of an as-of day was measured of the present P&L, status and bounds, and settings."""
        stamps = [self.lake.stamp(table, as_of) for table in AS_OF_TABLES]
        return all(stamp == stamps[0] for stamp in stamps) and stamps[0] == self._stamp(as_of)

    def behind(self) -> bool:
        """Whether the last settled day has no measurement that stands. False where nothing has settled."""
        newest = self.as_of(date.min, date.max)
        return newest is not None and not self.stands(newest)

    def _frames(self, history: History) -> dict[str, pd.DataFrame]:
        """Rows of every table."""
        settings, power, seed = self.settings.risk, self.battery.power_mw, self.settings.seed
        cap = self.settings.co_optimisation.imbalance_limit_of(power)
        parts = read_parts(self.lake, history, self.battery)
        waterfalls, missing = stored_measures.waterfalls(history, _known_cap(history, cap))
        worst = stored_tail.tail_days(history, parts, self.lake, settings)
        historical, known = stored_days.historical_forecasts(history, settings)
        worth = stored_days.plan_worth(self.lake, self.settings, self.battery)
        ex_ante, judged = stored_days.ex_ante_forecasts(history, self.lake, worth, settings.confidences)
        held = [frame for frame in (ex_ante, historical) if len(frame)]
        forecasts = pd.concat(held, ignore_index=True) if held else historical
        limits = stored_days.limit_statuses(history, parts, forecasts, settings)
        measured = stored_measures.measures(history, power, settings, seed)
        ladder = stored_measures.ladder(history, power, settings, seed, traded_cap_mw=cap)
        captures = stored_measures.capture_months(history, traded_cap_mw=cap)
        warned = history_warnings(history, self.battery, cap, self.lake) + missing + parts.warnings
        warned += rich_warnings(history, measured, self.battery) + capture_warnings(ladder, captures)
        warned += limit_warnings(limits)
        return {
            MEASURE: measured,
            DRAWDOWN: stored_measures.drawdowns(history, power),
            LADDER: ladder,
            CAPTURE: captures,
            WATERFALL: waterfalls,
            ATTRIBUTION: stored_tail.attribution(history, parts, settings),
            TAIL_DAY: worst,
            STRESS: stored_tail.stresses(history, worst, self.lake, self.battery, self.settings),
            EXPLAIN: stored_tail.explains(history, self.lake, self.battery, settings),
            VAR_BACKTEST: stored_days.var_backtests(forecasts, known | judged, history.as_of, settings, seed),
            WARNING: warning_rows(history.as_of, warned),
            FORECAST_PNL: forecasts,
            LIMIT_STATUS: limits,
        }

    def _write_days(self, table: str, rows: pd.DataFrame) -> int:
        """Write the partitions of a table of days that differ from what is stored; the number of rows of all."""
        if rows.empty:
            return 0
        content = pd.util.hash_pandas_object(rows, index=False).groupby(rows["efa_date"])
        stamps = {cast("date", day): self._day_stamp(_digest(part.to_numpy().tobytes())) for day, part in content}
        changed = {day for day, stamp in stamps.items() if self.lake.stamp(table, day) != stamp}
        parts = {cast("date", day): part for day, part in rows.groupby("efa_date") if day in changed}
        refused = self.lake.write_days(table, parts, stamps)
        for refusal in refused.values():
            raise refusal
        return len(rows)

    def _stamp(self, as_of: date) -> dict[str, str]:
        return self._day_stamp(self._inputs(as_of))

    def _day_stamp(self, inputs: str) -> dict[str, str]:
        return {
            "settings": self.settings.risk_fingerprint(),
            "code": __version__,
            "seed": str(self.settings.seed),
            "inputs": inputs,
        }

    def _inputs(self, as_of: date) -> str:
        """Twelve hex digits of the rows that risk is measured of, up to a day."""
        hashes = []
        for table in (DAILY_PNL, RUN_STATUS, BOUND_TABLE, PLAN_OUTCOME):
            days = [day for day in self.lake.days(table) if day <= as_of]
            hashes.append(self.lake.content_hash(table, days))
        return _digest("|".join(hashes).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _known_cap(history: History, cap_mw: float) -> float:
    """The cap of the bounds that strategies are set against: theirs, or the largest that there is."""
    return cap_mw if cap_mw in history.caps_mw or not history.caps_mw else history.caps_mw[-1]
