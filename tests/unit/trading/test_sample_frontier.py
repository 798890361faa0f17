"""The frontier on 28 days of the sample market is not flat, and says why where it is.

Each day: forecasts known at the day-ahead gate, 50 scenarios reduced from 500, the battery half full at 23:00; the plan
of the highest mean and the plan of the least CVaR. Seed and first day are stated and were not searched for.
"""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from sample_gates import day_ahead_gates

from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.risk.frontier_rows import WORTHWHILE, frontier_rows, why_flat
from bess_pipeline.trading.gate_problem import gate_problem

pytestmark = pytest.mark.slow

SEED, FIRST, DAYS = 2, date(2025, 2, 3), 28
ENDS = CoOptimisationSettings(frontier_points=2)
GAP = 1e-5  # of the objective: a tenth of a pound in some thousand


def test_full_risk_aversion_is_worth_5_percent_of_cvar_on_half_the_days_or_the_output_says_why_not() -> None:
    table = []
    for inputs in day_ahead_gates(FIRST, DAYS, SEED):
        given = gate_problem(inputs)
        assert (given.problem.scenarios, given.problem.periods) == (50, 96)
        rows = frontier_rows(given, None, ENDS, gap=GAP)
        neutral, averse = rows.to_dict("records")
        better = neutral["cvar_gbp"] - averse["cvar_gbp"]
        assert better >= -1.0
        table.append(
            {
                "efa_date": given.efa_date,
                "cvar_neutral_gbp": neutral["cvar_gbp"],
                "better_gbp": better,
                "better_percent": 100 * better / abs(neutral["cvar_gbp"]),
                "mean_given_up_gbp": neutral["expected_pnl_gbp"] - averse["expected_pnl_gbp"],
                "why_flat": why_flat(rows) or "",
            }
        )
    found = pd.DataFrame(table)
    worthwhile = found["better_percent"] >= 100 * WORTHWHILE
    print(found.drop(columns="why_flat").round(1).to_string(index=False))
    print(*found.loc[~worthwhile, "why_flat"], f"{worthwhile.sum()} of {DAYS} days improve by 5 % or more", sep="\n")
    assert (found["why_flat"] == "").tolist() == worthwhile.tolist()
    assert found.loc[~worthwhile, "why_flat"].str.contains("there is little risk that a plan can avoid").all()
    assert 2 * worthwhile.sum() >= DAYS
