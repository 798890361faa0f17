"""A gate's plan on scenarios it was not made with, and the volumes of its committed day: what several tables share.

What belongs here: the twin of a gate's problem on fresh scenarios, and columns from a judgement and from a plan. What
does not: how dispatch is decided there (`optimisation/stochastic/policy.py`) and whole rows (`plan_values.py`,
`frontier_rows.py`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.policy import Judgement
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.trading.gate_problem import GateProblem

OUT_OF_SAMPLE = ("oos_expected_pnl_gbp", "oos_var_gbp", "oos_cvar_gbp", "oos_violation_mwh")


def fresh_problem(given: GateProblem, fresh: GateProblem) -> StochasticProblem:
    """The problem of the fresh scenarios, with the worth of closing energy that the plan was made with.

    UserInputError where the two are not of the same gate, products and periods.
    """
    for what, one, other in (
        ("trading day and gate", (given.efa_date, given.gate), (fresh.efa_date, fresh.gate)),
        ("products", given.codes, fresh.codes),
        ("periods", given.problem.product_index.tolist(), fresh.problem.product_index.tolist()),
        ("blocks", given.problem.block_index.tolist(), fresh.problem.block_index.tolist()),
    ):
        if one != other:
            raise UserInputError(
                f"a plan of {given.efa_date} at the gate {given.gate} is judged on scenarios of the same {what} only"
            )
    return replace(fresh.problem, closing=given.problem.closing)


def out_of_sample(judged: Judgement | None) -> dict[str, float]:
    """Columns of a judgement: profit without penalties, and all broken promises together, MWh; NaN without one."""
    if judged is None:
        return dict.fromkeys(OUT_OF_SAMPLE, np.nan)
    broken = float(sum(judged.violations_mwh.values()))
    values = (judged.expected_profit_gbp, judged.value_at_risk_gbp, judged.cvar_gbp, broken)
    return dict(zip(OUT_OF_SAMPLE, values, strict=True))


def committed_volumes(
    problem: StochasticProblem, day_ahead_mw: FloatArray, response_mw: FloatArray
) -> tuple[float, float]:
    """Day-ahead MWh, bought and sold alike, and response MW x hours of the committed day.

    day_ahead_mw (P,), response_mw (R, B), as `StochasticProblem.split_plan` gives them.
    """
    day = slice(0, problem.committed_periods)
    hours = problem.energy.durations[day]
    volume = np.append(np.abs(day_ahead_mw), 0.0)[problem.product_index[day]]  # -1, no product, sees the 0
    contracted = np.append(response_mw.sum(axis=0), 0.0)[problem.block_index[day]]
    return float(volume @ hours), float(contracted @ hours)
