"""One Pandera model per table, with unit and description of each column, and what is derived from it.

What belongs here: the columns, keys and bounds of stored tables, and their Arrow and DuckDB types.
What does not: completeness of a day (`market_data/`), writing (`lake.py`) or SQL views (`sql/`).

Asset key = lake folder = DuckDB schema.table: `TABLES["market/system_price"]` is the model of
asset `market/system_price`, queried as `market.system_price`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar

import pandas as pd
import pandera.pandas as pa
import pyarrow
from pandera.engines import pandas_engine

from bess_pipeline.asset_tables import Availability, Degradation
from bess_pipeline.bound_tables import BOUND_TABLE, Bound
from bess_pipeline.errors import RefusedFrameError
from bess_pipeline.forecast_tables import GateStatus, JudgementPath, PriceForecast, PricePath, Score
from bess_pipeline.gb_time import UTC_DTYPE
from bess_pipeline.market_tables import MARKET_DISPATCH, MarketDispatch
from bess_pipeline.risk_tables import RISK_TABLES
from bess_pipeline.schema_fields import CAPACITY_PRICE_LIMIT_GBP_MW_H
from bess_pipeline.schema_fields import Table as _Table
from bess_pipeline.schema_fields import amount_field as _amount
from bess_pipeline.schema_fields import cash_field as _cash
from bess_pipeline.schema_fields import date_field as _date
from bess_pipeline.schema_fields import number_field as _number
from bess_pipeline.schema_fields import period_field as _period
from bess_pipeline.schema_fields import price_field as _price
from bess_pipeline.schema_fields import strategy_field as _strategy
from bess_pipeline.schema_fields import utc_field as _utc
from bess_pipeline.settlement_tables import SettlementStack, SystemPriceCheck, SystemPriceRevision
from bess_pipeline.trading_tables import (
    ActivationSensitivity,
    Dispatch,
    EnergyPlan,
    Frontier,
    InformationValue,
    Orders,
    Plan,
    PlanExplanation,
    PlanOutcome,
    PlanValue,
)

SCHEMA_VERSION = 1


class SystemPrice(_Table):
    """Imbalance (cash-out) price per settlement period, latest run."""

    settlement_date: pandas_engine.Date = _date("settlement date, Europe/London")
    settlement_period: int = _period()
    start_utc: pandas_engine.DateTime = _utc("start of the half-hour, UTC")
    system_price_gbp_mwh: float = _price("single imbalance price, GBP/MWh")
    net_imbalance_volume_mwh: float = _amount("positive = system short, MWh", nullable=True)
    price_derivation_code: str = pa.Field(nullable=True, description="how the price was derived, as published")
    published_utc: pandas_engine.DateTime = _utc(
        "version key of the publication; no proof of when it was known", nullable=True
    )

    class Config(_Table.Config):
        unique: ClassVar = ["settlement_date", "settlement_period"]


class DayAheadPrice(_Table):
    """Day-ahead price on the half-hour grid; `source` says which publication stands behind it."""

    settlement_date: pandas_engine.Date = _date("settlement date, Europe/London")
    settlement_period: int = _period()
    start_utc: pandas_engine.DateTime = _utc("start of the half-hour, UTC")
    day_ahead_price_gbp_mwh: float = _price("day-ahead price, GBP/MWh")
    source: str = pa.Field(
        isin=["neso_n2ex", "entsoe", "elexon_mid", "file"], description="elexon_mid is a within-day index standing in"
    )
    native_resolution_minutes: int = pa.Field(isin=[15, 30, 60], description="resolution of the published product")

    class Config(_Table.Config):
        unique: ClassVar = ["settlement_date", "settlement_period"]


class MarketIndexPrice(_Table):
    """Within-day market index (APXMIDP), known only after trading."""

    settlement_date: pandas_engine.Date = _date("settlement date, Europe/London")
    settlement_period: int = _period()
    start_utc: pandas_engine.DateTime = _utc("start of the half-hour, UTC")
    market_index_price_gbp_mwh: float = _price("volume-weighted within-day price, GBP/MWh")
    market_index_volume_mwh: float = _amount("traded volume behind the index, MWh", lowest=0.0, nullable=True)

    class Config(_Table.Config):
        unique: ClassVar = ["settlement_date", "settlement_period"]


class AuctionClearing(_Table):
    """Clearing price and volume per auction window and product; partition of its delivery start."""

    product: str = pa.Field(
        str_matches=r"^[A-Z]{3}$",
        description="NESO code: response, e.g. DCL (L = discharge, H = charge), or reserve, e.g. PQR (P, N)",
    )
    delivery_start_utc: pandas_engine.DateTime = _utc("start of the window, UTC")
    delivery_end_utc: pandas_engine.DateTime = _utc("end, UTC: an EFA block (3 h or 5 h on clock changes) or half-hour")
    efa_date: pandas_engine.Date = _date("EFA day of the start")
    efa_block: int = pa.Field(ge=1, le=6, description="EFA block of the start")
    clearing_price_gbp_mw_h: float = _number(
        "GBP per MW and hour; null where nothing cleared", limit=CAPACITY_PRICE_LIMIT_GBP_MW_H, nullable=True
    )
    cleared_volume_mw: float = _amount("cleared volume, MW", lowest=0.0)

    class Config(_Table.Config):
        unique: ClassVar = ["product", "delivery_start_utc"]


class ResponseEnergy(_Table):
    """Energy that one contracted MW of a response product moves per half-hour; the product gives the direction."""

    product: str = pa.Field(
        isin=["DCL", "DCH", "DML", "DMH", "DRL", "DRH"], description="L discharges below 50 Hz, H charges above"
    )
    start_utc: pandas_engine.DateTime = _utc("start of the half-hour, UTC")
    energy_mwh_per_mw: float = pa.Field(
        in_range={"min_value": 0.0, "max_value": 0.5}, description="magnitude, MWh per contracted MW"
    )
    coverage: float = pa.Field(
        in_range={"min_value": 0.0, "max_value": 1.0}, description="share of the seconds with a usable frequency"
    )
    basis: str = pa.Field(isin=["measured", "assumed", "simulated"], description="where the frequency comes from")

    class Config(_Table.Config):
        unique: ClassVar = ["product", "start_utc"]


class FundamentalForecast(_Table):
    """Forecasts of wind, demand and margin with their publication times; partition of the publication's day."""

    series: str = pa.Field(
        str_matches=r"^[a-z_]+$", description="wind, demand, indicated_margin …; see sources/elexon_forecasts.py"
    )
    published_utc: pandas_engine.DateTime = _utc("when it was published, UTC: known from then on")
    start_utc: pandas_engine.DateTime = _utc("start of what is forecast, UTC: an hour for wind, else a half-hour")
    value: float = _amount("in `unit`, signed as published")
    unit: str = pa.Field(isin=["MW"], description="unit of the value")

    class Config(_Table.Config):
        unique: ClassVar = ["series", "published_utc", "start_utc"]


