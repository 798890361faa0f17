"""Pandera models of forecasts, scenarios and their scores, and of how each gate's went.

What belongs here: names, columns, keys and bounds of these tables, and what a step can come to. What does not: other
tables and what is derived from a model (`schemas.py`), and the objects that they are stored from and read back into
(`scenarios/storage.py`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import pandera.pandas as pa
from pandera.engines import pandas_engine

from bess_pipeline.schema_fields import Table, date_field, number_field, utc_field

FORECAST, BASELINE, PATHS = "forecast/price_forecast", "forecast/baseline_forecast", "scenario/price_path"
JUDGEMENT = "scenario/judgement_path"
SCORE, GATE_STATUS = "scenario/score", "scenario/gate_status"

VALUE_LIMIT = 20_000.0  # GBP/MWh, the widest bound of any stream's price (`schema_fields.py`)
COMPLETE, PROVISIONAL, REFUSED, NOT_PUBLISHED = "complete", "provisional", "refused", "not_published"
STEPS = ("forecast", "scenarios", "score")
OUTCOMES = {  # table that holds the outcomes of a stream, by the beginning of its name
    "day_ahead": "market/day_ahead_price",
    "system_price": "market/system_price",
    "market_index": "market/market_index_price",
    "response_": "market/auction_clearing",
    "activation_": "market/response_energy",
}


def outcome_table(stream: str) -> str:
    """Where the outcomes of a stream are stored. KeyError for a name that is none."""
    for beginning, table in OUTCOMES.items():
        if stream.startswith(beginning):
            return table
    raise KeyError(stream)


def quantile_column(level: float) -> str:
    """The column of a level: q05 for 0.05, q99_75 for 0.9975."""
    whole, _, decimals = f"{level * 100:.6f}".rstrip("0").partition(".")
    return f"q{int(whole):02d}" + (f"_{decimals}" if decimals else "")


def _value(description: str) -> Any:
    return number_field(description, limit=VALUE_LIMIT)


def _quantile(percent: str) -> Any:
    return _value(f"quantile: {percent} % of outcomes are expected at or below it")


def _gate() -> Any:
    return pa.Field(isin=["day_ahead", "response"], description="at which it was made: day_ahead 09:50, response 14:00")


def _stream() -> Any:
    return pa.Field(description="day_ahead, system_price, market_index, response_DCL …, activation_DCL …")


class PriceForecast(Table):
    """What a gate expected of each stream in its trading day and the day after it, as a distribution per period."""

    efa_date: pandas_engine.Date = date_field("trading day whose gate it was; periods of the day after it follow")
    gate: str = _gate()
    stream: str = _stream()
    start_utc: pandas_engine.DateTime = utc_field("start of the period, UTC")
    duration_minutes: int = pa.Field(ge=1, le=360, description="length of the period: 60, 30, or an EFA block's")
    unit: str = pa.Field(description="of mean and quantiles: GBP/MWh, GBP/MW/h or MWh/MW")
    model: str = pa.Field(description="what made it")
    mean: float = _value("expected value")
    q00_1: float = _quantile("0.1")
    q00_25: float = _quantile("0.25")
    q00_5: float = _quantile("0.5")
    q01: float = _quantile("1")
    q02: float = _quantile("2")
    q03: float = _quantile("3")
    q05: float = _quantile("5")
    q10: float = _quantile("10")
    q15: float = _quantile("15")
    q20: float = _quantile("20")
    q25: float = _quantile("25")
    q30: float = _quantile("30")
    q35: float = _quantile("35")
    q40: float = _quantile("40")
    q45: float = _quantile("45")
    q50: float = _quantile("50")
    q55: float = _quantile("55")
    q60: float = _quantile("60")
    q65: float = _quantile("65")
    q70: float = _quantile("70")
    q75: float = _quantile("75")
    q80: float = _quantile("80")
    q85: float = _quantile("85")
    q90: float = _quantile("90")
    q95: float = _quantile("95")
    q97: float = _quantile("97")
    q98: float = _quantile("98")
    q99: float = _quantile("99")
    q99_5: float = _quantile("99.5")
    q99_75: float = _quantile("99.75")
    q99_9: float = _quantile("99.9")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "gate", "stream", "start_utc"]


class PricePath(Table):
    """Joint paths of all streams with their probabilities: the reduced set of scenarios that plans are made with."""

    efa_date: pandas_engine.Date = date_field("trading day whose gate it was; periods of the day after it follow")
    gate: str = _gate()
    scenario: int = pa.Field(ge=0, description="number of the path: the same in all streams of a day and gate")
    probability: float = pa.Field(gt=0, le=1, description="of the path; they sum to 1 over a day and gate")
    stream: str = _stream()
    start_utc: pandas_engine.DateTime = utc_field("start of the period, UTC")
    value: float = _value("in the unit of forecast.price_forecast")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "gate", "scenario", "stream", "start_utc"]


class JudgementPath(PricePath):
    """Equally likely joint paths of the day-ahead gate, drawn apart from the others: plans are judged on them alone."""


class Score(Table):
    """How forecasts and scenarios of a trading day compare with what came, once it has."""

    efa_date: pandas_engine.Date = date_field("trading day")
    gate: str = _gate()
    stream: str = pa.Field(description="a stream, two as a|b, or all: scored together")
    score: str = pa.Field(description="name of the score (docs/forecasting.md)")
    value: float = pa.Field(description="in the stream's unit, or a share, or a rank between 0 and 1")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "gate", "stream", "score"]


class GateStatus(Table):
    """How forecasts, scenarios and scores of each trading day and gate went, with the fallbacks that were needed."""

    efa_date: pandas_engine.Date = date_field("trading day")
    gate: str = _gate()
    step: str = pa.Field(isin=list(STEPS), description="forecast, scenarios or score")
    status: str = pa.Field(
        isin=[COMPLETE, NOT_PUBLISHED, REFUSED, PROVISIONAL],
        description="provisional: made before its gate closed, or scored without the outcome of some stream",
    )
    reason: str = pa.Field(description="empty when complete")
    notes: str = pa.Field(description="fallbacks and other weaknesses, one a line")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "gate", "step"]
