"""Pandera models of what is decided, offered, done and explained: plans, orders, dispatch, and what plans are worth.

What belongs here: columns, keys and bounds of these tables. What does not: other tables and what is derived from a
model (`schemas.py`), and how any of it is computed (`trading/`, `risk/`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import pandera.pandas as pa
from pandera.engines import pandas_engine

from bess_pipeline.ancillary.products import PRODUCT_TABLE
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

CO_OPTIMISED_PLAN, ORDERS, EXPLANATION = "trading/co_optimised_plan", "trading/orders", "trading/plan_explanation"
FORESIGHT_ORDERS = "trading/foresight_orders"
PLAN_VALUE, PLAN_OUTCOME, INFORMATION_VALUE = "risk/plan_value", "risk/plan_outcome", "risk/information_value"
FRONTIER, SENSITIVITY = "risk/frontier", "risk/activation_sensitivity"
SERVICE_COLUMNS = tuple(f"{code.lower()}_mw" for code in PRODUCT_TABLE)
MARKETS = ["day_ahead", "response", "reserve"]


def _gate() -> Any:
    return pa.Field(isin=["day_ahead", "response"], description="decision gate: day_ahead 09:50, response 14:00 on D-1")


def _service(product: str, direction: str) -> Any:
    return number_field(
        f"capacity of {product}, {direction}, MW; null where a strategy offers none",
        limit=1e6,
        lowest=0.0,
        nullable=True,
    )


def _state(description: str) -> Any:
    return amount_field(f"{description}, MWh; null where a strategy offers no capacity", nullable=True)


def _cash(description: str) -> Any:
    return number_field(description, limit=1e9, nullable=True)


def _count(description: str) -> Any:
    return pa.Field(ge=0, description=description)


class EnergyPlan(Table):
    """What a bound would have decided for its trading day, per half-hour, with all prices known."""

    efa_date: pandas_engine.Date = date_field("trading day, 23:00 to 23:00 London")
    strategy: str = strategy_field()  # type: ignore[assignment]
    gate: str = pa.Field(description="decision gate: day_ahead, response, or foresight for a bound")
    start_utc: pandas_engine.DateTime = utc_field("start of the half-hour, UTC")
    day_ahead_mw: float = amount_field("volume sold day-ahead (bought when negative), MW")
    charge_mw: float = amount_field("planned charge, AC, MW", lowest=0.0)
    discharge_mw: float = amount_field("planned discharge, AC, MW", lowest=0.0)
    energy_mwh: float = amount_field("planned state of energy at the end of the half-hour, MWh", lowest=0.0)

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "gate", "start_utc"]


class Plan(EnergyPlan):
    """What a strategy decided at a gate for its trading day, per half-hour; states of energy as expected then."""

    dcl_mw: float = _service("DCL", "low")
    dch_mw: float = _service("DCH", "high")
    dml_mw: float = _service("DML", "low")
    dmh_mw: float = _service("DMH", "high")
    drl_mw: float = _service("DRL", "low")
    drh_mw: float = _service("DRH", "high")
    pbr_mw: float = _service("PBR", "low")
    nbr_mw: float = _service("NBR", "high")
    pqr_mw: float = _service("PQR", "low")
    nqr_mw: float = _service("NQR", "high")
    psr_mw: float = _service("PSR", "low")
    nsr_mw: float = _service("NSR", "high")
    energy_floor_mwh: float = _state("lowest state of energy that contracts allow at the start of the half-hour")
    energy_ceiling_mwh: float = _state("highest state of energy that contracts allow at the start of the half-hour")
    energy_q05_mwh: float = _state("state of energy at the end of the half-hour that 5 % of scenarios lie below")
    energy_q95_mwh: float = _state("state of energy at the end of the half-hour that 95 % of scenarios lie below")
    activation_basis: str = pa.Field(nullable=True, description="where the energy that services move comes from")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "gate", "start_utc"]


class Dispatch(Table):
    """What the battery did, per half-hour."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    start_utc: pandas_engine.DateTime = utc_field("start of the half-hour, UTC")
    charge_mw: float = amount_field("baseline charge without activation, AC, MW", lowest=0.0)
    discharge_mw: float = amount_field("baseline discharge without activation, AC, MW", lowest=0.0)
    activation_export_mwh: float = amount_field("response energy exported, MWh", lowest=0.0)
    activation_import_mwh: float = amount_field("response energy imported, MWh", lowest=0.0)
    contracted_mwh: float = amount_field("net energy sold, MWh")
    metered_mwh: float = amount_field("net export at the boundary, MWh")
    imbalance_mwh: float = amount_field("metered - contracted - activation, MWh")
    forced_imbalance_mwh: float = amount_field("part of the imbalance that physics forced, MWh")
    energy_mwh: float = amount_field("state of energy at the end of the half-hour, MWh", lowest=0.0)

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "start_utc"]


