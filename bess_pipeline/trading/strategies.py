"""The strategies of the day-ahead market: one entry each, from which everything that lists them is made.

What belongs here: the register. What does not: how a strategy decides (a module each), how its days are carried through
the lake (`replay.py`) and strategies of more markets (`market_strategies.py`), which `find` knows too.

A new strategy is a module that plans a day, and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bess_pipeline.forecasting.baseline import similar_day
from bess_pipeline.trading import foresight, market_strategies, rolling, rule_based
from bess_pipeline.trading.market_strategies import MarketStrategy
from bess_pipeline.trading.plans import PlanOutcome, PlanRequest
from bess_pipeline.trading.stamps import FORESIGHT, PLAN
from bess_pipeline.trading.stored_forecast import described, stored_mean

Planner = Callable[[PlanRequest], PlanOutcome]


@dataclass(frozen=True)
class Strategy:
    """A way of trading, or an upper bound of some.

    label: its name in tables and legends; markets: the streams it trades in; plan_table: where its plans are
    stored; bound: the strategy that no other of its markets can beat, None for a bound itself; plan: decides one
    day at its gate, None for a bound, which is one problem over a whole range.
    """

    name: str
    label: str
    markets: tuple[str, ...]
    plan_table: str
    bound: str | None = None
    plan: Planner | None = None


def _rule_based(request: PlanRequest) -> PlanOutcome:
    trading = request.settings.trading
    return rule_based.plan_day(
        request.efa_date,
        request.day_ahead_price,
        request.battery,
        request.opening_energy_mwh,
        history_days=trading.history_days,
        rule_hours=trading.rule_hours,
        availability=request.availability(request.efa_date),
    )


def _day_ahead_rolling(request: PlanRequest) -> PlanOutcome:
    similar_days, stored = request.settings.rolling.similar_days, request.day_ahead_forecast
    forecaster, named = similar_day(similar_days), f"the mean of the last {similar_days} similar days"
    if stored is not None:
        forecaster, named = stored_mean(stored, forecaster), described(stored, request.efa_date, similar_days)
    outcome = rolling.plan_day(
        request.efa_date,
        request.day_ahead_price,
        request.battery,
        request.opening_energy_mwh,
        history_days=request.settings.trading.history_days,
        rolling=request.settings.rolling,
        availability=request.availability,
        solver=request.solver,
        forecaster=forecaster,
    )
    return replace(outcome, forecast=named)


DAY_AHEAD = ("day_ahead",)
STRATEGIES = (
    Strategy(rule_based.STRATEGY, "rule-based", DAY_AHEAD, PLAN, foresight.STRATEGY, _rule_based),
    Strategy(rolling.STRATEGY, "day-ahead rolling", DAY_AHEAD, PLAN, foresight.STRATEGY, _day_ahead_rolling),
    Strategy(foresight.STRATEGY, "day-ahead perfect foresight (upper bound)", DAY_AHEAD, FORESIGHT),
)
NAMES = tuple(strategy.name for strategy in STRATEGIES)
DECIDING = tuple(strategy for strategy in STRATEGIES if strategy.plan is not None)


def find(name: str) -> Strategy | MarketStrategy | None:
    """The strategy of this name, of whichever markets, or None."""
    return next((strategy for strategy in STRATEGIES if strategy.name == name), market_strategies.find(name))