class SourceStatus(_Table):
    """Outcome of each source and settlement date; the truth about a day, apart from any run's status."""

    source: str = pa.Field(description="provider: elexon, neso, entsoe, file")
    dataset: str = pa.Field(description="table it feeds, e.g. market/system_price")
    date: pandas_engine.Date = _date("settlement date")
    status: str = pa.Field(isin=["complete", "not_published", "refused"], description="outcome of the day")
    reason: str = pa.Field(description="why not complete; and what was noticed in an answer that was used, if anything")
    expected_rows: int = pa.Field(ge=0, description="rows of a complete day")
    rows: int = pa.Field(ge=0, description="rows stored")
    fetched_utc: pandas_engine.DateTime = _utc("when the newest answer was fetched", nullable=True)

    class Config(_Table.Config):
        unique: ClassVar = ["dataset", "date"]


class Cashflow(_Table):
    """Cash per half-hour and stream, positive when received; wear is a cost and not cash."""

    efa_date: pandas_engine.Date = _date("trading day")
    strategy: str = _strategy()  # type: ignore[assignment]
    start_utc: pandas_engine.DateTime = _utc("start of the half-hour, UTC")
    stream: str = pa.Field(
        isin=[
            "day_ahead",
            "intraday",
            "imbalance",
            "balancing_mechanism",
            "response",
            "reserve",
            "capacity_market",
            "penalty",
            "fee",
            "wear",
        ],
        description="where the money comes from; wear is a cost and not cash",
    )
    amount_gbp: float = _cash("GBP")

    class Config(_Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "start_utc", "stream"]