class Orders(Table):
    """Offers of plans to each auction, with their limit prices, and what was accepted of them once it is known."""

    efa_date: pandas_engine.Date = date_field("trading day that is offered for")
    strategy: str = strategy_field()  # type: ignore[assignment]
    gate: str = _gate()
    market: str = pa.Field(isin=MARKETS, description="which auction: day_ahead, response or reserve")
    product: str = pa.Field(description="hour or half_hour of day-ahead energy, or a NESO product code")
    start_utc: pandas_engine.DateTime = utc_field("start of what is delivered, UTC")
    end_utc: pandas_engine.DateTime = utc_field("end of what is delivered, UTC")
    step: int = _count("number of the price-quantity step, 0 for a single volume")
    basket: float = number_field(
        "offers of one number are accepted together or not at all", limit=1e6, lowest=0.0, nullable=True
    )
    limit_price: float = price_field(
        "GBP/MWh, capacity GBP/MW/h: a sale is accepted at or above it, a purchase at or below"
    )
    offered_mw: float = amount_field("day-ahead: sold when positive, bought when negative; capacity >= 0, MW")
    clearing_price: float = price_field(
        "of the auction, in the unit of the limit price; null while not known", nullable=True
    )
    accepted_mw: float = amount_field("MW; null while the auction's result is not known", nullable=True)

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "gate", "market", "product", "start_utc", "step", "offered_mw"]


class PlanExplanation(Table):
    """Why a plan holds what it holds: for every committed MW its price, what it displaced, and which limit binds."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    gate: str = _gate()
    market: str = pa.Field(isin=MARKETS, description="which auction: day_ahead, response or reserve")
    product: str = pa.Field(description="hour or half_hour of day-ahead energy, or a NESO product code")
    start_utc: pandas_engine.DateTime = utc_field("start of what is delivered, UTC")
    committed_mw: float = amount_field("sold when positive, bought when negative; capacity >= 0, MW")
    expected_price: float = price_field("expected over the scenarios, GBP/MWh or GBP/MW/h")
    displaced_value: float = amount_field("what one more MW would take away elsewhere, in the unit of the price")
    margin: float = amount_field("what one more MW would earn beyond that, in the unit of the price")
    displaces: str = pa.Field(nullable=True, description="what it takes away, largest part first")
    binding: str = pa.Field(nullable=True, description="which limits bind")
    why: str = pa.Field(description="the same as a sentence")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "gate", "market", "product", "start_utc"]


class PlanValue(Table):
    """What a plan is expected to earn and may lose: in sample, and as its dispatch would do on fresh scenarios."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    gate: str = _gate()
    risk_aversion: float = pa.Field(ge=0, le=1, description="weight of CVaR against the mean")
    confidence: float = pa.Field(gt=0, lt=1, description="of VaR and CVaR")
    objective_gbp: float = cash_field("what was maximised: (1 - a) x mean of the horizon - a x CVaR, GBP")
    bound_gbp: float = cash_field("proven upper bound of the objective, GBP")
    gap: float = number_field("(bound - objective) / max(1, |objective|)", limit=1e9)
    expected_pnl_gbp: float = cash_field("mean of the horizon after wear, with the value of its closing energy, GBP")
    var_gbp: float = cash_field("VaR of the trading day's loss, positive = money lost, GBP")
    cvar_gbp: float = cash_field("CVaR of the trading day's loss, positive = money lost, GBP")
    penalty_gbp: float = cash_field("expected penalty of limits that scenarios break, part of the mean, GBP")
    oos_expected_pnl_gbp: float = _cash("mean of the horizon out of sample, null without fresh scenarios, GBP")
    oos_var_gbp: float = _cash("VaR of the trading day's loss out of sample, GBP")
    oos_cvar_gbp: float = _cash("CVaR of the trading day's loss out of sample, GBP")
    oos_violation_mwh: float = _cash("expected energy by which promises are broken out of sample, MWh")
    headroom_day_ahead_mwh: float = _cash("day-ahead volume held back for trade within the day, MWh")
    headroom_response_mw_h: float = _cash("response held back for trade within the day, MW h")
    headroom_value_gbp: float = _cash("what holding it back is worth, GBP")
    scenarios: int = _count("of the plan")
    fresh_scenarios: int = _count("that it was judged on")
    method: str = pa.Field(description="how it was solved")
    binaries: int = _count("directions of charge and discharge that had to be decided")
    activation_basis: str = pa.Field(nullable=True, description="where the energy that services move comes from")
    notes: str = pa.Field(nullable=True, description="what a reader of the plan must know, a line each")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "gate"]


