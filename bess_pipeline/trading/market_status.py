"""How the trading days of the strategies of all markets stand, from the stamps of their tables.

What belongs here: which days are dispatched at all, on what a day's dispatch stands, and why a strategy had no plan.
What does not: dispatch (`market_replay.py`) and plans (`co_optimised_days.py`). Imports no optimiser, so that a verdict
is given at once.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date

from bess_pipeline.lake import Lake
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.settings import Settings
from bess_pipeline.trading.co_optimised_names import PLANNED, gates_of
from bess_pipeline.trading.market_strategies import replayed
from bess_pipeline.trading.plan_status import REFUSED, plan_status
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN

UNPLANNED = "unplanned"  # in the stamp of a day: the strategy had no plan, for which no day waits


def due(settings: Settings, lake: Lake, day: date) -> tuple[str, ...]:
    """The strategies of all markets that a day is dispatched with: those replayed, once plans of it were tried."""
    return replayed(settings) if lake.has(CO_OPTIMISED_PLAN, day) else ()


def why_unplanned(lake: Lake, day: date, strategy: str) -> str:
    """Why a strategy that plans with scenarios has no plan of a day to carry out; empty where it has one."""
    if strategy not in PLANNED:
        return ""
    found = plan_status(lake, day, strategy, gates_of(strategy)[0])
    return found.reason if found.status == REFUSED else ""


def planned_with(lake: Lake, day: date, strategy: str) -> str:
    """Stands for a strategy's plans of a day and what was accepted of their orders, whatever else was revised."""
    stamp = lake.stamp(CO_OPTIMISED_PLAN, day)
    decided = {name: text for name, text in stamp.items() if name == "settings" or strategy in name.split(".")}
    return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:12]


def waits(lake: Lake, day: date, strategy: str) -> bool:
    """Whether the day waits for this strategy: False for one of all markets that had no plan."""
    return lake.stamp(MARKET_DISPATCH, day).get(f"{UNPLANNED}.{strategy}") != "yes"
