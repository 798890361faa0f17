"""Pandera models of what is known about risk: measures, back-tests, attribution, ladder, waterfall, limits, stress.

What belongs here: columns, keys and bounds of these tables. What does not: other tables and what is derived from a
model (`schemas.py`), and how any of it is computed (`risk/`).

Most of these tables are statements about a history as it was known on its last day, the `as_of` day that also names
the partition; `risk/attribution` calls it efa_date. `risk/forecast_pnl` and `risk/limit_status` are about single days.
P&L is positive when money is made; VaR, CVaR and drawdown are positive when money is lost.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pandera.pandas as pa
from pandera.engines import pandas_engine

from bess_pipeline.schema_fields import (
    Table,
    amount_field,
    cash_field,
    date_field,
    number_field,
    price_field,
    strategy_field,
    utc_field,
)

MEASURE, DRAWDOWN, LADDER = "risk/measure", "risk/drawdown", "risk/ladder"
CAPTURE, WATERFALL, ATTRIBUTION = "risk/capture", "risk/waterfall", "risk/attribution"
TAIL_DAY, VAR_BACKTEST, FORECAST_PNL = "risk/tail_day", "risk/var_backtest", "risk/forecast_pnl"
LIMIT_STATUS, STRESS, EXPLAIN, WARNING = "risk/limit_status", "risk/stress", "risk/explain", "risk/warning"
BASES = ["cash", "after_wear"]
SOURCES = ["ex_ante", "historical"]


def _as_of() -> Any:
    return date_field("last trading day of the history this is about")


def _basis() -> Any:
    return pa.Field(isin=BASES, description="cash: without wear; after_wear: wear counted as a cost")


def _confidence(*, nullable: bool = False) -> Any:
    return pa.Field(gt=0, lt=1, nullable=nullable, description="0.95 means the worst 5 %")


def _number(description: str) -> Any:
    return number_field(f"{description}; null where there is none", limit=1e12, nullable=True)


def _days(description: str) -> Any:
    return pa.Field(ge=0, description=description)


def _cap() -> Any:
    return number_field("largest imbalance of the bound, MW; null without a bound", limit=1e6, lowest=0, nullable=True)


def _traded_cap() -> Any:
    words = "imbalance cap that the strategy traded under, MW; null for a bound and where none applies"
    return number_field(words, limit=1e6, lowest=0, nullable=True)


def _day_price(which: str, name: str) -> Any:
    return price_field(f"{which} {name} price of the day, GBP/MWh; null where none is stored", nullable=True)


def _extra_date(description: str) -> Any:
    return pa.Field(nullable=True, description=description)


class Measure(Table):
    """Measures of daily P&L by strategy, basis and window; bootstrap intervals where the days are enough for one."""

    as_of: pandas_engine.Date = _as_of()
    strategy: str = strategy_field()  # type: ignore[assignment]
    basis: str = _basis()
    window: str = pa.Field(description="all, or the last n calendar days, such as 30d")
    measure: str = pa.Field(description="mean, var, cvar, max_drawdown, sharpe, sortino, hit_rate … with its unit")
    confidence: float = _confidence(nullable=True)
    unit: str = pa.Field(description="of the value; 1 = a plain number")
    value: float = _number("the measure; VaR, CVaR and drawdown are positive when money is lost")
    ci_low: float = _number("lower end of its interval")
    ci_high: float = _number("upper end of its interval")
    days: int = _days("days it is taken of")

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "strategy", "basis", "window", "measure", "confidence"]


class Drawdown(Table):
    """The deepest fall of cumulative P&L below its earlier peak: how deep, from when to when, how long."""

    as_of: pandas_engine.Date = _as_of()
    strategy: str = strategy_field()  # type: ignore[assignment]
    basis: str = _basis()
    depth_gbp: float = cash_field("deepest fall, >= 0, GBP")
    depth_gbp_per_mw: float = cash_field("deepest fall over the rating, GBP/MW")
    current_gbp: float = cash_field("fall on the last day, >= 0, GBP")
    peak_date: pandas_engine.Date = _extra_date("day of the peak; null when the fall began with the history")
    trough_date: pandas_engine.Date = _extra_date("day of the lowest point; null when it never fell")
    recovery_date: pandas_engine.Date = _extra_date("first day back at the peak; null when there was none yet")
    length_days: int = _days("calendar days from the peak to recovery, or to the last day")
    longest_days: int = _days("the same of the fall that lasted longest")

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "strategy", "basis"]


class Ladder(Table):
    """What each strategy and bound is worth a year, its share of its bound, its lead; all of the same days."""

    as_of: pandas_engine.Date = _as_of()
    basis: str = _basis()
    imbalance_cap_mw: float = _cap()
    traded_cap_mw: float = _traded_cap()
    strategy: str = strategy_field()  # type: ignore[assignment]
    kind: str = pa.Field(isin=["strategy", "bound"], description="whether it is a strategy or an upper bound")
    unit: str = pa.Field(description="of value, worth and lead: GBP/MW/year")
    value: float = _number("what it earned, as of a year")
    ci_low: float = _number("lower end of its interval")
    ci_high: float = _number("upper end of its interval")
    worth: float = _number("the same with what the change of stored energy is worth, at one price for all")
    worth_low: float = _number("lower end of its interval")
    worth_high: float = _number("upper end of its interval")
    bound: str = pa.Field(nullable=True, description="upper bound that capture is a share of")
    capture: float = _number("worth over that of the bound: only at the traded cap a capture, else a share")
    capture_low: float = _number("lower end of its interval")
    capture_high: float = _number("upper end of its interval")
    yardstick: str = pa.Field(nullable=True, description="strategy that the lead is over")
    lead: float = _number("what it earned more than the yardstick, as of a year")
    lead_low: float = _number("lower end of its interval")
    lead_high: float = _number("upper end of its interval")
    days: int = _days("days that all of them have")
    left_out: int = _days("days left out because one of them has none")

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "basis", "imbalance_cap_mw", "strategy"]


class Capture(Table):
    """What each strategy earned after wear of what its bound did, month by month."""

    as_of: pandas_engine.Date = _as_of()
    month: pandas_engine.Date = date_field("first day of the month")
    strategy: str = strategy_field()  # type: ignore[assignment]
    bound: str = pa.Field(description="upper bound that it is a share of")
    imbalance_cap_mw: float = _cap()
    traded_cap_mw: float = _traded_cap()
    capture: float = _number("share of the bound, stored energy counted on both sides")
    pnl_gbp: float = cash_field("of the strategy, after wear, GBP")
    bound_gbp: float = cash_field("of the bound on the same days, after wear, GBP")
    stored_gbp: float = cash_field("worth of the energy that the strategy stored more at the end of them, GBP")
    bound_stored_gbp: float = cash_field("the same of the bound, GBP")
    days: int = _days("days of the month that both have")

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "month", "strategy", "bound", "imbalance_cap_mw"]


class Waterfall(Table):
    """From perfect foresight to what was realised: each step is the difference of two stored replays."""

    as_of: pandas_engine.Date = _as_of()
    strategy: str = strategy_field()  # type: ignore[assignment]
    place: int = pa.Field(ge=0, description="0 is where the waterfall starts; steps are counted from 1")
    step: str = pa.Field(description="start, horizon, forecast, risk aversion, access to services …, wear")
    from_replay: str = pa.Field(nullable=True, description="stored replay before the step; null for the start")
    from_basis: str = pa.Field(nullable=True, description="cash or after_wear")
    to_replay: str = pa.Field(description="stored replay after the step")
    to_basis: str = _basis()
    change_gbp: float = _number("level after the step less the level before it, GBP; null for the start")
    level_gbp: float = cash_field("P&L of the replay with what its change of stored energy is worth, GBP")
    stored_gbp: float = _number("what of the level is the change of stored energy, GBP")
    first_date: pandas_engine.Date = date_field("first of the days that all these replays have")
    days: int = _days("how many such days there are")
    imbalance_cap_mw: float = _cap()

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "strategy", "imbalance_cap_mw", "place"]


class Attribution(Table):
    """Expected P&L and CVaR of the daily P&L after wear by stream, EFA block and driver (Euler); each kind sums up."""

    efa_date: pandas_engine.Date = _as_of()
    strategy: str = strategy_field()  # type: ignore[assignment]
    confidence: float = _confidence()
    component_kind: str = pa.Field(isin=["stream", "block", "driver"], description="what it is split by")
    component: str = pa.Field(description="a stream, an EFA block, or plan, spread_position, re_dispatch, activation")
    expected_gbp: float = cash_field("mean of a day, positive = earns, GBP")
    cvar_contribution_gbp: float = cash_field("part of CVaR, positive = loses in the tail, GBP")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "confidence", "component_kind", "component"]


class TailDay(Table):
    """The worst days of each strategy after wear, the worst first, with what happened in them."""

    as_of: pandas_engine.Date = _as_of()
    strategy: str = strategy_field()  # type: ignore[assignment]
    confidence: float = _confidence()
    place: int = pa.Field(ge=1, description="1 = the worst day")
    efa_date: pandas_engine.Date = date_field("the day")
    weekday: str = pa.Field(description="day of the week")
    pnl_gbp: float = cash_field("after wear, GBP")
    tail_weight: float = number_field("weight in the tail, sums to 1; 0 = not in it", limit=1.0, lowest=0.0)
    share_of_cvar: float = _number("of CVaR")
    lost: str = pa.Field(description="streams that lost, the largest loss first; empty if none did")
    lowest_day_ahead_price_gbp_mwh: float = _day_price("lowest", "day-ahead")
    highest_day_ahead_price_gbp_mwh: float = _day_price("highest", "day-ahead")
    lowest_system_price_gbp_mwh: float = _day_price("lowest", "system")
    highest_system_price_gbp_mwh: float = _day_price("highest", "system")
    imbalance_mwh: float = amount_field("sum of |imbalance|, MWh; null without dispatch", nullable=True)
    words: str = pa.Field(description="the same as a sentence")

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "strategy", "confidence", "place"]


class VarBacktest(Table):
    """Tests of VaR and CVaR known before each day against the P&L that came."""

    as_of: pandas_engine.Date = _as_of()
    strategy: str = strategy_field()  # type: ignore[assignment]
    source: str = pa.Field(isin=SOURCES, description="which forecasts are tested, as in risk.forecast_pnl")
    confidence: float = _confidence()
    test: str = pa.Field(description="kupiec, christoffersen_…, acerbi_szekely_z1 or _z2")
    statistic: float = _number("of the test")
    p_value: float = _number("chance of such a statistic if the model is true")
    exceptions: int = _days("days that lost more than their VaR")
    expected_exceptions: float = number_field("if the model is true", limit=1e6, lowest=0.0)
    days: int = _days("days with forecast and P&L")
    power: float = _number("chance of rejecting a VaR and CVaR that are 20 % too close to the expected P&L")
    verdict: str = pa.Field(description="rejected, not rejected, insufficient data or no exceptions")
    note: str = pa.Field(description="what a reader must know; empty when nothing")

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "strategy", "source", "confidence", "test"]


class ForecastPnl(Table):
    """What was expected of a day's P&L before it came, beside what came."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    source: str = pa.Field(
        isin=SOURCES,
        description="ex_ante: the plan on fresh scenarios, known at its gate; historical: the days before",
    )
    confidence: float = _confidence()
    gate: str = pa.Field(nullable=True, description="gate of the plan; null for historical")
    mean_gbp: float = _number("expected, GBP")
    var_gbp: float = cash_field("VaR, positive = money lost, GBP")
    cvar_gbp: float = cash_field("CVaR, positive = money lost, GBP")
    realised_gbp: float = _number("what came, in the same terms, GBP; null where it has not settled")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "source", "confidence"]