class PlanOutcome(Table):
    """What a plan would earn on its trading day in each fresh scenario: its risk at any confidence."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    gate: str = _gate()
    scenario: int = _count("before it: its place among the fresh ones")
    probability: float = pa.Field(gt=0, le=1, description="of the scenario; they sum to 1 over a plan")
    pnl_gbp: float = cash_field("of the trading day after wear, with the value of the energy it ends with, GBP")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "gate", "scenario"]


class InformationValue(Table):
    """What uncertainty costs a plan: expected-value solution, wait and see, VSS and EVPI on the same scenarios."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    gate: str = _gate()
    fixed: str = pa.Field(description="what of the expected-value plan is fixed: day-ahead, or day-ahead and response")
    risk_aversion: float = pa.Field(ge=0, le=1, description="weight of CVaR against the mean")
    wait_and_see_gbp: float = cash_field("objective if every scenario were known before its plan, GBP")
    recourse_problem_gbp: float = cash_field("objective of the plan, GBP")
    gap_gbp: float = cash_field("by which the plan's objective may lie below the best, GBP")
    mean_scenario_gbp: float = cash_field("objective of the mean scenario alone, GBP")
    expected_value_gbp: float = cash_field("objective of the mean scenario's plan in all scenarios, GBP")
    evpi_gbp: float = cash_field("expected value of perfect information, GBP")
    vss_gbp: float = cash_field("value of the stochastic solution, GBP")
    slack_cost_gbp: float = cash_field("expected penalty of limits that the mean scenario's plan breaks, GBP")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "gate", "fixed"]


class Frontier(Table):
    """The mean-CVaR frontier of a trading day at the day-ahead gate, in sample and out of sample."""

    efa_date: pandas_engine.Date = date_field("trading day")
    risk_aversion: float = pa.Field(ge=0, le=1, description="weight of CVaR against the mean")
    expected_pnl_gbp: float = cash_field("mean of the horizon after wear, with the value of its closing energy, GBP")
    var_gbp: float = cash_field("VaR of the trading day's loss, positive = money lost, GBP")
    cvar_gbp: float = cash_field("CVaR of the trading day's loss, positive = money lost, GBP")
    gap: float = number_field("(bound - objective) / max(1, |objective|)", limit=1e9)
    oos_expected_pnl_gbp: float = _cash("mean of the horizon out of sample, null without fresh scenarios, GBP")
    oos_var_gbp: float = _cash("VaR of the trading day's loss out of sample, GBP")
    oos_cvar_gbp: float = _cash("CVaR of the trading day's loss out of sample, GBP")
    oos_violation_mwh: float = _cash("expected energy by which promises are broken out of sample, MWh")
    day_ahead_mwh: float = amount_field("day-ahead volume of the trading day, bought and sold, MWh", lowest=0.0)
    response_mw_h: float = amount_field("response of the trading day, MW h", lowest=0.0)
    scenarios: int = _count("of the plan")
    fresh_scenarios: int = _count("that it was judged on")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "risk_aversion"]


class ActivationSensitivity(Table):
    """The plan of all markets if services moved no energy, as much as expected, or twice as much."""

    efa_date: pandas_engine.Date = date_field("trading day")
    strategy: str = strategy_field()  # type: ignore[assignment]
    gate: str = _gate()
    risk_aversion: float = pa.Field(ge=0, le=1, description="weight of CVaR against the mean")
    multiplier: float = pa.Field(ge=0, description="all activation times this")
    expected_pnl_gbp: float = cash_field("mean of the horizon after wear, with the value of its closing energy, GBP")
    cvar_gbp: float = cash_field("CVaR of the trading day's loss, positive = money lost, GBP")
    response_mw_h: float = amount_field("response of the trading day, MW h", lowest=0.0)
    equivalent_cycles: float = amount_field("discharged MWh over usable MWh, activation included, expected", lowest=0.0)
    activation_basis: str = pa.Field(nullable=True, description="where the energy that services move comes from")

    class Config(Table.Config):
        unique: ClassVar = ["efa_date", "strategy", "gate", "multiplier"]
