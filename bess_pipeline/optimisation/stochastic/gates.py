"""The two gates of a trading day, and what the plan holds back for within-day value.

What belongs here: the order of decisions and reserved headroom. What does not: a single solve (`solve.py`), orders and
clearing (`trading/`).

Day-ahead gate: volumes and response are decided together in ignorance of every result, and only the volumes are
offered. Response gate: what the day-ahead auction accepted is given, its price is known, and response is decided anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import FloatArray
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan

HARDLY_MW = 1e-3  # of imbalance: 0 has no interior, which the interior point method needs to be fast


def at_response_gate(
    problem: StochasticProblem, accepted_mw: FloatArray, day_ahead_price_gbp_mwh: FloatArray
) -> StochasticProblem:
    """The problem once the day-ahead result is known.

    accepted_mw (P,): sold (below 0: bought) of each product; NaN = of a product that is not traded yet.
    day_ahead_price_gbp_mwh (T,): cleared prices; NaN = not known yet: the scenarios' prices stay.

    UserInputError where a product's volume is given without its price or the other way round.
    """
    accepted, cleared = np.asarray(accepted_mw, dtype=float), np.asarray(day_ahead_price_gbp_mwh, dtype=float)
    if accepted.shape != (problem.products,) or cleared.shape != (problem.periods,):
        raise UserInputError(
            f"a day-ahead result needs {problem.products} volumes and {problem.periods} prices, not {accepted.size} "
            f"and {cleared.size}"
        )
    traded = problem.product_index >= 0
    known = ~np.isnan(accepted)[np.maximum(problem.product_index, 0)]
    wrong = np.flatnonzero(traded & (known == np.isnan(cleared)))
    if wrong.size:
        raise UserInputError(f"period {wrong[0]} has a day-ahead volume or a price, but not both")
    price = np.where(np.isnan(cleared), problem.day_ahead_price_gbp_mwh, cleared)
    return replace(problem, day_ahead_price_gbp_mwh=price, day_ahead_fixed_mw=accepted)


@dataclass(frozen=True)
class ReservedHeadroom:
    """Volume that a plan holds back because of what is expected within the day.

    day_ahead_mw (P,), response_mw (R, B): what a plan that knows no within-day trade (but `HARDLY_MW`) would contract
    beyond this one in the same direction, >= 0; value_gbp: what this plan's objective has over that plan's once
    within-day trade is allowed to both; without_within_day: that other plan (columns of the plan).
    """

    day_ahead_mw: FloatArray
    response_mw: FloatArray
    value_gbp: float
    without_within_day: FloatArray


def reserved_headroom(
    problem: StochasticProblem, solution: TwoStageSolution, risk: RiskAversion, **options: Any
) -> ReservedHeadroom:
    """What `solution`, the optimum of `problem`, holds back; options: of `optimise_plan`."""
    options = {"exclusive": False} | options
    hardly = np.minimum(np.asarray(problem.imbalance_limit_mw, dtype=float), HARDLY_MW)
    bound = optimise_plan(replace(problem, imbalance_limit_mw=hardly), risk, **options)
    sold, response = problem.split_plan(solution.plan)
    all_sold, all_response = problem.split_plan(bound.plan)
    given = optimise_plan(problem.with_plan(all_sold, all_response), risk, **options)
    return ReservedHeadroom(
        day_ahead_mw=np.maximum(np.abs(all_sold) - np.maximum(np.sign(all_sold) * sold, 0.0), 0.0),
        response_mw=np.maximum(all_response - response, 0.0),
        value_gbp=solution.objective_gbp - given.objective_gbp,
        without_within_day=bound.plan,
    )
