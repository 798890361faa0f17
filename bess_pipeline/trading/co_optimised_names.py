"""Names of the strategies that plan all markets.

What belongs here: names and labels, which tables, figures and pages share. What does not: how they decide
(`co_optimised.py`), which needs solvers.
"""

from __future__ import annotations

RISK_NEUTRAL, RISK_AVERSE = "co_optimised", "co_optimised_cvar"
CO_OPTIMISED = (RISK_NEUTRAL, RISK_AVERSE)
LABELS = {RISK_NEUTRAL: "co-optimised, risk-neutral", RISK_AVERSE: "co-optimised, mean and CVaR"}