class RunStatus(_Table):
    """Outcome of each trading day and strategy; a refused day leaves the battery idle."""

    efa_date: pandas_engine.Date = _date("trading day")
    strategy: str = _strategy()  # type: ignore[assignment]
    status: str = pa.Field(
        isin=["complete", "not_published", "refused", "provisional", "stale"], description="outcome of the day"
    )
    reason: str = pa.Field(description="empty when complete")
    opening_energy_mwh: float = _amount("state of energy at 23:00 on the day before, MWh", lowest=0.0, nullable=True)
    closing_energy_mwh: float = _amount("state of energy at 23:00, MWh", lowest=0.0, nullable=True)
    chain_start: pandas_engine.Date = pa.Field(
        nullable=True, description="first day of the unbroken chain this day belongs to"
    )

    class Config(_Table.Config):
        unique: ClassVar = ["efa_date", "strategy"]


class DailyPnl(_Table):
    """Sum of trading.cashflow per day, strategy and stream."""

    efa_date: pandas_engine.Date = _date("trading day")
    strategy: str = _strategy()  # type: ignore[assignment]
    stream: str = pa.Field(description="as in trading.cashflow")
    pnl_gbp: float = _cash("GBP")
    pnl_gbp_per_mw: float = _cash("GBP per MW of rating")

    class Config(_Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "stream"]


TABLES: Mapping[str, type[pa.DataFrameModel]] = {
    "market/system_price": SystemPrice,
    "market/system_price_revision": SystemPriceRevision,
    "market/settlement_stack": SettlementStack,
    "market/system_price_check": SystemPriceCheck,
    "market/day_ahead_price": DayAheadPrice,
    "market/market_index_price": MarketIndexPrice,
    "market/auction_clearing": AuctionClearing,
    "market/response_energy": ResponseEnergy,
    "market/fundamental_forecast": FundamentalForecast,
    "market/source_status": SourceStatus,
    "forecast/price_forecast": PriceForecast,
    "forecast/baseline_forecast": PriceForecast,
    "scenario/price_path": PricePath,
    "scenario/judgement_path": JudgementPath,
    "scenario/score": Score,
    "scenario/gate_status": GateStatus,
    "trading/availability": Availability,
    "trading/plan": Plan,
    "trading/foresight_plan": EnergyPlan,
    "trading/co_optimised_plan": Plan,
    "trading/orders": Orders,
    "trading/foresight_orders": Orders,
    "trading/plan_explanation": PlanExplanation,
    "trading/dispatch": Dispatch,
    MARKET_DISPATCH: MarketDispatch,
    "trading/cashflow": Cashflow,
    "trading/run_status": RunStatus,
    "risk/daily_pnl": DailyPnl,
    "risk/degradation": Degradation,
    BOUND_TABLE: Bound,
    "risk/plan_value": PlanValue,
    "risk/plan_outcome": PlanOutcome,
    "risk/information_value": InformationValue,
    "risk/frontier": Frontier,
    "risk/activation_sensitivity": ActivationSensitivity,
    **RISK_TABLES,
}

