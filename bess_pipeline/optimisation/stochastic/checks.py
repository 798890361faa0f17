"""The refusal of scenario data that cannot be used, in one sentence each.

What belongs here: looks at shapes, signs and sizes. What does not: the data themselves (`problem.py`) and the
battery's own limits (`optimisation/problem.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import PRICE_LIMIT_GBP_MWH

if TYPE_CHECKING:
    from bess_pipeline.optimisation.stochastic.problem import StochasticProblem


def check_scenarios(problem: StochasticProblem) -> None:
    """UserInputError for the first thing that cannot be used."""
    _check_prices(problem)
    _check_probability(problem)
    _check_periods(problem)
    _check_response(problem)
    _check_fixed(problem)


def _check_prices(problem: StochasticProblem) -> None:
    shape = problem.day_ahead_price_gbp_mwh.shape
    if not problem.day_ahead_price_gbp_mwh.size:
        raise UserInputError("a stochastic plan needs at least one scenario of at least one period")
    if problem.system_price_gbp_mwh.shape != shape:
        raise UserInputError(f"system prices have the shape {problem.system_price_gbp_mwh.shape}, not {shape}")
    prices = {
        "day-ahead price": problem.day_ahead_price_gbp_mwh,
        "system price": problem.system_price_gbp_mwh,
        "response price": np.asarray(problem.response_price_gbp_mw_h),
    }
    for name, values in prices.items():
        bad = np.argwhere(~(np.abs(values) <= PRICE_LIMIT_GBP_MWH))
        if bad.size:
            where = tuple(int(k) for k in bad[0])
            raise UserInputError(
                f"the {name} at {where} (scenario first) is {values[where]}: it must be a finite number of at most "
                f"{PRICE_LIMIT_GBP_MWH:,.0f} GBP in size"
            )


def _check_probability(problem: StochasticProblem) -> None:
    weight, count = problem.probability, problem.day_ahead_price_gbp_mwh.shape[0]
    if weight.shape != (count,) or not (weight > 0).all() or not abs(weight.sum() - 1) <= 1e-9:
        raise UserInputError(f"{count} scenarios need as many probabilities, all positive, of sum 1")


def _check_periods(problem: StochasticProblem) -> None:
    periods = problem.periods
    for name, index in (("product_of_period", problem.product_index), ("block_of_period", problem.block_index)):
        if index.shape != (periods,):
            raise UserInputError(f"{name} needs one number per period, not {index.size} for {periods} periods")
        used = np.unique(index[index >= 0])
        if index.min() < -1 or not np.array_equal(used, np.arange(used.size)):
            raise UserInputError(f"{name} must number what it names 0, 1, 2, ... without a gap, and -1 for none")
    if not 1 <= problem.committed_periods <= periods:
        raise UserInputError(
            f"{problem.committed_periods} committed periods do not lie within the {periods} of the horizon"
        )
    limit = np.asarray(problem.imbalance_limit_mw)
    if not (np.isfinite(limit) & (limit >= 0)).all():
        raise UserInputError("the imbalance limit must be 0 MW or more, and finite, in every period")
    penalty = problem.penalty_gbp_mwh
    if penalty is not None and not (np.isfinite(penalty) and penalty > 0):
        raise UserInputError(f"a penalty of {penalty} GBP/MWh is not positive and finite")


def _check_response(problem: StochasticProblem) -> None:
    codes = [one.code for one in problem.responses]
    if len(set(codes)) != len(codes) or not all(code.isidentifier() for code in codes):
        raise UserInputError(f"the response products {', '.join(codes)} need a name each, of letters and digits, once")
    for one in problem.responses:
        if one.direction not in ("low", "high") or not 0 <= one.recovery_share <= 1 or not one.volume_mwh_per_mw >= 0:
            raise UserInputError(
                f"response product {one.code} needs the direction low or high, a recovery share of 0 to 1 and a volume "
                "of 0 MWh per MW or more"
            )
    for name in ("response_cap_mw", "activation_mwh_per_mw", "required_mwh_per_mw"):
        values = np.asarray(getattr(problem, name))
        if not (np.isfinite(values) & (values >= 0)).all():
            raise UserInputError(f"{name} must be 0 or more, and finite, everywhere")


def _check_fixed(problem: StochasticProblem) -> None:
    shapes = {
        "day_ahead_fixed_mw": (problem.products,),
        "response_fixed_mw": (len(problem.responses), problem.blocks),
    }
    for name, shape in shapes.items():
        given = getattr(problem, name)
        if given is not None and np.shape(given) != shape:
            raise UserInputError(f"{name} has the shape {np.shape(given)}, not {shape}")
    rows = problem.plan_rows
    if rows is None:
        return
    wanted = (len(rows.names), len(problem.plan_names))
    if rows.matrix.shape != wanted or rows.limit.shape != wanted[:1]:
        raise UserInputError(f"the further rules of the plan have the shape {rows.matrix.shape}, not {wanted}")
