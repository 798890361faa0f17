"""The wear section of the report: the plan's shadow cost reconciled with the cost after the fact.

What belongs here: its table, and the settings that would have made both agree. What does not: fade and cost
(`risk/degradation`, `battery/degradation.py`).
"""

from __future__ import annotations

import pandas as pd

from bess_pipeline.battery.degradation import KWH_PER_MWH, depth_segment_costs, life_share, matching_cost_gbp_per_mwh
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures.style import strategy_label
from bess_pipeline.report.tables import number
from bess_pipeline.settings import Settings

SEGMENTS = 4
COLUMNS = (
    "strategy",
    "cycles",
    "throughput, MWh",
    "deepest, %",
    "calendar fade, %",
    "cycle fade, %",
    "state of health, %",
    "plan cost, £",
    "cycling, £",
    "time, £",
    "would have matched, £/MWh",
)


def wear_table(degradation: pd.DataFrame) -> pd.DataFrame:
    """Text cells: a row per strategy of `risk/degradation` rows of a window."""
    rows = []
    for strategy, own in degradation.sort_values("efa_date").groupby("strategy", sort=True):
        total = own.sum(numeric_only=True)
        matching = matching_cost_gbp_per_mwh(float(total["cycle_cost_gbp"]), float(total["throughput_mwh"]))
        rows.append(
            [
                strategy_label(str(strategy)),
                number(total["equivalent_cycles"], 1),
                number(total["throughput_mwh"]),
                number(own["max_depth"].max() * 100.0),
                number(total["calendar_fade"] * 100.0, 3),
                number(total["cycle_fade"] * 100.0, 3),
                number(own["state_of_health"].iloc[-1] * 100.0, 2),
                number(total["plan_cost_gbp"]),
                number(total["cycle_cost_gbp"]),
                number(total["calendar_cost_gbp"]),
                "none" if matching is None else number(matching, 2),
            ]
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def wear_note(settings: Settings) -> str:
    """What the costs stand on, and the depth costs that follow from the same model (`cycle_depth_cost_gbp_per_mwh`)."""
    wear, battery = settings.degradation, Battery.from_settings(settings.battery)
    price_gbp = wear.replacement_cost_gbp_per_kwh * KWH_PER_MWH * battery.energy_mwh
    phi = life_share(wear.end_of_life_state_of_health, battery.power_mw / battery.energy_mwh)
    costs = ", ".join(f"£{cost:.2f}" for cost in depth_segment_costs(phi, SEGMENTS, battery, price_gbp))
    fade = "limits" if wear.fade_limits_energy else "does not limit"
    return (
        f"After the fact: rainflow cycles and a semi-empirical LFP model (docs/degradation.md); a battery of "
        f"£{wear.replacement_cost_gbp_per_kwh:g}/kWh, replaced at {wear.end_of_life_state_of_health:.0%} of its "
        f"capacity, both choices of the settings. The plan charged "
        f"£{settings.battery.degradation_cost_gbp_per_mwh:g} per MWh charged and discharged; the last column is what "
        f"would have charged the cost of cycling. By depth, the same model gives {costs} per MWh for the "
        f"{SEGMENTS} parts of a full cycle, the shallowest first. Neither cost is cash, and the fade {fade} the energy "
        "of later days."
    )