_KINDS: Mapping[str, tuple[pyarrow.DataType, str, str]] = {
    "date": (pyarrow.date32(), "DATE", "object"),
    UTC_DTYPE: (pyarrow.timestamp("us", tz="UTC"), "TIMESTAMP WITH TIME ZONE", UTC_DTYPE),
    "float64": (pyarrow.float64(), "DOUBLE", "float64"),
    "int64": (pyarrow.int64(), "BIGINT", "int64"),
    "boolean": (pyarrow.bool_(), "BOOLEAN", "boolean"),
    "str": (pyarrow.string(), "VARCHAR", "str"),
}

PANDAS_TYPES = {pyarrow.bool_(): pd.BooleanDtype()}  # Arrow type -> pandas type where it is not Arrow's own choice

_COLUMN_CHECKS = {
    "column_in_dataframe": "there is no",
    "column_in_schema": "there is an unknown",
    "named once": "there is more than one",
}


def _kind(column: object) -> tuple[pyarrow.DataType, str, str]:
    name = str(column)
    return _KINDS["str" if name.startswith("str") else name]


@functools.cache
def columns(table: str) -> Mapping[str, pa.Column]:
    """Column name -> Pandera column of a table, in stored order."""
    return TABLES[table].to_schema().columns


def keys(table: str) -> list[str]:
    """Key columns of a table."""
    return list(TABLES[table].to_schema().unique or [])


@functools.cache
def arrow_schema(table: str) -> pyarrow.Schema:
    """Arrow schema of a table's Parquet files."""
    return pyarrow.schema([pyarrow.field(n, _kind(c.dtype)[0], nullable=c.nullable) for n, c in columns(table).items()])


@functools.cache
def duckdb_types(table: str) -> dict[str, str]:
    """Column name -> DuckDB type, as `DESCRIBE` prints it."""
    return {n: _kind(c.dtype)[1] for n, c in columns(table).items()}


def empty_frame(table: str) -> pd.DataFrame:
    """A frame with the table's columns and types and no row."""
    return pd.DataFrame({n: pd.Series(dtype=_kind(c.dtype)[2]) for n, c in columns(table).items()})


def validate(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` in the table's column order, types and key order.

    Raises RefusedFrameError (with a `failure_cases` frame) when any column, type, bound or key is
    wrong, an instant carries no time zone or a whole number has a fraction; nothing is dropped or
    repaired.
    """
    if frame.empty and not len(frame.columns):
        return empty_frame(table)
    frame = frame.reset_index(drop=True)
    cases = _silently_repaired(table, frame)
    if cases.empty:
        try:
            valid = TABLES[table].validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            cases = error.failure_cases
        else:
            ordered = valid[list(columns(table))]
            return ordered.sort_values(keys(table), kind="stable").reset_index(drop=True)
    raise _refusal(table, cases)


def _silently_repaired(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Failure cases of what coercion would mend without a word: it would hide a fault of the source."""
    cases = [(name, "named once", name) for name in frame.columns[frame.columns.duplicated()]]
    known = [] if cases else [(name, column) for name, column in columns(table).items() if name in frame.columns]
    for name, column in known:
        given = frame[name].dropna()
        kind = _kind(column.dtype)[2]
        if kind == UTC_DTYPE and not isinstance(given.dtype, pd.DatetimeTZDtype):
            cases += [(name, "time zone", value) for value in given if getattr(value, "tzinfo", None) is None]
        elif kind == "int64" and pd.api.types.is_float_dtype(given):
            cases += [(name, "whole number", value) for value in given[given % 1 != 0]]
    return pd.DataFrame(cases, columns=["column", "check", "failure_case"])


def _refusal(table: str, cases: pd.DataFrame) -> RefusedFrameError:
    first = cases.iloc[0]
    value = first["failure_case"]
    if first["check"] in _COLUMN_CHECKS:
        what = f"{_COLUMN_CHECKS[first['check']]} column {value}"
    else:
        what = f"column {first['column']}: check {first['check']} on value {value}"
    refusal = RefusedFrameError(f"{table}: {len(cases)} failure cases, the first: {what}")
    refusal.failure_cases = cases  # type: ignore[attr-defined]
    return refusal
