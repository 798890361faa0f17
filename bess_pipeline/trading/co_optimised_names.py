"""Names of the strategies that plan with scenarios, and the gates at which they do.

What belongs here: names, labels and gates, which tables, figures and pages share. What does not: how they decide
(`co_optimised.py`), which needs solvers, and all strategies that trade in more than the day-ahead market
(`market_strategies.py`).
"""

from __future__ import annotations

from bess_pipeline.trading.timeline import GATES, Gate

ENERGY_ONLY, RISK_NEUTRAL, RISK_AVERSE = "day_ahead_imbalance", "co_optimised", "co_optimised_cvar"
CO_OPTIMISED = (RISK_NEUTRAL, RISK_AVERSE)
PLANNED = (ENERGY_ONLY, *CO_OPTIMISED)
LABELS = {
    ENERGY_ONLY: "day-ahead and imbalance, risk-neutral",
    RISK_NEUTRAL: "co-optimised, risk-neutral",
    RISK_AVERSE: "co-optimised, mean and CVaR",
}


def gates_of(strategy: str) -> tuple[Gate, ...]:
    """The gates at which a strategy decides: the second one is of services, which energy alone does without."""
    return GATES[:1] if strategy == ENERGY_ONLY else GATES


PLANNED_GATES = tuple((strategy, gate) for strategy in PLANNED for gate in gates_of(strategy))
