"""Re-checks of stored plans of all markets, independent of the code that decided them.

What belongs here: identities that must hold in what is stored. What does not: the rules of services themselves
(`ancillary/compliance.py`) and checks of dispatch and cash (`checks.py`).
"""

from __future__ import annotations

import pandas as pd

from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.battery.parameters import Battery

TOLERANCE_MW = 1e-6


def power_beyond_rating_mw(plan: pd.DataFrame, battery: Battery, *, baseline_adds_headroom: bool = False) -> float:
    """Most MW by which a baseline with the services of its own direction exceeds the rating; 0 where none does.

    plan: rows of `trading/co_optimised_plan`. Recovery shares and outages only tighten these limits; with
    `baseline_adds_headroom` a baseline makes room in the other direction.
    """
    if plan.empty:
        return 0.0
    worst = 0.0
    for direction, flow, opposite in (("low", "discharge_mw", "charge_mw"), ("high", "charge_mw", "discharge_mw")):
        offered = [f"{code.lower()}_mw" for code, one in PRODUCT_TABLE.items() if one.direction == direction]
        committed = plan[flow] + plan[offered].fillna(0.0).sum(axis=1)
        if baseline_adds_headroom:
            committed = committed - plan[opposite]
        worst = max(worst, float((committed - battery.power_mw).max()))
    return worst


def half_hours_of_both(plan: pd.DataFrame) -> int:
    """Half-hours that plan to charge and to discharge."""
    return int(((plan["charge_mw"] > TOLERANCE_MW) & (plan["discharge_mw"] > TOLERANCE_MW)).sum())
