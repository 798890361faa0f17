"""Pandera models of the tables about the battery itself: its outages and its wear.

What belongs here: columns, keys and bounds of these tables. What does not: other tables and what is
derived from a model (`schemas.py`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import pandera.pandas as pa
from pandera.engines import pandas_engine

from bess_pipeline.schema_fields import Table, amount_field, cash_field, date_field, strategy_field, utc_field


def _fraction(description: str, *, nullable: bool = False) -> Any:
    return pa.Field(in_range={"min_value": 0.0, "max_value": 1.0}, description=description, nullable=nullable)


class Availability(Table):
    """Outages that reach into a trading day, as announced: planned and forced derating of the battery."""

    efa_date: pandas_engine.Date = date_field("trading day that the outage reaches into")
    start_utc: pandas_engine.DateTime = utc_field("start of the outage, UTC")
    end_utc: pandas_engine.DateTime = utc_field("end of the outage, UTC")
    charge_fraction: float = _fraction("fraction of the rating that can charge meanwhile")
    discharge_fraction: float = _fraction("fraction of the rating that can discharge meanwhile")
    kind: str = pa.Field(isin=["planned", "forced"], description="planned or forced")
    reason: str = pa.Field(description="what is out of service")
    known_utc: pandas_engine.DateTime = utc_field("when it was announced, UTC: plans see it from then on")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "start_utc", "end_utc", "known_utc", "kind", "reason"]


class Degradation(Table):
    """Wear of each trading day and strategy after the fact, beside what its plan was charged; never cash."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    equivalent_cycles: float = amount_field("discharged MWh over usable MWh", lowest=0.0)
    throughput_mwh: float = amount_field("charged + discharged, AC, MWh", lowest=0.0)
    max_depth: float = _fraction("deepest cycle counted in the day, fraction of the capacity")
    calendar_fade: float = _fraction("capacity lost to time in the day, fraction of the new capacity")
    cycle_fade: float = pa.Field(
        in_range={"min_value": -1.0, "max_value": 1.0},
        description="capacity lost to cycles in the day, those still open counted as half cycles",
    )
    state_of_health: float = pa.Field(
        in_range={"min_value": -1.0, "max_value": 1.0}, description="capacity left at 23:00, fraction of the new one"
    )
    calendar_cost_gbp: float = cash_field("share of the battery's life that time used, at its replacement cost, GBP")
    cycle_cost_gbp: float = cash_field("share of the battery's life that cycles used, at its replacement cost, GBP")
    cost_gbp: float = cash_field("both: cost of the day's wear after the fact, GBP")
    plan_cost_gbp: float = cash_field("what the plan's shadow cost of wear came to, GBP")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy"]
