"""One strategy's gate of one day as rows of every table: plan, orders, explanation, and what the plan is worth.

What belongs here: the order of steps from stored inputs to rows. What does not: each of the steps (`stored_gate.py`,
`gate_problem.py`, `co_optimised.py`, `orders.py`, `plan_explanation.py`, `risk/plan_values.py`), and which gates are
decided when (`co_optimised_days.py`).

At the day-ahead gate only energy is offered: services are decided there too, and anew at the response gate, where what
the day-ahead auction accepted is given. Where its result is not known by then (a within-day index that stands in for
it) the volumes that were offered are taken as accepted. `day_ahead_imbalance` decides at the day-ahead gate alone,
without services; its plans get no values of information.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from bess_pipeline import gb_time, schemas
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.stochastic.marginal_values import marginal_values
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.withdrawn_offers import withdrawn_values
from bess_pipeline.risk.plan_values import information_rows, plan_value_rows
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.co_optimised import Decision, closing_energy_mwh, decide, plan_rows
from bess_pipeline.trading.co_optimised_names import ENERGY_ONLY
from bess_pipeline.trading.conduct import conduct_note
from bess_pipeline.trading.gate_problem import GateInputs, GateProblem, after_day_ahead, gate_problem
from bess_pipeline.trading.orders import accepted_day_ahead_mw, basket_orders, clear, day_ahead_orders, stepped_orders
from bess_pipeline.trading.plan_explanation import explain, limit_prices, offer_groups
from bess_pipeline.trading.plans import Array
from bess_pipeline.trading.stored_gate import StoredGates
from bess_pipeline.trading_tables import (
    CO_OPTIMISED_PLAN,
    EXPLANATION,
    INFORMATION_VALUE,
    ORDERS,
    PLAN_OUTCOME,
    PLAN_VALUE,
)

RESULT_NOT_KNOWN = (
    "the day-ahead result is not known at the response gate: what was offered is taken as accepted, at no known price"
)


@dataclass(frozen=True, eq=False)
class GatePlan:
    """Rows by table; closing_mwh: the state that the trading day is expected to end with; notes in sentences."""

    rows: Mapping[str, pd.DataFrame]
    closing_mwh: float | None = None
    notes: tuple[str, ...] = ()


class GatePlanner:
    """Plans single gates of one workspace under one set of settings."""

    def __init__(self, settings: Settings, gates: StoredGates) -> None:
        self.settings = settings
        self.gates = gates

    def plan(
        self,
        day: date,
        strategy: str,
        gate: timeline.Gate,
        battery: Battery,
        opening_energy_mwh: float,
        sold: GatePlan | None,
    ) -> GatePlan:
        """The gate's plan; `sold`: that of the day-ahead gate, which the response gate needs. BessError as `decide`."""
        inputs = self.gates.inputs(day, gate, battery, opening_energy_mwh)
        if strategy == ENERGY_ONLY:
            inputs = replace(inputs, ancillary=without_services(inputs.ancillary))
        given = gate_problem(inputs)
        if gate == "response":
            given = self._after_day_ahead(given, sold)
        settings = self.settings
        availability = self.gates.availability(day, day, gate)
        decision = decide(given, strategy, settings.co_optimisation, settings.ancillary, availability)
        key = {"efa_date": day, "strategy": strategy, "gate": gate}
        rows = self._decided(decision, key) | self._worth(decision, inputs, key)
        return GatePlan(rows, closing_energy_mwh(decision), decision.notes)

    def cleared(self, orders: pd.DataFrame, day_ahead: pd.DataFrame, auctions: pd.DataFrame) -> pd.DataFrame:
        """Orders with what is known of their results; volumes as offered where an index stands in for day-ahead."""
        stands_in = bool(day_ahead["source"].isin(timeline.WITHIN_DAY_SOURCES).any())
        return clear(orders, day_ahead, auctions, volumes_as_offered=stands_in)

    def _after_day_ahead(self, given: GateProblem, sold: GatePlan | None) -> GateProblem:
        """The problem with what the day-ahead auction is known, or taken, to have accepted."""
        if sold is None or ORDERS not in sold.rows or not sold.rows:
            raise UserInputError("there is no plan of the day-ahead gate to go on from")
        orders, day, problem = sold.rows[ORDERS], given.efa_date, given.problem
        price = self.gates.day_ahead_result(day)
        starts = given.day_ahead_start_utc
        inside = np.asarray(starts < pd.Timestamp(gb_time.efa_day_bounds_utc(day)[1]))
        if price is None:
            offered = orders.groupby("start_utc")["offered_mw"].sum().reindex(starts, fill_value=0.0)
            fixed = np.where(inside, offered.to_numpy(dtype="float64"), np.nan)
            return replace(given, problem=problem.with_plan(fixed, None), notes=(RESULT_NOT_KNOWN, *given.notes))
        result, _ = self.gates.results(day)
        cleared = clear(orders, result, schemas.empty_frame("market/auction_clearing"))
        return after_day_ahead(given, accepted_day_ahead_mw(cleared, starts[inside]), price)

    def _decided(self, decision: Decision, key: dict[str, Any]) -> dict[str, pd.DataFrame]:
        """Plan, orders and explanation of a decision."""
        given = decision.given
        explained = explain(given, decision.solution, decision.risk)
        return {
            CO_OPTIMISED_PLAN: plan_rows(decision, key["strategy"]),
            ORDERS: self._orders(decision, key, *_limits(decision)),
            EXPLANATION: _with_key(explained, key),
        }

    def _orders(self, decision: Decision, key: dict[str, Any], energy: Array, capacity: Array) -> pd.DataFrame:
        """What the gate offers: energy at the day-ahead gate, services at the response gate."""
        given = decision.given
        starts = given.day_ahead_start_utc
        if given.gate == "day_ahead":
            minutes = int((starts[1] - starts[0]) / pd.Timedelta(minutes=1))
            if decision.curve is not None:
                steps = decision.curve
                return stepped_orders(key, starts, minutes, steps.product, steps.offered_mw, steps.limit_price_gbp_mwh)
            return day_ahead_orders(key, starts, minutes, decision.day_ahead_mw, energy)
        begins, ends = _blocks(given)
        return basket_orders(key, given.codes, decision.response_mw, capacity, begins, ends)

    def _worth(self, decision: Decision, inputs: GateInputs, key: dict[str, Any]) -> dict[str, pd.DataFrame]:
        """What the plan is worth, in sample and out of sample, and what uncertainty costs it."""
        given, solution, risk, strategy = decision.given, decision.solution, decision.risk, key["strategy"]
        early = given.gate == "day_ahead"  # where all is still open
        fresh = self.gates.fresh(inputs.efa_date, inputs.gate)
        judged = None if fresh is None else gate_problem(replace(inputs, scenarios=fresh))
        values = (
            early
            and strategy != ENERGY_ONLY
            and inputs.efa_date.isoweekday() in self.settings.co_optimisation.value_weekdays
        )
        row, outcomes = plan_value_rows(given, judged, solution, risk, strategy=strategy, headroom=values)
        note = conduct_note(given, solution)
        row["notes"] = ["\n".join(part for part in (*row["notes"], note) if part)]
        worth = {PLAN_VALUE: row, PLAN_OUTCOME: outcomes}
        if values:
            worth[INFORMATION_VALUE] = information_rows(given, risk, solution, strategy=strategy)
        return worth


