"""The tables a sample market serves, where they come from and what of them is published.

What belongs here: the `MarketTables` record, recorded tables read from a folder, and the
publication cut. What does not: the law behind simulated tables (`simulate.py`, `response.py`) and
the providers' formats (`wire_*.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bess_pipeline.errors import UserInputError
from bess_pipeline.gb_time import efa_columns, london_to_utc

Origin = Literal["simulated", "recorded"]
DayAheadLeg = Literal["neso_n2ex", "elexon_mid"]

HALF_HOUR = pd.Timedelta(minutes=30)
SYSTEM_PRICE_LAG = timedelta(minutes=60)
DAY_AHEAD_RESULT = time(10)
RESPONSE_RESULT = time(15)
BALANCING_RESERVE_RESULT = time(9)

REQUIRED_COLUMNS = {
    "system_price": ("settlement_date", "settlement_period", "start_utc", "system_price_gbp_mwh"),
    "market_index": ("settlement_date", "settlement_period", "start_utc", "market_index_price_gbp_mwh"),
    "response_auction": (
        "product",
        "delivery_start_utc",
        "delivery_end_utc",
        "efa_date",
        "efa_block",
        "clearing_price_gbp_mw_h",
        "cleared_volume_mw",
    ),
    "day_ahead": ("start_utc", "day_ahead_price_gbp_mwh"),
}
REQUIRED_COLUMNS["reserve_auction"] = REQUIRED_COLUMNS["response_auction"]
OPTIONAL_TABLES = frozenset({"day_ahead", "reserve_auction"})
BALANCING_RESERVE = ("PBR", "NBR")
_INSTANTS = ("start_utc", "delivery_start_utc", "delivery_end_utc", "published_utc")


@dataclass(frozen=True, eq=False)
class MarketTables:
    """Everything a market server serves.

    * `system_price`: settlement_date, settlement_period, start_utc, system_price_gbp_mwh; where known
      also net_imbalance_volume_mwh, price_derivation_code, published_utc;
    * `market_index`: settlement_date, settlement_period, start_utc, market_index_price_gbp_mwh and,
      where known, market_index_volume_mwh;
    * `response_auction`: product, delivery_start_utc, delivery_end_utc, efa_date, efa_block,
      clearing_price_gbp_mw_h (null where nothing cleared), cleared_volume_mw;
    * `reserve_auction`: the same columns for reserve products, half-hour windows where one was bought;
      None where there is no such series;
    * `day_ahead`: start_utc (hourly), day_ahead_price_gbp_mwh; None where there is no such series;
    * `fundamentals`: start_utc, wind_mw, demand_mw behind simulated prices; served to nobody;
    * `forecasts`: what was forecast of them and when it was published (`forecasts.COLUMNS`), or None;
    * `frequency`: a UTC day -> 86,400 values in Hz, for the days in `frequency_days`.

    `now_utc` is the market's own now: nothing published later is served. None means everything.
    """

    system_price: pd.DataFrame
    market_index: pd.DataFrame
    response_auction: pd.DataFrame
    origin: Origin
    day_ahead_leg: DayAheadLeg
    first_date: date
    last_date: date
    day_ahead: pd.DataFrame | None = None
    reserve_auction: pd.DataFrame | None = None
    fundamentals: pd.DataFrame | None = None
    forecasts: pd.DataFrame | None = None
    now_utc: datetime | None = None
    frequency: Callable[[date], NDArray[np.float64]] | None = None
    frequency_days: tuple[date, ...] = field(default=())

    def published(self) -> MarketTables:
        """The same tables without what is not out by `now_utc`.

        A system price is out 60 minutes after its period has ended, the market index when it has
        ended, day-ahead results for day D at 10:00 London on D-1, response and quick-reserve results
        at 15:00 and balancing reserve at 09:00 on D-1 (domain reference, sections 0 and 2.6). All rows
        stay where `now_utc` is None.
        """
        if self.now_utc is None:
            return self
        now = pd.Timestamp(self.now_utc)
        day_ahead = self.day_ahead
        if day_ahead is not None:
            product_day = efa_columns(day_ahead["start_utc"])["efa_date"]
            day_ahead = day_ahead[_result_utc(product_day, DAY_AHEAD_RESULT) <= now]
        reserve = self.reserve_auction
        if reserve is not None:
            early = reserve["product"].isin(BALANCING_RESERVE)
            results = _result_utc(reserve["efa_date"], RESPONSE_RESULT)
            reserve = reserve[results.mask(early, _result_utc(reserve["efa_date"], BALANCING_RESERVE_RESULT)) <= now]
        return replace(
            self,
            reserve_auction=reserve,
            system_price=_ended_by(self.system_price, now - SYSTEM_PRICE_LAG),
            market_index=_ended_by(self.market_index, now),
            response_auction=self.response_auction[
                _result_utc(self.response_auction["efa_date"], RESPONSE_RESULT) <= now
            ],
            day_ahead=day_ahead,
            forecasts=None if self.forecasts is None else self.forecasts[self.forecasts["published_utc"] <= now],
        )


def load_tables(directory: Path) -> MarketTables:
    """Recorded tables of a folder: `<name>.parquet` per table of REQUIRED_COLUMNS.

    `day_ahead.parquet` may be absent: then the within-day market index stands in for the day-ahead
    leg; so may `reserve_auction.parquet`. Raises UserInputError naming the folder, file or column
    that is missing or unreadable.
    """
    if not directory.is_dir():
        raise UserInputError(f"the folder of recorded tables {directory} does not exist")
    tables = {name: _read(directory / f"{name}.parquet", name) for name in REQUIRED_COLUMNS}
    system_price, market_index, response = (
        tables[name] for name in ("system_price", "market_index", "response_auction")
    )
    if system_price is None or market_index is None or response is None:
        raise UserInputError(f"the folder of recorded tables {directory} is not complete")
    if system_price.empty:
        raise UserInputError(f"{directory / 'system_price.parquet'} holds no row, so there is no day to serve")
    day_ahead = tables["day_ahead"]
    return MarketTables(
        system_price=system_price,
        market_index=market_index,
        response_auction=response,
        day_ahead=day_ahead,
        reserve_auction=tables["reserve_auction"],
        origin="recorded",
        day_ahead_leg="elexon_mid" if day_ahead is None else "neso_n2ex",
        first_date=system_price["settlement_date"].min(),
        last_date=system_price["settlement_date"].max(),
    )


def _read(path: Path, name: str) -> pd.DataFrame | None:
    if not path.is_file():
        if name in OPTIONAL_TABLES:
            return None
        raise UserInputError(f"{path} does not exist; a folder of recorded tables needs {', '.join(_needed_files())}")
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        problem = str(error).splitlines()[0]
    else:
        return _checked(frame, path, name)
    raise UserInputError(f"{path} cannot be read as Parquet: {problem}")


def _checked(frame: pd.DataFrame, path: Path, name: str) -> pd.DataFrame:
    missing = [column for column in REQUIRED_COLUMNS[name] if column not in frame.columns]
    if missing:
        raise UserInputError(f"{path} has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    for column in (c for c in _INSTANTS if c in frame.columns):
        if getattr(frame[column].dtype, "tz", None) is None:
            raise UserInputError(f"{path}: column {column} carries no time zone; store it as zone-aware UTC")
        frame[column] = frame[column].dt.tz_convert("UTC").dt.as_unit("us")
    for column in ("settlement_date", "efa_date"):
        if column in frame.columns and not frame[column].map(lambda value: type(value) is date).all():
            raise UserInputError(f"{path}: column {column} does not hold plain dates")
    keys = ["delivery_start_utc", "product"] if name.endswith("_auction") else ["start_utc"]
    return frame.sort_values(keys, kind="stable").reset_index(drop=True)


def _needed_files() -> list[str]:
    return [f"{name}.parquet" for name in REQUIRED_COLUMNS if name not in OPTIONAL_TABLES]


def _ended_by(frame: pd.DataFrame, instant: pd.Timestamp) -> pd.DataFrame:
    return frame[frame["start_utc"] + HALF_HOUR <= instant]


def _result_utc(day: pd.Series, clock: time) -> pd.Series:
    """When the results of delivery day D come out: a London clock time on D-1."""
    instants = {d: pd.Timestamp(london_to_utc(d - timedelta(days=1), clock)) for d in day.unique()}
    return pd.to_datetime(day.map(instants), utc=True).dt.as_unit("us")