class LimitStatus(Table):
    """The desk's limits on a trading day: what was measured, what is allowed, and what is broken."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    limit_name: str = pa.Field(description="name of the limit, as in [risk.limits]")
    source: str = pa.Field(
        nullable=True,
        isin=[*SOURCES, "not_measured"],
        description="of VaR and CVaR, as in risk.forecast_pnl, or not_measured; null for limits of the day itself",
    )
    unit: str = pa.Field(description="of measured and allowed; empty for a share")
    measured: float = _number("what was measured")
    allowed: float = _number("the limit")
    status: str = pa.Field(isin=["within", "breached", "no limit", "not measured"], description="outcome")
    excess: float = _number("by how much it is broken, 0 within")
    words: str = pa.Field(description="the same as a sentence")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "limit_name"]


class Stress(Table):
    """What shocks would do to the dispatch of the last day and of the worst days: cash, and margin of stored energy."""

    as_of: pandas_engine.Date = _as_of()
    strategy: str = strategy_field()  # type: ignore[assignment]
    efa_date: pandas_engine.Date = date_field("day that is shocked")
    shock: str = pa.Field(description="name of the shock; as_it_was for the day itself")
    words: str = pa.Field(description="the shock in words")
    cash_gbp: float = cash_field("cash of the day as it was, GBP")
    pnl_change_gbp: float = cash_field("what the shock does to it, GBP")
    undelivered_mwh: float = amount_field("energy of the dispatch that is not moved, MWh", lowest=0.0)
    margin_before_mwh: float = amount_field("least distance of the state of energy to its limits as it was, MWh")
    margin_after_mwh: float = amount_field("the same with the shock; below 0 the dispatch cannot be carried out, MWh")
    start_utc: pandas_engine.DateTime = utc_field("where the shock was put; null everywhere, UTC", nullable=True)
    surplus_gbp: float = amount_field(
        "what more stored energy at the end would fetch, not in the change, GBP", lowest=0.0, nullable=True
    )

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "strategy", "efa_date", "shock"]


class Explain(Table):
    """Why a day's P&L after wear is not that of the day before, by stream: price, volume, revision."""

    as_of: pandas_engine.Date = _as_of()
    strategy: str = strategy_field()  # type: ignore[assignment]
    efa_date: pandas_engine.Date = date_field("the day")
    before_date: pandas_engine.Date = date_field("the settled day before it")
    stream: str = pa.Field(description="as in trading.cashflow")
    price_gbp: float = cash_field("because prices differ, GBP")
    volume_gbp: float = cash_field("because volumes differ, GBP")
    revision_gbp: float = cash_field("because prices of the day before were revised since it was reported, GBP")
    change_gbp: float = cash_field("P&L of the day less that of the day before as first reported, GBP")

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "strategy", "efa_date", "stream"]


class RiskWarning(Table):
    """Results that are too good to be true (docs/risk.md), broken limits, and what could not be measured."""

    as_of: pandas_engine.Date = _as_of()
    kind: str = pa.Field(description="which check: too_rich, above_bound, captures_too_much, limit_breached …")
    strategy: str = strategy_field()  # type: ignore[assignment]
    place: int = pa.Field(ge=1, description="number of the warning within check and strategy")
    words: str = pa.Field(description="the warning as a sentence")

    class Config(Table.Config):
        unique: ClassVar = ["as_of", "kind", "strategy", "place"]


RISK_TABLES: dict[str, type[pa.DataFrameModel]] = {
    MEASURE: Measure,
    DRAWDOWN: Drawdown,
    LADDER: Ladder,
    CAPTURE: Capture,
    WATERFALL: Waterfall,
    ATTRIBUTION: Attribution,
    TAIL_DAY: TailDay,
    VAR_BACKTEST: VarBacktest,
    FORECAST_PNL: ForecastPnl,
    LIMIT_STATUS: LimitStatus,
    STRESS: Stress,
    EXPLAIN: Explain,
    WARNING: RiskWarning,
}