def without_services(settings: AncillarySettings) -> AncillarySettings:
    """The settings with nothing offered beside energy."""
    return settings.model_copy(update={"response_products": (), "reserve_products": ()})


def _limits(decision: Decision) -> tuple[Array, Array]:
    """Limit prices of what the gate offers, (P,) and (R, B): what each offer displaces as a whole, at that price."""
    given, problem = decision.given, decision.given.problem
    programme = compile_programme(problem)
    values = marginal_values(programme, decision.solution, decision.risk)
    end = pd.Timestamp(gb_time.efa_day_bounds_utc(given.efa_date)[1])
    energy = np.asarray(given.day_ahead_start_utc < end) & (given.gate == "day_ahead") & (decision.curve is None)
    capacity = np.asarray(given.block_start_utc < end) & (given.gate == "response")
    offered = np.concatenate([energy, np.tile(capacity, len(given.codes))])
    plan = problem.plan_vector(decision.day_ahead_mw, decision.response_mw)
    whole = withdrawn_values(problem, plan, decision.risk, offer_groups(programme), offered=offered)
    return limit_prices(values, whole_offers=whole, at_that_price=True)


def _blocks(given: GateProblem) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Starts and ends of the response blocks."""
    starts = given.block_start_utc
    if not len(starts):
        return starts, starts
    return starts, pd.DatetimeIndex([*starts[1:], given.horizon.start_utc[-1] + gb_time.HALF_HOUR])


def _with_key(rows: pd.DataFrame, key: Mapping[str, Any]) -> pd.DataFrame:
    """Rows with the day, strategy and gate in front."""
    whole = rows.copy()
    for place, name in enumerate(("efa_date", "strategy", "gate")):
        if name not in whole:
            whole.insert(place, name, pd.Series([key[name]] * len(whole), index=whole.index, dtype=object))
    return whole
